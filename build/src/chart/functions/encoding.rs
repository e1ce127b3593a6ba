//! Functions that read and write formats, and those whose result differs each time.
//!
//! What sprig makes at random or by the clock is fixed here: a rendering is looked at for images,
//! never applied, and the same chart gives the same text.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine};
use sha2::{Digest, Sha256, Sha512};

use super::{Given, arg, string};
use crate::chart::template::value::Value;
use crate::chart::yaml;

pub(super) fn call(name: &str, args: &[Value]) -> Option<Given> {
    Some(match name {
        "toYaml" | "mustToYaml" | "toYamlPretty" => {
            arg(args, 0).map(|value| Value::text(yaml::write(value).trim_end_matches('\n')))
        }
        "fromYaml" | "mustFromYaml" => string(args, 0).map(|text| read(&text, Value::of([]))),
        "fromYamlArray" => string(args, 0).map(|text| read(&text, Value::list(Vec::new()))),
        "toJson" | "mustToJson" | "toRawJson" | "mustToRawJson" => {
            arg(args, 0).map(|value| Value::text(yaml::json(value).to_string()))
        }
        "toPrettyJson" | "mustToPrettyJson" => arg(args, 0)
            .map(|value| Value::text(serde_json::to_string_pretty(&yaml::json(value)).unwrap_or_default())),
        "fromJson" | "mustFromJson" => string(args, 0).map(|text| read(&text, Value::of([]))),
        "fromJsonArray" => string(args, 0).map(|text| read(&text, Value::list(Vec::new()))),
        "toToml" => arg(args, 0).map(|value| Value::text(yaml::toml(value, ""))),
        "b64enc" => string(args, 0).map(|text| Value::text(BASE64_STANDARD.encode(text))),
        "b64dec" => string(args, 0).map(|text| Value::text(decoded(&text))),
        "b64urlenc" => string(args, 0).map(|text| Value::text(BASE64_URL_SAFE.encode(text))),
        "sha256sum" => string(args, 0).map(|text| Value::text(hex(&Sha256::digest(text)))),
        "sha512sum" => string(args, 0).map(|text| Value::text(hex(&Sha512::digest(text)))),
        "adler32sum" => string(args, 0).map(|text| Value::text(adler(text.as_bytes()).to_string())),
        "env" | "expandenv" => Ok(Value::text("")),
        "urlParse" => string(args, 0).map(|text| url(&text)),
        "urlJoin" => arg(args, 0).map(|parts| {
            let part = |name: &str| parts.get(name).map(|one| one.shown()).unwrap_or_default();
            Value::text(format!("{}://{}{}", part("scheme"), part("host"), part("path")))
        }),
        _ => return fixed(name, args),
    })
}

fn read(text: &str, other: Value) -> Value {
    match crate::yaml::documents(text) {
        Ok(documents) => documents.first().map_or(other, yaml::value),
        // Helm puts the mistake into the map.
        Err(mistake) => Value::of([("Error", Value::text(mistake.reason))]),
    }
}

fn decoded(text: &str) -> String {
    match BASE64_STANDARD.decode(text) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => error.to_string(),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn adler(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    (b << 16) | a
}

fn url(text: &str) -> Value {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let (before, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (before, query) = before.split_once('?').unwrap_or((before, ""));
    let at = before.find('/').unwrap_or(before.len());
    let (authority, path) = before.split_at(at);
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let hostname = host.rsplit_once(':').map_or(host, |(name, _)| name);
    Value::of([
        ("scheme", Value::text(scheme)),
        ("host", Value::text(host)),
        ("hostname", Value::text(hostname)),
        ("path", Value::text(path)),
        ("query", Value::text(query)),
        ("fragment", Value::text(fragment)),
        ("userinfo", Value::text(user)),
        ("opaque", Value::text("")),
    ])
}

/// What differs each time, as it is here: always the same.
fn fixed(name: &str, args: &[Value]) -> Option<Given> {
    let letters = |sort: &str| -> Given {
        let count = usize::try_from(arg(args, 0)?.integer()).unwrap_or(0).min(1 << 16);
        Ok(Value::text(sort.chars().cycle().take(count).collect::<String>()))
    };
    let certificate = || Value::of([("Cert", Value::text(PEM)), ("Key", Value::text(PEM))]);
    Some(match name {
        "randAlphaNum" | "randAlpha" | "randAscii" => letters("abcdefghij"),
        "randNumeric" => letters("1234567890"),
        "randBytes" => letters("AAAA"),
        "randInt" => arg(args, 0).cloned(),
        "shuffle" => arg(args, 0).cloned(),
        "uuidv4" => Ok(Value::text("00000000-0000-4000-8000-000000000000")),
        "genCA"
        | "genSelfSignedCert"
        | "genSignedCert"
        | "genCAWithKey"
        | "genSelfSignedCertWithKey"
        | "genSignedCertWithKey"
        | "buildCustomCert" => Ok(certificate()),
        "genPrivateKey" | "derivePassword" | "encryptAES" | "decryptAES" => Ok(Value::text(PEM)),
        "htpasswd" => string(args, 0).map(|user| Value::text(format!("{user}:$2a$10$0"))),
        "bcrypt" => Ok(Value::text("$2a$10$0")),
        "now" | "toDate" | "mustToDate" | "dateModify" | "mustDateModify" => Ok(Value::Int(0)),
        "date" | "dateInZone" | "date_in_zone" | "htmlDate" | "htmlDateInZone" => {
            Ok(Value::text("1970-01-01"))
        }
        "unixEpoch" => Ok(Value::text("0")),
        "ago" | "duration" | "durationRound" => Ok(Value::text("0s")),
        // No image's name is made of it.
        "sha1sum" => Ok(Value::text("da39a3ee5e6b4b0d3255bfef95601890afd80709")),
        _ => return None,
    })
}

const PEM: &str = "-----BEGIN FIXED-----\nAA==\n-----END FIXED-----\n";
