//! One operator at a time: a lease on the cluster's masters.
//!
//! A session of its own keeps a command running on each master, which holds a lock there for as long
//! as it hears from this program. When this program dies the session ends, and with it the lock; when
//! only the network does, the command hears nothing for [`PATIENCE`] and lets go. Each lease has a
//! token that is higher than all before; a host does no command of a lower one than it has seen.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sealer_stdx::task::{Stream, Task};

use crate::cluster::{ClusterSpec, HostSpec, shared};
use crate::error::{Error, HostError, HostFailure, Result};
use crate::execute::Member;
use crate::host::quote::quote;
use crate::host::{Keys, connect};

/// The folder of leases on a host. It goes with a reboot, as those who hold leases do.
const DIR: &str = "/run/sealer";
/// A holder that is not heard from for so long has lost the lease.
const PATIENCE: Duration = Duration::from_secs(20);
const BEAT: Duration = Duration::from_secs(4);
/// So long is waited for a lease: that of a holder that is gone runs out meanwhile.
const WAIT: Duration = Duration::from_secs(25);
const BETWEEN_TRIES: Duration = Duration::from_millis(500);
/// Until the host has answered it is told more often: its answer is seen between two beats.
const FIRST_BEAT: Duration = Duration::from_millis(20);

/// The right to change a cluster, until the value goes.
pub(crate) struct Lease {
    token: u64,
    lost: Arc<AtomicBool>,
    holders: Vec<Holder>,
}

/// What is asked for.
pub(crate) struct Wanted<'a> {
    pub(crate) spec: &'a ClusterSpec,
    pub(crate) keys: &'a Keys,
    /// Who asks, for others to read.
    pub(crate) who: &'a str,
    /// The hosts as they were looked at.
    pub(crate) members: &'a [Member],
    /// Whether masters that cannot be reached are passed over.
    pub(crate) force: bool,
}

impl Lease {
    /// The token: higher than those of all leases before.
    pub(crate) fn token(&self) -> u64 {
        self.token
    }

    /// Takes the lease on all masters, in the order of their addresses. Waits for a while where another
    /// has it.
    ///
    /// # Errors
    /// [`Error::Held`] when another has it; [`Error::Overtaken`] when another had it since the hosts
    /// were looked at.
    pub(crate) fn take(task: &Task, wanted: &Wanted<'_>) -> Result<Self> {
        let begun = Instant::now();
        let mut told = false;
        loop {
            match Self::try_take(wanted) {
                Err(error @ Error::Held { .. }) if begun.elapsed() < WAIT => {
                    if !std::mem::replace(&mut told, true) {
                        task.warn(format!("{error}; waiting {} seconds for it to end", WAIT.as_secs()));
                    }
                    task.check()?;
                    thread::sleep(BETWEEN_TRIES);
                }
                taken => return taken,
            }
        }
    }

    fn try_take(wanted: &Wanted<'_>) -> Result<Self> {
        let mut masters: Vec<&HostSpec> =
            wanted.spec.hosts.iter().filter(|host| host.has_role("master")).collect();
        masters.sort_by_key(|host| host.address);
        let lost = Arc::new(AtomicBool::new(false));
        let mut lease = Self { token: 0, lost, holders: Vec::new() };
        for master in masters {
            match lease.hold(master, wanted) {
                Err(Error::Hosts(errors))
                    if wanted.force && errors.iter().all(|error| error.failure.is_unreachable()) => {}
                held => held?,
            }
        }
        Ok(lease)
    }

    /// Fails once the lease is not held any more.
    pub(crate) fn check(&self, cluster: &str) -> Result<()> {
        match self.lost.load(Ordering::SeqCst) {
            true => Err(Error::LeaseLost { cluster: cluster.to_owned() }),
            false => Ok(()),
        }
    }

    fn hold(&mut self, master: &HostSpec, wanted: &Wanted<'_>) -> Result<()> {
        let (name, cluster) = (master.name(), wanted.spec.name.clone());
        let one = |error: HostError| Error::Hosts(vec![error]);
        let host = connect(master, wanted.keys).map_err(one)?;
        let script = script(wanted.spec, wanted.who);
        let (stop, stopped) = mpsc::channel();
        let (say, said) = mpsc::channel();
        let (answered, lost) = (Arc::new(AtomicBool::new(false)), Arc::clone(&self.lost));
        let mut beats = Beats { stopped, answered: Arc::clone(&answered), rest: &[] };
        let thread = thread::spawn(move || {
            let mut answer = Vec::new();
            let mut see = |stream: Stream, bytes: &[u8]| {
                if stream == Stream::Stdout {
                    answer.extend_from_slice(bytes);
                }
                if answer.contains(&b'\n') && !answered.swap(true, Ordering::SeqCst) {
                    let _ = say.send(Ok(String::from_utf8_lossy(&answer).into_owned()));
                }
            };
            let ended = host.run(&script, &mut beats, &mut see);
            // Nobody listens once the first answer is there; by then an end means that the lease is lost.
            lost.store(true, Ordering::SeqCst);
            let _ = say.send(ended.map(|output| String::from_utf8_lossy(&output.stderr).into_owned()));
        });
        self.holders.push(Holder { stop: Some(stop), thread: Some(thread) });
        let nothing = || HostFailure::Connection("ended without an answer".to_owned());
        let answer =
            said.recv().unwrap_or_else(|_| Err(nothing())).map_err(|failure| one(failure.on(&name)))?;
        self.understand(&answer, (name, cluster), wanted)
    }

    fn understand(
        &mut self,
        answer: &str,
        (host, cluster): (String, String),
        wanted: &Wanted<'_>,
    ) -> Result<()> {
        let line = answer.lines().next().unwrap_or_default();
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let number = |word: &str| word.parse::<u64>().ok();
        match words[..] {
            ["got", before, now, state] => {
                let (before, now) = (number(before).unwrap_or_default(), number(now).unwrap_or_default());
                let seen = wanted.members.iter().find(|member| member.name == host).map(|seen| &seen.facts);
                // One who worked on it meanwhile has another token, or has come further under the same.
                if seen.is_some_and(|seen| (seen.token, seen.state.as_str()) != (before, state.trim())) {
                    return Err(Error::Overtaken { cluster });
                }
                self.token = self.token.max(now);
                Ok(())
            }
            ["held", since, ..] => {
                let who = words[2..].join(" ");
                Err(Error::Held { cluster, host, who, since: since.to_owned() })
            }
            _ => {
                let message = format!("the lease cannot be taken: {}", answer.trim());
                Err(Error::Hosts(vec![HostFailure::Unfit(message).on(&host)]))
            }
        }
    }
}

struct Holder {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A line every now and then, until there is nobody any more who wants the lease.
struct Beats {
    stopped: Receiver<()>,
    answered: Arc<AtomicBool>,
    rest: &'static [u8],
}

impl Read for Beats {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            let wait = if self.answered.load(Ordering::SeqCst) { BEAT } else { FIRST_BEAT };
            match self.stopped.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => self.rest = b"beat\n",
                _ => return Ok(0),
            }
        }
        self.rest.read(buffer)
    }
}

/// Takes the lock, says so, and holds it for as long as lines come in.
fn script(spec: &ClusterSpec, who: &str) -> String {
    let (file, who) = (quote(&format!("{DIR}/{}", spec.name)), quote(who));
    let state = shared::header(&quote(&spec.data_dir()));
    let patience = PATIENCE.as_secs();
    let inner = format!(
        r#"umask 077
mkdir -p {DIR} && exec 9>>{file}.lock || exit
if ! flock -n 9; then echo "held $(cat {file}.holder 2>/dev/null || echo now somebody)"; exit; fi
before=$(cat {file}.token 2>/dev/null || echo 0)
now=$(date +%s%N)
[ "$now" -gt "$before" ] || now=$((before + 1))
echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) "{who} >{file}.holder
echo "$now" >{file}.token
printf 'got %s %s %s\n' "$before" "$now" "$({state})"
while IFS= read -r -t {patience} line; do :; done
rm -f {file}.holder"#
    );
    format!("exec bash -c {}", quote(&inner))
}

/// A command that fails, before all else, where a host has seen a higher token than `token`.
pub(crate) fn fence(cluster: &str, token: u64) -> String {
    let file = quote(&format!("{DIR}/{cluster}.fence"));
    format!(
        r#"mkdir -p -m 700 {DIR} || exit
if [ "$(cat {file} 2>/dev/null || echo 0)" -gt {token} ]; then
echo "another operator has taken over the cluster" >&2
exit 1
fi
echo {token} >{file}"#
    )
}

/// A command that prints the token of who had the lease last.
pub(crate) const LAST: &str = r#"cat "/run/sealer/$(basename "$1").token" 2>/dev/null || echo 0"#;
