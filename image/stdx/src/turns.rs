//! A bound on how many do something at once, wherever they are.

use std::sync::{Condvar, Mutex};

/// So many turns as were said at first; whoever wants one more waits.
#[derive(Debug)]
pub struct Turns {
    free: Mutex<usize>,
    changed: Condvar,
}

/// A turn, for as long as the value lives.
#[derive(Debug)]
pub struct Turn<'a>(&'a Turns);

impl Turns {
    /// Makes so many turns; at least one.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { free: Mutex::new(limit.max(1)), changed: Condvar::new() }
    }

    /// Waits for a turn.
    pub fn take(&self) -> Turn<'_> {
        let free = self.free.lock().expect("no holder panics");
        *self.changed.wait_while(free, |free| *free == 0).expect("no holder panics") -= 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().expect("no holder panics") += 1;
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::Turns;

    #[test]
    fn no_more_than_the_limit_have_a_turn_and_all_get_one() {
        let (turns, at_once, most) = (Turns::new(3), AtomicUsize::new(0), AtomicUsize::new(0));
        let total = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    let _turn = turns.take();
                    most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::yield_now();
                    at_once.fetch_sub(1, Ordering::SeqCst);
                    total.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 3);
        assert_eq!(total.load(Ordering::SeqCst), 20);
    }
}
