//! Where results are kept, as the options say.

use railsbench_server::ArtifactsConfig;

use super::{Options, OptionsError};

impl Options {
    #[cfg(feature = "s3")]
    pub(super) fn artifacts(&self) -> Result<ArtifactsConfig, OptionsError> {
        use railsbench_server::artifacts::ArtifactKey;
        use railsbench_server::artifacts::s3::S3Config;
        if self.s3_bucket.is_some() && self.artifacts_dir.is_some() {
            return Err(OptionsError::TwoPlaces);
        }
        let Some(bucket) = self.s3_bucket.clone() else {
            let others = self.s3_prefix.is_some()
                || self.s3_region.is_some()
                || self.s3_endpoint.is_some()
                || self.s3_path_style.is_some();
            return if others { Err(OptionsError::NoBucket) } else { Ok(self.folder()) };
        };
        let prefix = self.s3_prefix.as_deref().map(|text| ArtifactKey::new(text.trim_matches('/')));
        Ok(ArtifactsConfig::S3(S3Config {
            bucket,
            prefix: prefix.transpose().map_err(OptionsError::BadPrefix)?,
            region: self.s3_region.clone(),
            endpoint: self.s3_endpoint.clone(),
            force_path_style: self.s3_path_style.unwrap_or(false),
        }))
    }

    #[cfg(not(feature = "s3"))]
    #[expect(clippy::unnecessary_wraps, reason = "as with S3")]
    pub(super) fn artifacts(&self) -> Result<ArtifactsConfig, OptionsError> {
        Ok(self.folder())
    }

    fn folder(&self) -> ArtifactsConfig {
        self.artifacts_dir.clone().map_or(ArtifactsConfig::Filesystem, ArtifactsConfig::Folder)
    }
}
