//! Output that comes in pieces, as lines.

use sealer_stdx::task::Stream;

/// A line is passed on up to here.
const MOST: usize = 64 * 1024;

/// What is not a whole line yet, of each stream.
#[derive(Default)]
pub(super) struct Lines {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Lines {
    pub(super) fn take(&mut self, bytes: &[u8], stream: Stream, see: &mut dyn FnMut(Stream, String)) {
        let pending = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        pending.extend_from_slice(bytes);
        let long = |pending: &Vec<u8>| (pending.len() > MOST).then_some(MOST);
        while let Some(at) = pending.iter().position(|byte| *byte == b'\n').or_else(|| long(pending)) {
            let line: Vec<u8> = pending.drain(..=at).collect();
            see(stream, text(&line));
        }
    }

    pub(super) fn end(self, see: &mut dyn FnMut(Stream, String)) {
        for (stream, pending) in [(Stream::Stdout, self.stdout), (Stream::Stderr, self.stderr)] {
            if !pending.is_empty() {
                see(stream, text(&pending));
            }
        }
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned()
}
