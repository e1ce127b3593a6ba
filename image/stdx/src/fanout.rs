//! Bounded concurrency: the one place where work is spread over threads.

use std::sync::Mutex;
use std::thread;

/// Calls `f` on every item, on at most `limit` threads at once, and returns the results in the
/// order of the items.
///
/// Every item is visited, whatever happened to the others: the caller sees all failures, not the
/// first. A panic in `f` is passed on after the other threads have ended.
pub fn fanout<T, R, F>(limit: usize, items: Vec<T>, f: F) -> Vec<R>
where
    T: Send,
    R: Send,
    F: Fn(T) -> R + Sync,
{
    let count = items.len();
    if count <= 1 || limit <= 1 {
        return items.into_iter().map(f).collect();
    }
    let queue = Mutex::new(items.into_iter().enumerate());
    let results: Mutex<Vec<Option<R>>> = Mutex::new((0..count).map(|_| None).collect());
    thread::scope(|scope| {
        for _ in 0..limit.min(count) {
            scope.spawn(|| {
                while let Some((index, item)) = next(&queue) {
                    let result = f(item);
                    results.lock().expect("no holder panics")[index] = Some(result);
                }
            });
        }
    });
    results
        .into_inner()
        .expect("no holder panics")
        .into_iter()
        .map(|result| result.expect("every item was visited"))
        .collect()
}

fn next<T>(queue: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    queue.lock().expect("no holder panics").next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn returns_results_in_the_order_of_the_items() {
        let squares = fanout(3, (0..20).collect(), |n: u64| n * n);
        assert_eq!(squares, (0..20).map(|n| n * n).collect::<Vec<_>>());
    }

    #[test]
    fn never_runs_more_than_the_limit_at_once() {
        let running = AtomicUsize::new(0);
        let most = AtomicUsize::new(0);
        fanout(4, (0..64).collect(), |_: i32| {
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            std::thread::yield_now();
            running.fetch_sub(1, Ordering::SeqCst);
        });
        assert!(most.load(Ordering::SeqCst) <= 4);
    }
}
