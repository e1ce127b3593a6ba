//! What is served, as a file: one line an address that is listened on.
//!
//! `LISTEN NAME PATH AUTHORITY SERVER...`: the servers' certificates have the NAME and are signed by the
//! AUTHORITY, a file; they are well while they answer a GET of PATH with 200. `#` begins a comment.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::Error;

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The addresses.
    pub listens: Vec<Listen>,
}

/// One address, and who answers there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Where clients connect to.
    pub at: SocketAddr,
    /// The name that the servers' certificates have.
    pub name: String,
    /// What a server that is well answers.
    pub path: String,
    /// Who signs the servers' certificates, as PEM.
    pub authority: PathBuf,
    /// The servers.
    pub servers: Vec<SocketAddr>,
}

impl Config {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// The first line that makes no sense; no line at all.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let listens = lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(number, line)| listen(line).map_err(|reason| Error::Line(number, reason)))
            .collect::<Result<Vec<_>, _>>()?;
        if listens.is_empty() {
            Err(Error::Line(1, "nothing is to be served".to_owned()))
        } else {
            Ok(Self { listens })
        }
    }
}

fn listen(line: &str) -> Result<Listen, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [at, name, path, authority, servers @ ..] = &words[..] else {
        return Err("not LISTEN NAME PATH AUTHORITY SERVER...".to_owned());
    };
    let address = |text: &&str| text.parse().map_err(|_| format!("`{text}` is no ADDRESS:PORT"));
    let servers = servers.iter().map(address).collect::<Result<Vec<_>, _>>()?;
    if servers.is_empty() {
        return Err(format!("{at} has no server"));
    }
    Ok(Listen {
        at: address(at)?,
        name: (*name).to_owned(),
        path: (*path).to_owned(),
        authority: PathBuf::from(authority),
        servers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_address_and_its_servers() {
        let text = "# made by sealer\n\n127.0.0.1:6443 api /readyz /etc/ca.crt 10.0.0.1:6443 10.0.0.2:6443\n";
        let listen = Listen {
            at: "127.0.0.1:6443".parse().unwrap(),
            name: "api".to_owned(),
            path: "/readyz".to_owned(),
            authority: "/etc/ca.crt".into(),
            servers: ["10.0.0.1:6443", "10.0.0.2:6443"].map(|text| text.parse().unwrap()).into(),
        };
        assert_eq!(Config::parse(text).unwrap(), Config { listens: vec![listen] });
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_line() {
        let wrong = |text: &str| Config::parse(text).unwrap_err().to_string();
        assert_eq!(wrong("\n"), "line 1: nothing is to be served");
        assert_eq!(wrong("\na b\n"), "line 2: not LISTEN NAME PATH AUTHORITY SERVER...");
        assert_eq!(wrong("1.2.3.4:5 n / ca\n"), "line 1: 1.2.3.4:5 has no server");
        assert_eq!(wrong("1.2.3.4:5 n / ca x:1\n"), "line 1: `x:1` is no ADDRESS:PORT");
    }
}
