//! Bytes from a source that is borrowed to a request that wants to own its reader.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// So much goes through at once: small enough to stay in the processor's cache, and for the
/// allocator to hand out the same memory again.
const PIECE: u64 = 64 << 10;

/// Makes a pipe that holds half a megabyte.
pub(crate) fn new() -> (SyncSender<Vec<u8>>, Pipe) {
    let (sender, receiver) = sync_channel(8);
    (sender, Pipe { receiver, piece: io::Cursor::default() })
}

/// Passes `length` bytes on. Ends early without an error when nobody wants them any more.
pub(crate) fn feed(
    reader: &mut dyn Read,
    length: u64,
    sender: &SyncSender<Vec<u8>>,
    position: &mut u64,
) -> io::Result<()> {
    let mut left = length;
    while left > 0 {
        let mut piece = vec![0; usize::try_from(left.min(PIECE)).expect("a small number")];
        let count = reader.read(&mut piece)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        piece.truncate(count);
        *position += count as u64;
        left -= count as u64;
        if sender.send(piece).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// The receiving end of [`feed`], as a reader.
pub(crate) struct Pipe {
    receiver: Receiver<Vec<u8>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.piece.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            match self.receiver.recv() {
                Ok(piece) => self.piece = io::Cursor::new(piece),
                // The source broke off: so must the request, or the registry would wait.
                Err(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }
}
