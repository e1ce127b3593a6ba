//! Copying content between two places: pull, push, save and load are this one function.

use oci_spec::image::Descriptor;
use sealer_stdx::task::Task;

use crate::content::{Fetch, Push};
use crate::error::Result;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::registry::Registry;
use crate::store::Store;

/// Copies content and all that it refers to, as far as the destination lacks it: children before
/// parents, `parallel` blobs at once.
///
/// # Errors
/// The first failure; what was copied whole before it stays.
pub fn copy(task: &Task, src: &dyn Fetch, dst: &dyn Push, root: &Descriptor, parallel: usize) -> Result<()> {
    let _ = (task, src, dst, root, parallel);
    unimplemented!("transfer::copy")
}

/// Brings an image into the store, names it there, and returns its manifest's descriptor.
///
/// Of an index, only the image for the platform is brought, and it is what gets the name.
///
/// # Errors
/// Those of the registry; `Verify` when content is not what it should be; `Platform`.
pub fn pull(
    task: &Task,
    store: &Store,
    registry: &Registry,
    reference: &Reference,
    platform: &Platform,
) -> Result<Descriptor> {
    let _ = (task, store, registry, reference, platform);
    unimplemented!("transfer::pull")
}

/// Sends the image of that name from the store to its registry, and returns what was sent.
///
/// # Errors
/// `NotFound` when the store has no such name; those of the registry.
pub fn push(task: &Task, store: &Store, registry: &Registry, reference: &Reference) -> Result<Descriptor> {
    let _ = (task, store, registry, reference);
    unimplemented!("transfer::push")
}
