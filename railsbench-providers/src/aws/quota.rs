//! How many vCPUs an account may have at once.

use super::naming::shape;

/// A quota of running on-demand vCPUs, by its code at Service Quotas, and what it is for.
/// <https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html>, 2026-07
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
}

/// The quota that instances of a type count against.
pub(super) fn quota(instance_type: &str) -> Quota {
    let letters = instance_type.find(|c: char| !c.is_ascii_lowercase());
    let series = &instance_type[..letters.unwrap_or(instance_type.len())];
    let (code, name) = match series {
        "dl" => ("L-6E869C2A", "DL"),
        "f" => ("L-74FC7D96", "F"),
        "g" | "gr" | "vt" => ("L-DB2E81BA", "G and VT"),
        "hpc" => ("L-F7808C92", "HPC"),
        "inf" => ("L-1945791B", "Inf"),
        "p" => ("L-417A185B", "P"),
        "trn" => ("L-2C3B7624", "Trn"),
        "u" => ("L-43DA4232", "High Memory"),
        "x" => ("L-7295265B", "X"),
        _ => ("L-1216C47A", "Standard (A, C, D, H, I, M, R, T, Z)"),
    };
    Quota { code, name }
}

/// How many vCPUs of a quota instances of these types take.
pub(super) fn used<'a>(quota: Quota, types: impl IntoIterator<Item = &'a str>) -> u32 {
    let vcpus = |name: &str| shape(name).ok().and_then(|shape| shape.vcpus).unwrap_or(0);
    types.into_iter().filter(|name| self::quota(name) == quota).map(vcpus).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_count_against_the_quota_of_their_series() {
        assert_eq!(quota("c7g.medium").code, "L-1216C47A");
        assert_eq!(quota("im4gn.large").code, "L-1216C47A");
        assert_eq!(quota("g5g.xlarge").code, quota("vt1.3xlarge").code);
        assert_eq!(quota("u-6tb1.56xlarge").code, "L-43DA4232");
        let types = ["c7g.medium", "m5.2xlarge", "g5.xlarge", "of-no-known.kind"];
        assert_eq!(used(quota("t3.micro"), types), 9);
    }
}
