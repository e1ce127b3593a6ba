//! `sealer run` beside what every machine can do: `tar` over `ssh`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, ValueEnum};

use super::content::{self, Content};
use super::measure::{Measured, measure};
use super::report;
use crate::command::{self, Failure, Result};
use crate::packages;
use crate::stage::Stage;

/// How much is measured.
#[derive(Debug, Args)]
pub(crate) struct Distribute {
    /// How many hosts
    #[arg(long, default_value_t = 20)]
    hosts: u16,
    /// How much the image holds, of this machine's own files: 500M
    #[arg(long, default_value = "500M", value_parser = super::size)]
    size: u64,
    /// How often; the medians are reported
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where hosts and images are: in memory the hosts share no disk
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    dir: PathBuf,
    /// Put the table into docs/BENCHMARKS.md
    #[arg(long)]
    write: bool,
}

pub(super) const PASSWORD: &str = "secret";

/// The ways to send a folder to many hosts with what every machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Peer {
    /// As it is.
    Plain,
    /// Compressed for each host.
    Zstd,
    /// Compressed once, into a file that is sent to all.
    ZstdOnce,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "tar | ssh tar",
            Self::Zstd => "tar | zstd -1 | ssh 'zstd -d | tar'",
            Self::ZstdOnce => "tar | zstd -1 -T0 > file; ssh 'zstd -d | tar' < file",
        }
    }

    /// The commands; `$SSH` logs in to `$host`. SSH has the cipher that is the fastest here.
    fn script(self) -> String {
        let (before, each) = match self {
            Self::Plain => {
                ("", r#"tar -cf - -C "$FILES" . | $SSH root@$host "mkdir -p $DEST && tar -xpf - -C $DEST""#)
            }
            Self::Zstd => (
                "",
                r#"tar -cf - -C "$FILES" . | zstd -1 -q | $SSH root@$host "mkdir -p $DEST && zstd -dq | tar -xpf - -C $DEST""#,
            ),
            Self::ZstdOnce => (
                r#"tar -cf - -C "$FILES" . | zstd -1 -T0 -q > "$TMPDIR/files.zst""#,
                r#"$SSH root@$host "mkdir -p $DEST && zstd -dq | tar -xpf - -C $DEST" < "$TMPDIR/files.zst""#,
            ),
        };
        let options = "-c aes128-gcm@openssh.com -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null";
        format!(
            "SSH='sshpass -e ssh {options} -o LogLevel=ERROR'\n{before}\n\
             for host in $HOSTS; do\n  ( {each} ) || echo $host >> \"$TMPDIR/failed\" &\ndone\n\
             wait\ntest ! -e \"$TMPDIR/failed\""
        )
    }
}

/// Runs the benchmark.
pub(super) fn run(args: &Distribute) -> Result<()> {
    packages::need_root()?;
    packages::ensure(&packages::BENCH)?;
    super::release()?;
    let stage = Stage::set(&args.dir, "bench", &super::programs()?)?;
    let files = stage.place().join("image/files");
    let content = content::collect(&files, args.size, &content::SOURCES)?;
    println!("\n{content}, of {}", content::SOURCES.join(", "));
    let context = stage.place().join("image");
    let kubefile = context.join("Kubefile");
    fs::write(&kubefile, "FROM scratch\nCOPY files .\n").map_err(Failure::file(&kubefile))?;
    sealer(&stage, &["build", "--quiet", "-t", "bench:v1", &context.to_string_lossy()])?;
    let report = distribute(&stage, args, content)?;
    let table = report.to_string();
    println!("\n{table}");
    stage.clear()?;
    if args.write { report::put("distribute", &table) } else { Ok(()) }
}

fn distribute(stage: &Stage, args: &Distribute, content: Content) -> Result<report::Report> {
    let mut peers = Vec::new();
    for peer in Peer::value_variants() {
        peers.push((*peer, vec![tell(peer.name(), by_peer(stage, args, *peer)?)]));
    }
    let wall = |(_, rounds): &(Peer, Vec<Measured>)| rounds[0].wall;
    let best = (0..peers.len()).min_by(|a, b| wall(&peers[*a]).cmp(&wall(&peers[*b]))).unwrap_or_default();
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for round in 0..args.rounds {
        let (one, other) = by_sealer(stage, args)?;
        first.push(tell("sealer run", one));
        again.push(tell("sealer run, again", other));
        if round > 0 {
            let (peer, rounds) = &mut peers[best];
            rounds.push(tell(peer.name(), by_peer(stage, args, *peer)?));
        }
    }
    let mut rows = vec![("sealer run".to_owned(), first), ("sealer run, again".to_owned(), again)];
    rows.extend(peers.into_iter().map(|(peer, rounds)| (peer.name().to_owned(), rounds)));
    Ok(report::Report { hosts: args.hosts, size: args.size, rounds: args.rounds, content, rows })
}

fn tell(name: &str, measured: Measured) -> Measured {
    println!("{name}: {measured}");
    measured
}

/// Sends the files by a peer, to new hosts.
fn by_peer(stage: &Stage, args: &Distribute, peer: Peer) -> Result<Measured> {
    let hosts = up(stage, args.hosts)?;
    let mut shell = stage.command(Path::new("sh"));
    shell
        .args(["-c", &peer.script()])
        .env("SSHPASS", PASSWORD)
        .env("HOSTS", hosts.join(" "))
        .env("FILES", stage.place().join("image/files"))
        .env("DEST", "/var/lib/sealer/peer");
    let measured = measure(&mut shell, &links(&hosts))?;
    down(stage)?;
    Ok(measured)
}

/// Runs the image on new hosts, then once more, and deletes it.
fn by_sealer(stage: &Stage, args: &Distribute) -> Result<(Measured, Measured)> {
    let hosts = up(stage, args.hosts)?;
    let run = || {
        let mut sealer = stage.command(&stage.programs().join("sealer"));
        sealer.args(["run", "--quiet", "bench:v1", "-p", PASSWORD, "-m", &hosts[0]]);
        if hosts.len() > 1 {
            sealer.args(["-n", &hosts[1..].join(",")]);
        }
        measure(&mut sealer, &links(&hosts))
    };
    let both = (run()?, run()?);
    sealer(stage, &["delete", "--quiet", "-a", "--force", "-p", PASSWORD])?;
    down(stage)?;
    Ok(both)
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
    command::run(&mut Command::new("sync"))?;
    Ok(addresses)
}

pub(super) fn down(stage: &Stage) -> Result<()> {
    sealer(stage, &["sandbox", "down"])?;
    command::run(&mut Command::new("sync"))
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

/// This machine's ends of the hosts' links.
fn links(hosts: &[String]) -> Vec<String> {
    let link = |address: &String| {
        let mut parts = address.split('.').skip(2);
        Some(format!("slr{}-{}", parts.next()?, parts.next()?))
    };
    hosts.iter().filter_map(link).collect()
}
