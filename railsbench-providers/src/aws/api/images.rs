//! Which image a machine boots from.

use railsbench_core::provider::Arch;

use super::{Failure, RegionApi};

/// The parameter in which Debian publishes its newest image of this release.
/// <https://wiki.debian.org/Cloud/AmazonEC2Image/Bookworm>
pub(in super::super) fn image_parameter(arch: Arch) -> String {
    format!("/aws/service/debian/release/12/latest/{}", arch.debian())
}

impl RegionApi {
    /// Debian's newest image for an architecture in this region.
    pub(in super::super) async fn debian_image(&self, arch: Arch) -> Result<String, Failure> {
        let name = image_parameter(arch);
        let action = format!("looking for Debian's image in {name}");
        let answer = self.ssm.get_parameter().name(&name).send().await;
        let answer = answer.map_err(|error| Failure::new(&action, &error))?;
        let value = answer.parameter.and_then(|parameter| parameter.value).unwrap_or_default();
        if value.starts_with("ami-") {
            Ok(value)
        } else {
            Err(Failure::strange(action, format!("its value {value:?} is no image")))
        }
    }
}
