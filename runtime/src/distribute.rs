//! Bringing an image's root to hosts: what each has is asked, what it lacks is sent, the whole is
//! verified there and switched to at once (docs/adr/0005-distribution.md).

mod bundle;
mod config;
mod receive;
mod record;
mod relay;
mod survey;
mod tree;

pub(crate) use bundle::Bundles;
pub(crate) use config::merge_value;
pub(crate) use receive::receive;
pub use record::Trust;
pub(crate) use record::{keep, tidy};
pub use relay::Distributor;
pub(crate) use relay::{Bounds, Relayed, Seat, Ways, relay, ways};
pub(crate) use survey::{Lack, survey};
pub(crate) use tree::{HostTree, trees};
