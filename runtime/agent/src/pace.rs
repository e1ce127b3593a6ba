//! A bound on how many bytes go out in a second.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Lets bytes through at a rate.
#[derive(Debug)]
pub struct Pace {
    /// In bytes a second; 0 is no limit.
    rate: u64,
    /// When what was let through so far is through.
    free: Mutex<Instant>,
}

impl Pace {
    /// `rate` is in bytes a second; 0 is no limit.
    #[must_use]
    pub fn new(rate: u64) -> Self {
        Self { rate, free: Mutex::new(Instant::now()) }
    }

    /// Returns when so many bytes may go.
    pub fn take(&self, bytes: usize) {
        if self.rate == 0 {
            return;
        }
        let needed = Duration::from_secs_f64(bytes as f64 / self.rate as f64);
        let now = Instant::now();
        let wait = {
            let mut free = self.free.lock().expect("no holder panics");
            let begin = (*free).max(now);
            *free = begin + needed;
            begin - now
        };
        thread::sleep(wait);
    }
}
