//! An emulated EC2, STS and SSM: moto's, behind a proxy that does what EC2 does and moto does not
//! (idempotency by client token, Debian's images, quotas), and what only a bad day does (no room,
//! throttling, lost answers, death in mid-call).

mod calls;
#[cfg(feature = "aws")]
mod contents;
mod effect;
mod proxy;

pub use calls::Call;
#[cfg(feature = "aws")]
pub use contents::credentials;
pub use effect::debian;
pub use proxy::{Fault, Moment, Proxy};
