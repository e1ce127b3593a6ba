//! The way to a host: a TCP connection, or a channel through another host.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, Channel, Session};

/// What is passed on at once.
const PIECE: usize = 32 * 1024;
/// How often the session that carries a channel is given a sign of life, in seconds.
const PULSE: i64 = 5;

/// What a session's bytes go over.
pub(super) enum Wire {
    Tcp(TcpStream),
    /// The near end of a channel.
    Tunnel(UnixStream),
}

impl Wire {
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
            Self::Tunnel(stream) => Self::Tunnel(stream.try_clone()?),
        })
    }
}

impl AsRawFd for Wire {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Tunnel(stream) => stream.as_raw_fd(),
        }
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Tunnel(stream) => stream.as_fd(),
        }
    }
}

/// Makes a wire of a channel. A thread passes bytes on until either end is closed.
pub(super) fn tunnel(session: Session, socket: Wire, channel: Channel) -> io::Result<Wire> {
    let (near, far) = UnixStream::pair()?;
    far.set_nonblocking(true)?;
    session.set_blocking(false);
    let pump = Pump { session, socket, channel, far, up: Buffer::default(), down: Buffer::default() };
    thread::Builder::new().name("tunnel".to_owned()).spawn(move || pump.run())?;
    Ok(Wire::Tunnel(near))
}

/// Bytes on their way.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    from: usize,
}

impl Buffer {
    fn is_empty(&self) -> bool {
        self.from == self.bytes.len()
    }

    /// Moves what can be moved now. Tells whether anything was, and whether the source has ended.
    fn pass(&mut self, source: &mut impl Read, sink: &mut impl Write) -> io::Result<(bool, bool)> {
        let mut moved = false;
        if self.is_empty() {
            self.bytes.resize(PIECE, 0);
            let read = match source.read(&mut self.bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => None,
                read => Some(read?),
            };
            self.bytes.truncate(read.unwrap_or_default());
            self.from = 0;
            if read == Some(0) {
                return Ok((false, true));
            }
            moved = read.is_some();
        }
        if !self.is_empty() {
            match sink.write(&self.bytes[self.from..]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                written => {
                    self.from += written?;
                    moved = true;
                }
            }
        }
        Ok((moved, false))
    }
}

struct Pump {
    session: Session,
    /// What the session itself goes over.
    socket: Wire,
    channel: Channel,
    far: UnixStream,
    up: Buffer,
    down: Buffer,
}

impl Pump {
    fn run(mut self) {
        // The other end of a pipe that breaks sees that it is closed.
        while let Ok(true) = self.turn() {}
        self.session.set_blocking(false);
        let _ = self.channel.close();
    }

    fn turn(&mut self) -> io::Result<bool> {
        let (went_up, near_ended) = self.up.pass(&mut self.far, &mut self.channel)?;
        let (went_down, nothing) = self.down.pass(&mut self.channel, &mut self.far)?;
        if near_ended || (nothing && self.channel.eof()) {
            return Ok(false);
        }
        if !went_up && !went_down {
            self.wait()?;
        }
        Ok(true)
    }

    fn wait(&self) -> io::Result<()> {
        let mut wire = PollFlags::IN;
        if matches!(self.session.block_directions(), BlockDirections::Outbound | BlockDirections::Both) {
            wire |= PollFlags::OUT;
        }
        let mut far = PollFlags::empty();
        far.set(PollFlags::IN, self.up.is_empty());
        far.set(PollFlags::OUT, !self.down.is_empty());
        let pulse = Timespec { tv_sec: PULSE, tv_nsec: 0 };
        let mut ends = [PollFd::new(&self.socket, wire), PollFd::new(&self.far, far)];
        if poll(&mut ends, Some(&pulse))? == 0 {
            let _ = self.session.keepalive_send();
        }
        Ok(())
    }
}
