//! The grammar of names (distribution/reference, `reference.go`), read by hand: the library's regular
//! expression takes longer to build than most commands to run.

use oci_distribution::Reference;

const HUB: &str = "docker.io";
const OLD_HUB: &str = "index.docker.io";
const MOST_NAME: usize = 255;
const MOST_TAG: usize = 128;

const FORMAT: &str = "invalid reference format";

/// Reads a name and completes it. A refusal is the rest of a sentence.
pub(super) fn parse(text: &str) -> Result<Reference, String> {
    if text.is_empty() {
        return Err("repository name must have at least one component".to_owned());
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    let last = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[last..].rfind(':') {
        // In `[2001:db8::1]` there is no tag.
        Some(colon) if !rest[last..].ends_with(']') => {
            (&rest[..last + colon], Some(&rest[last + colon + 1..]))
        }
        _ => (rest, None),
    };
    let (registry, repository) = split(name);
    let is_name = repository.split('/').all(is_component) && registry.is_none_or(is_registry);
    if !is_name || !tag.is_none_or(is_tag) || !digest.is_none_or(is_digest) {
        return Err(FORMAT.to_owned());
    }
    let registry = registry.filter(|registry| *registry != OLD_HUB).unwrap_or(HUB).to_owned();
    let repository = match registry == HUB && !repository.contains('/') {
        true => format!("library/{repository}"),
        false => repository.to_owned(),
    };
    if repository.len() > MOST_NAME {
        return Err(format!("repository name must not be more than {MOST_NAME} characters"));
    }
    digest.map_or(Ok(()), check_length)?;
    let (tag, digest) = (tag.map(str::to_owned), digest.map(str::to_owned));
    Ok(match (tag, digest) {
        (Some(tag), Some(digest)) => Reference::with_tag_and_digest(registry, repository, tag, digest),
        (None, Some(digest)) => Reference::with_digest(registry, repository, digest),
        (tag, None) => Reference::with_tag(registry, repository, tag.unwrap_or_else(|| "latest".to_owned())),
    })
}

/// A name's first part is a registry when it cannot be a repository's (`splitDockerDomain`).
fn split(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first.contains(|c: char| c.is_ascii_uppercase()) =>
        {
            (Some(first), rest)
        }
        _ => (None, name),
    }
}

fn is_registry(part: &str) -> bool {
    let (host, port) = match part.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (part, None),
    };
    let is_port = port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => !address.contains('.') && address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(is_label),
    };
    // The grammar takes a host with underscores for a part of a path, and then for a registry.
    is_port && is_host || is_component(part)
}

fn is_label(label: &str) -> bool {
    let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    !label.is_empty() && inner && !label.starts_with('-') && !label.ends_with('-')
}

/// Lower-case letters and digits, parted by one dot, one or two underscores, or any number of dashes.
fn is_component(part: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut rest = part.as_bytes();
    loop {
        let plain = rest.iter().take_while(|byte| is_plain(**byte)).count();
        if plain == 0 {
            return false;
        }
        rest = &rest[plain..];
        if rest.is_empty() {
            return true;
        }
        let separator = rest.iter().take_while(|byte| !is_plain(**byte)).count();
        let allowed = match &rest[..separator] {
            b"." | b"_" | b"__" => true,
            dashes => dashes.iter().all(|byte| *byte == b'-'),
        };
        if !allowed {
            return false;
        }
        rest = &rest[separator..];
    }
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = tag.as_bytes();
    bytes.len() <= MOST_TAG
        && bytes.first().is_some_and(|byte| is_word(*byte))
        && bytes.iter().all(|byte| is_word(*byte) || b".-".contains(byte))
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    algorithm.split(['-', '_', '+', '.']).all(is_part)
        && hex.len() >= 32
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn check_length(digest: &str) -> Result<(), String> {
    let (algorithm, hex) = digest.split_once(':').unwrap_or_default();
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return Err("unsupported digest algorithm".to_owned()),
    };
    if hex.len() == length { Ok(()) } else { Err("invalid checksum digest length".to_owned()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What names are made of, and what they must not hold.
    const PIECES: &str = "([a-c0]{1,3}|[A-B]|[._-]|__|---|/|:|:[0-9]{1,4}|@|localhost|docker\\.io|\
                          index\\.docker\\.io|:v1|@sha256:[0-9a-f]{64}|@sha512:[0-9a-f]{64}|@md5:[0-9a-f]{32}| )";

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn reads_what_the_library_reads(pieces in proptest::collection::vec(PIECES, 1..8)) {
            let text = pieces.concat();
            let first = text.split('/').next().unwrap_or_default();
            // The library takes a host in capitals for a repository, which no registry has.
            prop_assume!(!(text.contains('/') && first.contains(|c: char| c.is_ascii_uppercase())));
            let library: Result<Reference, String> =
                text.parse().map_err(|error: oci_spec::distribution::ParseError| error.to_string());
            prop_assert_eq!(parse(&text), library);
        }
    }
}
