//! The client for clouds that are called by their REST interface: Azure, Google, Heroku.
//!
//! A [`RestClient`] knows one cloud: where its interface is, who gives tokens for it, how many
//! calls it takes at once, and how it says that something is wrong (its [`Dialect`]). A call is
//! retried while the cloud asks for patience or does not answer, so every call must be safe to
//! repeat: by a name that the caller chose, or by a token that the cloud knows it by.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::sync::Arc;
//! # use railsbench_core::id::ProviderName;
//! use railsbench_providers::rest::{FixedToken, PlainDialect, RestClient};
//!
//! let provider = ProviderName::new("heroku")?;
//! let client = RestClient::new(provider, &"https://api.heroku.com/".parse()?, Arc::new(PlainDialect))?
//!     .with_tokens(Arc::new(FixedToken::new("a token".to_owned().into())))
//!     .with_header("accept", "application/vnd.heroku+json; version=3")?;
//! let found = client.get("looking up the app", &["apps", "railsbench-r1"]).send().await;
//! match found {
//!     Ok(answer) => println!("{}", answer.body["name"]),
//!     Err(error) if error.status() == Some(404) => println!("there is none"),
//!     Err(error) => return Err(railsbench_core::provider::ProviderError::from(error).into()),
//! }
//! # Ok(())
//! # }
//! ```

mod client;
mod error;
mod poll;
mod request;
mod retry;
mod token;

pub use client::RestClient;
pub use error::{Dialect, Failure, PlainDialect, Refusal, RestError, Verdict};
pub use poll::until;
pub use request::{Answer, Call};
pub use retry::RetryPolicy;
pub use token::{CachedTokens, FixedToken, IssuedToken, TokenIssuer, TokenSource};
