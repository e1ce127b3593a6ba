//! Progress and cancellation: a tree of tasks that reports to one observer.
//!
//! Every effectful function takes `&Task` first. The terminal, plain lines, `--output json` and the
//! tests are observers of the same events.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::Serialize;

/// Names one task of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TaskId(pub u64);

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The work was done.
    Done,
    /// There was nothing to do.
    Skipped,
    /// The work was not done.
    Failed,
}

/// Where a line of output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What happened. Serialised, it is the program's documented event stream: one JSON object a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A task began.
    Started {
        /// The task.
        task: TaskId,
        /// The task it is part of.
        #[serde(skip_serializing_if = "Option::is_none")]
        parent: Option<TaskId>,
        /// What sort of work it is: a word for programs, such as `pull` or `step`.
        kind: &'static str,
        /// What it works on, for people.
        name: String,
        /// How much there is to do, in bytes, where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
    },
    /// A task has come further.
    Advanced {
        /// The task.
        task: TaskId,
        /// What is done so far, in bytes, from the task's start.
        done: u64,
    },
    /// Something that the task runs has printed a line.
    Output {
        /// The task.
        task: TaskId,
        /// Where it was printed.
        stream: Stream,
        /// The line, without its end.
        line: String,
    },
    /// Something that a person should act on.
    Warned {
        /// The task.
        task: TaskId,
        /// The warning: a phrase without a full stop.
        message: String,
    },
    /// A task ended.
    Finished {
        /// The task.
        task: TaskId,
        /// How.
        outcome: Outcome,
    },
}

/// Sees every event of a process, from any thread.
pub trait Observe: Send + Sync {
    /// Takes note of an event.
    fn observe(&self, event: &Event);
}

/// An observer that looks away.
#[derive(Debug, Default)]
pub struct Blind;

impl Observe for Blind {
    fn observe(&self, _event: &Event) {}
}

/// The work was cancelled before it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Cancelled;

/// Asks a whole tree of tasks to stop. Clones ask the same tree.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl From<Arc<AtomicBool>> for Cancel {
    /// A stop that something else asks for by setting the flag: a signal's handler.
    fn from(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }
}

impl Cancel {
    /// Asks for the stop. Work that is under way ends at its next boundary.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Tells whether a stop was asked for.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

struct Shared {
    observer: Arc<dyn Observe>,
    cancel: Cancel,
    next: AtomicU64,
}

/// A piece of work under way.
///
/// A task that is dropped without [`Task::finish`] or [`Task::skip`] has failed, so `?` needs no
/// book-keeping.
pub struct Task {
    shared: Arc<Shared>,
    id: TaskId,
    done: AtomicU64,
    outcome: Outcome,
    announced: bool,
}

impl Task {
    /// Returns the root of a tree. The root itself is not announced.
    #[must_use]
    pub fn root(observer: Arc<dyn Observe>, cancel: Cancel) -> Self {
        let shared = Arc::new(Shared { observer, cancel, next: AtomicU64::new(1) });
        Self { shared, id: TaskId(0), done: AtomicU64::new(0), outcome: Outcome::Failed, announced: false }
    }

    /// Returns a root that nobody observes or cancels, for tests.
    #[must_use]
    pub fn unobserved() -> Self {
        Self::root(Arc::new(Blind), Cancel::default())
    }

    /// Returns a root that nobody observes, and that is cancelled with this one: for work whose result
    /// is all there is to tell.
    #[must_use]
    pub fn unseen(&self) -> Self {
        Self::root(Arc::new(Blind), self.shared.cancel.clone())
    }

    /// Begins a part of this task. `total` is in bytes.
    ///
    /// # Errors
    /// [`Cancelled`] when the tree was asked to stop: no new work begins.
    pub fn child(
        &self,
        kind: &'static str,
        name: impl Into<String>,
        total: Option<u64>,
    ) -> Result<Self, Cancelled> {
        self.check()?;
        let id = TaskId(self.shared.next.fetch_add(1, Ordering::Relaxed));
        let parent = self.announced.then_some(self.id);
        self.emit(&Event::Started { task: id, parent, kind, name: name.into(), total });
        Ok(Self {
            shared: Arc::clone(&self.shared),
            id,
            done: AtomicU64::new(0),
            outcome: Outcome::Failed,
            announced: true,
        })
    }

    /// Fails once the tree was asked to stop. For loops over much data.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.shared.cancel.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }

    /// Says that `by` more bytes are done.
    pub fn advance(&self, by: u64) {
        let done = self.done.fetch_add(by, Ordering::Relaxed) + by;
        self.emit(&Event::Advanced { task: self.id, done });
    }

    /// Passes on a line that the work has printed.
    pub fn output(&self, stream: Stream, line: impl Into<String>) {
        self.emit(&Event::Output { task: self.id, stream, line: line.into() });
    }

    /// Warns of something that a person should act on.
    pub fn warn(&self, message: impl Into<String>) {
        self.emit(&Event::Warned { task: self.id, message: message.into() });
    }

    /// Ends the task well.
    pub fn finish(mut self) {
        self.outcome = Outcome::Done;
    }

    /// Ends the task, which had nothing to do.
    pub fn skip(mut self) {
        self.outcome = Outcome::Skipped;
    }

    fn emit(&self, event: &Event) {
        self.shared.observer.observe(event);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if self.announced {
            self.emit(&Event::Finished { task: self.id, outcome: self.outcome });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Seen(Mutex<Vec<Event>>);

    impl Observe for Seen {
        fn observe(&self, event: &Event) {
            self.0.lock().unwrap().push(event.clone());
        }
    }

    #[test]
    fn a_dropped_task_has_failed_and_a_finished_one_is_done() {
        let seen = Arc::new(Seen::default());
        let root = Task::root(seen.clone(), Cancel::default());
        let pull = root.child("pull", "demo:v1", Some(3)).unwrap();
        let layer = pull.child("layer", "sha256:1", None).unwrap();
        layer.advance(3);
        drop(layer);
        pull.finish();
        drop(root);
        let (pull, layer) = (TaskId(1), TaskId(2));
        assert_eq!(
            *seen.0.lock().unwrap(),
            [
                Event::Started {
                    task: pull,
                    parent: None,
                    kind: "pull",
                    name: "demo:v1".into(),
                    total: Some(3)
                },
                Event::Started {
                    task: layer,
                    parent: Some(pull),
                    kind: "layer",
                    name: "sha256:1".into(),
                    total: None
                },
                Event::Advanced { task: layer, done: 3 },
                Event::Finished { task: layer, outcome: Outcome::Failed },
                Event::Finished { task: pull, outcome: Outcome::Done },
            ]
        );
    }

    #[test]
    fn no_child_begins_after_a_cancel() {
        let cancel = Cancel::default();
        let root = Task::root(Arc::new(Blind), cancel.clone());
        cancel.cancel();
        assert_eq!(root.child("pull", "demo:v1", None).err(), Some(Cancelled));
    }
}
