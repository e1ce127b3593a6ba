//! A layer's blob as an archive, verified on the way: the blob's digest and the archive's.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use oci_spec::image::{Descriptor, Digest};

use super::reader::{BLOCK, TarReader};
use crate::digest::{Hasher, VerifyReader};
use crate::error::{Error, Result};
use crate::store::Store;

/// The bytes of the uncompressed archive, hashed as they are read.
pub(super) struct LayerReader {
    source: Box<dyn Read>,
    hasher: Hasher,
    /// How many bytes were read.
    position: u64,
    /// Whether a block that ends early is filled up.
    fills: bool,
}

impl LayerReader {
    /// Opens a layer, whatever it is compressed with: its first bytes tell.
    pub(super) fn open(store: &Store, layer: &Descriptor) -> Result<Self> {
        let file = store.open_blob(layer.digest())?;
        let source = decompress(file, layer).map_err(|error| Error::from_read(error, layer.digest()))?;
        Ok(Self { source, hasher: Hasher::default(), position: 0, fills: false })
    }

    /// The same, to be read as an archive: some end with their last file, without the zero bytes that
    /// fill its block (`umoci insert` of 0.4).
    pub(super) fn archive(store: &Store, layer: &Descriptor) -> Result<TarReader<Self>> {
        Ok(TarReader::new(Self { fills: true, ..Self::open(store, layer)? }))
    }

    /// Reads what is left and returns the archive's digest.
    pub(super) fn digest(mut self, layer: &Descriptor) -> Result<Digest> {
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
        let mut count = self.source.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        if count == 0 && self.fills {
            // What is filled in is no part of the layer, and has no part in its digest.
            let rest = self.position.next_multiple_of(BLOCK) - self.position;
            count = usize::try_from(rest).expect("less than a block").min(buffer.len());
            buffer[..count].fill(0);
        }
        self.position += count as u64;
        Ok(count)
    }
}

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
