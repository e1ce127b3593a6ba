//! Shared objects that misbehave: each way is told from the others, and nothing of them is left.
#![allow(clippy::unwrap_used, reason = "a test has nothing better to do than to panic")]

mod fixture;
mod folders;
mod frozen;
mod hostile;
