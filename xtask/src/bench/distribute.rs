//! `sealer run` beside what people do without it, to the same hosts over the same links: by pieces, whose
//! rows are kept and put into one table and one plot.

mod cost;
mod image;
mod links;
mod method;
mod original;
mod plot;
mod rows;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::report;
use crate::command::{self, Failure, Result};
use crate::packages;
use crate::stage::Stage;
use cost::Cost;
use image::{Content, Images};
use links::Links;
use method::Method;
pub(super) use original::{Original, run as copy};
use rows::{Key, Row, Rows};

/// How much is measured.
#[derive(Debug, Args)]
pub(crate) struct Distribute {
    /// How many hosts, one number after the other
    #[arg(long, value_delimiter = ',', default_values_t = [1, 5, 20, 50])]
    hosts: Vec<u16>,
    /// The ways that are measured [default: all]
    #[arg(long, value_delimiter = ',')]
    methods: Vec<Method>,
    /// What the image holds
    #[arg(long, default_value = "big")]
    content: Content,
    /// How much it holds: 40M
    #[arg(long, default_value = "40M", value_parser = super::size)]
    size: u64,
    /// What every link carries in a second, this machine's too, in bits: 20M; 0 is as fast as it goes
    #[arg(long, default_value = "20M", value_parser = bits)]
    rate: u64,
    /// What is done to the hosts, one after the other
    #[arg(long, value_delimiter = ',', default_values_t = [Scenario::Cold])]
    scenarios: Vec<Scenario>,
    /// How many hosts sealer works on at once
    #[arg(long, default_value_t = 50)]
    parallel: u16,
    /// Count the SSH handshakes that are under way at once
    #[arg(long)]
    count: bool,
    /// Where hosts and images are: in memory the hosts share no disk
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    dir: PathBuf,
    /// Where `sealer` is, built already [default: it is built]
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Put all rows that are kept into docs/BENCHMARKS.md and the plot, and measure nothing
    #[arg(long)]
    report: bool,
}

/// What is done to the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Scenario {
    /// They have nothing.
    Cold,
    /// They have all of it.
    Again,
    /// They have the release before, of which two bytes in a hundred are others.
    Release,
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cold => "cold",
            Self::Again => "again",
            Self::Release => "release",
        })
    }
}

pub(super) const PASSWORD: &str = "secret";

/// Reads bits a second, in thousands: 20M.
fn bits(text: &str) -> std::result::Result<u64, String> {
    let (digits, unit) = match text.strip_suffix('M') {
        Some(digits) => (digits, 1_000_000),
        None => (text, 1),
    };
    let rate = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
    rate.ok_or_else(|| format!("`{text}` is no rate: 20M is"))
}

/// Runs the benchmark.
pub(super) fn run(args: &Distribute) -> Result<()> {
    if args.report {
        let rows = Rows::read()?;
        return table::write(&rows.rows);
    }
    packages::need_root()?;
    packages::ensure(&packages::BENCH)?;
    let programs = match &args.programs {
        Some(programs) => std::path::absolute(programs).map_err(Failure::file(programs))?,
        None => super::release().and_then(|()| super::programs())?,
    };
    let stage = Stage::set(&args.dir, "bench", &programs)?;
    let images = image::make(&stage, args.content, args.size)?;
    println!("\n{}: {} files, {} bytes", args.content, images.files, images.bytes);
    let all = Method::value_variants();
    let methods = if args.methods.is_empty() { all } else { &args.methods };
    for method in methods {
        for hosts in &args.hosts {
            for (scenario, cost) in one(&stage, args, &images, *method, *hosts)? {
                let key = Key {
                    content: args.content,
                    size: args.size,
                    rate: args.rate,
                    hosts: *hosts,
                    method: *method,
                    scenario,
                };
                let row = Row { key, files: images.files, bytes: images.bytes, cost };
                println!("{row}");
                Rows::merge(row)?;
            }
        }
    }
    stage.clear().map(|_| ())
}

/// One way, to so many new hosts, with what is done to them one after the other.
fn one(
    stage: &Stage,
    args: &Distribute,
    images: &Images,
    method: Method,
    hosts: u16,
) -> Result<Vec<(Scenario, Cost)>> {
    let addresses = up(stage, hosts)?;
    let links = Links::of(&addresses);
    links.shape(args.rate)?;
    let wanted = |scenario| args.scenarios.contains(&scenario);
    let mut costs = Vec::new();
    for scenario in [Scenario::Cold, Scenario::Again, Scenario::Release] {
        // Each stands on what the one before left.
        if scenario != Scenario::Cold && !wanted(scenario) {
            continue;
        }
        let command = || method.command(stage, images, scenario, (&addresses, args.parallel));
        if method.is_sealer() {
            // The image's root is unpacked then, as the others' folder is.
            command::output(command().arg("--dry-run"))?;
        }
        let cost = cost::measure(&mut command(), &links, args.count)?;
        if wanted(scenario) {
            costs.push((scenario, cost));
        }
    }
    if method.is_sealer() {
        sealer(stage, &["delete", "--quiet", "-a", "--force", "-p", PASSWORD])?;
    }
    down(stage)?;
    Ok(costs)
}

/// Makes hosts and returns their addresses. What was written before is on the disk then.
pub(super) fn up(stage: &Stage, hosts: u16) -> Result<Vec<String>> {
    let printed = sealer(stage, &["sandbox", "up", &hosts.to_string(), "--password", PASSWORD])?;
    let mut addresses: Vec<String> = Vec::new();
    for word in printed.split_whitespace().filter(|word| word.parse::<std::net::Ipv4Addr>().is_ok()) {
        if !addresses.iter().any(|there| there == word) {
            addresses.push(word.to_owned());
        }
    }
    Ok(addresses)
}

pub(super) fn down(stage: &Stage) -> Result<()> {
    sealer(stage, &["sandbox", "down"]).map(|_| ())
}

pub(super) fn sealer(stage: &Stage, args: &[&str]) -> Result<String> {
    let mut command = stage.command(&stage.programs().join("sealer"));
    command.args(args);
    let output = command::output(&mut command)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Failure::wrong(format!("`{}` failed: {message}", command::line(&command))))
}

/// Puts a text at its place in a file of the documentation.
fn put(file: &str, name: &str, text: &str) -> Result<()> {
    report::put_into(file, name, text)
}

/// Writes a file of the documentation.
fn write(file: &str, text: &str) -> Result<()> {
    let path: &Path = &command::root().join(file);
    fs::write(path, text).map_err(Failure::file(path))
}
