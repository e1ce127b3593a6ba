//! Where each host of a relayed distribution stands, and who asks whom.

use std::io;
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use sealer_agent::wire::{Peer, Totals};

use super::mail::Mail;
use super::{Seat, keys};

/// So many hosts before it a host may ask, one after the other, before this machine has to send.
const BEFORE: usize = 8;
/// How often an interruption is looked for.
const LOOK: Duration = Duration::from_millis(200);

/// Where a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its agent is not there yet.
    Starting,
    /// Its agent serves, and has not begun.
    Ready(SocketAddr),
    /// It gets what it lacks.
    Going,
    /// It has all.
    Done(Totals),
    /// Its agent is gone.
    Gone,
}

/// All hosts of a distribution.
pub(super) struct Board {
    names: Vec<String>,
    mails: Vec<Mail>,
    /// Who holds more of the image stands earlier: whoever asks it finds all it wants.
    rank: Vec<usize>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    stages: Vec<Stage>,
    /// Those who have begun, in the order of the chain.
    chain: Vec<(usize, SocketAddr)>,
    /// The bytes that went to each besides its mail.
    fed: Vec<u64>,
}

impl Board {
    pub(super) fn new(seats: &[Seat<'_>]) -> io::Result<Self> {
        let mut rank: Vec<usize> = (0..seats.len()).collect();
        rank.sort_by_key(|at| std::cmp::Reverse(seats[*at].tree.tree.len()));
        Ok(Self {
            names: seats.iter().map(|seat| seat.name.to_owned()).collect(),
            mails: seats.iter().map(|_| Mail::new()).collect::<io::Result<_>>()?,
            rank,
            state: Mutex::new(State {
                stages: vec![Stage::Starting; seats.len()],
                chain: Vec::new(),
                fed: vec![0; seats.len()],
            }),
            changed: Condvar::new(),
        })
    }

    /// What goes to a host.
    pub(super) fn mail(&self, at: usize) -> &Mail {
        &self.mails[at]
    }

    /// Where a host's agent serves, once it does.
    pub(super) fn address(&self, at: usize) -> Option<SocketAddr> {
        let state = self.state.lock().expect("no holder panics");
        state.chain.iter().find(|(seat, _)| *seat == at).map(|(_, address)| *address)
    }

    /// Counts what went to a host besides its mail.
    pub(super) fn fed(&self, at: usize, bytes: u64) {
        self.state.lock().expect("no holder panics").fed[at] += bytes;
    }

    /// What went to a host besides its mail, in bytes.
    pub(super) fn fed_so_far(&self, at: usize) -> u64 {
        self.state.lock().expect("no holder panics").fed[at]
    }

    /// The host whose certificate has the name.
    pub(super) fn name(&self, certificate: &str) -> Option<String> {
        (0..self.names.len()).find(|at| keys::name(*at) == certificate).map(|at| self.names[at].clone())
    }

    pub(super) fn stage(&self, at: usize) -> Stage {
        self.state.lock().expect("no holder panics").stages[at]
    }

    pub(super) fn set(&self, at: usize, stage: Stage) {
        self.state.lock().expect("no holder panics").stages[at] = stage;
        self.changed.notify_all();
    }

    /// Takes note that a host's agent is gone.
    pub(super) fn leave(&self, at: usize) {
        let mut state = self.state.lock().expect("no holder panics");
        if !matches!(state.stages[at], Stage::Done(_)) {
            state.stages[at] = Stage::Gone;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Whether the agent of the first in line serves, or never will.
    pub(super) fn first_started(&self) -> bool {
        let state = self.state.lock().expect("no holder panics");
        self.rank.first().is_none_or(|first| state.stages[*first] != Stage::Starting)
    }

    /// A host's place in line.
    pub(super) fn rank(&self, at: usize) -> usize {
        self.rank.iter().position(|seat| *seat == at).expect("every seat has a rank")
    }

    /// Whether an agent waits to begin.
    pub(super) fn any_ready(&self) -> bool {
        let state = self.state.lock().expect("no holder panics");
        state.stages.iter().any(|stage| matches!(stage, Stage::Ready(_)))
    }

    /// Whether nobody gets anything any more.
    pub(super) fn all_ended(&self) -> bool {
        let state = self.state.lock().expect("no holder panics");
        state.stages.iter().all(|stage| matches!(stage, Stage::Done(_) | Stage::Gone))
    }

    /// Waits until something holds, an interruption comes, or the time is over.
    pub(super) fn wait(&self, time: Duration, cancelled: &dyn Fn() -> bool, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while begun.elapsed() < time && !cancelled() && !holds(self) {
            let state = self.state.lock().expect("no holder panics");
            let _ = self.changed.wait_timeout(state, LOOK).expect("no holder panics");
        }
    }

    /// Appends those who are ready to the chain, and returns whom each of them may ask: those right
    /// before it, the nearest first. The first asks nobody.
    pub(super) fn release(&self) -> Vec<(usize, Vec<Peer>)> {
        let mut state = self.state.lock().expect("no holder panics");
        let mut released = Vec::new();
        for at in &self.rank {
            let Stage::Ready(address) = state.stages[*at] else { continue };
            let before = state.chain.iter().rev().filter(|(at, _)| state.stages[*at] != Stage::Gone);
            let peers =
                before.take(BEFORE).map(|(at, address)| Peer { name: keys::name(*at), address: *address });
            released.push((*at, peers.collect()));
            state.chain.push((*at, address));
            state.stages[*at] = Stage::Going;
        }
        released
    }
}
