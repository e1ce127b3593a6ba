//! `data` that is made of lines: addresses, and what is to become of the hosts that have them.

use sealer_plugin_sdk::wire::Invocation;

use crate::plugin::Error;
use crate::spec::range;

/// What one line wants of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish<T> {
    /// The host.
    pub(super) address: String,
    /// What is wanted of it.
    pub(super) what: T,
}

/// Reads lines of `ADDRESSES WHAT`, where the addresses are one, a range (`10.0.0.2-10.0.0.4`) or a
/// list with commas of both. Blank lines and those that begin with `#` are passed over.
///
/// # Errors
/// Every line that is wrong, by its number.
pub(super) fn wishes<T: Clone>(
    invocation: &Invocation,
    form: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<Wish<T>>, Error> {
    let (mut wishes, mut wrong) = (Vec::new(), Vec::new());
    for (index, line) in invocation.data.lines().enumerate() {
        let number = index + 1;
        let words: Vec<&str> = line.split_whitespace().collect();
        let (addresses, what) = match words[..] {
            [] => continue,
            [comment, ..] if comment.starts_with('#') => continue,
            [addresses, what] => (addresses, what),
            _ => {
                wrong.push(format!("line {number} of data is `{}`, not `{form}`", line.trim()));
                continue;
            }
        };
        match hosts(invocation, addresses).and_then(|hosts| Ok((hosts, read(what)?))) {
            Ok((hosts, what)) => {
                wishes.extend(hosts.into_iter().map(|address| Wish { address, what: what.clone() }));
            }
            Err(message) => wrong.push(format!("line {number} of data: {message}")),
        }
    }
    if wrong.is_empty() { Ok(wishes) } else { Err(Error::Returned { message: wrong.join("; ") }) }
}

/// The hosts that a line is for. Each has to be one of the cluster's.
fn hosts(invocation: &Invocation, words: &str) -> Result<Vec<String>, String> {
    let mut hosts = Vec::new();
    for word in words.split(',') {
        hosts.extend(range(word)?);
    }
    let stranger =
        hosts.iter().find(|host| !invocation.cluster.hosts.iter().any(|known| known.address == **host));
    match stranger {
        Some(stranger) => Err(format!("`{stranger}` is no host of the cluster")),
        None => Ok(hosts),
    }
}

/// Parts what is wanted by host, in the order of the invocation's hosts; those that `on` leaves out
/// are passed over.
pub(super) fn by_host<T: Clone>(invocation: &Invocation, wishes: &[Wish<T>]) -> Vec<(String, Vec<T>)> {
    let of = |host: &String| -> Vec<T> {
        wishes.iter().filter(|wish| wish.address == *host).map(|wish| wish.what.clone()).collect()
    };
    let hosts = invocation.hosts.iter().map(|host| (host.clone(), of(host)));
    hosts.filter(|(_, wanted)| !wanted.is_empty()).collect()
}
