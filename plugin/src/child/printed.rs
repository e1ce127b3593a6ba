//! What a plugin prints: shown, kept for errors, and, of an executable, picked for messages.

use std::collections::VecDeque;
use std::io::{PipeReader, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::line::NoMessage;
use super::message::FromChild;
use crate::plugin::PluginHost;

/// How many of the last lines that a plugin printed an error shows.
const LAST_LINES: usize = 20;
/// What a plugin prints beyond this is not shown.
const MOST_OUTPUT: usize = 4 << 20;
/// A line is shown up to here.
const MOST_LINE: usize = 64 << 10;
/// Of each of those lines an error shows so many bytes.
const MOST_KEPT: usize = 4 << 10;
/// A line that may be a message of an executable is read up to here.
const MOST_MESSAGE: usize = 16 << 20;

/// Where it goes.
pub(super) struct Printed<'a> {
    pub(super) host: &'a dyn PluginHost,
    /// The last lines.
    pub(super) last: &'a Mutex<VecDeque<String>>,
    /// Whether the plugin is over.
    pub(super) over: &'a AtomicBool,
    /// Who takes messages, of an executable.
    pub(super) messages: Option<mpsc::Sender<Result<FromChild, NoMessage>>>,
}

impl Printed<'_> {
    /// Reads line by line until the plugin is over and nothing is left to read. Somebody else may
    /// hold the pipe's other end for ever; that is not waited for.
    pub(super) fn show(&self, mut output: PipeReader) {
        let mut shown = 0;
        let mut pending = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let ending = self.over.load(Ordering::SeqCst);
            let wait = Timespec { tv_sec: 0, tv_nsec: if ending { 0 } else { 20_000_000 } };
            let ready = poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&wait)).unwrap_or(0);
            if ready == 0 {
                if ending {
                    break;
                }
                continue;
            }
            let count = output.read(&mut buffer).unwrap_or(0);
            if count == 0 {
                break;
            }
            pending.extend_from_slice(&buffer[..count]);
            self.take_lines(&mut pending, &mut shown);
        }
        if !pending.is_empty() {
            self.take(&pending, &mut shown);
        }
    }

    /// Takes the whole lines out of `pending`, and what is too long for one.
    fn take_lines(&self, pending: &mut Vec<u8>, shown: &mut usize) {
        let mut begin = 0;
        loop {
            let rest = &pending[begin..];
            let most =
                if self.messages.is_some() && rest.first() == Some(&b'{') { MOST_MESSAGE } else { MOST_LINE };
            let end = memchr::memchr(b'\n', rest).map(|at| at + 1);
            let Some(length) = end.or((rest.len() > most).then_some(most)) else { break };
            self.take(&rest[..length], shown);
            begin += length;
        }
        pending.drain(..begin);
    }

    fn take(&self, line: &[u8], shown: &mut usize) {
        if let Some(messages) = &self.messages
            && let Some(message) = FromChild::of_executable(line)
        {
            // Nobody listens where the conversation has ended otherwise.
            let _ = messages.send(Ok(message));
            return;
        }
        let text = |line| String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned();
        let after = *shown + line.len();
        if after <= MOST_OUTPUT {
            self.host.log(None, &text(line));
        } else if *shown <= MOST_OUTPUT {
            self.host.log(None, "… what the plugin prints from here on is not shown");
        }
        *shown = after;
        let mut last = self.last.lock().expect("no holder panics");
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(text(&line[..line.len().min(MOST_KEPT)]));
    }
}
