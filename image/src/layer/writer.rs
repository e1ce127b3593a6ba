//! A layer's blob that is being written: what goes in is the archive.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, MediaType};
use sealer_stdx::fs::At;
use sealer_stdx::task::Task;

use super::compress::Encoder;
use super::read::plain;
use super::{Compression, Layer};
use crate::digest::Hasher;
use crate::error::{Error, Result};
use crate::store::{NewBlob, Store};

/// Compresses and hashes an archive on its way into the store. Dropped without
/// [`LayerWriter::finish`], it leaves nothing.
pub(crate) struct LayerWriter {
    sink: Encoder<NewBlob>,
    hasher: Hasher,
    compression: Compression,
    place: PathBuf,
}

impl LayerWriter {
    pub(crate) fn begin(store: &Store, compression: Compression) -> Result<Self> {
        let blob = store.new_blob()?;
        let place = blob.path().to_owned();
        let sink = Encoder::new(compression, blob).at(&place)?;
        Ok(Self { sink, hasher: Hasher::default(), compression, place })
    }

    /// Where it is being written, for messages.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    pub(crate) fn finish(self) -> Result<Layer> {
        let diff_id = self.hasher.finish();
        let (digest, size) = self.sink.finish().at(&self.place)?.finish()?;
        Ok(Layer { descriptor: Descriptor::new(media_type(self.compression), size, digest), diff_id })
    }
}

impl Write for LayerWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.sink.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

fn media_type(compression: Compression) -> MediaType {
    match compression {
        Compression::Zstd => MediaType::ImageLayerZstd,
        Compression::Gzip => MediaType::ImageLayerGzip,
        Compression::Plain => MediaType::ImageLayer,
    }
}

/// Takes an archive into the store as a layer. It may be compressed already, in any way that layers
/// are; the layer is compressed in ours. What the source says when it breaks is told by `broken`.
///
/// # Errors
/// The source's; when the store cannot be written.
pub(crate) fn import(
    task: &Task,
    store: &Store,
    source: &mut dyn Read,
    broken: &dyn Fn(&io::Error) -> Error,
) -> Result<Layer> {
    let buffered = io::BufReader::with_capacity(256 << 10, source);
    let mut source = plain(buffered).map_err(|error| broken(&error))?;
    let mut layer = LayerWriter::begin(store, Compression::default())?;
    let place = layer.place().to_owned();
    let mut buffer = vec![0; 256 << 10];
    loop {
        task.check()?;
        let count = match source.read(&mut buffer) {
            Ok(0) => return layer.finish(),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(&error)),
        };
        layer.write_all(&buffer[..count]).at(&place)?;
    }
}
