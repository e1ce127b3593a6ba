//! The chunks of a host: those it has, those it lacks, and the way from the one to the other.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use zstd::bulk::Decompressor;

use crate::bits::Bits;
use crate::cache::Cache;
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::manifest::digest;
use crate::wire::{Packer, Piece, Totals};

/// The pieces that came last are kept as they came, up to so many bytes: whoever is right behind
/// gets them without reading, hashing and compressing.
const RECENT: usize = 8 * 1024 * 1024;

/// So many pieces wait to be checked and written while more of them come.
const AHEAD: usize = 16;

thread_local! {
    /// A new one for each piece takes as long as the piece.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// What a connection that brings pieces brought.
pub(crate) enum Brought {
    Piece(Piece),
    /// A sign of life.
    Nothing,
    End,
}

/// Who sent something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    Operator,
    Host,
}

/// What somebody who waits for pieces is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// This one is there.
    Has(usize),
    /// None yet.
    Later,
    /// None of them will come.
    Never,
}

/// The chunks of a host.
pub(crate) struct Pool {
    pub(crate) disk: Disk,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    has: Bits,
    lacks: Bits,
    recent: VecDeque<Arc<Piece>>,
    recent_bytes: usize,
    totals: Totals,
    /// Files whose chunks were found changed.
    decayed: Vec<String>,
}

impl Pool {
    /// Finds out what the host has already.
    pub(crate) fn new(disk: Disk, cache: &Cache) -> Result<Self> {
        let count = disk.manifest.chunks.len();
        let (mut has, mut lacks, mut totals) = (Bits::new(count), Bits::new(count), Totals::default());
        for (at, chunk) in disk.manifest.chunks.iter().enumerate().filter(|(at, _)| disk.wants(*at)) {
            if disk.is_linked(at) {
                has.insert(at);
                continue;
            }
            let found = disk.held(at).or_else(|| cache.find(chunk).map(|bytes| (bytes, true)));
            match found {
                Some((bytes, spread)) => {
                    if spread {
                        disk.write(at, &bytes)?;
                    }
                    totals.found += u64::from(chunk.size);
                    has.insert(at);
                }
                None => lacks.insert(at),
            }
        }
        let state =
            State { has, lacks, recent: VecDeque::new(), recent_bytes: 0, totals, decayed: Vec::new() };
        Ok(Self { disk, state: Mutex::new(state), changed: Condvar::new() })
    }

    /// Takes a piece in: only if it is what its digest says.
    pub(crate) fn put(&self, piece: Piece, from: Sender) -> Result<()> {
        let (index, length) = (piece.index, piece.bytes.len() as u64);
        let at = index as usize;
        let wanted = *self.disk.manifest.chunks.get(at).ok_or(Error::Garbled)?;
        let lie = || match from {
            Sender::Operator => Error::Changed { index },
            Sender::Host => Error::Lie { index },
        };
        let unpacked = match piece.packed {
            true => Some(unpack(&piece.bytes, wanted.size as usize).ok_or_else(lie)?),
            false => None,
        };
        let bytes = unpacked.as_deref().unwrap_or(&piece.bytes);
        if bytes.len() != wanted.size as usize || digest(bytes) != wanted.digest {
            return Err(lie());
        }
        let lacking = self.state().lacks.has(at);
        if lacking {
            self.disk.write(at, bytes)?;
        }
        let mut state = self.state();
        match from {
            Sender::Operator => state.totals.from_operator += length,
            Sender::Host => state.totals.from_hosts += length,
        }
        if state.lacks.has(at) {
            state.lacks.remove(at);
            state.has.insert(at);
            state.totals.content += u64::from(wanted.size);
            state.recent_bytes += piece.bytes.len();
            state.recent.push_back(Arc::new(piece));
            while state.recent_bytes > RECENT
                && let Some(oldest) = state.recent.pop_front()
            {
                state.recent_bytes -= oldest.bytes.len();
            }
        }
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Takes in all that a connection brings: it is read here, checked and written by another thread.
    pub(crate) fn take_in(&self, from: Sender, mut read: impl FnMut() -> Result<Brought>) -> Result<()> {
        thread::scope(|scope| {
            let (hand, pieces) = sync_channel(AHEAD);
            let checker = scope.spawn(move || pieces.into_iter().try_for_each(|piece| self.put(piece, from)));
            let read = loop {
                // A checker that is gone has failed.
                let goes_on = match read() {
                    Ok(Brought::Piece(piece)) => hand.send(piece).is_ok(),
                    Ok(Brought::Nothing) => !checker.is_finished(),
                    Ok(Brought::End) => false,
                    Err(error) => break Err(error),
                };
                if !goes_on {
                    break Ok(());
                }
            };
            drop(hand);
            checker.join().expect("it does not panic").and(read)
        })
    }

    /// Returns a piece for another host. None, if the disk has lost it: it is lacking again then.
    pub(crate) fn piece(&self, at: usize, packer: &mut Packer) -> Option<Arc<Piece>> {
        let recent = self.state().recent.iter().rev().find(|piece| piece.index as usize == at).cloned();
        if recent.is_some() {
            return recent;
        }
        let Some(bytes) = self.disk.again(at) else {
            self.lose(at);
            return None;
        };
        Some(Arc::new(packer.pack(u32::try_from(at).unwrap_or(u32::MAX), bytes)))
    }

    /// Takes note that a chunk is not on the disk any more, or not as it was.
    pub(crate) fn lose(&self, at: usize) {
        let name = self.disk.name(at);
        let mut state = self.state();
        state.has.remove(at);
        state.lacks.insert(at);
        state.recent.retain(|piece| piece.index as usize != at);
        state.recent_bytes = state.recent.iter().map(|piece| piece.bytes.len()).sum();
        state.decayed.push(name);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until one of the wanted pieces is there, at most for `time`.
    pub(crate) fn wait(&self, wanted: &Bits, time: Duration) -> Wait {
        let look = |state: &State| match wanted.first_common(&state.has) {
            Some(at) => Wait::Has(at),
            None if wanted.first_common(&state.lacks).is_some() => Wait::Later,
            None => Wait::Never,
        };
        let state = self.state();
        let (state, _) = self
            .changed
            .wait_timeout_while(state, time, |state| look(state) == Wait::Later)
            .expect("no holder panics");
        look(&state)
    }

    /// Waits until nothing is lacking, at most for `time`, and tells what still is.
    pub(crate) fn lacking(&self, time: Duration) -> Bits {
        let (state, _) = self
            .changed
            .wait_timeout_while(self.state(), time, |state| !state.lacks.is_empty())
            .expect("no holder panics");
        state.lacks.clone()
    }

    /// How far it is.
    pub(crate) fn totals(&self) -> Totals {
        self.state().totals
    }

    /// Counts what went to another host.
    pub(crate) fn sent(&self, bytes: usize) {
        self.state().totals.to_hosts += bytes as u64;
    }

    /// The files that were found changed since they were asked for last.
    pub(crate) fn decayed(&self) -> Vec<String> {
        std::mem::take(&mut self.state().decayed)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

fn unpack(bytes: &[u8], size: usize) -> Option<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|decompressor| {
        if decompressor.is_none() {
            *decompressor = Decompressor::new().ok();
        }
        decompressor.as_mut()?.decompress(bytes, size).ok()
    })
}
