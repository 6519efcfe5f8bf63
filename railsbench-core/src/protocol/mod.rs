//! The wire contract between operators, orchestrator and runners.
//!
//! Every body that crosses the network is a type here, and the published OpenAPI document is
//! generated from them. Task calls ignore fields that they do not know, so that old servers
//! serve new runners; only run configurations are strict (see [`crate::config`]).

mod artifacts;
mod events;
mod logs;
mod problem;
mod runs;
mod tasks;
mod tokens;

pub use artifacts::{
    ArtifactFile, ConnectivityProbe, ConnectivityUpload, FinishedTask, RunResults, UploadUrls,
};
pub use events::{Event, EventKind, EventRecord, Requeue};
pub use logs::{LogPart, MAX_LOG_TEXT, TaskLog};
pub use problem::Problem;
pub use runs::{
    CreatedRun, LoginLink, RunPage, RunStatus, RunSummary, RunToken, RunView, TaskCounts, TaskPage,
    TaskStatus, TaskView,
};
pub use tasks::{
    Acknowledged, ClaimAnswer, ClaimRequest, CompleteRequest, Directive, FailRequest,
    HeartbeatAnswer, HeartbeatRequest, Lease, Phase, ReleaseRequest, RunnerFacts, TaskSpec,
    Telemetry, UploadsRequest,
};
pub use tokens::{CreatedToken, NewToken, TokenList, TokenScope, TokenView};
