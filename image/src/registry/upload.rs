//! Writing to a registry: small blobs at once, large ones in pieces that resume where they broke.

use std::io::Read;
use std::time::Duration;

use oci_distribution::errors::OciErrorCode;
use oci_spec::image::Descriptor;
use reqwest::StatusCode;
use reqwest::blocking::Response;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use url::Url;

use crate::content::Fetch;
use crate::error::{Error, Result};
use crate::registry::Repository;
use crate::registry::error::RegistryError;
use crate::registry::failure;
use crate::registry::http::{Caller, Failed, Patience};
use crate::registry::pipe::Sending;

/// What is sent in one piece, from memory.
const SMALL: u64 = 1 << 20;
/// The slowest line, in bytes a second, on which a piece still comes through in one request.
const SLOWEST: u64 = 32 << 10;

const OCTETS: &str = "application/octet-stream";

/// Sends a blob. The registry verifies it.
pub(crate) fn push_blob(repository: &Repository<'_>, content: &Descriptor, source: &dyn Fetch) -> Result<()> {
    let caller = repository.pushing()?;
    let start = repository.url(&caller, "blobs/uploads/");
    let mut upload = Upload { caller, start, content, at: 0, reader: None, sending: None };
    let begun = match repository.mounts.get(content.digest()) {
        Some(from) => upload.mount(from)?,
        None => Begun::Not,
    };
    match begun {
        Begun::Mounted => Ok(()),
        Begun::At(location) => upload.run(location, source),
        Begun::Not => {
            let location = upload.begin()?;
            upload.run(location, source)
        }
    }
}

/// What came of asking to mount a blob from another repository.
enum Begun {
    /// It is there.
    Mounted,
    /// It is to be sent here.
    At(Url),
    /// It is to be sent.
    Not,
}

/// A blob on its way to a registry.
struct Upload<'a> {
    caller: Caller<'a>,
    /// Where uploads begin.
    start: Url,
    content: &'a Descriptor,
    /// How much the registry has.
    at: u64,
    /// The source, and how far it is read.
    reader: Option<(u64, Box<dyn Read + Send + 'a>)>,
    /// What sends the pieces.
    sending: Option<Sending>,
}

impl<'a> Upload<'a> {
    fn run(&mut self, location: Url, source: &'a dyn Fetch) -> Result<()> {
        if self.content.size() <= SMALL {
            let mut bytes = Vec::new();
            let mut reader = source.fetch(self.content, 0)?;
            reader.read_to_end(&mut bytes).map_err(|error| Error::from_read(error, self.content.digest()))?;
            return self.finish(&location, &bytes);
        }
        let location = self.send_pieces(location, source)?;
        self.finish(&location, &[])
    }

    /// Asks the registry to take the blob from another repository.
    fn mount(&self, from: &str) -> Result<Begun> {
        // The right to read there is asked for too; whoever lacks it sends the blob.
        let scope = format!("{} repository:{from}:pull", self.caller.scope);
        let caller = Caller { scope, ..self.caller.clone() };
        let mut url = self.start.clone();
        url.query_pairs_mut().append_pair("mount", self.content.digest().as_ref()).append_pair("from", from);
        match caller.send(&url, &|client, url| client.post(url).header(CONTENT_LENGTH, 0)) {
            Ok(response) => match response.status() {
                StatusCode::CREATED => Ok(Begun::Mounted),
                StatusCode::ACCEPTED => Ok(Begun::At(self.location(&self.start, &response)?)),
                _ => Ok(Begun::Not),
            },
            Err(Error::Registry(RegistryError::Unauthorized { .. } | RegistryError::Forbidden { .. })) => {
                Ok(Begun::Not)
            }
            Err(error) => Err(error),
        }
    }

    /// Begins an upload and returns where its bytes go.
    fn begin(&mut self) -> Result<Url> {
        self.at = 0;
        let response =
            self.caller.send(&self.start, &|client, url| client.post(url).header(CONTENT_LENGTH, 0))?;
        match response.status() {
            StatusCode::ACCEPTED => Ok(self.location(&self.start, &response)?),
            _ => Err(self.caller.refusal(response).into()),
        }
    }

    /// Sends the whole blob, piece by piece, and returns where the upload is to be finished.
    fn send_pieces(&mut self, mut location: Url, source: &'a dyn Fetch) -> Result<Url> {
        let mut patience = Patience::new(self.caller.settings.retry);
        while self.at < self.content.size() {
            let before = self.at;
            match self.send_piece(&location, source) {
                Ok(next) => location = next,
                Err(failed) if failed.hope => {
                    patience.wait(self.caller.task, failed.retry_after, *failed.error)?;
                    location = match self.ask(&location)? {
                        Some(next) => next,
                        None => self.begin()?,
                    };
                }
                Err(failed) => return Err(*failed.error),
            }
            if self.at > before {
                patience.renew();
            }
        }
        Ok(location)
    }

    /// Sends the next piece in one request.
    fn send_piece(&mut self, location: &Url, source: &'a dyn Fetch) -> std::result::Result<Url, Failed> {
        let length = self.caller.settings.piece.min(self.content.size() - self.at);
        let proof = self.caller.proof_for(location)?;
        let (mut position, mut reader) = match self.reader.take() {
            Some((position, reader)) if position == self.at => (position, reader),
            _ => (self.at, source.fetch(self.content, self.at)?),
        };
        let time = self.caller.settings.timeout + Duration::from_secs(length / SLOWEST);
        let sending = match self.sending.take() {
            Some(sending) => sending,
            None => self.caller.host.sending(self.caller.settings)?,
        };
        let range = format!("{}-{}", self.at, self.at + length - 1);
        let build = |client: &reqwest::Client| {
            let request = client.patch(location.clone());
            let request = request.header(CONTENT_TYPE, OCTETS).header(CONTENT_RANGE, range);
            proof.iter().fold(request, |request, proof| proof.apply_sending(request))
        };
        let sent = sending.send(build, time, length, (&mut *reader, &mut position));
        if let Err(error) = sent.fed {
            return Err(Error::from_read(error, self.content.digest()).into());
        }
        (self.reader, self.sending) = (Some((position, reader)), Some(sending));
        let response = self.caller.judge(sent.answer)?;
        self.accepted(location, response, length)
    }

    fn accepted(
        &mut self,
        location: &Url,
        response: Response,
        length: u64,
    ) -> std::result::Result<Url, Failed> {
        match response.status() {
            StatusCode::ACCEPTED | StatusCode::NO_CONTENT | StatusCode::CREATED => {
                self.at = received(&response).unwrap_or(self.at + length).min(self.content.size());
                Ok(self.location(location, &response)?)
            }
            status @ (StatusCode::UNAUTHORIZED
            | StatusCode::RANGE_NOT_SATISFIABLE
            | StatusCode::NOT_FOUND) => {
                if status == StatusCode::UNAUTHORIZED {
                    self.caller.refused(&response);
                }
                let error = Box::new(self.caller.refusal(response).into());
                Err(Failed { error, hope: true, retry_after: None })
            }
            _ => Err(self.caller.refusal(response).into()),
        }
    }

    /// Asks how much of a broken upload has arrived. `None` when there is nothing to go on from:
    /// `distribution` up to 2.8 gives an upload up that was cut in the middle of a request.
    fn ask(&mut self, location: &Url) -> Result<Option<Url>> {
        let response = self.caller.send(location, &|client, url| client.get(url))?;
        if !response.status().is_success() {
            return Ok(None);
        }
        match received(&response) {
            // `0-0` is what registries say of no byte and of one byte.
            None | Some(0 | 1) => Ok(None),
            Some(at) if at > self.content.size() => Ok(None),
            Some(at) => {
                self.at = at;
                Ok(Some(self.location(location, &response)?))
            }
        }
    }

    /// Ends the upload with its last bytes and the digest.
    fn finish(&mut self, location: &Url, bytes: &[u8]) -> Result<()> {
        let mut url = location.clone();
        url.query_pairs_mut().append_pair("digest", self.content.digest().as_ref());
        let response = self.caller.send(&url, &|client, url| {
            let request = client.put(url).header(CONTENT_TYPE, OCTETS);
            let time = self.caller.settings.timeout + Duration::from_secs(self.content.size() / (1 << 20));
            request.header(CONTENT_LENGTH, bytes.len()).timeout(time).body(bytes.to_vec())
        })?;
        match response.status() {
            StatusCode::CREATED | StatusCode::OK | StatusCode::NO_CONTENT | StatusCode::ACCEPTED => Ok(()),
            StatusCode::NOT_FOUND if self.is_there()? => Ok(()),
            status => {
                let (code, message) = failure::said(response);
                let (status, target) = (status.as_u16(), self.caller.target.clone());
                Err(match code {
                    Some(OciErrorCode::DigestInvalid | OciErrorCode::SizeInvalid) => Error::Verify {
                        what: "content",
                        digest: self.content.digest().clone(),
                        detail: message,
                    },
                    _ => RegistryError::Rejected { target, status, message }.into(),
                })
            }
        }
    }

    /// Tells whether the blob is there after all: the answer to the last request can get lost.
    fn is_there(&self) -> Result<bool> {
        let path = format!("{}{}", self.start.path().trim_end_matches("uploads/"), self.content.digest());
        let mut url = self.start.clone();
        url.set_path(&path);
        Ok(self.caller.send(&url, &|client, url| client.head(url))?.status().is_success())
    }

    fn location(&self, base: &Url, response: &Response) -> std::result::Result<Url, RegistryError> {
        let header = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let refuse = |detail: &str| RegistryError::Protocol {
            target: self.caller.target.clone(),
            detail: detail.to_owned(),
        };
        let location = header.ok_or_else(|| refuse("it does not say where the upload goes on"))?;
        base.join(location).map_err(|_| refuse("it says that the upload goes on at what is no URL"))
    }
}

/// Returns how many bytes the registry has, from an answer's `Range: 0-99`.
fn received(response: &Response) -> Option<u64> {
    let range = response.headers().get(RANGE)?.to_str().ok()?;
    let last: u64 = range.trim().trim_start_matches("bytes=").split_once('-')?.1.parse().ok()?;
    last.checked_add(1)
}
