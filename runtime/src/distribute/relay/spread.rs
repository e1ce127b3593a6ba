//! Who gives the agent's program to whom: this machine to the first host, those who have it to the
//! others, one at a time, so that those who have it double.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::rand::{GetRandomFlags, getrandom};
use sealer_agent::manifest::{Digest, digest};
use sealer_stdx::turns::Turns;

/// When nothing has moved for so long, this machine gives the program to one more.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often an interruption is looked for.
const LOOK: Duration = Duration::from_millis(500);

/// Where a host gets the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// From this machine, over SSH.
    Here,
    /// From the host at this seat.
    Host(usize, SocketAddr),
}

/// The spreading of the program.
pub(super) struct Spread {
    state: Mutex<State>,
    changed: Condvar,
    /// What a host says that wants it of another.
    pub(super) word: String,
    /// This machine's own uploads.
    pub(super) uploads: Turns,
}

struct State {
    /// Those who have it, and whether they give it to somebody just now.
    sources: Vec<(usize, SocketAddr, bool)>,
    /// Those who want it, by their rank.
    waiting: BTreeSet<usize>,
    /// Those who get it.
    getting: BTreeSet<usize>,
    moved: Instant,
}

/// A word that nobody guesses.
pub(super) fn word() -> std::io::Result<String> {
    let mut bytes = [0; sealer_agent::WORD / 2];
    getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Spread {
    /// `parallel` bounds the uploads of this machine.
    pub(super) fn new(parallel: usize) -> std::io::Result<Self> {
        Ok(Self {
            state: Mutex::new(State {
                sources: Vec::new(),
                waiting: BTreeSet::new(),
                getting: BTreeSet::new(),
                moved: Instant::now(),
            }),
            changed: Condvar::new(),
            word: word()?,
            uploads: Turns::new(parallel),
        })
    }

    /// What agents are told of the word.
    pub(super) fn digest(&self) -> Digest {
        digest(self.word.as_bytes())
    }

    /// Waits until a host can get the program, those of a lower rank before it. None, when it is cancelled.
    pub(super) fn wait(&self, rank: usize, cancelled: &dyn Fn() -> bool) -> Option<Source> {
        let mut state = self.state.lock().expect("no holder panics");
        state.waiting.insert(rank);
        let source = loop {
            if cancelled() {
                break None;
            }
            if state.waiting.first() == Some(&rank)
                && let Some(source) = state.source()
            {
                break Some(source);
            }
            state = self.changed.wait_timeout(state, LOOK).expect("no holder panics").0;
        };
        state.waiting.remove(&rank);
        state.getting.insert(rank);
        state.moved = Instant::now();
        self.changed.notify_all();
        source
    }

    /// A source has given what it was asked for, or could not.
    pub(super) fn given(&self, source: Source) {
        let Source::Host(seat, _) = source else { return };
        let mut state = self.state.lock().expect("no holder panics");
        state.sources.iter_mut().filter(|(at, ..)| *at == seat).for_each(|(.., busy)| *busy = false);
        drop(state);
        self.changed.notify_all();
    }

    /// The agent of a host runs, and can pass the program on.
    pub(super) fn ready(&self, rank: usize, seat: usize, address: SocketAddr) {
        let mut state = self.state.lock().expect("no holder panics");
        state.getting.remove(&rank);
        state.sources.push((seat, address, false));
        state.moved = Instant::now();
        drop(state);
        self.changed.notify_all();
    }

    /// The agent of a host is gone, or never came.
    pub(super) fn leave(&self, rank: usize, seat: usize) {
        let mut state = self.state.lock().expect("no holder panics");
        state.getting.remove(&rank);
        state.sources.retain(|(at, ..)| *at != seat);
        drop(state);
        self.changed.notify_all();
    }
}

impl State {
    fn source(&mut self) -> Option<Source> {
        if let Some((seat, address, busy)) = self.sources.iter_mut().find(|(.., busy)| !busy) {
            *busy = true;
            return Some(Source::Host(*seat, *address));
        }
        let hopeless = self.sources.is_empty() && self.getting.is_empty();
        (hopeless || self.moved.elapsed() > PATIENCE).then_some(Source::Here)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::{Source, Spread};

    #[test]
    fn the_first_gets_it_here_the_others_of_those_who_have_it_and_nobody_of_who_is_busy_or_gone() {
        let (spread, go) = (Spread::new(1).unwrap(), || false);
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        assert_eq!(spread.wait(0, &go), Some(Source::Here));
        spread.ready(0, 10, at(1));
        let first = Source::Host(10, at(1));
        assert_eq!(spread.wait(1, &go), Some(first));
        spread.ready(1, 11, at(2));
        assert_eq!(spread.wait(2, &go), Some(Source::Host(11, at(2))));
        spread.given(first);
        spread.leave(2, 12);
        assert_eq!(spread.wait(3, &go), Some(first));
        spread.leave(0, 10);
        spread.leave(1, 11);
        spread.leave(3, 13);
        assert_eq!(spread.wait(4, &go), Some(Source::Here));
        assert_eq!(spread.wait(5, &|| true), None);
    }
}
