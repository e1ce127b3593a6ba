//! Digests: computing them, and reading bytes while checking them.

use std::io::{self, Read};

use oci_spec::image::{Descriptor, Digest};
use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// Computes the SHA-256 digest of bytes that come piece by piece.
#[derive(Debug, Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of all bytes so far.
    #[must_use]
    pub fn finish(self) -> Digest {
        let hex: String = self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}").parse().expect("64 hexadecimal digits are a SHA-256 digest")
    }
}

/// Returns the SHA-256 digest of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::default();
    hasher.update(bytes);
    hasher.finish()
}

/// Reads content and checks, on the way, that it is what its descriptor says.
///
/// The last bytes are held back until the digest is known: a reader that takes exactly the
/// descriptor's size, such as an upload, sees the mismatch as an error in their place.
#[derive(Debug)]
pub struct VerifyReader<R> {
    source: R,
    expected: Digest,
    size: u64,
    read: u64,
    hasher: Hasher,
}

impl<R: Read> VerifyReader<R> {
    /// Wraps a source of the content that `content` describes.
    pub fn new(source: R, content: &Descriptor) -> Self {
        Self {
            source,
            expected: content.digest().clone(),
            size: content.size(),
            read: 0,
            hasher: Hasher::default(),
        }
    }

    fn mismatch(&self, detail: String) -> io::Error {
        Error::Verify { what: "content", digest: self.expected.clone(), detail }.into()
    }

    fn check_end(&mut self) -> io::Result<()> {
        let mut one = [0];
        if self.source.read(&mut one)? > 0 {
            return Err(self.mismatch(format!("more than {} bytes received", self.size)));
        }
        let found = self.hasher.clone().finish();
        if found == self.expected { Ok(()) } else { Err(self.mismatch(format!("its bytes are {found}"))) }
    }
}

impl<R: Read> Read for VerifyReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.size - self.read;
        if left == 0 && self.size > 0 || buffer.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.source.read(&mut buffer[..most])?;
        if count == 0 && left > 0 {
            return Err(self.mismatch(format!("{} bytes expected, {} received", self.size, self.read)));
        }
        self.hasher.update(&buffer[..count]);
        self.read += count as u64;
        if self.read == self.size {
            self.check_end()?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_spec::image::MediaType;

    fn read(bytes: &[u8], described: &[u8]) -> std::result::Result<Vec<u8>, String> {
        let content = Descriptor::new(MediaType::ImageLayer, described.len() as u64, sha256(described));
        let mut read = Vec::new();
        match VerifyReader::new(bytes, &content).read_to_end(&mut read) {
            Ok(_) => Ok(read),
            Err(error) => Err(Error::from_read(error, content.digest()).to_string()),
        }
    }

    #[test]
    fn passes_what_the_descriptor_says() {
        assert_eq!(read(b"layer", b"layer"), Ok(b"layer".to_vec()));
        assert_eq!(read(b"", b""), Ok(Vec::new()));
    }

    #[test]
    fn refuses_other_bytes_fewer_and_more() {
        let (layer, other) = (sha256(b"layer"), sha256(b"later"));
        assert_eq!(
            read(b"later", b"layer"),
            Err(format!("content {layer} is not what its descriptor says: its bytes are {other}"))
        );
        assert_eq!(
            read(b"lay", b"layer"),
            Err(format!("content {layer} is not what its descriptor says: 5 bytes expected, 3 received"))
        );
        assert_eq!(
            read(b"layers", b"layer"),
            Err(format!("content {layer} is not what its descriptor says: more than 5 bytes received"))
        );
    }

    #[test]
    fn a_reader_of_exactly_the_size_sees_the_mismatch() {
        let content = Descriptor::new(MediaType::ImageLayer, 5, sha256(b"layer"));
        let mut reader = VerifyReader::new(&b"later"[..], &content);
        assert!(reader.read_exact(&mut [0; 5]).is_err());
    }
}
