//! A proxy before a registry: counts what passes, and breaks what it is told to break.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::fault::{Action, Fault, Seen};
use crate::http::{Body, Head, Length};
use crate::referrers::{self, Referrer, Referrers, ReferrersApi};
use crate::registry::free_address;

/// A plain HTTP proxy on a free port of 127.0.0.1, before a server that speaks plain HTTP.
///
/// It passes `Host` on as it came, so that the server's absolute URLs lead back to the proxy.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    referrers: Option<Referrers>,
    stopped: AtomicBool,
    faults: Mutex<Vec<Fault>>,
    seen: Mutex<Vec<Arc<Mutex<Seen>>>>,
}

impl Proxy {
    /// Starts a proxy before `upstream`, such as `Registry::address()`.
    ///
    /// # Panics
    /// When loopback has no free port.
    #[must_use]
    pub fn start(upstream: &str) -> Self {
        Self::start_as(upstream, None)
    }

    /// The same, and the proxy has the referrers API: of every manifest that passes it notes the subject.
    ///
    /// # Panics
    /// As [`Proxy::start`].
    #[must_use]
    pub fn start_with_referrers(upstream: &str, api: ReferrersApi) -> Self {
        Self::start_as(upstream, Some(Referrers::new(api)))
    }

    fn start_as(upstream: &str, referrers: Option<Referrers>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            referrers,
            stopped: AtomicBool::new(false),
            faults: Mutex::default(),
            seen: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let accepting = thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared, accepting: Some(accepting) }
    }

    /// Returns `127.0.0.1:PORT`, as it stands before the first `/` of a reference.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Adds a fault. Of those that match a request, the first added that is not used up applies.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults().push(fault);
    }

    /// Takes all faults away.
    pub fn heal(&self) {
        self.shared.faults().clear();
    }

    /// Returns all requests since the start or the last [`Proxy::forget`]. What a client has
    /// received is counted here.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        let seen = self.shared.seen();
        seen.iter().map(|seen| seen.lock().expect("no holder panics").clone()).collect()
    }

    /// Returns those of [`Proxy::seen`] with this method whose path contains `path`.
    #[must_use]
    pub fn seen_on(&self, method: &str, path: &str) -> Vec<Seen> {
        let mut seen = self.seen();
        seen.retain(|seen| seen.method == method && seen.path.contains(path));
        seen
    }

    /// Forgets what was seen.
    pub fn forget(&self) {
        self.shared.seen().clear();
    }

    /// Returns an address of 127.0.0.1 on which nobody listens: connections are refused.
    #[must_use]
    pub fn nowhere() -> String {
        free_address().to_string()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // `accept` wakes up for this connection, and sees that it is the last.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Shared {
    fn faults(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().expect("no holder panics")
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Arc<Mutex<Seen>>>> {
        self.seen.lock().expect("no holder panics")
    }

    fn strike(&self, method: &str, path: &str) -> Option<Action> {
        self.faults().iter_mut().find_map(|fault| fault.strike(method, path))
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        let shared = Arc::clone(shared);
        // A connection ends by itself: both ends have a time limit.
        thread::spawn(move || {
            let _ = serve(&client, &shared);
            let _ = client.shutdown(Shutdown::Both);
        });
    }
}

/// Serves the one request that a connection carries: each answer closes it.
fn serve(client: &TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut first = [0];
    if client.peek(&mut first)? == 1 && first == [0x16] {
        // A TLS handshake. Go's server, which every registry is made of, answers so too.
        let answer = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
        return (&*client).write_all(answer.as_bytes());
    }
    let mut reader = BufReader::new(client);
    let Some(request) = Head::read(&mut reader)? else { return Ok(()) };
    let record = Arc::new(Mutex::new(Seen {
        method: request.word(0).to_owned(),
        path: request.word(1).to_owned(),
        range: request.get("range").map(str::to_owned),
        authorized: request.get("authorization").is_some(),
        status: 0,
        sent: 0,
        received: 0,
    }));
    shared.seen().push(Arc::clone(&record));
    let action = shared.strike(request.word(0), request.word(1));
    let exchange = Exchange { client, action, record, referrers: shared.referrers.as_ref() };
    exchange.run(&mut reader, request, &shared.upstream)
}

/// A request on its way, and its record. The record is always ahead of what the client can see.
struct Exchange<'a> {
    client: &'a TcpStream,
    action: Option<Action>,
    record: Arc<Mutex<Seen>>,
    referrers: Option<&'a Referrers>,
}

impl Exchange<'_> {
    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.record.lock().expect("no holder panics"));
    }

    fn run(&self, reader: &mut BufReader<&TcpStream>, request: Head, upstream: &str) -> io::Result<()> {
        let length = request.length().unwrap_or(Length::Known(0));
        match &self.action {
            Some(Action::Close) => Ok(()),
            Some(Action::Answer { status, headers, body }) => {
                self.pass_up(&mut Body::new(reader, length), &mut io::sink(), &Shape::default())?;
                self.answer((*status, "Injected"), headers, body)
            }
            _ => self.pass_or_list(reader, request, length, &TcpStream::connect(upstream)?),
        }
    }

    /// What refers to an image the registry behind does not know.
    fn pass_or_list(
        &self,
        reader: &mut BufReader<&TcpStream>,
        request: Head,
        length: Length,
        upstream: &TcpStream,
    ) -> io::Result<()> {
        match self.referrers.and_then(|known| known.answer(&request)) {
            Some(page) => self.answer((200, "OK"), &page.headers, &page.body),
            None => self.pass(reader, request, length, upstream),
        }
    }

    fn pass(
        &self,
        reader: &mut BufReader<&TcpStream>,
        mut request: Head,
        length: Length,
        mut upstream: &TcpStream,
    ) -> io::Result<()> {
        upstream.set_read_timeout(Some(Duration::from_secs(60)))?;
        request.set("Connection", "close");
        upstream.write_all(&request.to_bytes())?;
        let mut shape = Shape::default();
        if let Some(Action::CutRequest { after }) = self.action {
            shape.cut = Some(after);
        }
        let mut body = Body::new(reader, length);
        let mut manifest = Vec::new();
        if length == Length::Chunked {
            self.pass_up(&mut body, &mut Chunks(upstream), &shape)?;
        } else if self.referrers.is_some() && referrers::brings_manifest(&request) {
            self.pass_up(&mut body, &mut manifest, &shape)?;
            upstream.write_all(&manifest)?;
        } else {
            self.pass_up(&mut body, &mut upstream, &shape)?;
        }
        if shape.cut.is_some() {
            return upstream.shutdown(Shutdown::Both);
        }
        if length == Length::Chunked {
            upstream.write_all(b"0\r\n\r\n")?;
        }
        self.respond(upstream, referrers::referrer(&request, &manifest))
    }

    /// Passes the server's answer on to the client, and notes what it has taken.
    fn respond(&self, upstream: &TcpStream, brought: Option<Referrer>) -> io::Result<()> {
        let mut reader = BufReader::new(upstream);
        let mut head = Head::read(&mut reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.word(1).parse().unwrap_or(0);
        self.note(|seen| seen.status = status);
        if let (Some(known), Some(brought), 201) = (self.referrers, brought, status) {
            head.set("OCI-Subject", &brought.subject);
            let digest = head.get("docker-content-digest").ok_or(io::ErrorKind::InvalidData)?.to_owned();
            known.keep(brought, &digest);
        }
        let bodiless = self.record.lock().expect("no holder panics").method == "HEAD";
        let bodiless = bodiless || matches!(status, 204 | 304);
        let length = if bodiless { Length::Known(0) } else { head.length().unwrap_or(Length::UntilClose) };
        head.set("Connection", "close");
        // A body of unknown length ends with the connection.
        head.remove("transfer-encoding");
        let mut shape = Shape::default();
        match &self.action {
            Some(Action::CutResponse { after }) => shape.cut = Some(*after),
            Some(Action::Corrupt { at }) => shape.corrupt = Some(*at),
            Some(Action::Slow { per_second }) => shape.per_second = Some(*per_second),
            Some(Action::ContentLength(length)) => head.set("Content-Length", &length.to_string()),
            Some(Action::WithoutHeader(name)) => head.remove(name),
            Some(Action::Delay(time)) => thread::sleep(*time),
            _ => {}
        }
        let mut client = self.client;
        client.write_all(&head.to_bytes())?;
        let count = |bytes| self.note(|seen| seen.received += bytes);
        relay(&mut Body::new(&mut reader, length), &mut client, &shape, &count)
    }

    fn answer(&self, status: (u16, &str), headers: &[(String, String)], body: &str) -> io::Result<()> {
        let (status, reason) = status;
        let mut head = Head { start: format!("HTTP/1.1 {status} {reason}"), headers: headers.to_vec() };
        head.set("Content-Length", &body.len().to_string());
        head.set("Connection", "close");
        self.note(|seen| (seen.status, seen.received) = (status, body.len() as u64));
        let mut client = self.client;
        client.write_all(&[&head.to_bytes(), body.as_bytes()].concat())
    }

    fn pass_up<R: BufRead>(
        &self,
        body: &mut Body<'_, R>,
        out: &mut dyn Write,
        shape: &Shape,
    ) -> io::Result<()> {
        relay(body, out, shape, &|bytes| self.note(|seen| seen.sent += bytes))
    }
}

/// What happens to a body on its way.
#[derive(Debug, Default)]
struct Shape {
    cut: Option<u64>,
    corrupt: Option<u64>,
    per_second: Option<u64>,
}

/// Passes a body on, in the given shape. `count` is told of bytes before they are written.
fn relay<R: BufRead>(
    body: &mut Body<'_, R>,
    out: &mut dyn Write,
    shape: &Shape,
    count: &dyn Fn(u64),
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    let mut done: u64 = 0;
    loop {
        let allowed = shape.cut.map_or(u64::MAX, |cut| cut - done);
        let most = buffer.len().min(usize::try_from(allowed).unwrap_or(usize::MAX));
        let most = shape.per_second.map_or(most, |speed| most.min((speed / 20).max(1) as usize));
        let length = if most == 0 { 0 } else { body.read(&mut buffer[..most])? };
        if length == 0 {
            return out.flush();
        }
        let corrupt = shape.corrupt.and_then(|at| at.checked_sub(done));
        if let Some(byte) = corrupt.and_then(|at| buffer[..length].get_mut(at as usize)) {
            *byte ^= 0xff;
        }
        count(length as u64);
        out.write_all(&buffer[..length])?;
        done += length as u64;
        if shape.per_second.is_some() {
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Writes each piece as a chunk of a chunked body. The last, empty chunk is written by the caller.
struct Chunks<'a>(&'a TcpStream);

impl Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut stream = self.0;
        stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes())?;
        stream.write_all(bytes)?;
        stream.write_all(b"\r\n")?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
