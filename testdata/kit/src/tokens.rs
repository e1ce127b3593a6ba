//! A token server, as Docker Hub and others have beside their registry.

use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, DnType, KeyPair, SigningKey};
use serde_json::{Value, json};

use crate::http::Head;

/// Who signs the tokens, as the registry's configuration names it.
pub(crate) const ISSUER: &str = "sealer test tokens";
/// What the tokens are for.
pub(crate) const SERVICE: &str = "sealer test registry";

/// Gives out tokens for what is asked, by name and password or by a refresh token. Without either
/// it gives a token for nothing.
#[derive(Debug)]
pub(crate) struct TokenServer {
    address: SocketAddr,
    certificate: PathBuf,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    key: KeyPair,
    /// The certificate of the key, DER in base64, as tokens carry it.
    certificate: String,
    user: String,
    password: String,
    stopped: AtomicBool,
    given: AtomicUsize,
    scopes: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("user", &self.user).finish_non_exhaustive()
    }
}

impl TokenServer {
    pub(crate) fn start(dir: &Path, user: &str, password: &str) -> Self {
        let key = KeyPair::generate().expect("a key needs only random numbers");
        let mut signer = CertificateParams::new(Vec::new()).expect("no name is no bad name");
        signer.distinguished_name.push(DnType::CommonName, ISSUER);
        let certificate = signer.self_signed(&key).expect("the parameters are complete");
        let path = dir.join("tokens.crt");
        std::fs::write(&path, certificate.pem()).expect("the temporary folder can be written");
        let shared = Arc::new(Shared {
            key,
            certificate: STANDARD.encode(certificate.der()),
            user: user.to_owned(),
            password: password.to_owned(),
            stopped: AtomicBool::new(false),
            given: AtomicUsize::new(0),
            scopes: Mutex::default(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let accepting = Arc::clone(&shared);
        let accepting = thread::spawn(move || accept(&listener, &accepting));
        Self { address, certificate: path, shared, accepting: Some(accepting) }
    }

    pub(crate) fn realm(&self) -> String {
        format!("http://{}/token", self.address)
    }

    pub(crate) fn certificate(&self) -> &Path {
        &self.certificate
    }

    pub(crate) fn scopes(&self) -> Vec<String> {
        self.shared.scopes.lock().expect("no holder panics").clone()
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // `accept` wakes up for this connection, and sees that it is the last.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Shared) {
    for client in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        if let Ok(client) = client {
            let _ = serve(&client, shared);
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

fn serve(mut client: &TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(client);
    let Some(head) = Head::read(&mut reader)? else { return Ok(()) };
    let mut form = vec![0; head.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut form)?;
    let query = head.word(1).split_once('?').map_or("", |(_, query)| query);
    let form = String::from_utf8_lossy(&form).into_owned();
    let asked = fields(if head.word(0) == "POST" { &form } else { query });
    let (status, body) = match shared.knows(&head, &asked) {
        Some(known) => (200, shared.token(known, &asked)),
        None => (401, json!({ "errors": [{ "code": "UNAUTHORIZED", "message": "wrong password" }] })),
    };
    let body = body.to_string();
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    client.write_all(format!("{head}{body}").as_bytes())
}

impl Shared {
    /// Tells whether somebody has shown who he is. `None` when he has shown something wrong.
    fn knows(&self, head: &Head, asked: &[(String, String)]) -> Option<bool> {
        let refresh = asked.iter().find(|(name, _)| name == "refresh_token");
        let shown = match (refresh, head.get("authorization")) {
            (Some((_, token)), _) => *token == self.password,
            (None, Some(proof)) => {
                let pair = STANDARD.encode(format!("{}:{}", self.user, self.password));
                proof.strip_prefix("Basic ") == Some(pair.as_str())
            }
            (None, None) => return Some(false),
        };
        shown.then_some(true)
    }

    fn token(&self, known: bool, asked: &[(String, String)]) -> Value {
        let scopes = asked.iter().filter(|(name, _)| name == "scope").map(|(_, scope)| scope.as_str());
        let scopes: Vec<&str> = scopes.flat_map(|scopes| scopes.split(' ')).collect();
        self.scopes.lock().expect("no holder panics").push(scopes.join(" "));
        let access: Vec<Value> = scopes.iter().filter(|_| known).filter_map(|scope| access(scope)).collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let number = self.given.fetch_add(1, Ordering::SeqCst);
        let header = json!({ "typ": "JWT", "alg": "ES256", "x5c": [self.certificate] });
        let claims = json!({
            "iss": ISSUER, "sub": self.user, "aud": SERVICE, "exp": now + 300, "nbf": now - 10,
            "iat": now, "jti": number.to_string(), "access": access,
        });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.key.sign(signed.as_bytes()).expect("the key is whole");
        let signature = URL_SAFE_NO_PAD.encode(fixed(&signature));
        json!({ "token": format!("{signed}.{signature}"), "expires_in": 300 })
    }
}

/// Reads `repository:team/demo:pull,push`.
fn access(scope: &str) -> Option<Value> {
    let (kind, rest) = scope.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    let actions: Vec<&str> = actions.split(',').collect();
    Some(json!({ "type": kind, "name": name, "actions": actions }))
}

/// Turns an ECDSA signature from DER, two integers in a sequence, into the two times 32 bytes that
/// tokens have.
fn fixed(der: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = &der[2..];
    for _ in 0..2 {
        let (number, after) = rest[2..].split_at(usize::from(rest[1]));
        let digits = &number[number.len().saturating_sub(32)..];
        out.extend(std::iter::repeat_n(0, 32 - digits.len()));
        out.extend(digits);
        rest = after;
    }
    out
}

/// Reads `a=1&b=2`.
fn fields(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}

fn decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let hex: String = bytes.by_ref().take(2).map(char::from).collect();
                out.push(u8::from_str_radix(&hex, 16).unwrap_or(b'?'));
            }
            other => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
