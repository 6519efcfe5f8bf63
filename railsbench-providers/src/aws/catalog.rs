//! What is known of EC2's instance types: `catalog.csv`, whose first lines say where it is from.
//!
//! Prices are those of us-east-1; other regions cost a tenth more or less, some up to a half
//! more. To see what EC2 itself says of a type:
//! ```sh
//! aws ec2 describe-instance-types --output json --query \
//!   'InstanceTypes[].[InstanceType, ProcessorInfo.SupportedArchitectures, VCpuInfo.DefaultVCpus, MemoryInfo.SizeInMiB]'
//! ```

use std::sync::LazyLock;

use crate::catalog::Catalog;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    Catalog::parse(include_str!("catalog.csv")).expect("it is compiled in, and a test reads it")
});

/// The known types.
pub(super) fn catalog() -> &'static Catalog {
    &CATALOG
}
