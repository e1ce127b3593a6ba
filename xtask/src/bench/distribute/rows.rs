//! What was measured, kept between the pieces of a benchmark.

use std::fmt;
use std::fs::{self, File};
use std::path::PathBuf;

use clap::ValueEnum;

use super::Scenario;
use super::cost::Cost;
use super::image::Content;
use super::method::Method;
use crate::command::{Failure, Result, root};

/// What a row is about: a later measurement of the same takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) content: Content,
    pub(super) size: u64,
    /// Of every link, in bits a second; 0 is as fast as it goes.
    pub(super) rate: u64,
    pub(super) scenario: Scenario,
    pub(super) hosts: u16,
    pub(super) method: Method,
}

/// A measurement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) key: Key,
    pub(super) files: usize,
    /// Of the image's files.
    pub(super) bytes: u64,
    pub(super) cost: Cost,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cost { wall, cpu, busy, memory, source, host, descriptors, handshakes } = self.cost;
        write!(
            f,
            "{}, {} hosts, {}: {wall:.2} s, processor {cpu:.1} s, machine {:.0} % busy, memory {} MB, sent {:.3} MB, \
             to a host {:.3} MB, {descriptors} descriptors, {handshakes} handshakes",
            self.key.method.name(),
            self.key.hosts,
            self.key.scenario,
            busy * 100.0,
            memory / 1_000_000,
            source as f64 / 1e6,
            host as f64 / 1e6,
        )
    }
}

/// All that was measured so far.
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
}

fn place() -> PathBuf {
    root().join("target/bench/distribute.tsv")
}

impl Rows {
    pub(super) fn read() -> Result<Self> {
        let path = place();
        let text = fs::read_to_string(&path).map_err(Failure::file(&path))?;
        Ok(Self { rows: text.lines().filter_map(parse).collect() })
    }

    /// Keeps a row, in the place of an earlier one about the same.
    pub(super) fn merge(row: Row) -> Result<()> {
        let path = place();
        let folder = path.parent().unwrap_or(&path);
        fs::create_dir_all(folder).map_err(Failure::file(folder))?;
        // Pieces may be measured beside each other.
        let lock = File::create(folder.join("lock")).map_err(Failure::file(folder))?;
        lock.lock().map_err(Failure::file(folder))?;
        let mut rows = if path.exists() { Self::read()?.rows } else { Vec::new() };
        rows.retain(|other| other.key != row.key);
        rows.push(row);
        rows.sort_by_key(|row| row.key);
        let text: String = rows.iter().map(write).collect();
        fs::write(&path, text).map_err(Failure::file(&path))
    }
}

fn write(row: &Row) -> String {
    let (Key { content, size, rate, scenario, hosts, method }, cost) = (row.key, row.cost);
    let method = method.to_possible_value().expect("none is hidden");
    let (wall, cpu, busy) = (cost.wall, cost.cpu, cost.busy);
    format!(
        "{content}\t{size}\t{rate}\t{scenario}\t{hosts}\t{}\t{}\t{}\t{wall:.3}\t{cpu:.2}\t{busy:.3}\t{}\t{}\t{}\t{}\t{}\n",
        method.get_name(),
        row.files,
        row.bytes,
        cost.memory,
        cost.source,
        cost.host,
        cost.descriptors,
        cost.handshakes
    )
}

fn parse(line: &str) -> Option<Row> {
    let fields: Vec<&str> = line.split('\t').collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let real = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some(Row {
        key: Key {
            content: Content::from_str(fields.first()?, true).ok()?,
            size: number(1)?,
            rate: number(2)?,
            scenario: Scenario::from_str(fields.get(3)?, true).ok()?,
            hosts: u16::try_from(number(4)?).ok()?,
            method: Method::from_str(fields.get(5)?, true).ok()?,
        },
        files: usize::try_from(number(6)?).ok()?,
        bytes: number(7)?,
        cost: Cost {
            wall: real(8)?,
            cpu: real(9)?,
            busy: real(10)?,
            memory: number(11)?,
            source: number(12)?,
            host: number(13)?,
            descriptors: number(14)?,
            handshakes: number(15)?,
        },
    })
}
