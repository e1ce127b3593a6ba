//! Logging in by SSH: connection, host key, user.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rustix::net::sockopt;
use secrecy::{ExposeSecret, SecretString};
use ssh2::{CheckResult, KnownHostFileKind, MethodType, Session};

use super::session::{Elevation, Ssh};
use super::{Host, exec};
use crate::cluster::{HostSpec, SshSpec};
use crate::error::{HostError, HostFailure};

const CONNECT: Duration = Duration::from_secs(15);
/// A peer that acknowledges nothing for so long is gone.
const GONE: Duration = Duration::from_secs(45);

/// Which host keys are taken.
pub(crate) struct Keys {
    /// The cluster's own list: a key that a host had once it must have again.
    pub(crate) known_hosts: PathBuf,
    /// Another list, outside of which no key is taken.
    pub(crate) strict: Option<PathBuf>,
    /// Whether new keys are written down.
    pub(crate) pin: bool,
    writing: Mutex<()>,
}

impl Keys {
    pub(crate) fn new(known_hosts: PathBuf, strict: Option<PathBuf>, pin: bool) -> Self {
        Self { known_hosts, strict, pin, writing: Mutex::new(()) }
    }
}

/// Logs in to a host, and finds out how to become root there.
pub(crate) fn connect(spec: &HostSpec, keys: &Keys) -> Result<Box<dyn Host>, HostError> {
    let name = spec.name();
    log_in(spec, keys).map_err(|failure| failure.on(&name))
}

fn log_in(spec: &HostSpec, keys: &Keys) -> Result<Box<dyn Host>, HostFailure> {
    let address = SocketAddr::new(spec.address, spec.ssh.port);
    let stream =
        TcpStream::connect_timeout(&address, CONNECT).map_err(|error| unreachable(&error, spec.ssh.port))?;
    let broken = |error: io::Error| HostFailure::Connection(format!("cannot be set up: {error}"));
    stream.set_nodelay(true).map_err(broken)?;
    let gone = u32::try_from(GONE.as_millis()).expect("a small number");
    sockopt::set_tcp_user_timeout(&stream, gone).map_err(|error| broken(error.into()))?;
    let socket = stream.try_clone().map_err(broken)?;
    let mut session = Session::new().map_err(|error| ssh(&error))?;
    session.set_timeout(u32::try_from(CONNECT.as_millis()).expect("a small number") * 2);
    // AES-GCM costs libssh2 six times what ChaCha20 costs (docs/adr/0002-packages.md).
    let ciphers = "chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr";
    for direction in [MethodType::CryptCs, MethodType::CryptSc] {
        session.method_pref(direction, ciphers).map_err(|error| ssh(&error))?;
    }
    session.set_tcp_stream(stream);
    session.handshake().map_err(|error| ssh(&error))?;
    check_key(&session, spec, keys)?;
    authenticate(&session, &spec.ssh)?;
    session.set_timeout(0);
    session.set_keepalive(true, 10);
    let mut host = Ssh::new(spec.name(), session, socket);
    if spec.ssh.user != "root" {
        let elevation = elevate(&host, &spec.ssh)?;
        host.elevate(elevation);
    }
    Ok(Box::new(host))
}

fn unreachable(error: &io::Error, port: u16) -> HostFailure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => HostFailure::Refused { port },
        io::ErrorKind::TimedOut
        | io::ErrorKind::WouldBlock
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable => HostFailure::NoAnswer { port },
        _ => HostFailure::Connection(format!("cannot be made: {error}")),
    }
}

pub(super) fn ssh(error: &ssh2::Error) -> HostFailure {
    HostFailure::Connection(format!("broke off: {}", error.message()))
}

fn check_key(session: &Session, spec: &HostSpec, keys: &Keys) -> Result<(), HostFailure> {
    let (key, kind) =
        session.host_key().ok_or_else(|| HostFailure::Connection("gave no host key".to_owned()))?;
    let (host, port) = (spec.name(), spec.ssh.port);
    if let Some(strict) = &keys.strict {
        return match look_up(session, strict, &host, spec.ssh.port, key)? {
            CheckResult::Match => Ok(()),
            CheckResult::Mismatch => Err(HostFailure::KeyChanged { known_hosts: strict.clone(), port }),
            _ => Err(HostFailure::KeyUnknown { known_hosts: strict.clone(), port }),
        };
    }
    let _writing = keys.writing.lock().expect("no holder panics");
    match look_up(session, &keys.known_hosts, &host, spec.ssh.port, key)? {
        CheckResult::Match => Ok(()),
        CheckResult::Mismatch => Err(HostFailure::KeyChanged { known_hosts: keys.known_hosts.clone(), port }),
        _ if !keys.pin => Ok(()),
        _ => {
            let mut known = session.known_hosts().map_err(|error| ssh(&error))?;
            if keys.known_hosts.exists() {
                known
                    .read_file(&keys.known_hosts, KnownHostFileKind::OpenSSH)
                    .map_err(|error| ssh(&error))?;
            }
            let name = format!("[{host}]:{}", spec.ssh.port);
            known.add(&name, key, &host, kind.into()).map_err(|error| ssh(&error))?;
            known.write_file(&keys.known_hosts, KnownHostFileKind::OpenSSH).map_err(|error| ssh(&error))
        }
    }
}

fn look_up(
    session: &Session,
    file: &Path,
    host: &str,
    port: u16,
    key: &[u8],
) -> Result<CheckResult, HostFailure> {
    let mut known = session.known_hosts().map_err(|error| ssh(&error))?;
    if file.exists() {
        known.read_file(file, KnownHostFileKind::OpenSSH).map_err(|error| ssh(&error))?;
    }
    Ok(known.check_port(host, port, key))
}

/// Tries the keys that are there, then the agent's, then the password.
fn authenticate(session: &Session, spec: &SshSpec) -> Result<(), HostFailure> {
    let mut tried = Vec::new();
    // Asking is what begins the exchange; `none` may even be enough.
    let offered = session.auth_methods(&spec.user).unwrap_or_default().to_owned();
    if session.authenticated() {
        return Ok(());
    }
    if offered.contains("publickey") {
        let passphrase = spec.passphrase.as_ref().map(ExposeSecret::expose_secret);
        for key in spec.keys.iter().filter(|key| key.exists()) {
            if session.userauth_pubkey_file(&spec.user, None, key, passphrase).is_ok() {
                return Ok(());
            }
            tried.push(format!("the key `{}` is refused", key.display()));
        }
        if session.userauth_agent(&spec.user).is_ok() {
            return Ok(());
        }
    }
    if let Some(password) = &spec.password {
        if log_in_by_password(session, spec, password, &offered) {
            return Ok(());
        }
        tried.push("the password is refused".to_owned());
    }
    if tried.is_empty() {
        tried.push("there is neither a password nor a key to try".to_owned());
    }
    Err(HostFailure::Login { user: spec.user.clone(), tried: tried.join(", ") })
}

fn log_in_by_password(session: &Session, spec: &SshSpec, password: &SecretString, offered: &str) -> bool {
    struct Same<'a>(&'a str);
    impl ssh2::KeyboardInteractivePrompt for Same<'_> {
        fn prompt(&mut self, _: &str, _: &str, prompts: &[ssh2::Prompt<'_>]) -> Vec<String> {
            prompts.iter().map(|_| self.0.to_owned()).collect()
        }
    }
    let secret = password.expose_secret();
    if offered.contains("password") && session.userauth_password(&spec.user, secret).is_ok() {
        return true;
    }
    let interactive = offered.contains("keyboard-interactive");
    interactive && session.userauth_keyboard_interactive(&spec.user, &mut Same(secret)).is_ok()
}

/// How a user who is not root becomes it: sudo, without a password where that is enough.
fn elevate(host: &Ssh, spec: &SshSpec) -> Result<Elevation, HostFailure> {
    let refused = |output: &super::Output| HostFailure::Sudo {
        user: spec.user.clone(),
        reason: String::from_utf8_lossy(&output.stderr)
            .lines()
            .next()
            .unwrap_or("it says nothing")
            .to_owned(),
    };
    let output = exec(host, "sudo -n true")?;
    if output.status == 0 {
        return Ok(Elevation::Sudo);
    }
    let Some(password) = &spec.password else { return Err(refused(&output)) };
    let elevation = Elevation::SudoWithPassword(password.clone());
    let output = host.run_as(&elevation, "true", &mut io::empty(), &mut |_, _| {})?;
    if output.status == 0 { Ok(elevation) } else { Err(refused(&output)) }
}
