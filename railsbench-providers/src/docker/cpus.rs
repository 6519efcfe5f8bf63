//! Which CPUs belong to whom.

use std::collections::BTreeSet;

/// Most CPUs that are read from a set; the kernel has no more.
const MOST: u32 = 8192;

/// A set of CPUs, as cpusets write it: `0-3,6`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CpuSet(BTreeSet<u32>);

impl CpuSet {
    /// Reads a set; what is no number or range is left out.
    pub(super) fn parse(text: &str) -> Self {
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            Some(first..=std::cmp::min(last, MOST))
        };
        Self(text.split(',').filter_map(range).flatten().collect())
    }

    /// The CPUs 0 to `count` - 1.
    pub(super) fn first(count: u32) -> Self {
        Self((0..count.min(MOST)).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        !self.0.is_disjoint(&other.0)
    }

    pub(super) fn without(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).copied().collect())
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }

    /// `count` of these, the highest ones: systems do their own work on the lowest. `None` if
    /// there are not as many.
    pub(super) fn take(&self, count: u32) -> Option<Self> {
        let count = usize::try_from(count).ok()?;
        (self.0.len() >= count).then(|| Self(self.0.iter().rev().take(count).copied().collect()))
    }
}

impl std::fmt::Display for CpuSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&numbers.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_as_the_kernel_writes_them() {
        assert_eq!(CpuSet::parse("0-3,6").to_string(), "0,1,2,3,6");
        assert_eq!(CpuSet::parse("5").to_string(), "5");
        for nothing in ["", "a", "3-1", "-", ",", "1-"] {
            assert_eq!(CpuSet::parse(nothing), CpuSet::default(), "{nothing:?}");
        }
        assert!(CpuSet::parse("0-4294967295").len() <= 8193);
    }

    #[test]
    fn machines_get_what_is_free_from_the_top() {
        let all = CpuSet::first(4);
        let one = all.take(2).unwrap();
        assert_eq!(one.to_string(), "2,3");
        let two = all.without(&one).take(2).unwrap();
        assert_eq!(two.to_string(), "0,1");
        assert!(!one.overlaps(&two) && one.overlaps(&all));
        assert_eq!(all.without(&one).take(3), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_sets_are_read_back(text in "[0-9,-]{0,20}") {
            let set = CpuSet::parse(&text);
            proptest::prop_assert_eq!(CpuSet::parse(&set.to_string()), set);
        }
    }
}
