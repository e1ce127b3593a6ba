//! The machine that sealer runs on, as a host: commands are its own processes, by the same rules as over SSH.

use std::fs::{self, read_to_string};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::process::getuid;
use sealer_stdx::task::Stream;

use super::session::Elevation;
use super::ssh::elevate;
use super::{Host, Output};
use crate::cluster::HostSpec;
use crate::error::HostFailure;

/// As much is moved at once.
const PIECE: usize = 64 * 1024;
/// How often a source that has nothing just now is asked again, at the least.
const PULSE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
/// Where sshd has users' programs, and those of root.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// This machine.
struct Local {
    name: String,
    account: Account,
    elevation: Elevation,
}

/// Who we are here.
struct Account {
    name: String,
    home: String,
}

/// Tells whether a host is to be reached without SSH: it may be, and is this machine.
pub(crate) fn is_local(spec: &HostSpec) -> bool {
    spec.ssh.local && is_own(spec.address)
}

/// Finds out how to become root here.
pub(super) fn connect(spec: &HostSpec) -> Result<Box<dyn Host>, HostFailure> {
    let account = Account::own();
    let mut host = Local { name: spec.name(), account, elevation: Elevation::None };
    if !getuid().is_root() {
        let try_it =
            |elevation: &Elevation| host.run_as(elevation, "true", (&mut io::empty(), None), &mut |_, _| {});
        host.elevation = elevate(&try_it, &host.account.name, spec.ssh.password.as_ref())?;
    }
    Ok(Box::new(host))
}

/// Tells whether an address is one of this machine's, as the kernel has it: one may be bound that is not.
fn is_own(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let table = read_to_string("/proc/net/fib_trie").unwrap_or_default();
            let mut last = "";
            table.lines().map(str::trim).any(|line| {
                last = line.strip_prefix("|-- ").unwrap_or(last);
                line == "/32 host LOCAL" && last.parse() == Ok(address)
            })
        }
        IpAddr::V6(address) => {
            let list = read_to_string("/proc/net/if_inet6").unwrap_or_default();
            let own = |line: &str| line.split(' ').next().and_then(|hex| u128::from_str_radix(hex, 16).ok());
            list.lines().filter_map(own).any(|own| Ipv6Addr::from(own) == address)
        }
    }
}

impl Account {
    /// As sshd finds it.
    fn own() -> Self {
        let id = getuid().as_raw().to_string();
        let accounts = read_to_string("/etc/passwd").unwrap_or_default();
        let mut all = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
        match all.find(|fields| fields.len() > 5 && fields[2] == id) {
            Some(fields) => Self { name: fields[0].to_owned(), home: fields[5].to_owned() },
            None => Self { name: id, home: "/".to_owned() },
        }
    }
}

impl Local {
    fn run_as(
        &self,
        elevation: &Elevation,
        command: &str,
        (stdin, wake): (&mut dyn Read, Option<BorrowedFd<'_>>),
        see: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<Output, HostFailure> {
        let (line, head) = elevation.line(command);
        let mut child = self.begin(&line)?;
        let held = hold(&mut child, (&mut head.as_bytes().chain(stdin), wake), see);
        // What it still has to say is nobody's any more: it ends as over a connection that is lost.
        drop((child.stdin.take(), child.stdout.take(), child.stderr.take()));
        let (stdout, stderr) = held?;
        let status = child.wait().map_err(|error| broken(&error))?;
        let status = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        Ok(Output { status, stdout, stderr })
    }

    /// Nothing of our own environment goes along, and no key that is pressed at our terminal.
    fn begin(&self, line: &str) -> Result<Child, HostFailure> {
        let Account { name, home } = &self.account;
        let folder = if fs::metadata(home).is_ok_and(|about| about.is_dir()) { home } else { "/" };
        Command::new("/bin/sh")
            .args(["-c", line])
            .env_clear()
            .envs([("PATH", PATH), ("HOME", home), ("USER", name), ("LOGNAME", name), ("SHELL", "/bin/sh")])
            .current_dir(Path::new(folder))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| HostFailure::Connection(format!("cannot be made: {error}")))
    }
}

impl Host for Local {
    fn name(&self) -> &str {
        &self.name
    }

    fn talk(
        &self,
        command: &str,
        stdin: (&mut dyn Read, Option<BorrowedFd<'_>>),
        see: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<Output, HostFailure> {
        self.run_as(&self.elevation, command, stdin, see)
    }
}

/// Passes input on and takes output in until nobody holds the other ends any more.
fn hold(
    child: &mut Child,
    (source, wake): (&mut dyn Read, Option<BorrowedFd<'_>>),
    see: &mut dyn FnMut(Stream, &[u8]),
) -> Result<(Vec<u8>, Vec<u8>), HostFailure> {
    let mut input = Input { sink: child.stdin.take(), source, bytes: vec![0; PIECE], from: 0, to: 0 };
    let mut stdout = Outlet { stream: Stream::Stdout, pipe: child.stdout.take(), kept: Vec::new() };
    let mut stderr = Outlet { stream: Stream::Stderr, pipe: child.stderr.take(), kept: Vec::new() };
    let all = [input.sink.as_ref().map(AsFd::as_fd), stdout.fd(), stderr.fd()];
    for pipe in all.into_iter().flatten() {
        ioctl_fionbio(pipe, true).map_err(|error| broken(&error.into()))?;
    }
    let mut buffer = vec![0; PIECE];
    while stdout.pipe.is_some() || stderr.pipe.is_some() {
        let mut moved = stdout.take_in(&mut buffer, see)?;
        moved |= stderr.take_in(&mut buffer, see)?;
        moved |= input.pass_on()?;
        if !moved {
            let waking = wake.filter(|_| input.is_hungry());
            let from = [stdout.fd(), stderr.fd(), waking].into_iter().flatten();
            let mut ends: Vec<PollFd<'_>> =
                from.map(|end| PollFd::from_borrowed_fd(end, PollFlags::IN)).collect();
            let full = input.sink.as_ref().filter(|_| !input.is_hungry());
            ends.extend(full.map(|sink| PollFd::new(sink, PollFlags::OUT)));
            poll(&mut ends, Some(&PULSE)).map_err(|error| broken(&error.into()))?;
        }
    }
    Ok((stdout.kept, stderr.kept))
}

/// Where output comes from.
struct Outlet<P> {
    stream: Stream,
    pipe: Option<P>,
    kept: Vec<u8>,
}

impl<P: Read + AsFd> Outlet<P> {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    fn take_in(
        &mut self,
        buffer: &mut [u8],
        see: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<bool, HostFailure> {
        let Some(pipe) = &mut self.pipe else { return Ok(false) };
        match pipe.read(buffer) {
            Ok(0) => self.pipe = None,
            Ok(count) => {
                self.kept.extend_from_slice(&buffer[..count]);
                see(self.stream, &buffer[..count]);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Ok(false);
            }
            Err(error) => return Err(broken(&error)),
        }
        Ok(true)
    }
}

struct Input<'a> {
    /// None once all is passed on, or wanted by nobody.
    sink: Option<ChildStdin>,
    source: &'a mut dyn Read,
    bytes: Vec<u8>,
    from: usize,
    to: usize,
}

impl Input<'_> {
    /// Whether it waits for its source.
    fn is_hungry(&self) -> bool {
        self.sink.is_some() && self.from == self.to
    }

    /// Passes on what fits now. Tells whether anything did.
    fn pass_on(&mut self) -> Result<bool, HostFailure> {
        let Some(sink) = &mut self.sink else { return Ok(false) };
        if self.from == self.to {
            match self.source.read(&mut self.bytes) {
                Ok(0) => {
                    self.sink = None;
                    return Ok(true);
                }
                Ok(count) => (self.from, self.to) = (0, count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => {
                    let how = format!("was given up, for its input cannot be read: {error}");
                    return Err(HostFailure::Connection(how));
                }
            }
        }
        match sink.write(&self.bytes[self.from..self.to]) {
            Ok(count) => self.from += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Ok(false);
            }
            // The command ended without reading all of its input: its status says whether that is well.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => self.sink = None,
            Err(error) => return Err(broken(&error)),
        }
        Ok(true)
    }
}

fn broken(error: &io::Error) -> HostFailure {
    HostFailure::Connection(format!("broke off: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::SshSpec;
    use crate::host::{exec, must_with};

    fn own() -> Box<dyn Host> {
        let ssh = SshSpec { local: true, ..SshSpec::default() };
        let address = "127.0.0.1".parse().unwrap();
        connect(&HostSpec { address, roles: Vec::new(), env: Default::default(), ssh }).unwrap()
    }

    #[test]
    fn a_command_gets_its_input_and_nothing_of_our_environment() {
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
        assert_eq!(must_with(&*own(), "cat", &mut &bytes[..]).unwrap(), bytes);
        let said =
            exec(&*own(), "env | cut -d= -f1 | grep -v '^_$' | sort; pwd; echo err >&2; exit 7").unwrap();
        let stdout = String::from_utf8(said.stdout).unwrap();
        let home = Account::own().home;
        assert_eq!(stdout, format!("HOME\nLOGNAME\nPATH\nPWD\nSHELL\nUSER\n{home}\n"));
        assert_eq!((said.status, said.stderr), (7, b"err\n".to_vec()));
    }

    #[test]
    fn a_command_that_does_not_read_its_input_or_is_killed_ends_as_it_does() {
        let long = vec![0; 10_000_000];
        assert_eq!(must_with(&*own(), "echo early", &mut &long[..]).unwrap(), b"early\n");
        assert_eq!(exec(&*own(), "kill -9 $$").unwrap().status, 137);
    }

    #[test]
    fn only_what_the_kernel_calls_local_is_this_machine() {
        for (address, expected) in [("127.0.0.1", true), ("127.0.0.0", false), ("192.0.2.1", false)] {
            assert_eq!(is_own(address.parse().unwrap()), expected, "{address}");
        }
    }
}
