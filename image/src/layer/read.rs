//! A layer's blob as an archive, verified on the way: the blob's digest and the archive's.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use oci_spec::image::{Descriptor, Digest};

use crate::digest::{Hasher, VerifyReader};
use crate::error::{Error, Result};
use crate::store::Store;

/// The bytes of the uncompressed archive, hashed as they are read.
pub(super) struct LayerReader {
    source: Box<dyn Read>,
    hasher: Hasher,
    meter: Rc<Meter>,
    /// Whether a block that ends early is filled up.
    fills: bool,
}

/// What stands before an entry (its header, a long name, attributes) is held in memory, and is no
/// larger than this, in bytes. A layer that says otherwise was made to do harm.
const MOST_BEFORE: u64 = 1 << 20;

/// How far an archive is read, and how far it may be.
#[derive(Default)]
pub(super) struct Meter {
    position: Cell<u64>,
    stop: Cell<u64>,
}

impl Meter {
    /// Allows the next entry's header, after `left` bytes of the present one.
    pub(super) fn before_header(&self, left: u64) {
        self.stop.set(self.position.get().saturating_add(left).saturating_add(MOST_BEFORE));
    }

    /// Allows an entry's content, and returns where it begins.
    pub(super) fn at_content(&self) -> u64 {
        self.stop.set(u64::MAX);
        self.position.get()
    }

    /// How much is left of `size` bytes that begin at `begin`.
    pub(super) fn left(&self, (begin, size): (u64, u64)) -> u64 {
        size.saturating_sub(self.position.get() - begin)
    }
}

impl LayerReader {
    /// Opens a layer, whatever it is compressed with: its first bytes tell.
    pub(super) fn open(store: &Store, layer: &Descriptor) -> Result<Self> {
        let file = store.open_blob(layer.digest())?;
        let source = decompress(file, layer).map_err(|error| Error::from_read(error, layer.digest()))?;
        let meter = Rc::new(Meter::default());
        meter.at_content();
        Ok(Self { source, hasher: Hasher::default(), meter, fills: false })
    }

    /// The same, to be read as an archive: some end with their last file, without the zero bytes that
    /// fill its block (`umoci insert` of 0.4).
    pub(super) fn archive(store: &Store, layer: &Descriptor) -> Result<Self> {
        Ok(Self { fills: true, ..Self::open(store, layer)? })
    }

    /// What bounds the memory that an archive's headers take.
    pub(super) fn meter(&self) -> Rc<Meter> {
        Rc::clone(&self.meter)
    }

    /// Reads what is left and returns the archive's digest.
    pub(super) fn digest(mut self, layer: &Descriptor) -> Result<Digest> {
        self.meter.at_content();
        io::copy(&mut self, &mut io::sink()).map_err(|error| Error::from_read(error, layer.digest()))?;
        Ok(self.hasher.finish())
    }

    /// Reads what is left and checks the archive against `diff_id`, where the image has one.
    pub(super) fn finish(self, layer: &Descriptor, diff_id: Option<&Digest>) -> Result<()> {
        let found = self.digest(layer)?;
        match diff_id {
            Some(expected) if *expected != found => Err(Error::Verify {
                what: "layer",
                digest: layer.digest().clone(),
                detail: format!("unpacked it is {found}, the configuration says {expected}"),
            }),
            _ => Ok(()),
        }
    }
}

impl Read for LayerReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.meter.stop.get() - self.meter.position.get();
        if left == 0 && !buffer.is_empty() {
            return Err(io::Error::other("a name or the attributes of an entry are larger than 1 MiB"));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.source.read(&mut buffer[..most])?;
        self.hasher.update(&buffer[..count]);
        let position = self.meter.position.get() + count as u64;
        self.meter.position.set(position);
        if count > 0 || !self.fills || buffer.is_empty() {
            return Ok(count);
        }
        // What is filled in is no part of the layer, and has no part in its digest.
        let rest = position.next_multiple_of(BLOCK) - position;
        let count = usize::try_from(rest).expect("less than a block").min(most);
        buffer[..count].fill(0);
        self.meter.position.set(position + count as u64);
        Ok(count)
    }
}

/// What an archive consists of, in bytes.
const BLOCK: u64 = 512;

fn decompress(file: File, layer: &Descriptor) -> io::Result<Box<dyn Read>> {
    plain(BufReader::with_capacity(256 * 1024, VerifyReader::new(file, layer)))
}

/// What a source holds, whatever it is compressed with: its first bytes tell.
///
/// # Errors
/// When it cannot be read.
pub fn plain<'a, R: Read + 'a>(mut source: BufReader<R>) -> io::Result<Box<dyn Read + 'a>> {
    let magic = source.fill_buf()?;
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::with_buffer(source)?),
        _ => Box::new(source),
    })
}
