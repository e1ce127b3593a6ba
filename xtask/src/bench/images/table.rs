//! What was measured, as a table.

use std::fmt;

use super::figures::{Cost, Row, Rows, median};
use super::steps::{Goal, STEPS, Step, Tool};
use super::workload::Workloads;
use crate::bench::report::machine;

/// The memory that no step of sealer may take more of, in MiB.
const MEMORY: f64 = 64.0;
/// A store is no larger than its blobs, times this.
const DISK: f64 = 1.05;

impl Row {
    fn cpu(&self) -> f64 {
        median(self.costs.iter().map(|cost| cost.cpu))
    }

    fn wall(&self) -> f64 {
        median(self.costs.iter().map(|cost| cost.wall))
    }

    fn memory(&self) -> f64 {
        self.most(|cost| cost.memory) as f64 / f64::from(1 << 20)
    }

    fn sent(&self) -> u64 {
        self.most(|cost| cost.sent)
    }

    fn most(&self, of: impl Fn(&Cost) -> u64) -> u64 {
        self.costs.iter().map(of).max().unwrap_or_default()
    }
}

/// The peer that did a step with the least processor time so far.
pub(super) fn best<'a>(rows: &'a Rows, step: &str) -> Option<&'a Row> {
    let peers = rows.0.iter().filter(|row| row.step == step && row.tool() == Tool::Peer);
    peers.min_by(|a, b| a.cpu().total_cmp(&b.cpu()))
}

/// All that was measured.
pub(super) struct Table<'a> {
    pub(super) size: u64,
    pub(super) workloads: Workloads,
    pub(super) rows: &'a Rows,
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.size >> 20;
        writeln!(f, "`cargo xtask bench images --size {size}M`; {}.\n", machine())?;
        writeln!(f, "{}\n", self.workloads)?;
        writeln!(
            f,
            "| step | by | rounds | processor s | × best peer | wall s | peak memory MiB | on the wire MB | \
             disk MB | goals |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|---|")?;
        for step in STEPS {
            let mut name = step.name;
            for row in step.ways.iter().filter_map(|way| self.rows.find(step.name, way.name)) {
                self.line(f, step, name, row)?;
                name = "";
            }
        }
        Ok(())
    }
}

impl Table<'_> {
    fn line(&self, f: &mut fmt::Formatter<'_>, step: &Step, name: &str, row: &Row) -> fmt::Result {
        let sealer = row.tool() == Tool::Sealer;
        let ratio = match best(self.rows, step.name) {
            Some(best) if sealer => format!("{:.2}", row.cpu() / best.cpu().max(0.01)),
            _ => String::new(),
        };
        let disk = match row.most(|cost| cost.disk) {
            0 => String::new(),
            disk => (disk / 1_000_000).to_string(),
        };
        let goals = if sealer { self.goals(step, row) } else { String::new() };
        writeln!(
            f,
            "| {name} | `{}` | {} | {:.2} | {ratio} | {:.2} | {:.0} | {:.1} | {disk} | {goals} |",
            row.name,
            row.costs.len(),
            row.cpu(),
            row.wall(),
            row.memory(),
            row.sent() as f64 / 1e6,
        )
    }

    /// What a row is to keep to, and whether it does.
    fn goals(&self, step: &Step, row: &Row) -> String {
        let first =
            step.ways.iter().find(|way| way.tool == Tool::Sealer).is_some_and(|way| way.name == row.name);
        let mut told: Vec<String> =
            step.goals.iter().filter(|_| first).filter_map(|goal| self.goal(step, row, *goal)).collect();
        told.push(said(row.memory() <= MEMORY, &format!("memory {:.0} ≤ {MEMORY:.0} MiB", row.memory())));
        let times = row.most(|cost| cost.disk) as f64 / row.most(|cost| cost.blobs).max(1) as f64;
        if row.most(|cost| cost.blobs) > 0 {
            told.push(said(times <= DISK, &format!("disk {times:.2} ≤ {DISK} × the blobs")));
        }
        told.join("; ")
    }

    fn goal(&self, step: &Step, row: &Row, goal: Goal) -> Option<String> {
        Some(match goal {
            Goal::Cpu(most, peer) => {
                let other = match peer {
                    Some(peer) => self.rows.find(step.name, peer)?,
                    None => best(self.rows, step.name)?,
                };
                let times = row.cpu() / other.cpu().max(0.01);
                said(times <= most, &format!("processor {times:.2} ≤ {most} × `{}`", other.name))
            }
            Goal::CpuSeconds(most) => {
                said(row.cpu() <= most, &format!("processor {:.2} ≤ {most} s", row.cpu()))
            }
            Goal::Wall(most) => said(row.wall() <= most, &format!("wall {:.2} ≤ {most} s", row.wall())),
            Goal::Sent(most) => {
                let (sent, most) = (row.sent() as f64 / 1e6, most as f64 / 1e6);
                said(sent <= most, &format!("wire {sent:.2} ≤ {most} MB"))
            }
        })
    }
}

fn said(met: bool, goal: &str) -> String {
    if met { format!("{goal}: met") } else { format!("{goal}: **missed**") }
}
