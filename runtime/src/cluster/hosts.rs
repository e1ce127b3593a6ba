//! Lists of hosts as flags have them: `10.0.0.1-10.0.0.3,10.0.0.9:2222`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use crate::error::InputError;

/// More hosts than this in one range are a slip of the pen.
const MOST: u32 = 4096;

/// An address, and the port where one was written.
pub type Endpoint = (IpAddr, Option<u16>);

/// Reads a list: addresses, ranges, `address:port`, `range:port`, `[IPv6]:port`, with commas between.
///
/// # Errors
/// The first part that is none of these, or an address that comes twice. `flag` names the place.
pub fn parse(flag: &str, text: &str) -> Result<Vec<Endpoint>, InputError> {
    let wrong = |message: String| {
        InputError {
        place: flag.to_owned(),
        message,
        hint: Some("write addresses, ranges and `address:port`, with commas between: `10.0.0.1-10.0.0.3,10.0.0.9:2222`".to_owned()),
    }
    };
    let mut hosts: Vec<Endpoint> = Vec::new();
    let mut seen = BTreeSet::new();
    for part in text.split(',').map(str::trim) {
        if part.is_empty() {
            return Err(wrong(format!("there is an empty part in `{text}`")));
        }
        for host in part_of(part).map_err(wrong)? {
            if !seen.insert(host.0) {
                let hint = Some("each host is named once".to_owned());
                return Err(InputError {
                    place: flag.to_owned(),
                    message: format!("`{}` is given twice", host.0),
                    hint,
                });
            }
            hosts.push(host);
        }
    }
    Ok(hosts)
}

fn part_of(part: &str) -> Result<Vec<Endpoint>, String> {
    if let Some(rest) = part.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or(format!("`{part}` lacks a `]`"))?;
        let port = rest.strip_prefix(':').map(|port| port_of(part, port)).transpose()?;
        return Ok(vec![(address_of(part, address)?, port)]);
    }
    if let Ok(address) = part.parse::<IpAddr>() {
        return Ok(vec![(address, None)]);
    }
    let (addresses, port) = match part.rsplit_once(':') {
        Some((addresses, port)) => (addresses, Some(port_of(part, port)?)),
        None => (part, None),
    };
    let Some((first, last)) = addresses.split_once('-') else {
        return Ok(vec![(address_of(part, addresses)?, port)]);
    };
    let end = |text: &str| {
        text.trim().parse::<Ipv4Addr>().map_err(|_| format!("`{text}` in `{part}` is no IPv4 address"))
    };
    let (first, last) = (end(first)?, end(last)?);
    let (from, to) = (u32::from(first), u32::from(last));
    if from > to {
        return Err(format!("the range `{part}` ends before it begins"));
    }
    if to - from >= MOST {
        return Err(format!("the range `{part}` has {} addresses; {MOST} at most are taken", to - from + 1));
    }
    Ok((from..=to).map(|number| (IpAddr::V4(Ipv4Addr::from(number)), port)).collect())
}

fn address_of(part: &str, text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("`{part}` is no address"))
}

fn port_of(part: &str, text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port > 0).ok_or(format!("`{text}` in `{part}` is no port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let written =
            |(address, port): Endpoint| port.map_or(address.to_string(), |port| format!("{address} {port}"));
        parse("-m", text)
            .map(|hosts| hosts.into_iter().map(written).collect())
            .map_err(|error| error.to_string())
    }

    fn hosts(hosts: &[&str]) -> Result<Vec<String>, String> {
        Ok(hosts.iter().map(|host| (*host).to_owned()).collect())
    }

    #[test]
    fn commas_ranges_and_ports_mix_freely() {
        assert_eq!(read("10.0.0.1"), hosts(&["10.0.0.1"]));
        assert_eq!(
            read("10.0.0.254-10.0.1.1:23, 10.0.0.9:2222,fd00::1,[fd00::2]:24"),
            hosts(&[
                "10.0.0.254 23",
                "10.0.0.255 23",
                "10.0.1.0 23",
                "10.0.1.1 23",
                "10.0.0.9 2222",
                "fd00::1",
                "fd00::2 24"
            ])
        );
    }

    #[test]
    fn what_is_no_list_is_refused_by_its_part() {
        for (text, message) in [
            ("", "-m: there is an empty part in ``"),
            ("10.0.0.1,", "-m: there is an empty part in `10.0.0.1,`"),
            ("3", "-m: `3` is no address"),
            ("10.0.0.3-10.0.0.1", "-m: the range `10.0.0.3-10.0.0.1` ends before it begins"),
            (
                "10.0.0.1-10.9.0.1",
                "-m: the range `10.0.0.1-10.9.0.1` has 589825 addresses; 4096 at most are taken",
            ),
            ("10.0.0.1:0", "-m: `0` in `10.0.0.1:0` is no port"),
            ("10.0.0.1-x", "-m: `x` in `10.0.0.1-x` is no IPv4 address"),
            ("10.0.0.1-10.0.0.3,10.0.0.2:23", "-m: `10.0.0.2` is given twice"),
        ] {
            assert_eq!(read(text), Err(message.to_owned()));
        }
    }
}
