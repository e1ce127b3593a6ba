//! What was measured, as a table.

use std::fmt;

use super::steps::{Tool, Way};
use super::workload::Workloads;
use crate::bench::measure::Measured;
use crate::bench::report::machine;

/// What a step cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) measured: Measured,
    /// What the store holds afterwards, in bytes on disk.
    pub(super) disk: Option<u64>,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.measured)?;
        match self.disk {
            Some(disk) => write!(f, ", disk {} MB", disk / 1_000_000),
            None => Ok(()),
        }
    }
}

/// One tool's costs of a step, a round each.
pub(super) struct Row {
    step: &'static str,
    name: &'static str,
    tool: Tool,
    costs: Vec<Cost>,
}

impl Row {
    fn cpu(&self) -> f64 {
        median(self.costs.iter().map(|cost| cost.measured.cpu.as_secs_f64()))
    }

    fn wall(&self) -> f64 {
        median(self.costs.iter().map(|cost| cost.measured.wall.as_secs_f64()))
    }

    fn most(&self, of: impl Fn(&Cost) -> u64) -> u64 {
        self.costs.iter().map(of).max().unwrap_or_default()
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Notes a cost.
pub(super) fn add(rows: &mut Vec<Row>, step: &'static str, way: &Way, cost: Cost) {
    match rows.iter_mut().find(|row| row.step == step && row.name == way.name) {
        Some(row) => row.costs.push(cost),
        None => rows.push(Row { step, name: way.name, tool: way.tool, costs: vec![cost] }),
    }
}

/// The peer that did a step with the least processor time so far.
pub(super) fn best(rows: &[Row], step: &str) -> Option<&'static str> {
    let peers = rows.iter().filter(|row| row.step == step && row.tool == Tool::Peer);
    peers.min_by(|a, b| a.cpu().total_cmp(&b.cpu())).map(|row| row.name)
}

/// All that was measured.
pub(super) struct Table {
    pub(super) size: u64,
    pub(super) rounds: usize,
    pub(super) workloads: Workloads,
    pub(super) rows: Vec<Row>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, rounds) = (self.size >> 20, self.rounds);
        writeln!(f, "`cargo xtask bench images --size {size}M --rounds {rounds}`; {}.\n", machine())?;
        writeln!(f, "{}\n", self.workloads)?;
        writeln!(
            f,
            "| step | by | processor s | × best peer | wall s | peak memory MB | on the wire MB | disk MB |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        let mut last = "";
        for row in &self.rows {
            let step = if row.step == last { "" } else { row.step };
            last = row.step;
            let peers = self.rows.iter().filter(|other| other.step == row.step && other.tool == Tool::Peer);
            let best = peers.map(Row::cpu).min_by(f64::total_cmp);
            let ratio = match (row.tool, best) {
                (Tool::Sealer, Some(best)) => format!("**{:.2}**", row.cpu() / best.max(0.01)),
                _ => String::new(),
            };
            let disk = match row.costs.first().and_then(|cost| cost.disk) {
                Some(_) => (row.most(|cost| cost.disk.unwrap_or_default()) / 1_000_000).to_string(),
                None => String::new(),
            };
            writeln!(
                f,
                "| {step} | `{}` | {:.2} | {ratio} | {:.2} | {} | {:.1} | {disk} |",
                row.name,
                row.cpu(),
                row.wall(),
                row.most(|cost| cost.measured.memory) / 1_000_000,
                row.most(|cost| cost.measured.sent) as f64 / 1e6,
            )?;
        }
        Ok(())
    }
}
