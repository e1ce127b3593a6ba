//! One SSH session: commands with input and output at once, without a deadlock between them.

use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sealer_stdx::task::Stream;
use secrecy::{ExposeSecret, SecretString};
use ssh2::{BlockDirections, Channel, Session};

use super::quote::quote;
use super::ssh::{Keys, open, ssh};
use super::wire::Wire;
use super::{Host, Output};
use crate::cluster::HostSpec;
use crate::error::HostFailure;

/// libssh2 makes packets of at most this.
const PIECE: usize = 32 * 1024;
/// How often a silent connection is given a sign of life, at the least.
const PULSE: Duration = Duration::from_secs(5);

/// How commands become root's.
#[derive(Clone)]
pub(super) enum Elevation {
    /// The user is root.
    None,
    /// By sudo, which asks nothing, or reads the password from the first line of standard input.
    Sudo(Option<SecretString>, Terminal),
}

/// Whether sudo is run at a terminal: `requiretty` in sudoers wants one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Terminal {
    None,
    /// One that is made on the host, by `script` of util-linux. What goes to the command and comes from
    /// it does not go through it: a terminal changes bytes, and has no end of file.
    Made,
}

impl Elevation {
    /// Returns the line that has a command done, and what it is to read before its own input.
    pub(super) fn line(&self, command: &str) -> (String, String) {
        let shell = format!("/bin/sh -c {}", quote(command));
        let Self::Sudo(password, terminal) = self else { return (shell, String::new()) };
        let (sudo, head) = match password {
            None => (format!("sudo -n {shell}"), String::new()),
            Some(password) => {
                (format!("sudo -k -S -p '' {shell}"), format!("{}\n", password.expose_secret()))
            }
        };
        match terminal {
            Terminal::None => (sudo, head),
            Terminal::Made => {
                let inner = format!("{sudo} <&3 >&4 2>&5 3<&- 4>&- 5>&-");
                let outer = format!(
                    "SHELL=/bin/sh exec script -qec {} /dev/null 3<&0 4>&1 5>&2 </dev/null >/dev/null",
                    quote(&inner)
                );
                (format!("/bin/sh -c {}", quote(&outer)), head)
            }
        }
    }
}

/// How long is waited before a lost connection is tried to be made again. A host that does not answer
/// within the time that makes it gone is given up.
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// A session, and what its bytes go over.
pub(super) struct Link {
    pub(super) session: Session,
    pub(super) socket: Wire,
}

/// A host behind one session, which is made anew when it was lost between two commands.
pub(super) struct Ssh {
    name: String,
    link: Mutex<Link>,
    elevation: Elevation,
    spec: HostSpec,
    keys: Keys,
}

impl Ssh {
    pub(super) fn new(link: Link, spec: HostSpec, keys: Keys) -> Self {
        Self { name: spec.name(), link: Mutex::new(link), elevation: Elevation::None, spec, keys }
    }

    pub(super) fn elevate(&mut self, elevation: Elevation) {
        self.elevation = elevation;
    }

    /// Begins a command. Nothing is told to the host yet, so that another session will do as well.
    fn channel(&self, link: &mut Link) -> Result<Channel, HostFailure> {
        link.session.set_blocking(true);
        link.session.set_timeout(u32::try_from(self.spec.ssh.gone.as_millis()).unwrap_or(u32::MAX));
        let opened = link.session.channel_session();
        link.session.set_timeout(0);
        if let Ok(channel) = opened {
            return Ok(channel);
        }
        // Blocking, libssh2 waits for ever to free a session whose connection is lost.
        link.session.set_blocking(false);
        let begun = Instant::now();
        *link = loop {
            match open(&self.spec, &self.keys) {
                Err(failure) if failure.is_unreachable() && begun.elapsed() < self.spec.ssh.gone => {
                    thread::sleep(BETWEEN_TRIES);
                }
                opened => break opened?,
            }
        };
        link.session.channel_session().map_err(|error| ssh(&error))
    }

    pub(super) fn run_as(
        &self,
        elevation: &Elevation,
        command: &str,
        (stdin, wake): (&mut dyn Read, Option<BorrowedFd<'_>>),
        see: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<Output, HostFailure> {
        let mut link = self.link.lock().expect("no holder panics");
        let mut channel = self.channel(&mut link)?;
        let Link { session, socket } = &*link;
        let (line, head) = elevation.line(command);
        let ended = channel.exec(&line).map_err(|error| ssh(&error)).and_then(|()| {
            session.set_blocking(false);
            let pulse = PULSE.min(self.spec.ssh.gone / 3);
            let mut conversation = Conversation {
                session,
                socket,
                pulse,
                wake,
                channel: &mut channel,
                output: Output::default(),
            };
            conversation.hold(&mut head.as_bytes().chain(stdin), see)?;
            let output = std::mem::take(&mut conversation.output);
            session.set_blocking(true);
            finish(&mut channel, output)
        });
        // Blocking, libssh2 waits for ever to free the channel of a connection that is lost.
        session.set_blocking(false);
        ended
    }
}

impl Host for Ssh {
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

/// Reads how the command ended, and closes its channel before it is dropped.
fn finish(channel: &mut Channel, mut output: Output) -> Result<Output, HostFailure> {
    channel.close().map_err(|error| ssh(&error))?;
    channel.wait_close().map_err(|error| ssh(&error))?;
    output.status = channel.exit_status().map_err(|error| ssh(&error))?;
    let signal = channel.exit_signal().ok().and_then(|signal| signal.exit_signal);
    if let Some(signal) = signal {
        let numbers = [
            ("HUP", 1),
            ("INT", 2),
            ("QUIT", 3),
            ("ABRT", 6),
            ("KILL", 9),
            ("SEGV", 11),
            ("PIPE", 13),
            ("TERM", 15),
        ];
        output.status =
            128 + numbers.iter().find(|(name, _)| *name == signal).map_or(0, |(_, number)| *number);
    }
    Ok(output)
}

struct Conversation<'a> {
    session: &'a Session,
    socket: &'a Wire,
    /// How often a silent connection is given a sign of life.
    pulse: Duration,
    /// What tells that there is input again.
    wake: Option<BorrowedFd<'a>>,
    channel: &'a mut Channel,
    output: Output,
}

impl Conversation<'_> {
    /// Passes input on and takes output in until the command has closed its end.
    fn hold(&mut self, stdin: &mut dyn Read, see: &mut dyn FnMut(Stream, &[u8])) -> Result<(), HostFailure> {
        let mut input =
            Input { source: stdin, buffer: vec![0; PIECE], from: 0, to: 0, state: InputState::Open };
        let mut buffer = vec![0; PIECE];
        loop {
            let mut moved = self.take_in(&mut buffer, see)?;
            moved |= input.pass_on(self.channel)?;
            if self.channel.eof() {
                return Ok(());
            }
            if !moved {
                self.wait(input.is_hungry())?;
            }
        }
    }

    fn take_in(
        &mut self,
        buffer: &mut [u8],
        see: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<bool, HostFailure> {
        let mut moved = false;
        for stream in [Stream::Stdout, Stream::Stderr] {
            let read = match stream {
                Stream::Stdout => self.channel.read(buffer),
                Stream::Stderr => self.channel.stderr().read(buffer),
            };
            match read {
                Ok(0) => {}
                Ok(count) => {
                    let kept = match stream {
                        Stream::Stdout => &mut self.output.stdout,
                        Stream::Stderr => &mut self.output.stderr,
                    };
                    kept.extend_from_slice(&buffer[..count]);
                    see(stream, &buffer[..count]);
                    moved = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(broke_off(&error)),
            }
        }
        Ok(moved)
    }

    /// Waits until the socket can do what libssh2 waits for, or there is input, if that is wanted.
    fn wait(&self, hungry: bool) -> Result<(), HostFailure> {
        let wanted = match self.session.block_directions() {
            BlockDirections::Outbound => PollFlags::OUT,
            BlockDirections::Both => PollFlags::IN | PollFlags::OUT,
            BlockDirections::Inbound | BlockDirections::None => PollFlags::IN,
        };
        let pulse = Timespec {
            tv_sec: i64::try_from(self.pulse.as_secs()).expect("a small number"),
            tv_nsec: self.pulse.subsec_nanos().into(),
        };
        let mut ends = vec![PollFd::new(self.socket, wanted)];
        ends.extend(self.wake.filter(|_| hungry).map(|wake| PollFd::from_borrowed_fd(wake, PollFlags::IN)));
        let ready = poll(&mut ends, Some(&pulse)).unwrap_or(0);
        if ready == 0 {
            match self.session.keepalive_send() {
                Err(error) if error.code() != ssh2::ErrorCode::Session(-37) => return Err(ssh(&error)),
                _ => {}
            }
        }
        Ok(())
    }
}

fn broke_off(error: &io::Error) -> HostFailure {
    HostFailure::Connection(format!("broke off: {error}"))
}

#[derive(PartialEq)]
enum InputState {
    Open,
    /// All is passed on; the other side is not told yet.
    Ending,
    Closed,
}

struct Input<'a> {
    source: &'a mut dyn Read,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    state: InputState,
}

impl Input<'_> {
    /// Whether more input would be passed on.
    fn is_hungry(&self) -> bool {
        self.state == InputState::Open && self.from == self.to
    }

    /// Passes on what fits now. Tells whether anything did.
    fn pass_on(&mut self, channel: &mut Channel) -> Result<bool, HostFailure> {
        if self.state == InputState::Closed {
            return Ok(false);
        }
        if self.state == InputState::Open && self.from == self.to {
            let read = match self.source.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                read => read.map_err(|error| read_failed(&error))?,
            };
            (self.from, self.to) = (0, read);
            if self.to == 0 {
                self.state = InputState::Ending;
            }
        }
        if self.state == InputState::Ending {
            return match channel.send_eof() {
                Ok(()) => {
                    self.state = InputState::Closed;
                    Ok(true)
                }
                Err(error) if error.code() == ssh2::ErrorCode::Session(-37) => Ok(false),
                // The command ended without reading all of its input: its status says whether that is well.
                Err(_) => {
                    self.state = InputState::Closed;
                    Ok(false)
                }
            };
        }
        match channel.write(&self.buffer[self.from..self.to]) {
            Ok(count) => {
                self.from += count;
                Ok(count > 0)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(_) if channel.eof() => {
                self.state = InputState::Closed;
                Ok(false)
            }
            Err(error) => Err(broke_off(&error)),
        }
    }
}

fn read_failed(error: &io::Error) -> HostFailure {
    HostFailure::Connection(format!("was given up, for its input cannot be read: {error}"))
}
