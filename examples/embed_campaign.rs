//! A program that benchmarks its own machine: a mock campaign, told as it happens.
//!
//! `cargo build -p railsbench-runner && cargo run --example embed_campaign`

use railsbench::config::RunConfig;
use railsbench::{Campaign, CampaignEvent};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let config =
        RunConfig::parse(r#"{"ruby_version": "system", "local": ["host"], "mock": true}"#)?;
    let mut campaign = Campaign::new(config)
        .with_state_dir(folder.path().join("state"))
        .with_results_dir(folder.path().join("results"))
        .with_runner(
            std::env::var("RAILSBENCH_RUNNER")
                .unwrap_or("target/debug/railsbench-runner".into())
                .into(),
        )
        .start();
    while let Some(event) = campaign.next_event().await {
        match event {
            CampaignEvent::Stage { stage } => println!("{stage:?}"),
            CampaignEvent::Lifecycle { record } => println!("  {}", record.event.kind.name()),
            _ => {}
        }
    }
    let outcome = campaign.finish().await?;
    println!("{} task completed", outcome.run.summary.task_counts.completed);
    Ok(())
}
