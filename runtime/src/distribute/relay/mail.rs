//! What goes to an agent over its host's session: frames that wait, and signs of life between them.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use sealer_agent::wire::Frame;

/// The most bytes that wait for a host: whoever brings more waits as well.
const MOST: usize = 2 * 1024 * 1024;
/// How long a session is without input before it is given a sign of life. In between it takes in
/// what the agent says.
const PULSE: Duration = Duration::from_millis(100);

/// Frames for one agent.
#[derive(Default)]
pub(super) struct Mail {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    frames: VecDeque<Vec<u8>>,
    waiting: usize,
    sent: u64,
    closed: bool,
}

impl Mail {
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
        drop(state);
        self.changed.notify_all();
        true
    }

    /// Ends it: the agent goes when it has read what waits.
    pub(super) fn close(&self) {
        self.state.lock().expect("no holder panics").closed = true;
        self.changed.notify_all();
    }

    /// How many bytes were sent, signs of life left out.
    pub(super) fn sent(&self) -> u64 {
        self.state.lock().expect("no holder panics").sent
    }

    /// The end that the session reads.
    pub(super) fn reader(&self) -> Outbox<'_> {
        Outbox { mail: self, frame: Vec::new(), at: 0 }
    }

    /// The next frame; empty at the end.
    fn take(&self) -> Vec<u8> {
        let state = self.state.lock().expect("no holder panics");
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, PULSE, |state| state.frames.is_empty() && !state.closed)
            .expect("no holder panics");
        if let Some(frame) = state.frames.pop_front() {
            state.waiting -= frame.len();
            state.sent += frame.len() as u64;
            self.changed.notify_all();
            return frame;
        }
        let mut pulse = Vec::new();
        if !state.closed {
            Frame::Pulse.write(&mut pulse).expect("memory takes everything");
        }
        pulse
    }
}

pub(super) struct Outbox<'a> {
    mail: &'a Mail,
    frame: Vec<u8>,
    at: usize,
}

impl Read for Outbox<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.frame.len() {
            (self.frame, self.at) = (self.mail.take(), 0);
        }
        let count = buffer.len().min(self.frame.len() - self.at);
        buffer[..count].copy_from_slice(&self.frame[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
