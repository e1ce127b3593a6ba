//! The log of a run: its events in a file of the cluster's, one JSON object a line, each with its time.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sealer_stdx::fs::At;
use sealer_stdx::task::{Event, Observe};
use serde::Serialize;

use crate::failure::Failure;

/// How many logs of a cluster are kept.
const KEPT: usize = 20;
/// How many lines wait for a file at the most.
const WAITING: usize = 10_000;

/// Shows events to another observer, and writes them down once it is known where.
pub(crate) struct Log {
    shown: Arc<dyn Observe>,
    kept: Mutex<Kept>,
}

enum Kept {
    Waiting(Vec<String>),
    File(File),
}

#[derive(Serialize)]
struct Line<'a> {
    at: String,
    #[serde(flatten)]
    event: &'a Event,
}

impl Log {
    pub(crate) fn new(shown: Arc<dyn Observe>) -> Self {
        Self { shown, kept: Mutex::new(Kept::Waiting(Vec::new())) }
    }

    /// Writes what has happened, and all that will, to a new file in a folder. The oldest ones there go.
    pub(crate) fn keep_in(&self, dir: &Path) -> Result<PathBuf, Failure> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).at(dir)?;
        let mut there: Vec<PathBuf> =
            fs::read_dir(dir).at(dir)?.flatten().map(|entry| entry.path()).collect();
        there.sort();
        for old in there.iter().rev().skip(KEPT - 1) {
            fs::remove_file(old).at(old)?;
        }
        let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ");
        let path = dir.join(format!("{time}-{}.jsonl", std::process::id()));
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).at(&path)?;
        let mut kept = self.kept.lock().expect("no holder panics");
        if let Kept::Waiting(lines) = &*kept {
            file.write_all(lines.concat().as_bytes()).at(&path)?;
        }
        *kept = Kept::File(file);
        Ok(path)
    }
}

impl Observe for Log {
    fn observe(&self, event: &Event) {
        self.shown.observe(event);
        if matches!(event, Event::Advanced { .. }) {
            return;
        }
        let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        let Ok(mut line) = serde_json::to_string(&Line { at, event }) else { return };
        line.push('\n');
        match &mut *self.kept.lock().expect("no holder panics") {
            Kept::Waiting(lines) if lines.len() < WAITING => lines.push(line),
            Kept::Waiting(_) => {}
            // A full disk must not stop a run half way.
            Kept::File(file) => drop(file.write_all(line.as_bytes())),
        }
    }
}
