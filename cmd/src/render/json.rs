//! The event stream as it is: one JSON object a line, on standard output.

use std::io::{self, Write};

use sealer_stdx::task::{Event, Observe};

/// Prints every event.
pub(super) struct Json;

impl Observe for Json {
    fn observe(&self, event: &Event) {
        if let Ok(line) = serde_json::to_string(event) {
            // A reader that has gone away must not stop a run half way.
            let _ = writeln!(io::stdout().lock(), "{line}");
        }
    }
}
