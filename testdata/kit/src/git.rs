//! Repositories of git, served on loopback over HTTP.

use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::http::Head;

/// A server of the repositories in a folder. It ends with the tests' process.
#[derive(Debug)]
pub struct GitServer {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

/// How a server answers.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// By `git http-backend`.
    Smart,
    /// With files alone, as a plain web server: `git update-server-info` made them ready.
    Dumb,
}

impl GitServer {
    /// Serves the repositories of a folder with `git http-backend`.
    #[must_use]
    pub fn start(root: &Path) -> Self {
        Self::serve(root, Way::Smart)
    }

    /// Serves them as the files that they are.
    #[must_use]
    pub fn start_dumb(root: &Path) -> Self {
        Self::serve(root, Way::Dumb)
    }

    fn serve(root: &Path, way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let (root, asked) = (root.to_owned(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (root, count) = (root.clone(), Arc::clone(&count));
                std::thread::spawn(move || {
                    count.fetch_add(1, Ordering::SeqCst);
                    // Whoever hangs up does not want the rest.
                    let _ = answer(stream, &root, way);
                });
            }
        });
        Self { address, asked }
    }

    /// Where it listens, as `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// How many requests there were.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn answer(mut stream: TcpStream, root: &Path, way: Way) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let Some(head) = Head::read(&mut reader)? else { return Ok(()) };
    let (path, query) = head.word(1).split_once('?').unwrap_or((head.word(1), ""));
    let (status, headers, body) = match way {
        Way::Dumb => file(&root.join(path.trim_start_matches('/'))),
        Way::Smart => {
            let size = head.get("content-length").and_then(|size| size.parse().ok()).unwrap_or(0);
            let mut sent = Vec::new();
            reader.take(size).read_to_end(&mut sent)?;
            backend(root, &head, (path, query), &sent)?
        }
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(&body)
}

fn file(path: &PathBuf) -> (String, String, Vec<u8>) {
    match fs::read(path) {
        Ok(bytes) => ("200 OK".to_owned(), String::new(), bytes),
        Err(_) => ("404 Not Found".to_owned(), String::new(), Vec::new()),
    }
}

/// Asks git's own program, in the words of CGI (RFC 3875).
fn backend(
    root: &Path,
    head: &Head,
    (path, query): (&str, &str),
    sent: &[u8],
) -> io::Result<(String, String, Vec<u8>)> {
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", head.word(0))
        .env("CONTENT_TYPE", head.get("content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", sent.len().to_string())
        .env("HTTP_CONTENT_ENCODING", head.get("content-encoding").unwrap_or_default())
        .env("GIT_PROTOCOL", head.get("git-protocol").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    child.stdin.take().expect("it is piped").write_all(sent)?;
    let output = child.wait_with_output()?.stdout;
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(output.len());
    let (mut status, mut headers) = ("200 OK".to_owned(), String::new());
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        match line.strip_prefix("Status: ") {
            Some(said) => said.clone_into(&mut status),
            None => headers += &format!("{line}\r\n"),
        }
    }
    Ok((status, headers, output.get(end + 4..).unwrap_or_default().to_vec()))
}
