//! A large blob over a slow line: what is to come is fetched in parts, side by side.
//!
//! One connection has the line's delay against it, and shares of a registry's front ends. The parts are
//! handed on in order, so that whoever takes the blob in verifies it as it comes and keeps its beginning
//! when all breaks off.

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use oci_spec::image::Descriptor;
use sealer_stdx::task::Task;

use crate::error::{Error, Result};
use crate::reference::Reference;
use crate::registry::fetch::BlobReader;
use crate::registry::{Registry, Repository};

/// How often a thread looks whether its part is still wanted: after so many bytes.
const STEP: usize = 256 << 10;

/// When a blob is fetched in parts. What waits in memory is `parts` times `size`, whatever else is
/// transferred: one blob at a time goes so.
#[derive(Debug, Clone, Copy)]
pub struct Ranges {
    /// How many parts come at once; with one, blobs come whole.
    pub parts: usize,
    /// How large a part is, in bytes.
    pub size: u64,
    /// A blob that has taken so long, and would take as long again, goes on in parts.
    pub after: Duration,
}

impl Default for Ranges {
    fn default() -> Self {
        Self { parts: 4, size: 4 << 20, after: Duration::from_secs(3) }
    }
}

impl Ranges {
    /// Tells whether what is `left` of a blob is to come in parts, `done` having taken so long.
    fn help(&self, taken: Duration, done: u64, left: u64) -> bool {
        let slow = || taken.as_secs_f64() * left as f64 / done.max(1) as f64 >= self.after.as_secs_f64();
        self.parts > 1 && left >= 2 * self.size && taken >= self.after && slow()
    }
}

/// A blob on its way from a registry, whole or in parts.
pub(crate) struct RangedReader<'a> {
    /// Where the blob is to be had: first where it comes from.
    places: VecDeque<Repository<'a>>,
    content: Descriptor,
    begun: Instant,
    /// Where it was begun, and how far it is, from the blob's start.
    from: u64,
    at: u64,
    /// One connection, up to where the parts begin.
    whole: Option<BlobReader<'a>>,
    parts: Option<Parts>,
    /// Whether parts are still worth a try.
    hopeful: bool,
}

impl<'a> RangedReader<'a> {
    /// Asks for a blob from its byte `from` on. A place that does not have it, or breaks off for good, is
    /// passed over: the next one goes on from that byte.
    pub(crate) fn open(repository: &Repository<'a>, content: &Descriptor, from: u64) -> Result<Self> {
        let (places, content, begun) = (repository.places().into(), content.clone(), Instant::now());
        let mut reader =
            Self { places, content, begun, from, at: from, whole: None, parts: None, hopeful: true };
        reader.connect()?;
        Ok(reader)
    }

    /// The place that the blob comes from now.
    fn place(&self) -> &Repository<'a> {
        self.places.front().expect("the last place stays")
    }

    fn connect(&mut self) -> Result<()> {
        loop {
            match BlobReader::open(self.place(), &self.content, self.at) {
                Ok(whole) => {
                    self.whole = Some(whole);
                    return Ok(());
                }
                Err(error) => self.pass_over(error)?,
            }
        }
    }

    /// Goes on to the next place after a failure, if there is one.
    fn pass_over(&mut self, error: Error) -> Result<()> {
        match error {
            Error::Registry(error) if self.places.len() > 1 => {
                let place = self.places.pop_front().expect("there are two");
                place.pass_over(&error);
                Ok(())
            }
            error => Err(error),
        }
    }

    /// Goes on in parts, if that helps and no other blob does.
    fn consider(&mut self) {
        let shared = &self.place().registry.shared;
        let ranges = shared.settings.ranges;
        let left = self.content.size().saturating_sub(self.at);
        if !self.hopeful || !ranges.help(self.begun.elapsed(), self.at - self.from, left) {
            return;
        }
        let Some(turn) = Turn::take(&shared.ranging) else { return };
        // What this connection has under way is not thrown away: it brings the first part.
        let begin = self.at + ranges.size;
        self.parts = Some(Parts::begin(self.place(), &self.content, begin, ranges, turn));
    }

    fn read_whole(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            let Some(whole) = &mut self.whole else {
                self.connect()?;
                continue;
            };
            match whole.read(buffer) {
                Ok(count) => return Ok(count),
                Err(error) => {
                    self.whole = None;
                    self.pass_over(Error::from_read(error, self.content.digest()))?;
                }
            }
        }
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.parts.is_none() {
            self.consider();
        }
        let whole_until = self.parts.as_ref().map_or(u64::MAX, |parts| parts.begin);
        if self.at < whole_until {
            let most = usize::try_from(whole_until - self.at).unwrap_or(usize::MAX).min(buffer.len());
            return self.read_whole(&mut buffer[..most]);
        }
        self.whole = None;
        match self.parts.as_mut().map_or(Ok(0), |parts| parts.read(buffer)) {
            Ok(count) => Ok(count),
            Err(cancelled @ Error::Cancelled(_)) => Err(cancelled),
            // Whatever it was, it is told by one connection that goes on from here, or made good.
            Err(_) => {
                (self.parts, self.hopeful) = (None, false);
                self.next(buffer)
            }
        }
    }
}

impl Read for RangedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = self.next(buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// The right to fetch in parts, which one blob has at a time.
struct Turn(Arc<AtomicBool>);

impl Turn {
    fn take(taken: &Arc<AtomicBool>) -> Option<Self> {
        (!taken.swap(true, Ordering::AcqRel)).then(|| Self(Arc::clone(taken)))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// The parts that are under way, in order.
struct Parts {
    source: Source,
    /// The blob's, for the threads: nobody sees it.
    task: Task,
    ranges: Ranges,
    begin: u64,
    /// Where the part begins that is asked for next.
    next: u64,
    coming: VecDeque<Receiver<Result<Vec<u8>>>>,
    current: Cursor<Vec<u8>>,
    /// Set when nobody wants the parts any more.
    stop: Arc<AtomicBool>,
    _turn: Turn,
}

/// What a thread needs to fetch a part.
#[derive(Clone)]
struct Source {
    registry: Registry,
    reference: Reference,
    content: Descriptor,
}

impl Parts {
    fn begin(
        repository: &Repository<'_>,
        content: &Descriptor,
        begin: u64,
        ranges: Ranges,
        turn: Turn,
    ) -> Self {
        let source = Source {
            registry: repository.registry.clone(),
            reference: repository.reference.clone(),
            content: content.clone(),
        };
        let mut parts = Self {
            source,
            task: repository.task.unseen(),
            ranges,
            begin,
            next: begin,
            coming: VecDeque::new(),
            current: Cursor::default(),
            stop: Arc::default(),
            _turn: turn,
        };
        for _ in 1..ranges.parts {
            parts.ask();
        }
        parts
    }

    /// Has the next part fetched.
    fn ask(&mut self) {
        let (from, until) = (self.next, (self.next + self.ranges.size).min(self.source.content.size()));
        if from == until {
            return;
        }
        self.next = until;
        let (sender, receiver) = sync_channel(1);
        let (source, stop, task) = (self.source.clone(), Arc::clone(&self.stop), self.task.unseen());
        thread::spawn(move || {
            // Nobody may be there any more to take it.
            let _ = sender.send(source.part(&task, from, until, &stop));
        });
        self.coming.push_back(receiver);
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let digest = self.source.content.digest().clone();
        let broken = |error| Error::from_read(error, &digest);
        let count = self.current.read(buffer).map_err(broken)?;
        if count > 0 {
            return Ok(count);
        }
        let Some(part) = self.coming.pop_front() else { return Ok(0) };
        let part = part.recv().map_err(|_| broken(io::ErrorKind::UnexpectedEof.into()))?;
        self.current = Cursor::new(part?);
        self.ask();
        self.current.read(buffer).map_err(broken)
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Source {
    /// Fetches a part whole; it resumes where it breaks.
    fn part(&self, task: &Task, from: u64, until: u64, stop: &AtomicBool) -> Result<Vec<u8>> {
        let broken = |error| Error::from_read(error, self.content.digest());
        let repository = self.registry.repository(task, &self.reference);
        let mut reader = BlobReader::part(&repository, &self.content, from..until)?;
        let mut bytes = vec![0; usize::try_from(until - from).expect("a part is small")];
        let mut at = 0;
        while at < bytes.len() {
            task.check()?;
            let end = bytes.len().min(at + STEP);
            match reader.read(&mut bytes[at..end]).map_err(broken)? {
                0 => return Err(broken(io::ErrorKind::UnexpectedEof.into())),
                _ if stop.load(Ordering::Relaxed) => return Err(broken(io::ErrorKind::BrokenPipe.into())),
                count => at += count,
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_help_where_a_blob_takes_long_and_much_is_left() {
        let ranges = Ranges::default();
        let mib = 1 << 20;
        let help = |seconds, done, left| ranges.help(Duration::from_secs(seconds), done, left);
        assert!(help(3, 30 * mib, 30 * mib), "as long again");
        assert!(!help(2, 20 * mib, 500 * mib), "it has only begun");
        assert!(!help(3, 300 * mib, 30 * mib), "it is soon over");
        assert!(!help(60, 20 * mib, 7 * mib), "little is left");
        assert!(!Ranges { parts: 1, ..ranges }.help(Duration::from_secs(60), mib, 500 * mib));
    }
}
