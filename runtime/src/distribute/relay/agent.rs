//! The agent's program: the one that this program was built with, put on a host for one run.

use std::io::Read;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use sealer_agent::Pace;
use sealer_image::digest::sha256;

use super::spread::{Source, Spread};
use crate::error::HostFailure;
use crate::facts::Facts;
use crate::host::quote::quote;
use crate::host::{Host, must_with};

/// The program, compressed. It runs on machines of this program's architecture.
static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sealer-agent.gz"));
static DIGEST: LazyLock<String> = LazyLock::new(|| sha256(PACKED).digest().to_owned());

/// Standard input of who asks another host for the program is the word; what it says is the program.
/// Bash, for it opens connections; so long, for one that hangs is of no use.
const ASK: &str = r#"timeout 30 bash -c 'IFS= read -r word && exec 3<>"/dev/tcp/$0/$1" && printf "P%s" "$word" >&3 && exec cat <&3'"#;

/// What the agent's program is for, in the words of an image's platform.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Says why a host cannot run the agent; none, if it can.
pub(crate) fn objection(facts: &Facts) -> Option<String> {
    if facts.architecture != architecture() {
        return Some(format!("the host is {}, the agent for {}", facts.architecture, architecture()));
    }
    facts.noexec.then(|| "the host runs no program from /var/lib/sealer (noexec)".to_owned())
}

/// A program that is in place on a host.
pub(super) struct Put {
    /// The command that runs it. It removes its own files once it runs.
    pub(super) command: String,
    /// How much of it this machine sent, in bytes.
    pub(super) sent: u64,
}

/// Puts the program into a folder of the host, from where it is to be had; if that fails, from here.
/// What a killed run left, files and agents that still run, is removed before.
pub(super) fn put(
    host: &dyn Host,
    dir: &str,
    source: Source,
    (spread, pace): (&Spread, &Pace),
) -> Result<Put, HostFailure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let name = format!(".agent-{now}");
    if let Source::Host(_, address) = source {
        let from = format!("{ASK} {} {}", address.ip(), address.port());
        let got = must_with(host, &place(dir, &name, &from), &mut format!("{}\n", spread.word).as_bytes());
        spread.given(source);
        match got {
            Ok(_) => return Ok(Put { command: run(dir, &name), sent: 0 }),
            Err(HostFailure::Command { .. }) => {}
            Err(failure) => return Err(failure),
        }
    }
    let _turn = spread.uploads.take();
    must_with(host, &place(dir, &name, "cat"), &mut Paced { left: PACKED, pace })?;
    Ok(Put { command: run(dir, &name), sent: PACKED.len() as u64 })
}

/// The program on its way, as fast as this machine may send.
struct Paced<'a> {
    left: &'a [u8],
    pace: &'a Pace,
}

impl Read for Paced<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.left.read(buffer)?;
        self.pace.take(count);
        Ok(count)
    }
}

fn run(dir: &str, name: &str) -> String {
    format!("exec {}", quote(&format!("{dir}/{name}")))
}

/// The command that puts in place what `from` prints, if it is the program.
fn place(dir: &str, name: &str, from: &str) -> String {
    let (made, ready, digest) = (quote(dir), end(dir), &*DIGEST);
    format!(
        "mkdir -p {made}\n{ready}\n{from} > {name}.gz && \
         [ \"$(sha256sum < {name}.gz | cut -c 1-64)\" = {digest} ] && \
         gzip -dc < {name}.gz > {name} && chmod 700 {name} || {{ rm -f {name} {name}.gz; exit 1; }}"
    )
}

/// The commands that go to the cluster's folder, end agents that a lost operator left, and remove their
/// files: nobody else may work on it now.
pub(crate) fn end(dir: &str) -> String {
    let (dir, program) = (quote(dir), quote(&format!("{dir}/.agent-")));
    format!(
        "cd {dir} || exit 1\nfor left in $(ls -l /proc/[0-9]*/exe 2>/dev/null | grep -F -- {program} | sed 's,.*/proc/\\([0-9]*\\)/exe.*,\\1,'); do kill -KILL $left; done\nrm -f .agent-*"
    )
}
