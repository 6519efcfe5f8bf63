//! What a machine has printed to its console: Azure keeps it as a blob, and gives a URL that is
//! good for a while. The URL is a secret; it is not logged, and not part of any error.

use std::time::Duration;

use railsbench_core::provider::ProviderError;
use reqwest::Method;
use url::{Host, Url};

use super::api::Arm;
use super::dialect::refused;
use super::naming::provider_name;

/// How much of the end is given, in bytes.
const TAIL: usize = 64 << 10;

/// Longest log that is read, in bytes. Azure starts it anew at each start.
const LONGEST: usize = 8 << 20;

/// The end of the log; nothing if there is none yet, or no such machine.
pub(super) async fn log(arm: &Arm, machine: &str) -> Result<Option<String>, ProviderError> {
    let action = "asking for the console log";
    let path = format!("{machine}/retrieveBootDiagnosticsData");
    let call = arm.call(Method::POST, action, &path).query("sasUriExpirationTimeInMinutes", "5");
    let answer = match call.send().await {
        Ok(answer) => answer.body,
        // No machine, or none that has started yet.
        Err(error) if matches!(error.status(), Some(404 | 409)) => return Ok(None),
        Err(error) => return Err(refused(error)),
    };
    match answer["serialConsoleLogBlobUri"].as_str() {
        Some(url) => read(url).await,
        None => Ok(None),
    }
}

async fn read(url: &str) -> Result<Option<String>, ProviderError> {
    let url: Url = url.parse().map_err(|_| failed("Azure gives no URL of it"))?;
    let here = matches!(url.host(), Some(Host::Ipv4(address)) if address.is_loopback());
    if url.scheme() != "https" && !here {
        return Err(failed("Azure gives a URL of it that is not https"));
    }
    let lost = |error: reqwest::Error| failed(&error.without_url().to_string());
    let mut builder = reqwest::Client::builder()
        .timeout(Duration::from_mins(1))
        .redirect(reqwest::redirect::Policy::none());
    if here {
        builder = builder.no_proxy();
    }
    let mut response = builder.build().map_err(lost)?.get(url).send().await.map_err(lost)?;
    if response.status() == 404 {
        return Ok(None);
    }
    if !response.status().is_success() {
        return Err(failed(&format!("the storage answers with status {}", response.status())));
    }
    let mut log = Vec::new();
    while let Some(part) = response.chunk().await.map_err(lost)? {
        log.extend_from_slice(&part);
        if log.len() > LONGEST {
            break;
        }
    }
    let text = String::from_utf8_lossy(&log[log.len().saturating_sub(TAIL)..]).into_owned();
    Ok(Some(text.replace('\0', "")))
}

fn failed(detail: &str) -> ProviderError {
    ProviderError::Call {
        provider: provider_name(),
        action: "reading the console log".to_owned(),
        detail: detail.to_owned(),
    }
}
