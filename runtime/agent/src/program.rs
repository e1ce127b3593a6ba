//! The agent's own program, for hosts that do not have it yet: the operator tells them a word and the
//! program's digest over SSH, and they ask with what every host has, a shell.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::error::{Error, Result};
use crate::manifest::{Digest, digest};
use crate::pace::Pace;

/// The first byte of who asks for the program; a TLS connection begins with another.
pub(crate) const ASKED: u8 = b'P';
/// The word's letters.
pub const WORD: usize = 64;
/// So many bytes go at once.
const PIECE: usize = 64 * 1024;

/// The program, compressed as it came, and who may have it.
pub(crate) struct Program {
    /// Of the word that has to be said.
    word: Digest,
    packed: Vec<u8>,
}

impl Program {
    pub(crate) fn new(word: Digest, packed: Vec<u8>) -> Self {
        Self { word, packed }
    }

    /// Gives the program to whoever says the word. It is no secret: the word keeps strangers from having
    /// anything of this host.
    pub(crate) fn give(&self, socket: &mut TcpStream, pace: &Pace) -> Result<()> {
        let mut said = [0; 1 + WORD];
        socket.read_exact(&mut said).map_err(Error::Wire)?;
        if digest(&said[1..]) != self.word {
            return Err(Error::Garbled);
        }
        for piece in self.packed.chunks(PIECE) {
            pace.take(piece.len());
            socket.write_all(piece).map_err(Error::Wire)?;
        }
        socket.shutdown(Shutdown::Write).map_err(Error::Wire)
    }
}
