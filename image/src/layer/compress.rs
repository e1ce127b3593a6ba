//! The compressors, each with the same bytes out for the same bytes in, whatever the machine.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use sealer_stdx::fanout::fanout;
use zstd::zstd_safe::CParameter;

use super::Compression;

const ZSTD_LEVEL: i32 = 3;
const GZIP_LEVEL: u32 = 6;

/// One gzip member holds so much; the size is part of what makes the output repeatable.
const MEMBER: usize = 1 << 20;
const WORKERS: usize = 4;

/// One worker of zstd compresses so much at once. It is part of what makes the output repeatable, and
/// it bounds the memory: by itself zstd takes 8 MiB at this level, and over 100 MiB in all.
const JOB: u32 = 2 << 20;

/// As many as there are processors, up to a few.
fn workers() -> u32 {
    let there = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(there.min(WORKERS)).expect("a small number")
}

/// Compresses what is written to it into `W`.
pub(super) enum Encoder<W: Write> {
    Zstd(zstd::stream::write::Encoder<'static, W>),
    Gzip(Members<W>),
    Plain(W),
}

impl<W: Write> Encoder<W> {
    pub(super) fn new(compression: Compression, sink: W) -> io::Result<Self> {
        match compression {
            Compression::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(sink, ZSTD_LEVEL)?;
                // With workers the blocks are cut in one way, however many workers there are.
                encoder.set_parameter(CParameter::NbWorkers(workers()))?;
                encoder.set_parameter(CParameter::JobSize(JOB))?;
                Ok(Self::Zstd(encoder))
            }
            Compression::Gzip => Ok(Self::Gzip(Members { sink, pending: Vec::new(), wrote: false })),
            Compression::Plain => Ok(Self::Plain(sink)),
        }
    }

    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Self::Zstd(encoder) => encoder.finish(),
            Self::Gzip(members) => members.finish(),
            Self::Plain(sink) => Ok(sink),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Zstd(encoder) => encoder.write(bytes),
            Self::Gzip(members) => members.write(bytes),
            Self::Plain(sink) => sink.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.flush(),
            Self::Gzip(members) => members.sink.flush(),
            Self::Plain(sink) => sink.flush(),
        }
    }
}

/// A gzip file of many members, which every reader of gzip takes (RFC 1952, section 2.2), so that
/// they can be compressed side by side.
pub(super) struct Members<W: Write> {
    sink: W,
    pending: Vec<u8>,
    wrote: bool,
}

impl<W: Write> Members<W> {
    fn compress(&mut self) -> io::Result<()> {
        let blocks: Vec<&[u8]> = self.pending.chunks(MEMBER).collect();
        for member in fanout(WORKERS, blocks, member) {
            self.sink.write_all(&member?)?;
            self.wrote = true;
        }
        self.pending.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<W> {
        self.compress()?;
        if !self.wrote {
            self.sink.write_all(&member(&[])?)?;
        }
        Ok(self.sink)
    }
}

fn member(block: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder =
        GzEncoder::new(Vec::with_capacity(block.len() / 2), flate2::Compression::new(GZIP_LEVEL));
    encoder.write_all(block)?;
    encoder.finish()
}

impl<W: Write> Write for Members<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = WORKERS * MEMBER - self.pending.len();
        let count = room.min(bytes.len());
        self.pending.extend_from_slice(&bytes[..count]);
        if self.pending.len() == WORKERS * MEMBER {
            self.compress()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
