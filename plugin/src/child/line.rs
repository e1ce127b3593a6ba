//! A socket as lines of JSON.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A longer line is no message.
const MOST: u64 = 64 << 20;

/// One end.
pub(super) struct Line {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

/// What reading a line gave besides a message.
#[derive(Debug)]
pub(super) enum NoMessage {
    /// The other end is closed.
    Closed,
    /// Something else than a message: its beginning.
    Garbage(String),
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.writer.as_fd()
    }
}

impl Line {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        Ok(Self { reader: BufReader::new(stream.try_clone()?), writer: stream })
    }

    pub(super) fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(message)?;
        bytes.push(b'\n');
        self.writer.write_all(&bytes)
    }

    pub(super) fn receive<T: DeserializeOwned>(&mut self) -> Result<T, NoMessage> {
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(MOST).read_until(b'\n', &mut bytes);
        if !matches!(read, Ok(count) if count > 0) {
            return Err(NoMessage::Closed);
        }
        serde_json::from_slice(&bytes).map_err(|_| {
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]);
            NoMessage::Garbage(text.trim_end().escape_debug().to_string())
        })
    }
}
