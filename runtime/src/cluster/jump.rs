//! Hosts that others are reached through.

use std::fmt;

/// A host on the way to another: `user@host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    /// The user; the one of the host behind it where none is said.
    pub user: Option<String>,
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Jump {
    /// Reads a chain, the nearest host first: `ops@gate,10.0.0.1:2222`.
    ///
    /// # Errors
    /// What is wrong with it, as a phrase.
    pub fn chain(text: &str) -> Result<Vec<Self>, String> {
        text.split(',').map(|part| Self::parse(part.trim())).collect()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not `user@host:port`");
        let (user, place) = match text.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, text),
        };
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, "22"),
            Some((host, port)) => (host, port.strip_prefix(':').ok_or_else(wrong)?),
            None if place.matches(':').count() == 1 => place.split_once(':').ok_or_else(wrong)?,
            None => (place, "22"),
        };
        let port = port.parse().ok().filter(|port: &u16| *port > 0).ok_or_else(wrong)?;
        let is_odd = |letter: char| letter.is_whitespace() || matches!(letter, '[' | ']');
        let is_plain = |word: &str| !word.is_empty() && !word.contains(is_odd);
        if !is_plain(host) || !user.is_none_or(is_plain) {
            return Err(wrong());
        }
        Ok(Self { user: user.map(str::to_owned), host: host.to_owned(), port })
    }
}

impl fmt::Display for Jump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        match self.host.contains(':') {
            true => write!(f, "{user}[{}]:{}", self.host, self.port),
            false => write!(f, "{user}{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Jump;

    #[test]
    fn a_chain_is_read_and_written() {
        let chain = Jump::chain("ops@gate, 10.0.0.1:2222,[fe80::1]:23,fe80::2").unwrap();
        let written: Vec<String> = chain.iter().map(ToString::to_string).collect();
        assert_eq!(written, ["ops@gate:22", "10.0.0.1:2222", "[fe80::1]:23", "[fe80::2]:22"]);
        for text in ["", "@gate", "gate:0", "gate:x", "[gate", "two words"] {
            assert_eq!(Jump::chain(text), Err(format!("`{text}` is not `user@host:port`")));
        }
    }
}
