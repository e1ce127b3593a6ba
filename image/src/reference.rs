//! What a user calls an image: `registry/repository:tag@digest`, by Docker's rules.

mod parse;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::error::{Error, Result};

/// A name of an image, complete: the registry and, without a digest, the tag are filled in.
///
/// Two spellings of one name are equal: `demo`, `demo:latest` and `docker.io/library/demo:latest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference(oci_distribution::Reference);

impl Reference {
    /// Returns the registry's host, with its port if one was written: `docker.io`, `localhost:5000`.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.0.registry()
    }

    /// Returns the repository within the registry: `library/demo`.
    #[must_use]
    pub fn repository(&self) -> &str {
        self.0.repository()
    }

    /// Returns the tag.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.0.tag()
    }

    /// Returns the digest, as written.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.0.digest()
    }

    /// Returns the short form that people write: `demo:v1` for `docker.io/library/demo:v1`.
    #[must_use]
    pub fn familiar(&self) -> String {
        let whole = self.0.whole();
        let short = whole.strip_prefix("docker.io/");
        let official = short.and_then(|name| name.strip_prefix("library/"));
        // `a/b` is not `library/a/b`, and `docker.io/demo` is not `docker.io/docker.io/demo`.
        let same = |name: &&str| name.parse::<Self>().is_ok_and(|named| named == *self);
        [official, short].into_iter().flatten().find(same).unwrap_or(&whole).to_owned()
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = |reason: String| Error::Reference { input: text.to_owned(), reason };
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 64 && text.bytes().all(is_hex) {
            return Err(refuse("64 hexadecimal digits are an image's id, not a name".to_owned()));
        }
        let parsed = parse::parse(text).map_err(refuse)?;
        let digest = parsed.digest().and_then(|digest| digest.split_once(':'));
        if digest.is_some_and(|(_, hex)| !hex.bytes().all(is_hex)) {
            return Err(refuse("a digest has hexadecimal digits in lower case".to_owned()));
        }
        Ok(Self(parsed))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.whole())
    }
}

impl Serialize for Reference {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_by_dockers_rules() {
        let hex = "0123456789abcdef".repeat(4);
        for (text, whole, familiar) in [
            ("demo", "docker.io/library/demo:latest", "demo:latest"),
            ("team/demo:v1", "docker.io/team/demo:v1", "team/demo:v1"),
            ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
            (
                "docker.io/docker.io/demo",
                "docker.io/docker.io/demo:latest",
                "docker.io/docker.io/demo:latest",
            ),
            ("localhost:5000/demo", "localhost:5000/demo:latest", "localhost:5000/demo:latest"),
            ("[2001:db8::1]/demo:v1", "[2001:db8::1]/demo:v1", "[2001:db8::1]/demo:v1"),
            (
                "[2001:db8::1]:5000/a/demo",
                "[2001:db8::1]:5000/a/demo:latest",
                "[2001:db8::1]:5000/a/demo:latest",
            ),
            ("Registry/demo", "Registry/demo:latest", "Registry/demo:latest"),
            ("LOCALHOST:80/demo:v1", "LOCALHOST:80/demo:v1", "LOCALHOST:80/demo:v1"),
        ] {
            let reference: Reference = text.parse().expect(text);
            assert_eq!((&*reference.to_string(), &*reference.familiar()), (whole, familiar));
        }
        let pinned = format!("Registry/demo@sha256:{hex}");
        assert_eq!(pinned.parse::<Reference>().expect("a digest").to_string(), pinned);
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_reason() {
        let (hex, upper) = ("0123456789abcdef".repeat(4), "0123456789ABCDEF".repeat(4));
        let pinned = format!("demo@sha256:{upper}");
        for (text, reason) in [
            (&*hex, "64 hexadecimal digits are an image's id, not a name"),
            (&*pinned, "a digest has hexadecimal digits in lower case"),
            ("[2001:db8::1/demo", "invalid reference format"),
            ("[2001:db8::1]:/demo", "invalid reference format"),
            ("[2001:db8::192.0.2.33]/demo", "invalid reference format"),
            ("[demo]/demo", "invalid reference format"),
            ("team/Demo", "invalid reference format"),
            ("-Host/demo", "invalid reference format"),
        ] {
            let error = text.parse::<Reference>().expect_err(text).to_string();
            assert_eq!(error, format!("`{text}` is not an image reference: {reason}"));
        }
    }
}
