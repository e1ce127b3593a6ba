//! What was measured, kept in a file: a run of some steps adds to what others have.

use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::steps::{STEPS, Tool, Way};
use crate::bench::measure::Measured;
use crate::command::{Failure, Result};

/// What a step cost once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cost {
    pub(super) cpu: f64,
    pub(super) wall: f64,
    /// In bytes, as all that follows.
    pub(super) memory: u64,
    pub(super) sent: u64,
    /// What the store takes on disk afterwards; none where it is not looked at.
    pub(super) disk: u64,
    /// The sizes of its blobs together, where it holds nothing else.
    pub(super) blobs: u64,
}

impl Cost {
    pub(super) fn new(measured: Measured, disk: u64, blobs: u64) -> Self {
        let (cpu, wall) = (measured.cpu.as_secs_f64(), measured.wall.as_secs_f64());
        Self { cpu, wall, memory: measured.memory, sent: measured.sent, disk, blobs }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, wall, memory, sent, disk, .. } = self;
        write!(f, "processor {cpu:.2} s, wall {wall:.2} s, memory {} MiB, ", memory >> 20)?;
        write!(f, "sent {:.1} MB, disk {} MB", *sent as f64 / 1e6, disk / 1_000_000)
    }
}

/// One tool's costs of a step, a round each.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) step: String,
    pub(super) name: String,
    pub(super) costs: Vec<Cost>,
}

impl Row {
    pub(super) fn tool(&self) -> Tool {
        let ways = STEPS.iter().filter(|step| step.name == self.step).flat_map(|step| step.ways);
        ways.into_iter().find(|way| way.name == self.name).map_or(Tool::Peer, |way| way.tool)
    }
}

/// All rows.
#[derive(Debug, Default)]
pub(super) struct Rows(pub(super) Vec<Row>);

impl Rows {
    pub(super) fn find(&self, step: &str, name: &str) -> Option<&Row> {
        self.0.iter().find(|row| row.step == step && row.name == name)
    }

    pub(super) fn add(&mut self, step: &str, way: &Way, cost: Cost) {
        match self.0.iter_mut().find(|row| row.step == step && row.name == way.name) {
            Some(row) => row.costs.push(cost),
            None => {
                self.0.push(Row { step: step.to_owned(), name: way.name.to_owned(), costs: vec![cost] });
            }
        }
    }

    /// Forgets what was measured of a step: it is measured anew.
    pub(super) fn forget(&mut self, step: &str) {
        self.0.retain(|row| row.step != step);
    }

    /// Reads what earlier runs have kept: nothing where there is none.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let Ok(text) = fs::read_to_string(path) else { return Ok(Self::default()) };
        let rows: Value = serde_json::from_str(&text)
            .map_err(|error| Failure::wrong(format!("{}: {error}", path.display())))?;
        Ok(Self(rows.as_array().into_iter().flatten().map(row).collect()))
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let rows: Vec<Value> = self.0.iter().map(kept).collect();
        fs::write(path, Value::from(rows).to_string()).map_err(Failure::file(path))
    }
}

fn row(value: &Value) -> Row {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let cost = |cost: &Value| {
        let whole = |name: &str| cost[name].as_u64().unwrap_or_default();
        let part = |name: &str| cost[name].as_f64().unwrap_or_default();
        Cost {
            cpu: part("cpu"),
            wall: part("wall"),
            memory: whole("memory"),
            sent: whole("sent"),
            disk: whole("disk"),
            blobs: whole("blobs"),
        }
    };
    let costs = value["costs"].as_array().into_iter().flatten().map(cost).collect();
    Row { step: text("step"), name: text("name"), costs }
}

fn kept(row: &Row) -> Value {
    let cost = |cost: &Cost| {
        let Cost { cpu, wall, memory, sent, disk, blobs } = cost;
        json!({ "cpu": cpu, "wall": wall, "memory": memory, "sent": sent, "disk": disk, "blobs": blobs })
    };
    json!({ "step": row.step, "name": row.name, "costs": row.costs.iter().map(cost).collect::<Vec<_>>() })
}

/// The middle one.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
