//! Why the options cannot be used.

use std::io;
use std::path::PathBuf;

use railsbench_server::RunnerFilesError;

/// Why the options cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OptionsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The configuration file is wrong.
    #[error("{} is wrong: {problem}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What and where.
        problem: String,
    },
    /// The folder of runners is no good.
    #[error(transparent)]
    Runners(#[from] RunnerFilesError),
    /// Both ways of giving the operator token were used.
    #[error("both API_KEY and an API key file are given: keep one of the two")]
    TwoKeys,
    /// Both ways of giving the URL of the database were used.
    #[cfg(feature = "postgres")]
    #[error("both RAILSBENCH_DATABASE_URL and a file with the URL are given: keep one of the two")]
    TwoDatabases,
    /// A database that this program cannot use.
    #[cfg(not(feature = "postgres"))]
    #[error(
        "RAILSBENCH_DATABASE_URL is set, but this program was built without PostgreSQL: build it \
         with --features postgres, or unset the variable"
    )]
    NoPostgres,
    /// Two places for the results.
    #[cfg(feature = "s3")]
    #[error("both a bucket and an artifacts folder are given: keep one of the two")]
    TwoPlaces,
    /// Options of S3 without a bucket.
    #[cfg(feature = "s3")]
    #[error("S3 options are given without a bucket: add --s3-bucket NAME")]
    NoBucket,
    /// The S3 prefix is no key.
    #[cfg(feature = "s3")]
    #[error("the S3 prefix is wrong: {0}")]
    BadPrefix(railsbench_server::artifacts::ArtifactError),
    /// Half a pair.
    #[error("{given} is given without {missing}: a certificate needs both")]
    HalfPair {
        /// What is there.
        given: &'static str,
        /// What is not.
        missing: &'static str,
    },
    /// Several ways of getting a certificate.
    #[error("{0} and {1} are both given: a server has one certificate, so keep one of the two")]
    TwoCertificates(&'static str, &'static str),
    /// An option that means nothing by itself.
    #[cfg(any(feature = "private-ca", feature = "acme", feature = "postgres"))]
    #[error("{option} means nothing without {needed}")]
    Idle {
        /// The option.
        option: &'static str,
        /// What it is about.
        needed: &'static str,
    },
}
