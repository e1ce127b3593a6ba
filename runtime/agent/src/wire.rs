//! What the operator, agents and relays say to each other: frames of a length, a kind and a body.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zstd::bulk::Compressor;

use crate::bits::Bits;
use crate::error::{Error, Result};
use crate::manifest::{Digest, MOST_CHUNK};

/// The most bytes of a frame.
const MOST_FRAME: usize = 256 * 1024 * 1024;

/// A frame.
#[derive(Debug)]
pub enum Frame {
    /// A sign of life.
    Pulse,
    /// Something said.
    Said(Vec<u8>),
    /// The manifest, packed.
    Manifest(Vec<u8>),
    /// A piece.
    Piece(Piece),
}

/// A chunk under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its place in the manifest.
    pub index: u32,
    /// Whether its bytes are compressed.
    pub packed: bool,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Piece {
    /// Makes a piece of a chunk's bytes; compressed, where that makes it smaller.
    #[must_use]
    pub fn of(index: u32, bytes: Vec<u8>) -> Self {
        Packer::default().pack(index, bytes)
    }
}

/// Makes pieces, one after the other. What nothing compresses is mostly followed by more of it: after
/// each vain try, some are not tried.
#[derive(Default)]
pub struct Packer {
    compressor: Option<Compressor<'static>>,
    /// So many are not tried after the next vain try.
    leave: u32,
    /// So many are not tried from here.
    left: u32,
}

/// So many pieces are not tried at the most.
const MOST_LEFT: u32 = 7;

impl Packer {
    /// Makes a piece of a chunk's bytes; compressed, where that makes it smaller.
    #[must_use]
    pub fn pack(&mut self, index: u32, bytes: Vec<u8>) -> Piece {
        if self.left > 0 {
            self.left -= 1;
            return Piece { index, packed: false, bytes };
        }
        match self.compress(&bytes) {
            Ok(packed) if packed.len() < bytes.len() => {
                self.leave = 0;
                Piece { index, packed: true, bytes: packed }
            }
            _ => {
                (self.left, self.leave) = (self.leave, (self.leave * 2 + 1).min(MOST_LEFT));
                Piece { index, packed: false, bytes }
            }
        }
    }

    fn compress(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(1)?),
        };
        compressor.compress(bytes)
    }
}

/// The operator's word to an agent.
#[derive(Debug, Serialize, Deserialize)]
pub enum Order {
    /// What this is about: the first word.
    Setup(Box<Setup>),
    /// Whom to ask, the first first; when nobody is left, the operator sends.
    Go(Vec<Peer>),
}

/// What an agent is told at first.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Setup {
    /// The keys of this run.
    pub keys: Keys,
    /// The address that relays are served at.
    pub listen: String,
    /// The cluster's folder on the host.
    pub dir: String,
    /// The folder of what is kept across images and clusters.
    pub cache: String,
    /// How many bytes the cache may hold that no image's root holds.
    pub cache_limit: u64,
    /// The most bytes a second that are sent to other hosts; 0 is no limit.
    pub bandwidth: u64,
    /// The digest of the word by which hosts get the agent's program.
    pub word: Digest,
    /// The digest of the word by which the operator is known who feeds this host.
    pub feed: Digest,
    /// The digest of the packed manifest.
    pub manifest: Digest,
    /// The entries of the manifest that this host is to have.
    pub entries: Bits,
    /// Those of them that its present root has just so.
    pub link: Bits,
    /// What this host alone is to have.
    pub own: Vec<Own>,
}

/// A run's keys, as one host has them. DER.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Keys {
    /// The certificate that signed those of all hosts.
    pub authority: Vec<u8>,
    /// This host's.
    pub certificate: Vec<u8>,
    /// This host's private key.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

/// A file whose content is the host's alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// Its path below the root.
    pub path: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Another host of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The name in its certificate.
    pub name: String,
    /// Where it serves.
    pub address: SocketAddr,
}

/// An agent's word to the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// It serves at this port.
    Ready {
        /// The port.
        port: u16,
    },
    /// Nobody else has the manifest for it.
    NeedManifest,
    /// Nobody else has these pieces for it.
    Need(Bits),
    /// How far it is.
    Moved(Totals),
    /// It asks this host no more.
    Dropped {
        /// The host's name.
        peer: String,
        /// Whether it sent what its digest denies.
        lied: bool,
        /// Why, for people.
        reason: String,
    },
    /// A piece on its own disk was found changed, and is fetched again.
    Decayed {
        /// The file.
        path: String,
    },
    /// It has all, and has switched to it.
    Done(Totals),
    /// It gives up.
    Failed {
        /// Whether the disk is full.
        full: bool,
        /// Why, for people.
        reason: String,
    },
}

/// What a host got, in bytes on the wire unless said otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// From other hosts.
    pub from_hosts: u64,
    /// From the operator.
    pub from_operator: u64,
    /// To other hosts.
    pub to_hosts: u64,
    /// Content that it has, of what it has to get: uncompressed.
    pub content: u64,
    /// Content that was found on the host itself: uncompressed.
    pub found: u64,
}

/// A host's word to a relay.
#[derive(Debug, Serialize, Deserialize)]
pub enum Ask {
    /// The manifest, please.
    Manifest,
    /// These pieces, please, as you get them.
    Pieces(Bits),
    /// Here is what you asked the operator for, who says the word that you were told.
    Feed(String),
}

/// A relay's word, besides frames with content.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// That was all that it has, or will have.
    End,
}

const PULSE: u8 = 0;
const SAID: u8 = 1;
const MANIFEST: u8 = 2;
const PLAIN: u8 = 3;
const PACKED: u8 = 4;

fn put(to: &mut impl Write, kind: u8, parts: [&[u8]; 2]) -> io::Result<()> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = u32::try_from(length).map_err(io::Error::other)?;
    // In one piece: each write becomes a record of TLS, and a packet.
    let mut frame = Vec::with_capacity(5 + length as usize);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.push(kind);
    parts.into_iter().for_each(|part| frame.extend_from_slice(part));
    to.write_all(&frame)
}

impl Frame {
    /// Makes a frame of something that is said.
    ///
    /// # Panics
    /// Never: everything that is said can be written down.
    #[must_use]
    pub fn say(what: &impl Serialize) -> Self {
        Self::Said(postcard::to_allocvec(what).expect("plain data is written into memory"))
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the other end is gone.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Pulse => put(to, PULSE, [&[], &[]]),
            Self::Said(bytes) => put(to, SAID, [bytes, &[]]),
            Self::Manifest(bytes) => put(to, MANIFEST, [bytes, &[]]),
            Self::Piece(piece) => write_piece(to, piece),
        }
    }

    /// Reads the next one; none where the other end has closed properly.
    ///
    /// # Errors
    /// When the connection breaks off or holds something else.
    pub fn read(from: &mut impl Read) -> Result<Option<Self>> {
        let mut head = [0; 5];
        let mut got = 0;
        while got < head.len() {
            match from.read(&mut head[got..]) {
                Ok(0) if got == 0 => return Ok(None),
                Ok(0) => return Err(Error::Wire(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => got += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Wire(error)),
            }
        }
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if length > MOST_FRAME {
            return Err(Error::Garbled);
        }
        let kind = head[4];
        Ok(Some(match kind {
            PULSE if length == 0 => Self::Pulse,
            SAID => Self::Said(body(from, length)?),
            MANIFEST => Self::Manifest(body(from, length)?),
            PLAIN | PACKED => {
                let mut index = [0; 4];
                let left = length.checked_sub(index.len()).ok_or(Error::Garbled)?;
                from.read_exact(&mut index).map_err(Error::Wire)?;
                let bytes = body(from, left)?;
                Self::Piece(Piece { index: u32::from_le_bytes(index), packed: kind == PACKED, bytes })
            }
            _ => return Err(Error::Garbled),
        }))
    }
}

/// The body of a frame. What is announced is believed up to the size of a piece before it comes.
fn body(from: &mut impl Read, length: usize) -> Result<Vec<u8>> {
    let mut body = Vec::with_capacity(length.min(MOST_CHUNK));
    let taken = from.by_ref().take(length as u64).read_to_end(&mut body).map_err(Error::Wire)?;
    if taken < length { Err(Error::Wire(io::ErrorKind::UnexpectedEof.into())) } else { Ok(body) }
}

/// Writes a piece.
///
/// # Errors
/// When the other end is gone.
pub fn write_piece(to: &mut impl Write, piece: &Piece) -> io::Result<()> {
    put(to, if piece.packed { PACKED } else { PLAIN }, [&piece.index.to_le_bytes(), &piece.bytes])
}

/// Takes apart what was said.
///
/// # Errors
/// When it is nothing that can be said.
pub fn heard<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(|_| Error::Garbled)
}

#[cfg(test)]
mod tests {
    use super::Packer;

    #[test]
    fn tries_less_often_what_nothing_compresses_and_always_what_something_does() {
        let mut packer = Packer::default();
        let mut state = 1_u64;
        let mut noise = || -> Vec<u8> {
            let byte = |_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            };
            (0..1000).map(byte).collect()
        };
        let mut pack = |bytes: Vec<u8>| packer.pack(0, bytes).packed;
        let plain = || vec![7; 1000];
        assert!(pack(plain()));
        // Tried in vain; the next is tried, one is left, the next is tried, three are left.
        assert!(!pack(noise()) && !pack(noise()));
        assert_eq!([(); 3].map(|()| pack(plain())), [false, true, true]);
        for _ in 0..20 {
            pack(noise());
        }
        assert!((0..8).any(|_| pack(plain())));
    }
}
