//! Google Compute Engine as a provider, through its REST interface.
//!
//! A machine is an instance with an ephemeral external address, no service account, and a boot
//! disk that goes when it goes. Three firewall rules with a target tag of their own surround the
//! machines of one provision: nothing comes in, TCP 443 goes out, nothing else does. DNS, time
//! and the metadata come from the metadata server, whose traffic no firewall rule blocks
//! (<https://cloud.google.com/firewall/docs/firewalls#alwaysallowed>). What Google can label is
//! labelled; the exact tags, which labels have not the characters for, are in the description.
//!
//! Google itself deletes a machine that still runs when its time is over (`maxRunDuration`). One
//! that has shut down before that is stopped: it costs no more than its disk, and stays until a
//! teardown removes it.

mod api;
mod body;
mod catalog;
mod checks;
mod credentials;
mod errors;
mod inventory;
mod ledger;
mod naming;
mod plan;
mod provider;
mod provision;
mod settings;
mod setup;
mod tags;
mod user_data;
mod wire;

pub use provider::GcpProvider;
pub use settings::Settings;
