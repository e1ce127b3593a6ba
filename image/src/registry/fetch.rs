//! Reading from a registry: a blob goes on from the byte where its connection broke.

use std::io::{self, Read};
use std::ops::Range;

use oci_spec::image::Descriptor;
use reqwest::StatusCode;
use reqwest::blocking::Response;
use reqwest::header::{CONTENT_RANGE, RANGE};

use crate::error::{Error, Result};
use crate::registry::Repository;
use crate::registry::error::RegistryError;
use crate::registry::failure;
use crate::registry::http::{Failed, Patience};

/// A blob on its way from a registry.
pub(crate) struct BlobReader<'a> {
    repository: Repository<'a>,
    content: Descriptor,
    /// How far we are, from the blob's start.
    at: u64,
    /// Where the blob ends according to the answer that is being read.
    end: u64,
    /// Where the part ends that is asked for; none where it is all.
    until: Option<u64>,
    response: Option<Response>,
    patience: Patience,
}

impl<'a> BlobReader<'a> {
    /// Asks for a blob from its byte `from` on.
    pub(crate) fn open(repository: &Repository<'a>, content: &Descriptor, from: u64) -> Result<Self> {
        let patience = Patience::new(repository.registry.shared.settings.retry);
        let (content, end) = (content.clone(), content.size());
        let repository = repository.clone();
        let mut reader = Self { repository, content, at: from, end, until: None, response: None, patience };
        if from < end || end == 0 {
            reader.connect()?;
        }
        Ok(reader)
    }

    /// Asks for a part of a blob. A registry that does not know parts is a failure.
    pub(crate) fn part(repository: &Repository<'a>, content: &Descriptor, part: Range<u64>) -> Result<Self> {
        let patience = Patience::new(repository.registry.shared.settings.retry);
        let (content, at, end, until) = (content.clone(), part.start, part.end, Some(part.end));
        let repository = repository.clone();
        let mut reader = Self { repository, content, at, end, until, response: None, patience };
        reader.connect()?;
        Ok(reader)
    }

    fn connect(&mut self) -> Result<()> {
        loop {
            match self.request() {
                Ok(response) => {
                    self.response = Some(response);
                    return Ok(());
                }
                Err(failed) => self.wait(failed)?,
            }
        }
    }

    fn wait(&mut self, failed: Failed) -> Result<()> {
        if !failed.hope {
            return Err(*failed.error);
        }
        self.patience.wait(self.repository.task, failed.retry_after, *failed.error)
    }

    fn request(&mut self) -> std::result::Result<Response, Failed> {
        let caller = self.repository.pulling()?;
        let url = self.repository.url(&caller, &format!("blobs/{}", self.content.digest()));
        let at = self.at;
        let range = match self.until {
            Some(until) => Some(format!("bytes={at}-{}", until - 1)),
            None => (at > 0).then(|| format!("bytes={at}-")),
        };
        let mut response = caller.attempt(&url, &|client, url| match &range {
            Some(range) => client.get(url).header(RANGE, range),
            None => client.get(url),
        })?;
        let left = response.content_length();
        match response.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&response, at) => {
                let end = left.map_or(self.content.size(), |left| at + left);
                self.end = end.min(self.until.unwrap_or(u64::MAX));
            }
            StatusCode::OK if self.until.is_some() => {
                let detail = "it sends all of a blob where a part is asked for".to_owned();
                return Err(RegistryError::Protocol { target: caller.target, detail }.into());
            }
            // The registry does not know ranges: what we have is read past.
            StatusCode::OK => {
                self.end = left.unwrap_or(self.content.size());
                let skipped = io::copy(&mut response.by_ref().take(at), &mut io::sink());
                if skipped.is_err() {
                    return Err(self.broken());
                }
            }
            // The blob ends before where we are: the verifier will say what it makes of that.
            StatusCode::RANGE_NOT_SATISFIABLE => self.end = at,
            StatusCode::PARTIAL_CONTENT => {
                let detail = format!("it does not send the range that begins at {at}");
                return Err(RegistryError::Protocol { target: caller.target, detail }.into());
            }
            StatusCode::NOT_FOUND => {
                let digest = self.content.digest().clone();
                return Err(RegistryError::BlobUnknown { target: caller.target, digest }.into());
            }
            _ => return Err(caller.refusal(response).into()),
        }
        Ok(response)
    }

    fn broken(&self) -> Failed {
        let source = format!("it ends at byte {} of {}", self.at, self.end);
        let error = RegistryError::Unreachable {
            target: self.repository.target(),
            why: crate::registry::Unreachable::Broken,
            source: source.into(),
        };
        Failed { error: Box::new(error.into()), hope: true, retry_after: None }
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            if self.at >= self.end {
                return Ok(0);
            }
            if self.response.is_none() {
                self.connect()?;
                continue;
            }
            let read = self.response.as_mut().map_or(Ok(0), |response| response.read(buffer));
            let failed = match read {
                Ok(0) => self.broken(),
                Ok(count) => {
                    self.at += count as u64;
                    self.patience.renew();
                    return Ok(count);
                }
                Err(error) => self.failed(error),
            };
            self.response = None;
            self.wait(failed)?;
        }
    }

    fn failed(&self, error: io::Error) -> Failed {
        match error.downcast::<reqwest::Error>() {
            Ok(error) => {
                let (error, _) = failure::of_request(error, &self.repository.target());
                Failed { error: Box::new(error.into()), hope: true, retry_after: None }
            }
            Err(_) => self.broken(),
        }
    }
}

impl Read for BlobReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.next(buffer).map_err(|error: Error| error.into())
    }
}

/// Tells whether a partial answer begins where it was asked to.
fn starts_at(response: &Response, at: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let start = range.and_then(|range| range.trim().strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    start == Some(at)
}
