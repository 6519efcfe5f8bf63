//! Microsoft Azure as a provider, through the REST interface of its Resource Manager.
//!
//! What a run has in one region is a resource group of its own, which goes as a whole: a network,
//! a security group around it, and for each machine an address, an interface, a disk and the
//! virtual machine, all of them tagged. The security group lets nothing in, and TCP 443 out. DNS,
//! DHCP, time and metadata come from the platform's own addresses (168.63.129.16 and
//! 169.254.169.254), which no security group blocks unless it names them
//! (<https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview>,
//! "Azure platform considerations").
//!
//! A machine that shuts down stays allocated and charged until it is deleted, and it has no
//! identity by which it could do that itself. So each group carries the time from which on anyone
//! may remove it, and every later campaign at Azure removes those that are over.

mod api;
mod body;
mod catalog;
mod checks;
mod console;
mod credentials;
mod dialect;
mod inventory;
mod machine;
mod naming;
mod plan;
mod provider;
mod provision;
mod removal;
mod settings;
mod setup;
mod sku;
mod user_data;

pub use provider::AzureProvider;
pub use settings::{Credentials, Settings};
