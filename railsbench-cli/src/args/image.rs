//! Images of the runner for Docker: `image`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use railsbench::config::RubyVersion;
use railsbench::id::ImageName;
use railsbench::providers::docker::image::RailsVersion;

/// `image`
#[derive(Debug, Clone, Args)]
pub struct ImageArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub action: ImageAction,
}

/// What to do with an image.
#[derive(Debug, Clone, Subcommand)]
pub enum ImageAction {
    /// Make one at the Docker daemon: a Ruby, the gems of the workload, and the runner
    Build(ImageBuildArgs),
}

/// `image build`
#[derive(Debug, Clone, Args)]
pub struct ImageBuildArgs {
    /// Ruby that it must have, e.g. 3.4.1 [default: that of the base]
    #[arg(long, value_name = "VERSION")]
    pub ruby: Option<RubyVersion>,
    /// Rails to put into it, e.g. 7.1.5, or 7.1 for the newest of those [default: the newest that
    /// the Ruby takes]
    #[arg(long, value_name = "VERSION")]
    pub rails: Option<RailsVersion>,
    /// Image to make it from [default: the official slim image of that Ruby]
    #[arg(long, value_name = "IMAGE")]
    pub base: Option<ImageName>,
    /// What to call it [default: what runs with that Ruby look for]
    #[arg(long, value_name = "IMAGE")]
    pub tag: Option<ImageName>,
    /// The runner's executable [default: railsbench-runner beside this one]
    #[arg(long, value_name = "PATH")]
    pub runner: Option<PathBuf>,
}
