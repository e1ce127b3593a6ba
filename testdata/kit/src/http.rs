//! As much of HTTP/1.1 as a proxy needs: heads, and how long a body is.

use std::io::{self, BufRead};

/// The first lines of a message: the start line and the headers.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) start: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Known(u64),
    Chunked,
    UntilClose,
}

impl Head {
    /// Reads a head. `None` when the peer has closed the connection instead.
    pub(crate) fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(start) = line(reader)? else { return Ok(None) };
        let mut headers = Vec::new();
        loop {
            let line = line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                return Ok(Some(Self { start, headers }));
            }
            let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Returns a word of the start line: method and path of a request, status of an answer.
    pub(crate) fn word(&self, index: usize) -> &str {
        self.start.split(' ').nth(index).unwrap_or_default()
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        text.into_bytes()
    }

    /// Returns how long the body of a message is if it says so.
    pub(crate) fn length(&self) -> Option<Length> {
        if self.get("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return Some(Length::Chunked);
        }
        self.get("content-length")?.parse().ok().map(Length::Known)
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if reader.read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    let text = String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Reads the payload of a body, whatever its framing.
pub(crate) struct Body<'a, R> {
    reader: &'a mut R,
    length: Length,
    /// What is left of the body, or of the chunk.
    left: u64,
    ended: bool,
}

impl<'a, R: BufRead> Body<'a, R> {
    pub(crate) fn new(reader: &'a mut R, length: Length) -> Self {
        let left = match length {
            Length::Known(length) => length,
            Length::Chunked => 0,
            Length::UntilClose => u64::MAX,
        };
        Self { reader, length, left, ended: false }
    }

    /// Reads the next bytes into `buffer`. 0 at the end, also where the peer broke off.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && self.length == Length::Chunked && !self.ended {
            self.next_chunk()?;
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.reader.read(&mut buffer[..most])?;
        self.left -= count as u64;
        if self.length == Length::Chunked && self.left == 0 {
            line(self.reader)?;
        }
        Ok(count)
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let Some(size) = line(self.reader)? else {
            self.ended = true;
            return Ok(());
        };
        self.left = u64::from_str_radix(size.trim(), 16).map_err(|_| io::ErrorKind::InvalidData)?;
        if self.left == 0 {
            line(self.reader)?;
            self.ended = true;
        }
        Ok(())
    }
}
