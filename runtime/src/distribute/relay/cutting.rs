//! An image that is being cut, while agents are put on hosts.

use std::sync::{Mutex, OnceLock};

use super::cut::Cut;
use crate::error::HostFailure;

/// What becomes of the cutting.
#[derive(Default)]
pub(super) struct Cutting(OnceLock<Result<Cut, Failed>>);

/// The failure, for the first who asks, and its text for the others.
struct Failed(Mutex<Option<HostFailure>>, String);

impl Cutting {
    /// Takes note how it ended.
    pub(super) fn end(&self, cut: Result<Cut, HostFailure>) {
        let _ = self.0.set(cut.map_err(|failure| {
            let text = failure.to_string();
            Failed(Mutex::new(Some(failure)), text)
        }));
    }

    /// Waits for the end. None, when it failed.
    pub(super) fn get(&self) -> Option<&Cut> {
        self.0.wait().as_ref().ok()
    }

    /// Why it failed, if it did: it is this machine's failure, and so every host's.
    pub(super) fn failure(&self) -> Option<HostFailure> {
        let Failed(first, text) = self.0.wait().as_ref().err()?;
        let first = first.lock().expect("no holder panics").take();
        Some(first.unwrap_or_else(|| HostFailure::Agent(text.clone())))
    }
}
