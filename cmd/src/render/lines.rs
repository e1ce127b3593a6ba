//! Progress as plain lines on standard error, for logs and pipes.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Mutex;

use sealer_stdx::task::{Event, Observe, Outcome, TaskId};

use super::size;

/// What is known of a task that is under way.
struct Running {
    kind: &'static str,
    name: String,
    depth: usize,
    total: Option<u64>,
    done: u64,
}

/// Prints a line when work begins, or, where its amount is known, when it ends.
pub(super) struct Lines {
    running: Option<Mutex<HashMap<TaskId, Running>>>,
}

impl Lines {
    /// Prints everything.
    pub(super) fn all() -> Self {
        Self { running: Some(Mutex::default()) }
    }

    /// Prints warnings only.
    pub(super) fn warnings_only() -> Self {
        Self { running: None }
    }
}

impl Observe for Lines {
    fn observe(&self, event: &Event) {
        if let Event::Warned { message, .. } = event {
            return write(&format!("warning: {message}"));
        }
        let Some(running) = &self.running else { return };
        let line = line(&mut running.lock().expect("no holder panics"), event);
        if let Some(line) = line {
            write(&line);
        }
    }
}

fn line(running: &mut HashMap<TaskId, Running>, event: &Event) -> Option<String> {
    match event {
        Event::Started { task, parent, kind, name, total } => {
            let depth = parent.and_then(|parent| running.get(&parent)).map_or(0, |parent| parent.depth + 1);
            let begun = Running { kind, name: name.clone(), depth, total: *total, done: 0 };
            // Each call of a plugin is an event; a person sees what the plugin says of them.
            let line = (total.is_none() && *kind != "call").then(|| begun.line(""));
            running.insert(*task, begun);
            line
        }
        Event::Advanced { task, done } => {
            running.get_mut(task)?.done = *done;
            None
        }
        Event::Output { task, line, .. } => {
            let name = running.get(task).map_or("", |task| task.name.as_str());
            Some(format!("[{name}] {line}"))
        }
        Event::Finished { task, outcome } => {
            let ended = running.remove(task)?;
            match outcome {
                Outcome::Done if ended.total.is_some() => Some(ended.line(&size::bytes(ended.done))),
                Outcome::Skipped => Some(ended.line("nothing to do")),
                Outcome::Done | Outcome::Failed => None,
            }
        }
        Event::Warned { .. } => None,
    }
}

impl Running {
    fn line(&self, amount: &str) -> String {
        let indent = "  ".repeat(self.depth);
        format!("{indent}{:<10}  {}  {amount}", self.kind, self.name).trim_end().to_owned()
    }
}

fn write(line: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealer_stdx::task::Stream;

    #[test]
    fn work_of_known_amount_is_told_when_it_ends_and_other_work_when_it_begins() {
        let mut running = HashMap::new();
        let (run, blob) = (TaskId(1), TaskId(2));
        let events = [
            Event::Started { task: run, parent: None, kind: "pull", name: "demo:v1".into(), total: None },
            Event::Started {
                task: blob,
                parent: Some(run),
                kind: "blob",
                name: "sha256:12".into(),
                total: Some(2048),
            },
            Event::Advanced { task: blob, done: 2048 },
            Event::Output { task: run, stream: Stream::Stdout, line: "hello".into() },
            Event::Finished { task: blob, outcome: Outcome::Done },
            Event::Finished { task: run, outcome: Outcome::Done },
        ];
        let lines: Vec<String> = events.iter().filter_map(|event| line(&mut running, event)).collect();
        assert_eq!(lines, ["pull        demo:v1", "[demo:v1] hello", "  blob        sha256:12  2.0 KiB"]);
    }
}
