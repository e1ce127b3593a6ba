//! Against a real registry: the verbs, credentials, certificates, and everything that breaks.

#![expect(clippy::unwrap_used, reason = "a test has nothing better to do")]

mod support;

mod access;
mod faults;
mod kill;
mod mirrors;
mod originals;
mod referrers;
mod transfers;
mod verbs;
