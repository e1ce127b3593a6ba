//! A TCP connection that is read in large pieces: TLS asks for four kilobytes at a time, and a slow link
//! brings less.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// So many bytes are taken from the system at once, at the most.
const MOST: usize = 256 * 1024;
/// So many are worth a wake-up. A window of TCP holds twice as many at its smallest.
const ENOUGH: usize = 32 * 1024;
/// The longest that is waited for as many.
const LONGEST: Duration = Duration::from_millis(10);
/// Below this, waiting saves nothing.
const SHORTEST: Duration = Duration::from_millis(2);

/// A connection, and what came over it that nobody has read yet.
#[derive(Debug)]
pub struct Socket {
    tcp: TcpStream,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    gathering: Option<Gathering>,
}

/// How a connection that is slower than we are is read.
#[derive(Debug)]
struct Gathering {
    /// When something was read last.
    last: Instant,
    /// When it is worth while to read again.
    next: Instant,
}

impl Socket {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self { tcp, buffer: Vec::new(), from: 0, to: 0, gathering: None }
    }

    /// Bounds how long a read waits. None is for ever.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_read_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        self.tcp.set_read_timeout(time)
    }

    /// From now on lets bytes gather that come slowly: a host is not woken for every packet then. A link
    /// as fast as we are is read as before.
    pub(crate) fn gather(&mut self) {
        let now = Instant::now();
        self.gathering = Some(Gathering { last: now, next: now });
    }

    fn fill(&mut self) -> io::Result<()> {
        if let Some(gathering) = &self.gathering {
            thread::sleep(gathering.next.saturating_duration_since(Instant::now()));
        }
        let size = if self.gathering.is_some() { MOST } else { ENOUGH };
        self.buffer.resize(size, 0);
        (self.from, self.to) = (0, 0);
        self.to = self.tcp.read(&mut self.buffer)?;
        if let Some(gathering) = &mut self.gathering {
            let now = Instant::now();
            let wait = worth_waiting(self.to, now - gathering.last);
            *gathering = Gathering { last: now, next: now + wait };
        }
        Ok(())
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.from == self.to {
            self.fill()?;
        }
        let count = buffer.len().min(self.to - self.from);
        buffer[..count].copy_from_slice(&self.buffer[self.from..self.from + count]);
        self.from += count;
        Ok(count)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.write(bytes)
    }

    fn write_vectored(&mut self, bytes: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.tcp.write_vectored(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// How long it takes until enough has come, where `count` bytes came in `time`.
fn worth_waiting(count: usize, time: Duration) -> Duration {
    if count == 0 || count >= ENOUGH {
        return Duration::ZERO;
    }
    let needed = time.mul_f64(ENOUGH as f64 / count as f64).min(LONGEST);
    if needed < SHORTEST { Duration::ZERO } else { needed }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::worth_waiting;

    #[test]
    fn waits_for_what_a_slow_link_brings_and_never_for_a_fast_one() {
        let wait = |count, micros| worth_waiting(count, Duration::from_micros(micros));
        // 2.5 MB a second: ten milliseconds bring most of it.
        assert_eq!(wait(1448, 579), Duration::from_millis(10));
        assert_eq!(wait(25_000, 10_000), Duration::from_millis(10));
        // 12.5 MB a second.
        assert_eq!(wait(16_384, 1311), Duration::from_micros(2622));
        // 118 MB a second, more than enough at once, and the end.
        assert_eq!([wait(1448, 12), wait(40_000, 9000), wait(0, 9000)], [Duration::ZERO; 3]);
    }
}
