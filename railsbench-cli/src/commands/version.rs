//! `railsbench version`.

use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::output::Output;

pub fn execute(output: &Output) -> Result<Exit, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    output.show(&json!({"name": "railsbench", "version": version}), || {
        format!("railsbench {version}")
    })?;
    Ok(Exit::Ok)
}
