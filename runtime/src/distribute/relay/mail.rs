//! What goes to an agent over its host's session: frames that wait, and signs of life between them.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use sealer_agent::wire::Frame;

/// The most bytes that wait for a host: whoever brings more waits as well.
const MOST: usize = 2 * 1024 * 1024;
/// How long an agent hears nothing before it is given a sign of life.
const PULSE: Duration = Duration::from_secs(8);

/// Frames for one agent.
pub(super) struct Mail {
    state: Mutex<State>,
    changed: Condvar,
    /// Is readable while a frame waits, or it is closed.
    bell: OwnedFd,
}

#[derive(Default)]
struct State {
    frames: VecDeque<Vec<u8>>,
    waiting: usize,
    sent: u64,
    closed: bool,
}

impl Mail {
    pub(super) fn new() -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { state: Mutex::default(), changed: Condvar::new(), bell })
    }

    /// Puts a frame in.
    pub(super) fn put(&self, frame: &Frame) {
        self.put_below(usize::MAX, frame);
    }

    /// Puts a frame in, when there is room. False, if nobody takes it any more.
    pub(super) fn put_when_room(&self, frame: &Frame) -> bool {
        self.put_below(MOST, frame)
    }

    fn put_below(&self, most: usize, frame: &Frame) -> bool {
        let mut bytes = Vec::new();
        frame.write(&mut bytes).expect("memory takes everything");
        let state = self.state.lock().expect("no holder panics");
        let mut state = self
            .changed
            .wait_while(state, |state| state.waiting > most && !state.closed)
            .expect("no holder panics");
        if state.closed {
            return false;
        }
        state.waiting += bytes.len();
        state.frames.push_back(bytes);
        self.ring();
        true
    }

    /// Ends it: the agent goes when it has read what waits.
    pub(super) fn close(&self) {
        self.state.lock().expect("no holder panics").closed = true;
        self.ring();
        self.changed.notify_all();
    }

    fn ring(&self) {
        // It cannot ring louder than it does when it is full.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// How many bytes were sent, signs of life left out.
    pub(super) fn sent(&self) -> u64 {
        self.state.lock().expect("no holder panics").sent
    }

    /// The end that the session reads.
    pub(super) fn reader(&self) -> Outbox<'_> {
        Outbox { mail: self, frame: Vec::new(), at: 0, last: Instant::now() }
    }

    /// What tells the session that there is something to be read.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// The next frame, if there is one; empty at the end.
    fn take(&self) -> Option<Vec<u8>> {
        let mut state = self.state.lock().expect("no holder panics");
        match state.frames.pop_front() {
            Some(frame) => {
                state.waiting -= frame.len();
                state.sent += frame.len() as u64;
                self.changed.notify_all();
                Some(frame)
            }
            None if state.closed => Some(Vec::new()),
            None => {
                let _ = rustix::io::read(&self.bell, &mut [0; 8]);
                None
            }
        }
    }
}

/// The session's end: says that it would block where no frame waits.
pub(super) struct Outbox<'a> {
    mail: &'a Mail,
    frame: Vec<u8>,
    at: usize,
    /// When the agent was given something last.
    last: Instant,
}

impl Outbox<'_> {
    fn next(&mut self) -> io::Result<()> {
        let mut frame = self.mail.take();
        if frame.is_none() && self.last.elapsed() >= PULSE {
            let mut pulse = Vec::new();
            Frame::Pulse.write(&mut pulse)?;
            frame = Some(pulse);
        }
        (self.frame, self.at) = (frame.ok_or(io::ErrorKind::WouldBlock)?, 0);
        self.last = Instant::now();
        Ok(())
    }
}

impl Read for Outbox<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.frame.len() {
            self.next()?;
        }
        let count = buffer.len().min(self.frame.len() - self.at);
        buffer[..count].copy_from_slice(&self.frame[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
