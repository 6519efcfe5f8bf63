//! The protocol of the Resource Manager: paths with a version, pages, and operations that go on
//! after the answer.

use std::sync::Arc;
use std::time::Duration;

use railsbench_core::provider::ProviderError;
use reqwest::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::credentials::tokens;
use super::dialect::{ArmDialect, Trouble, refused};
use super::naming::provider_name;
use super::settings::Settings;
use crate::rest::{Answer, Call, RestClient, RestError, RetryPolicy};

/// Versions of the interfaces, by the namespace of what is spoken of.
const VERSIONS: [(&str, &str); 3] = [
    ("microsoft.compute/disks", "2024-03-02"),
    ("microsoft.compute", "2024-07-01"),
    ("microsoft.network", "2024-05-01"),
];

/// The version for subscriptions, resource groups and resources of unknown kind.
pub(super) const RESOURCES_VERSION: &str = "2021-04-01";

/// How long and how often an operation that goes on is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Longest that an operation may take.
    pub(super) longest: Duration,
    /// Longest until what was removed is no longer listed.
    pub(super) patience: Duration,
    /// Time between two looks, where Azure does not ask for another.
    pub(super) every: Duration,
}

impl Default for Pace {
    /// A group with machines is deleted within some minutes.
    fn default() -> Self {
        Self {
            longest: Duration::from_mins(20),
            patience: Duration::from_mins(3),
            every: Duration::from_secs(5),
        }
    }
}

/// How an operation that had begun came to fail.
#[derive(Debug)]
pub(super) enum ArmError {
    /// A call failed.
    Call(RestError),
    /// The call was accepted, and what it began failed.
    Operation(Trouble),
    /// It has neither failed nor come to its end in time.
    Unfinished,
}

impl ArmError {
    /// What Azure gives as the reason.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Call(error) => error.refusal().map(|refusal| Trouble {
                code: refusal.code.clone(),
                message: refusal.message.clone(),
            }),
            Self::Operation(trouble) => Some(trouble.clone()),
            Self::Unfinished => None,
        }
    }

    /// The error of the trait, for what was tried.
    pub(super) fn into_error(self, action: &str) -> ProviderError {
        match self {
            Self::Call(error) => refused(error),
            Self::Operation(trouble) => trouble.error(action),
            Self::Unfinished => ProviderError::Call {
                provider: provider_name(),
                action: action.to_owned(),
                detail: "it takes longer than it should; look at the activity log in the portal"
                    .to_owned(),
            },
        }
    }
}

impl From<RestError> for ArmError {
    fn from(error: RestError) -> Self {
        Self::Call(error)
    }
}

/// The Resource Manager, for one subscription.
pub(super) struct Arm {
    client: RestClient,
    subscription: String,
    pub(super) pace: Pace,
}

impl Arm {
    pub(super) fn new(
        settings: &Settings,
        retry: RetryPolicy,
        pace: Pace,
    ) -> Result<Self, ProviderError> {
        let subscription = settings.subscription()?;
        let base = settings.management_url.parse().map_err(|error| ProviderError::Call {
            provider: provider_name(),
            action: format!("using {:?} as its interface", settings.management_url),
            detail: format!("{error}; set AZURE_RESOURCE_MANAGER_URL to a URL"),
        })?;
        let client = RestClient::new(provider_name(), &base, Arc::new(ArmDialect))?
            .with_retry(retry)
            .with_tokens(tokens(&settings.credentials, &base, retry));
        Ok(Self { client, subscription, pace })
    }

    /// Whether it is on this host, as an emulator is.
    pub(super) fn is_emulated(&self) -> bool {
        self.client.is_on_this_host()
    }

    /// The path of the subscription.
    pub(super) fn subscription_path(&self) -> String {
        format!("/subscriptions/{}", self.subscription)
    }

    /// A call on a path, which is that of a resource's id, with the version that it needs.
    pub(super) fn call(&self, method: Method, action: &str, path: &str) -> Call<'_> {
        let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        self.client.call(method, action, &segments).query("api-version", version(path))
    }

    /// A GET; nothing if there is nothing.
    pub(super) async fn find(
        &self,
        action: &str,
        call: Call<'_>,
    ) -> Result<Option<Value>, ProviderError> {
        match call.send().await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(error) if error.status() == Some(404) && !is_refused_subscription(&error) => {
                tracing::debug!(action, "there is none");
                Ok(None)
            }
            Err(error) => Err(refused(error)),
        }
    }

    /// All pages of a list.
    pub(super) async fn list(
        &self,
        action: &str,
        first: Call<'_>,
    ) -> Result<Vec<Value>, RestError> {
        let mut items = Vec::new();
        let mut page = first.send().await?.body;
        loop {
            if let Some(Value::Array(values)) = page.get_mut("value").map(Value::take) {
                items.extend(values);
            }
            let Some(next) = page["nextLink"].as_str().filter(|next| !next.is_empty()) else {
                return Ok(items);
            };
            page = self.client.follow(action, next).send().await?.body;
        }
    }

    /// Makes or changes a resource, and waits until that is done.
    pub(super) async fn put(&self, action: &str, id: &str, body: &Value) -> Result<(), ArmError> {
        let answer = self.call(Method::PUT, action, id).json(body).send().await?;
        if self.finish(action, &answer).await? {
            return Ok(());
        }
        // No operation was named: another attempt had begun it, or it was done at once.
        let mut made = answer.body;
        let deadline = Instant::now() + self.pace.longest;
        loop {
            match made["properties"]["provisioningState"].as_str() {
                Some("Failed" | "Canceled") => return Err(ArmError::Operation(why(&made))),
                Some("Succeeded") | None => return Ok(()),
                Some(_) if Instant::now() >= deadline => return Err(ArmError::Unfinished),
                Some(_) => tokio::time::sleep(self.pace.every).await,
            }
            let mut look = self.call(Method::GET, action, id);
            if id.contains("/virtualMachines/") {
                look = look.query("$expand", "instanceView");
            }
            made = look.send().await?.body;
        }
    }

    /// Deletes something, and waits until that is done; gives whether it was there.
    pub(super) async fn delete(&self, action: &str, call: Call<'_>) -> Result<bool, ArmError> {
        match call.send().await {
            Ok(answer) => {
                self.finish(action, &answer).await?;
                Ok(answer.status != 204 || answer.attempts > 1)
            }
            Err(error) if error.status() == Some(404) && !is_refused_subscription(&error) => {
                Ok(error.attempts > 1)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until what an answer has begun is done. It is looked at where the answer says: an
    /// operation has a state in its body, a location says by its status that it is not there yet.
    /// Gives false if there is nowhere to look.
    async fn finish(&self, action: &str, answer: &Answer) -> Result<bool, ArmError> {
        let operation = answer.header("azure-asyncoperation").map(str::to_owned);
        let location = answer.header("location").map(str::to_owned);
        let Some(url) = operation.clone().or(location.filter(|_| answer.status == 202)) else {
            return Ok(false);
        };
        let mut wait = answer.retry_after().unwrap_or(self.pace.every);
        let deadline = Instant::now() + self.pace.longest;
        loop {
            tokio::time::sleep(wait).await;
            let look = match self.client.follow(action, &url).send().await {
                Ok(look) => look,
                // The operation is forgotten soon after its end, however that was.
                Err(error) if error.status() == Some(404) => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            if operation.is_some() {
                match look.body["status"].as_str() {
                    Some("Succeeded") => return Ok(true),
                    Some("Failed" | "Canceled") => {
                        let trouble = Trouble::read(&look.body["error"]);
                        return Err(ArmError::Operation(trouble.unwrap_or_else(|| Trouble {
                            code: "OperationFailed".to_owned(),
                            message: "Azure gives no reason".to_owned(),
                        })));
                    }
                    _ => {}
                }
            } else if look.status != 202 {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Err(ArmError::Unfinished);
            }
            wait = look.retry_after().unwrap_or(self.pace.every);
        }
    }
}

/// Why something could not be made, by its view of itself.
fn why(made: &Value) -> Trouble {
    let statuses = made["properties"]["instanceView"]["statuses"].as_array();
    let failed = statuses.into_iter().flatten().find_map(|status| {
        let code = status["code"].as_str()?.strip_prefix("ProvisioningState/failed/")?;
        let message = status["message"].as_str().unwrap_or("Azure gives no details");
        Some(Trouble { code: code.to_owned(), message: message.to_owned() })
    });
    failed.unwrap_or_else(|| Trouble {
        code: "ProvisioningFailed".to_owned(),
        message: "it was made, and is not as it should be".to_owned(),
    })
}

fn version(path: &str) -> &'static str {
    let path = path.to_ascii_lowercase();
    let Some((_, resource)) = path.rsplit_once("/providers/") else { return RESOURCES_VERSION };
    if resource == "microsoft.compute/skus" {
        return "2021-07-01";
    }
    // Only what lies below a namespace has its version; the namespace itself is a resource of
    // the subscription.
    VERSIONS
        .iter()
        .find(|(start, _)| {
            resource.starts_with(start) && (resource.len() > start.len() || start.contains('/'))
        })
        .map_or(RESOURCES_VERSION, |(_, version)| version)
}

/// A missing subscription is not a missing resource.
fn is_refused_subscription(error: &RestError) -> bool {
    error.code() == Some("SubscriptionNotFound")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_the_version_of_its_namespace() {
        for (path, expected) in [
            ("/subscriptions/s", RESOURCES_VERSION),
            ("/subscriptions/s/resourcegroups/providers", RESOURCES_VERSION),
            ("/subscriptions/s/providers/Microsoft.Compute", RESOURCES_VERSION),
            ("/subscriptions/s/providers/Microsoft.Compute/skus", "2021-07-01"),
            ("/subscriptions/s/providers/Microsoft.Compute/locations/eastus/usages", "2024-07-01"),
            ("/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/m", "2024-07-01"),
            ("/s/resourceGroups/g/providers/Microsoft.Compute/disks/d", "2024-03-02"),
            ("/s/resourceGroups/g/providers/MICROSOFT.NETWORK/virtualNetworks/n", "2024-05-01"),
        ] {
            assert_eq!(version(path), expected, "{path}");
        }
    }
}
