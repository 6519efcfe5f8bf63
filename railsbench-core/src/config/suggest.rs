//! "Did you mean": the nearest of the names that would have been right.

/// Up to three of `names` that are close enough to `typed` to be what was meant, nearest first.
pub fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    const CLOSE: f64 = 0.75;
    // No name is longer; a longer text must not cost time.
    const LONGEST: usize = 128;
    let typed = typed.chars().take(LONGEST).collect::<String>().to_lowercase();
    let mut scored: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&typed, &name.to_lowercase()), name))
        .filter(|(score, _)| *score >= CLOSE)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}

/// The fix for an unknown name: the nearest known one, or else the list of all.
pub(super) fn fix_for(typed: &str, names: &[&str]) -> String {
    match nearest(typed, names.iter().copied()).first() {
        Some(name) => format!("did you mean {name:?}?"),
        None => format!("use one of: {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        assert_eq!(nearest("ruby_verison", ["ruby_version", "regions"]), ["ruby_version"]);
        assert_eq!(nearest("AWS", ["aws", "azure"]).first(), Some(&"aws"));
        assert!(nearest("zzz", ["aws"]).is_empty());
    }
}
