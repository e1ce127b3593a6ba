//! From host to host: an agent on each, one chain through all, every piece sent by this machine about
//! once (docs/adr/0006-relay.md).

mod agent;
mod board;
mod cut;
mod cutting;
mod feed;
mod keys;
mod mail;
mod spread;

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::thread::{self, Scope};
use std::time::Duration;

use sealer_agent::Pace;
use sealer_agent::bits::Bits;
use sealer_agent::manifest::digest;
use sealer_agent::tls::Tls;
use sealer_agent::wire::{Frame, Order, Report, Setup, Totals};
use sealer_stdx::task::{Cancelled, Stream, Task};

use super::record;
use super::survey::Lack;
use super::tree::HostTree;
use crate::error::HostFailure;
use crate::facts::Facts;
use crate::host::quote::quote;
use crate::host::{Host, Output, must};
use crate::plan::{Amount, Way};
pub(super) use agent::end;
use board::{Board, Stage};
use cut::Cut;
use cutting::Cutting;
use feed::Feed;
use keys::Authority;
use spread::Spread;

/// Where a host keeps what it had, across images and clusters.
pub(super) const CACHE: &str = "/var/lib/sealer/cache";
/// How many bytes a host keeps that no root has.
const CACHE_LIMIT: u64 = 4 << 30;
/// Below this an agent costs more than it saves.
const WORTH_IT: u64 = 16 << 20;
/// How long is waited for the agent of the first in line before others begin.
const FIRST: Duration = Duration::from_secs(5);

/// How hosts get the image's root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Distributor {
    /// Whichever moves less.
    #[default]
    Auto,
    /// From this machine to each host, over its SSH session.
    Ssh,
    /// From host to host, by agents.
    Relay,
}

/// The way to each host that does not get a plain stream for granted.
pub(crate) type Ways = BTreeMap<String, Way>;

/// Decides which way each host is reached.
pub(crate) fn ways<'a>(
    distributor: Distributor,
    hosts: impl Iterator<Item = (&'a str, &'a Facts, Amount, bool)> + Clone,
) -> Ways {
    let lacking = hosts.filter(|(_, _, amount, nothing)| !nothing && amount.bytes > 0);
    let wanted = match distributor {
        Distributor::Ssh => false,
        Distributor::Relay => true,
        Distributor::Auto => {
            let most = lacking.clone().map(|(_, _, amount, _)| amount.bytes).max().unwrap_or_default();
            most >= WORTH_IT && lacking.clone().count() > 1
        }
    };
    if !wanted {
        return Ways::new();
    }
    let way = |facts| match agent::objection(facts) {
        Some(reason) => Way::Stream { reason },
        None => Way::Relay,
    };
    lacking.map(|(name, facts, _, _)| (name.to_owned(), way(facts))).collect()
}

/// A host that takes part in a relayed distribution.
pub(crate) struct Seat<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: IpAddr,
    /// Whether this machine reaches that address itself.
    pub(crate) direct: bool,
    pub(crate) host: &'a dyn Host,
    pub(crate) tree: &'a HostTree,
    pub(crate) lack: &'a Lack,
}

/// What a distribution keeps to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The most bytes a second that each machine sends; 0 is no limit.
    pub(crate) bandwidth: u64,
    /// How many hosts get the agent from this machine at once.
    pub(crate) parallel: usize,
}

/// What became of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Relayed {
    /// It has all.
    Done {
        /// The bytes that this machine sent.
        sent: u64,
        /// The bytes that other hosts sent.
        relayed: u64,
    },
    /// Its agent did not start or was killed, or its disk lost something: it can still be sent a plain stream.
    Unable {
        /// Why, for people.
        reason: String,
    },
}

/// Brings their roots to hosts, and returns what became of each, in their order. `dir` is the
/// cluster's folder there, `source` the unpacked image.
pub(crate) fn relay(
    task: &Task,
    seats: &[Seat<'_>],
    dir: &str,
    source: &Path,
    bounds: Bounds,
) -> Vec<Result<Relayed, HostFailure>> {
    let (authority, (spread, board), (tls, word)) = match prepare(seats, bounds) {
        Ok(prepared) => prepared,
        // It is this machine's failure, and so every host's.
        Err(text) => return seats.iter().map(|_| Err(HostFailure::Agent(text.clone()))).collect(),
    };
    let pace = Pace::new(bounds.bandwidth);
    let feed = Feed { pace: &pace, tls, word };
    let cut = Cutting::default();
    let run = Run {
        task,
        seats,
        dir,
        cut: &cut,
        authority: &authority,
        board: &board,
        spread: &spread,
        feed: &feed,
        pace: &pace,
        bandwidth: bounds.bandwidth,
    };
    thread::scope(|scope| {
        let run = &run;
        scope.spawn(|| {
            let trees: Vec<&HostTree> = seats.iter().map(|seat| seat.tree).collect();
            run.cut.end(cut::cut(task, &trees, source));
        });
        let threads: Vec<_> = (0..seats.len())
            .map(|at| {
                scope.spawn(move || {
                    let result = run.accompany(scope, at);
                    run.board.leave(at);
                    run.spread.leave(run.board.rank(at), at);
                    result
                })
            })
            .collect();
        run.preside();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    })
}

type Means = (Authority, (Spread, Board), (Tls, String));

/// Makes what a distribution needs, but for what takes long.
fn prepare(seats: &[Seat<'_>], bounds: Bounds) -> Result<Means, String> {
    let authority = Authority::new().map_err(|error| error.to_string())?;
    let keys = authority.keys(seats.len()).map_err(|error| error.to_string())?;
    let tls = Tls::new(&keys).map_err(|error| error.to_string())?;
    let spread = Spread::new(bounds.parallel).map_err(|error| error.to_string())?;
    let word = spread::word().map_err(|error| error.to_string())?;
    let board = Board::new(seats).map_err(|error| error.to_string())?;
    Ok((authority, (spread, board), (tls, word)))
}

struct Run<'a> {
    task: &'a Task,
    seats: &'a [Seat<'a>],
    dir: &'a str,
    cut: &'a Cutting,
    authority: &'a Authority,
    board: &'a Board,
    spread: &'a Spread,
    feed: &'a Feed<'a>,
    pace: &'a Pace,
    bandwidth: u64,
}

impl Run<'_> {
    /// Lets each begin that is ready, the first in line before all others, and ends all when nobody
    /// lacks anything.
    fn preside(&self) {
        let cancelled = || self.task.check().is_err();
        self.board.wait(FIRST, &cancelled, Board::first_started);
        loop {
            for (at, peers) in self.board.release() {
                self.board.mail(at).put(&Frame::say(&Order::Go(peers)));
            }
            let news = |board: &Board| board.all_ended() || board.any_ready();
            self.board.wait(Duration::from_secs(3600), &cancelled, news);
            if self.board.all_ended() || cancelled() {
                break;
            }
        }
        (0..self.seats.len()).for_each(|at| self.board.mail(at).close());
    }

    /// Starts a host's agent and stays with it until its end.
    fn accompany<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        at: usize,
    ) -> Result<Relayed, HostFailure> {
        let seat = &self.seats[at];
        let amount = seat.lack.amount(&seat.tree.tree);
        let task = self.task.child("distribute", seat.name, Some(amount.bytes))?;
        let rank = self.board.rank(at);
        let from = self.spread.wait(rank, &|| self.task.check().is_err()).ok_or(Cancelled)?;
        let put = agent::put(seat.host, self.dir, from, (self.spread, self.pace))?;
        let mail = self.board.mail(at);
        // Agents are put in place while the image is cut.
        scope.spawn(move || {
            let setup = self.cut.get().and_then(|cut| self.setup(at, cut));
            match setup {
                Some(setup) => mail.put(&Frame::say(&Order::Setup(Box::new(setup)))),
                None => mail.close(),
            }
        });
        let mut talk =
            Talk { run: self, task: &task, at, seen: Vec::new(), told: 0, failure: None, decayed: None };
        let input: (&mut dyn Read, _) = (&mut mail.reader(), Some(mail.bell()));
        let output = seat.host.talk(&put.command, input, &mut |stream, bytes| {
            if stream == Stream::Stdout {
                talk.take(bytes, scope);
            }
        });
        mail.close();
        let (failure, decayed) = (talk.failure.take(), talk.decayed.take());
        if let (Stage::Done(_), Some(reason)) = (self.board.stage(at), decayed) {
            return Ok(Relayed::Unable { reason });
        }
        if let Some(failure) = self.cut.failure() {
            return Err(failure);
        }
        match (self.board.stage(at), failure) {
            (Stage::Done(totals), _) => {
                record::keep(seat.host, self.dir, &seat.tree.digest, None)?;
                task.advance(amount.bytes.saturating_sub(talk.told));
                task.finish();
                Ok(Relayed::Done {
                    sent: mail.sent() + put.sent + self.board.fed_so_far(at),
                    relayed: totals.from_hosts,
                })
            }
            (_, Some(failure)) => Err(self.with_space(seat, failure)),
            _ if self.task.check().is_err() => Err(Cancelled.into()),
            _ => Ok(Relayed::Unable { reason: ended(&output?) }),
        }
    }

    /// What an agent is told. None, where its keys cannot be made.
    fn setup(&self, at: usize, cut: &Cut) -> Option<Setup> {
        let seat = &self.seats[at];
        let (entries, link, own) = cut.share(seat.tree, seat.lack.linked());
        Some(Setup {
            keys: self.authority.keys(at).ok()?,
            listen: SocketAddr::new(seat.address, 0).to_string(),
            dir: self.dir.to_owned(),
            cache: CACHE.to_owned(),
            cache_limit: CACHE_LIMIT,
            bandwidth: self.bandwidth,
            word: self.spread.digest(),
            feed: digest(self.feed.word.as_bytes()),
            manifest: cut.digest,
            entries,
            link,
            own,
        })
    }

    /// Sends a host what nobody else has for it.
    fn feed(&self, at: usize, wanted: &Bits) -> Result<(), HostFailure> {
        let address = self.board.address(at).filter(|_| self.seats[at].direct);
        let Some(cut) = self.cut.get() else { return Ok(()) };
        let sent = self.feed.send(cut, wanted, (at, address), self.board.mail(at))?;
        self.board.fed(at, sent);
        Ok(())
    }

    /// A full disk with what is needed, and what there is now.
    fn with_space(&self, seat: &Seat<'_>, failure: HostFailure) -> HostFailure {
        let HostFailure::NoSpace { path, needed, .. } = failure else { return failure };
        let free = must(seat.host, &format!("df -Pk {} | awk 'NR == 2 {{ print $4 }}'", quote(&path)));
        let free = free.ok().and_then(|bytes| String::from_utf8_lossy(&bytes).trim().parse::<u64>().ok());
        HostFailure::NoSpace { path, needed, available: free.unwrap_or_default() * 1024 }
    }
}

/// How an agent ended that did not say so itself.
fn ended(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().map_or_else(String::new, |line| format!(": {line}"));
    format!("the agent ended with {}{said}", output.status)
}

/// One agent's reports, as they come.
struct Talk<'r, 't> {
    run: &'r Run<'r>,
    task: &'t Task,
    at: usize,
    seen: Vec<u8>,
    /// The bytes of content that the task knows of.
    told: u64,
    failure: Option<HostFailure>,
    /// What its disk did not keep: the root is looked through once more, then.
    decayed: Option<String>,
}

impl<'r> Talk<'r, '_> {
    fn take<'scope>(&mut self, bytes: &[u8], scope: &'scope Scope<'scope, '_>)
    where
        'r: 'scope,
    {
        self.seen.extend_from_slice(bytes);
        while let Some(length) = self.seen.first_chunk().map(|length| u32::from_le_bytes(*length) as usize) {
            let Some(frame) = self.seen.get(..length + 5) else { return };
            let report = match Frame::read(&mut &frame[..]) {
                Ok(Some(Frame::Said(said))) => sealer_agent::wire::heard::<Report>(&said).ok(),
                _ => None,
            };
            self.seen.drain(..length + 5);
            match report {
                Some(report) => self.hear(report, scope),
                None => self.fail(HostFailure::Agent("what it says makes no sense".to_owned())),
            }
        }
    }

    fn hear<'scope>(&mut self, report: Report, scope: &'scope Scope<'scope, '_>)
    where
        'r: 'scope,
    {
        let (run, at) = (self.run, self.at);
        let seat = &run.seats[at];
        match report {
            Report::Ready { port } => {
                let address = SocketAddr::new(seat.address, port);
                run.board.set(at, Stage::Ready(address));
                run.spread.ready(run.board.rank(at), at, address);
            }
            Report::NeedManifest => match run.cut.get() {
                Some(cut) => run.board.mail(at).put(&Frame::Manifest(cut.packed.clone())),
                None => run.board.mail(at).close(),
            },
            Report::Need(wanted) => {
                scope.spawn(move || {
                    if let Err(failure) = run.feed(at, &wanted) {
                        run.task.warn(format!("{}: {failure}", seat.name));
                        run.board.mail(at).close();
                    }
                });
            }
            Report::Moved(totals) => self.advance(totals),
            Report::Dropped { peer, lied, reason } => {
                let peer = run.board.name(&peer).unwrap_or(peer);
                let what = if lied { "sent something else than it should" } else { "is asked no more" };
                self.task.warn(format!("{peer} {what}, found by {}: {reason}", seat.name));
            }
            Report::Decayed { path } => {
                self.decayed = Some(format!("`{path}` changed on its disk after it was checked"));
            }
            Report::Done(totals) => {
                self.advance(totals);
                run.board.set(at, Stage::Done(totals));
            }
            Report::Failed { full: true, .. } => self.fail(HostFailure::NoSpace {
                path: run.dir.to_owned(),
                needed: seat.lack.amount(&seat.tree.tree).bytes,
                available: 0,
            }),
            Report::Failed { full: false, reason } => self.fail(HostFailure::Agent(reason)),
        }
    }

    fn advance(&mut self, totals: Totals) {
        let done = totals.content + totals.found;
        self.task.advance(done.saturating_sub(self.told));
        self.told = self.told.max(done);
    }

    fn fail(&mut self, failure: HostFailure) {
        self.failure.get_or_insert(failure);
        self.run.board.mail(self.at).close();
    }
}
