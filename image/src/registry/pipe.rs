//! Bytes from a source that is borrowed, in the body of a request that wants to own it.
//!
//! The blocking client sends 8 KiB at a time (reqwest, `blocking/body.rs`), each through a channel to its
//! own runtime. Bodies go by the asynchronous client instead, on the thread that waits for the answer,
//! and in the pieces in which they are read.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use reqwest::blocking::Response;
use reqwest::header::CONTENT_LENGTH;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// So much is read and sent at once, in bytes.
const PIECE: u64 = 128 << 10;
/// So many pieces wait at most: half a megabyte.
const WAITING: usize = 4;

/// Sends bodies to one registry, one after the other over one connection.
pub(crate) struct Sending {
    runtime: Runtime,
    client: reqwest::Client,
}

/// What came of sending a body.
pub(crate) struct Sent {
    /// What the source said when it broke.
    pub(crate) fed: io::Result<()>,
    /// What the registry answered.
    pub(crate) answer: reqwest::Result<Response>,
}

impl Sending {
    pub(crate) fn new(client: reqwest::Client) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, client })
    }

    /// Makes a request with the source's next `length` bytes as its body. `position` follows the source.
    pub(crate) fn send(
        &self,
        build: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder,
        time: Duration,
        length: u64,
        (reader, position): (&mut dyn Read, &mut u64),
    ) -> Sent {
        let (sender, receiver) = channel(WAITING);
        let request = build(&self.client)
            .timeout(time)
            .header(CONTENT_LENGTH, length)
            .body(reqwest::Body::wrap_stream(Pieces(receiver)));
        let (fed, answer) = thread::scope(|scope| {
            let sending = scope.spawn(|| self.runtime.block_on(answer(request)));
            let fed = feed(reader, length, &sender, position);
            drop(sender);
            (fed, sending.join().expect("a request does not panic"))
        });
        Sent { fed, answer }
    }
}

/// Waits for the whole answer: to a piece of a blob, that is a few headers.
async fn answer(request: reqwest::RequestBuilder) -> reqwest::Result<Response> {
    let mut response = request.send().await?;
    let mut answer = http::Response::new(());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    let body = response.bytes().await?;
    Ok(Response::from(answer.map(|()| body)))
}

/// Passes `length` bytes on. Ends early without an error when nobody wants them any more.
fn feed(reader: &mut dyn Read, length: u64, sender: &Sender<Vec<u8>>, position: &mut u64) -> io::Result<()> {
    let mut left = length;
    while left > 0 {
        let mut piece = vec![0; usize::try_from(left.min(PIECE)).expect("a small number")];
        let count = reader.read(&mut piece)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        piece.truncate(count);
        *position += count as u64;
        left -= count as u64;
        if sender.blocking_send(piece).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// The receiving end of [`feed`]. Where the source broke off it ends early, and so does the request:
/// its length is known.
struct Pieces(Receiver<Vec<u8>>);

impl futures_core::Stream for Pieces {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|piece| piece.map(Ok))
    }
}
