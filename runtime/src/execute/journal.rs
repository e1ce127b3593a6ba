//! What was done to a cluster's hosts: one line a finished (step, host), on disk before the next begins.
//!
//! The file is only ever added to. A line that a crash cut off was not finished, and is dropped.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use sealer_stdx::fs::{At, PathError, sync_dir};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::plan::StepId;

/// The beginning of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    /// The image's name and digest.
    pub(crate) image: String,
    pub(crate) digest: String,
    /// The hosts, by address.
    pub(crate) hosts: Vec<String>,
    /// The digest of all else that was asked for ([`crate::cluster::ClusterSpec::fingerprint`]).
    pub(crate) spec: String,
    /// When, in RFC 3339.
    pub(crate) at: String,
}

/// How a step came to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    /// It was done.
    Done,
    /// Its probe, or the host's own record, found it done.
    Found,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
enum Line {
    /// A run began.
    Begin(Begun),
    /// A step was done on a host.
    Step { step: StepId, host: String, digest: String, how: How, at: String },
    /// What was done on a host holds no longer.
    Forget { host: String, at: String },
    /// The run came to its end.
    End { at: String },
    /// The run was given up.
    Abandon { at: String },
}

/// The journal of a cluster.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// How long the file's whole lines are, in bytes.
    length: u64,
    /// The digest of what was done last, by step and host.
    done: BTreeMap<(StepId, String), String>,
    /// The run that has not come to its end.
    open: Option<Begun>,
    file: Option<File>,
}

/// Reads the journal at `path` and returns how many steps it holds as done on hosts.
///
/// # Errors
/// The line that is none.
pub fn check_journal(path: &Path) -> crate::Result<usize> {
    Ok(Journal::read(path.to_owned())?.count())
}

impl Journal {
    /// Reads a journal. One that is not there is empty, and is made by its first line.
    pub(crate) fn read(path: PathBuf) -> crate::Result<Self> {
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.at(&path)?,
        };
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut inner = Inner { length: whole as u64, ..Inner::default() };
        for (index, text) in bytes[..whole].split(|byte| *byte == b'\n').enumerate() {
            if text.is_empty() {
                continue;
            }
            let line = serde_json::from_slice(text).map_err(|error| Error::Journal {
                path: path.clone(),
                line: index + 1,
                reason: error.to_string(),
            })?;
            inner.take(line);
        }
        Ok(Self { path, inner: Mutex::new(inner) })
    }

    /// Returns how many (step, host) hold as done.
    fn count(&self) -> usize {
        self.inner.lock().expect("no holder panics").done.len()
    }

    /// Returns the run that has not come to its end.
    pub(crate) fn open(&self) -> Option<Begun> {
        self.inner.lock().expect("no holder panics").open.clone()
    }

    /// Tells whether a step was done on a host, just as its digest says, and holds still.
    pub(crate) fn is_done(&self, step: &str, host: &str, digest: &str) -> bool {
        let inner = self.inner.lock().expect("no holder panics");
        inner.done.get(&(step.to_owned(), host.to_owned())).is_some_and(|done| done == digest)
    }

    /// Tells whether anything was done on a host that holds still.
    pub(crate) fn knows(&self, host: &str) -> bool {
        self.inner.lock().expect("no holder panics").done.keys().any(|(_, of)| of == host)
    }

    /// Begins a run.
    pub(crate) fn begin(&self, begun: Begun) -> Result<(), PathError> {
        self.append(Line::Begin(begun))
    }

    /// Gives up the run that is open.
    pub(crate) fn abandon(&self) -> Result<(), PathError> {
        self.append(Line::Abandon { at: now() })
    }

    /// Notes that a step was done on a host. On disk when this returns.
    pub(crate) fn note(&self, step: &str, host: &str, digest: String, how: How) -> Result<(), PathError> {
        self.append(Line::Step { step: step.to_owned(), host: host.to_owned(), digest, how, at: now() })
    }

    /// Notes that what was done on a host holds no longer.
    pub(crate) fn forget(&self, host: &str) -> Result<(), PathError> {
        self.append(Line::Forget { host: host.to_owned(), at: now() })
    }

    /// Notes that what was done on a host, of the steps whose names begin so, is done on another.
    pub(crate) fn inherit(&self, steps: &str, from: &str, to: &str) -> Result<(), PathError> {
        let done: Vec<(StepId, String)> = {
            let inner = self.inner.lock().expect("no holder panics");
            let of_host =
                inner.done.iter().filter(|((step, host), _)| host == from && step.starts_with(steps));
            of_host.map(|((step, _), digest)| (step.clone(), digest.clone())).collect()
        };
        done.into_iter().try_for_each(|(step, digest)| self.note(&step, to, digest, How::Found))
    }

    /// Notes that the run came to its end.
    pub(crate) fn end(&self) -> Result<(), PathError> {
        self.append(Line::End { at: now() })
    }

    fn append(&self, line: Line) -> Result<(), PathError> {
        let mut text = serde_json::to_vec(&line).expect("a line is plain data");
        text.push(b'\n');
        let mut inner = self.inner.lock().expect("no holder panics");
        if inner.file.is_none() {
            inner.file = Some(open(&self.path, inner.length)?);
        }
        let file = inner.file.as_mut().expect("it was opened above");
        file.write_all(&text).and_then(|()| file.sync_data()).at(&self.path)?;
        inner.length += text.len() as u64;
        inner.take(line);
        Ok(())
    }
}

/// Opens a journal behind its whole lines.
fn open(path: &Path, length: u64) -> Result<File, PathError> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path).at(path)?;
    file.set_len(length).at(path)?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))?;
    Ok(file)
}

impl Inner {
    fn take(&mut self, line: Line) {
        match line {
            Line::Begin(begun) => self.open = Some(begun),
            Line::Step { step, host, digest, .. } => {
                self.done.insert((step, host), digest);
            }
            Line::Forget { host, .. } => {
                self.done.retain(|(_, of), _| *of != host);
            }
            Line::End { .. } | Line::Abandon { .. } => self.open = None,
        }
    }
}

/// The time, in RFC 3339 and whole seconds.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(image: &str) -> Begun {
        let text = |text: &str| text.to_owned();
        let hosts = vec![text("10.0.0.1")];
        Begun { image: text(image), digest: text("sha256:1"), hosts, spec: text("s"), at: now() }
    }

    #[test]
    fn what_was_noted_is_known_after_a_crash_and_a_cut_line_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let journal = Journal::read(path.clone()).unwrap();
        assert!(!path.exists());
        journal.begin(begun("demo:v1")).unwrap();
        journal.note("a/b", "10.0.0.1", "d1".to_owned(), How::Done).unwrap();
        drop(journal);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(br#"{"line":"step","step":"a/c","host":"10"#).unwrap();
        let journal = Journal::read(path.clone()).unwrap();
        assert_eq!(journal.open().map(|begun| begun.image), Some("demo:v1".to_owned()));
        let done = |journal: &Journal| ["d1", "d2"].map(|digest| journal.is_done("a/b", "10.0.0.1", digest));
        assert_eq!(done(&journal), [true, false]);
        journal.note("a/c", "10.0.0.1", "d3".to_owned(), How::Found).unwrap();
        journal.end().unwrap();
        let journal = Journal::read(path.clone()).unwrap();
        assert_eq!(journal.open(), None);
        assert_eq!(done(&journal), [true, false]);
        assert!(journal.is_done("a/c", "10.0.0.1", "d3"));
        journal.forget("10.0.0.1").unwrap();
        assert_eq!(done(&Journal::read(path).unwrap()), [false, false]);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        fs::write(&path, "{\"line\":\"end\",\"at\":\"\"}\nnonsense\n").unwrap();
        let error = Journal::read(path.clone()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}:2: ", path.display())), "{error}");
    }
}
