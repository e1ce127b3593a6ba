//! Logging in by SSH: connection, host key, user.

use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::net::sockopt;
use sealer_stdx::fs::At;
use sealer_stdx::turns::Turns;
use secrecy::{ExposeSecret, SecretString};
use ssh2::{CheckResult, KnownHostFileKind, MethodType, Session};

use super::key::is_encrypted;
use super::local::{self, is_local};
use super::session::{Elevation, Link, Ssh, Terminal};
use super::wire::{self, Wire};
use super::{Host, Output};
use crate::cluster::{HostSpec, Jump, SshSpec};
use crate::error::{HostError, HostFailure};

/// Which host keys are taken. Clones are of one list.
#[derive(Clone)]
pub(crate) struct Keys {
    /// The cluster's own list: a key that a host had once it must have again.
    known_hosts: PathBuf,
    /// Another list, outside of which no key is taken.
    strict: Option<PathBuf>,
    /// Whether new keys are written down.
    pin: bool,
    writing: Arc<Mutex<()>>,
    /// Logins to hosts on the way come one after the other: sshd turns many at once away.
    on_the_way: Arc<Mutex<()>>,
    /// Who shakes hands: a lost network has all hosts' sessions made anew at the same moment.
    shaking: Arc<Turns>,
}

impl Keys {
    /// So many logins go on at once as are `parallel`.
    pub(crate) fn new(known_hosts: PathBuf, strict: Option<PathBuf>, pin: bool, parallel: usize) -> Self {
        let shaking = Arc::new(Turns::new(parallel));
        Self { known_hosts, strict, pin, writing: Arc::default(), on_the_way: Arc::default(), shaking }
    }
}

/// Logs in to a host, unless it is this machine, and finds out how to become root there.
pub(crate) fn connect(spec: &HostSpec, keys: &Keys) -> Result<Box<dyn Host>, HostError> {
    let name = spec.name();
    let host = if is_local(spec) { local::connect(spec) } else { log_in(spec, keys) };
    host.map_err(|failure| failure.on(&name))
}

fn log_in(spec: &HostSpec, keys: &Keys) -> Result<Box<dyn Host>, HostFailure> {
    let mut host = Ssh::new(open(spec, keys)?, spec.clone(), keys.clone());
    if spec.ssh.user != "root" {
        let try_it =
            |elevation: &Elevation| host.run_as(elevation, "true", (&mut io::empty(), None), &mut |_, _| {});
        let elevation = elevate(&try_it, &spec.ssh.user, spec.ssh.password.as_ref())?;
        host.elevate(elevation);
    }
    Ok(Box::new(host))
}

/// Makes a session with a host, through those that are on the way.
pub(super) fn open(spec: &HostSpec, keys: &Keys) -> Result<Link, HostFailure> {
    let (host, ssh_spec) = (spec.name(), &spec.ssh);
    let _turn = keys.shaking.take();
    let wire = if ssh_spec.jump.is_empty() {
        tcp(SocketAddr::new(spec.address, ssh_spec.port), ssh_spec)?
    } else {
        let _turn = keys.on_the_way.lock().expect("no holder panics");
        through(&ssh_spec.jump, (&host, ssh_spec.port), ssh_spec, keys)?
    };
    session(wire, &host, ssh_spec, keys)
}

/// Makes a wire to `target` that goes through a chain of hosts.
fn through(chain: &[Jump], target: (&str, u16), spec: &SshSpec, keys: &Keys) -> Result<Wire, HostFailure> {
    let Some((last, before)) = chain.split_last() else {
        let address =
            (target.0, target.1).to_socket_addrs().ok().and_then(|mut found| found.next()).ok_or_else(
                || HostFailure::Connection(format!("cannot be made: `{}` has no address", target.0)),
            )?;
        return tcp(address, spec);
    };
    let via = |failure: HostFailure| match failure {
        failure @ HostFailure::Via { .. } => failure,
        failure => HostFailure::Via { via: last.to_string(), failure: Box::new(failure) },
    };
    let user = last.user.clone().unwrap_or_else(|| spec.user.clone());
    let own = SshSpec { user, port: last.port, jump: Vec::new(), ..spec.clone() };
    let wire = through(before, (&last.host, last.port), &own, keys).map_err(via)?;
    let Link { session, socket } = session(wire, &last.host, &own, keys).map_err(via)?;
    let channel = session.channel_direct_tcpip(target.0, target.1, None).map_err(|error| {
        via(HostFailure::Connection(format!(
            "to {}:{} cannot be made from there: {}",
            target.0,
            target.1,
            error.message()
        )))
    })?;
    wire::tunnel(session, socket, channel).map_err(|error| via(broken(&error)))
}

fn broken(error: &io::Error) -> HostFailure {
    HostFailure::Connection(format!("cannot be set up: {error}"))
}

fn tcp(address: SocketAddr, spec: &SshSpec) -> Result<Wire, HostFailure> {
    let stream = TcpStream::connect_timeout(&address, spec.connect)
        .map_err(|error| unreachable(&error, address.port()))?;
    stream.set_nodelay(true).map_err(|error| broken(&error))?;
    let gone = u32::try_from(spec.gone.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(&stream, gone).map_err(|error| broken(&error.into()))?;
    Ok(Wire::Tcp(stream))
}

/// Shakes hands over a wire: the host's key, then the user.
fn session(wire: Wire, host: &str, spec: &SshSpec, keys: &Keys) -> Result<Link, HostFailure> {
    let socket = wire.try_clone().map_err(|error| broken(&error))?;
    let mut session = Session::new().map_err(|error| ssh(&error))?;
    session.set_timeout(u32::try_from(spec.connect.as_millis()).unwrap_or(u32::MAX / 2) * 2);
    // AES-GCM costs libssh2 six times what ChaCha20 costs (docs/adr/0002-packages.md).
    let ciphers = "chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr";
    for direction in [MethodType::CryptCs, MethodType::CryptSc] {
        session.method_pref(direction, ciphers).map_err(|error| ssh(&error))?;
    }
    session.set_tcp_stream(wire);
    session.handshake().map_err(|error| ssh(&error))?;
    check_key(&session, (host, spec.port), keys)?;
    authenticate(&session, spec)?;
    session.set_timeout(0);
    session.set_keepalive(true, 10);
    Ok(Link { session, socket })
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

fn check_key(session: &Session, (host, port): (&str, u16), keys: &Keys) -> Result<(), HostFailure> {
    let (key, kind) =
        session.host_key().ok_or_else(|| HostFailure::Connection("gave no host key".to_owned()))?;
    if let Some(strict) = &keys.strict {
        return match look_up(session, strict, host, port, key)? {
            CheckResult::Match => Ok(()),
            CheckResult::Mismatch => {
                Err(HostFailure::KeyChanged { known_hosts: strict.clone(), pinned: false, port })
            }
            _ => Err(HostFailure::KeyUnknown { known_hosts: strict.clone(), port }),
        };
    }
    let _writing = keys.writing.lock().expect("no holder panics");
    match look_up(session, &keys.known_hosts, host, port, key)? {
        CheckResult::Match => Ok(()),
        CheckResult::Mismatch => {
            Err(HostFailure::KeyChanged { known_hosts: keys.known_hosts.clone(), pinned: true, port })
        }
        _ if !keys.pin => Ok(()),
        _ => {
            let mut known = session.known_hosts().map_err(|error| ssh(&error))?;
            if keys.known_hosts.exists() {
                known
                    .read_file(&keys.known_hosts, KnownHostFileKind::OpenSSH)
                    .map_err(|error| ssh(&error))?;
            }
            let name = format!("[{host}]:{port}");
            known.add(&name, key, host, kind.into()).map_err(|error| ssh(&error))?;
            let aside = keys.known_hosts.with_extension("new");
            known.write_file(&aside, KnownHostFileKind::OpenSSH).map_err(|error| ssh(&error))?;
            fs::set_permissions(&aside, Permissions::from_mode(0o600)).at(&aside)?;
            Ok(fs::rename(&aside, &keys.known_hosts).at(&keys.known_hosts)?)
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
            // As OpenSSH has it: a certificate stands beside its key.
            let certificate = PathBuf::from(format!("{}-cert.pub", key.display()));
            let certificate = certificate.exists().then_some(certificate);
            let tries = certificate.as_deref().into_iter().map(Some).chain([None]);
            for public in tries {
                if session.userauth_pubkey_file(&spec.user, public, key, passphrase).is_ok() {
                    return Ok(());
                }
            }
            let how = match passphrase.is_none() && is_encrypted(key) {
                true => "is encrypted, and there is no passphrase for it",
                false => "is refused",
            };
            tried.push(format!("the key `{}` {how}", key.display()));
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

/// How a user who is not root becomes it: sudo, without a password and a terminal where that is enough.
pub(super) fn elevate(
    try_it: &dyn Fn(&Elevation) -> Result<Output, HostFailure>,
    user: &str,
    password: Option<&SecretString>,
) -> Result<Elevation, HostFailure> {
    let mut terminal = Terminal::None;
    loop {
        // Just as commands are run later: sudoers may allow no other.
        let mut elevation = Elevation::Sudo(None, terminal);
        let mut output = try_it(&elevation)?;
        if output.status != 0 && password.is_some() {
            elevation = Elevation::Sudo(password.cloned(), terminal);
            output = try_it(&elevation)?;
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status == 0 {
            return Ok(elevation);
        } else if terminal == Terminal::None && said.contains("must have a tty") {
            terminal = Terminal::Made;
        } else {
            let reason = said.lines().next().unwrap_or("it says nothing").to_owned();
            return Err(HostFailure::Sudo { user: user.to_owned(), reason });
        }
    }
}
