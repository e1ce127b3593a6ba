//! Progress on a terminal: one moving line for each piece of work, printed lines above them.

use std::collections::HashMap;
use std::sync::Mutex;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use sealer_stdx::task::{Event, Observe, Outcome, TaskId};

/// More moving lines than this tell nobody anything.
const MOST_BARS: usize = 12;

struct Running {
    kind: &'static str,
    name: String,
    bar: Option<ProgressBar>,
}

/// Draws bars on standard error.
pub(super) struct Terminal {
    bars: MultiProgress,
    running: Mutex<HashMap<TaskId, Running>>,
}

impl Terminal {
    pub(super) fn new() -> Self {
        Self { bars: MultiProgress::new(), running: Mutex::default() }
    }

    fn begin(&self, kind: &'static str, name: &str, total: Option<u64>, shown: usize) -> Option<ProgressBar> {
        if shown >= MOST_BARS {
            return None;
        }
        let template = match total {
            Some(_) => {
                "  {prefix:<10}  {msg:<40!}  {bytes:>10} of {total_bytes:<10}  {bytes_per_sec:>12}  {eta:>5}"
            }
            None => "  {prefix:<10}  {msg}  {elapsed}",
        };
        let style = ProgressStyle::with_template(template).expect("the template is a constant");
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new).with_style(style);
        let bar = self.bars.add(bar.with_prefix(kind).with_message(name.to_owned()));
        bar.tick();
        Some(bar)
    }

    fn print(&self, line: &str) {
        let _ = self.bars.println(line);
    }
}

impl Observe for Terminal {
    fn observe(&self, event: &Event) {
        let mut running = self.running.lock().expect("no holder panics");
        match event {
            // Each call of a plugin is an event; a person sees what the plugin says of them.
            Event::Started { kind: "call", .. } => {}
            Event::Started { task, kind, name, total, .. } => {
                let shown = running.values().filter(|task| task.bar.is_some()).count();
                let bar = self.begin(kind, name, *total, shown);
                running.insert(*task, Running { kind, name: name.clone(), bar });
            }
            Event::Advanced { task, done } => {
                if let Some(bar) = running.get(task).and_then(|task| task.bar.as_ref()) {
                    bar.set_position(*done);
                }
            }
            Event::Output { task, line, .. } => {
                let name = running.get(task).map_or("", |task| task.name.as_str());
                self.print(&format!("[{name}] {line}"));
            }
            Event::Warned { message, .. } => self.print(&format!("warning: {message}")),
            Event::Finished { task, outcome } => {
                let Some(ended) = running.remove(task) else { return };
                if let Some(bar) = ended.bar {
                    bar.finish_and_clear();
                    self.bars.remove(&bar);
                }
                let mark = match outcome {
                    Outcome::Done => "done",
                    Outcome::Skipped => "same",
                    Outcome::Failed => "FAIL",
                };
                self.print(&format!("{mark}  {:<10}  {}", ended.kind, ended.name));
            }
        }
    }
}
