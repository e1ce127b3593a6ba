//! What a failed request or a refusing answer means, as a [`RegistryError`].

use std::error::Error as StdError;
use std::io::{self, Read};
use std::time::Duration;

use oci_distribution::errors::{OciEnvelope, OciErrorCode};
use reqwest::blocking::Response;
use reqwest::header::RETRY_AFTER;
use rustls::{AlertDescription, CertificateError};

use crate::registry::error::{RegistryError, Target, Unreachable};

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hope {
    /// Not at all.
    None,
    /// Only if the registry has answered before: nobody is there, or nobody is so called.
    IfReached,
    /// It can.
    Some,
}

/// Says what kept a request from being answered.
pub(crate) fn of_request(error: reqwest::Error, target: &Target) -> (RegistryError, Hope) {
    let target = target.clone();
    if let Some(tls) = find::<rustls::Error>(&error) {
        match tls {
            rustls::Error::InvalidCertificate(reason) => {
                return (RegistryError::Certificate { target, reason: certificate(reason) }, Hope::None);
            }
            rustls::Error::AlertReceived(alert) => {
                if let Some(reason) = of_ours(*alert) {
                    return (RegistryError::ClientCertificate { target, reason }, Hope::None);
                }
            }
            rustls::Error::InvalidMessage(_) => return (RegistryError::PlainHttp { target }, Hope::None),
            _ => {}
        }
    }
    let kind = find::<io::Error>(&error).map(io::Error::kind);
    let (why, hope) = match kind {
        _ if error.is_dns() => (Unreachable::Name, Hope::IfReached),
        Some(io::ErrorKind::ConnectionRefused) => (Unreachable::Refused, Hope::IfReached),
        _ if error.is_timeout() && error.is_connect() => (Unreachable::Timeout, Hope::IfReached),
        _ if error.is_timeout() => (Unreachable::Timeout, Hope::Some),
        _ if error.is_connect() => (Unreachable::Broken, Hope::IfReached),
        _ if error.is_builder() || error.is_redirect() => {
            let detail = error.to_string();
            return (RegistryError::Protocol { target, detail }, Hope::None);
        }
        _ => (Unreachable::Broken, Hope::Some),
    };
    // The URL can hold a token that a redirect has put there.
    (RegistryError::Unreachable { target, why, source: Box::new(error.without_url()) }, hope)
}

/// What a registry says of the certificate that we show, or do not.
fn of_ours(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::CertificateRequired => "it wants one, and there is none",
        AlertDescription::UnknownCA => "it is signed by an authority that the registry does not know",
        AlertDescription::CertificateExpired => "it has expired",
        AlertDescription::CertificateRevoked => "it has been revoked",
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate => "it refuses it",
        _ => return None,
    })
}

/// Finds a cause of a certain type, also where `io::Error` wraps it.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            // An I/O error that wraps another one is not the one that tells the kind.
            let wraps = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            return wraps.and_then(|inner| find::<T>(inner)).or(Some(found));
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "it is signed by an unknown authority".into(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".into()
        }
        other => other.to_string(),
    }
}

/// Says what an answer other than 2xx means. `credentials` tells whether the request had any.
pub(crate) fn of_answer(response: Response, target: &Target, credentials: bool) -> RegistryError {
    let status = response.status().as_u16();
    let retry_after = retry_after(&response);
    let (code, message) = said(response);
    let target = target.clone();
    match (status, code) {
        (401, _) => RegistryError::Unauthorized { target, credentials, message },
        // Docker Hub and others answer so when a name is not there, or not for everybody.
        (403, _) => RegistryError::Forbidden { target, message },
        (404, Some(OciErrorCode::ManifestUnknown | OciErrorCode::NameUnknown | OciErrorCode::NotFound)) => {
            RegistryError::ManifestUnknown { target }
        }
        (429, _) => RegistryError::RateLimited { target, retry_after },
        (500.., _) => RegistryError::Server { target, status, message },
        _ => RegistryError::Rejected { target, status, message },
    }
}

/// Tells whether an answer says that the registry lacks what a manifest refers to.
pub(crate) fn lacks_content(code: Option<&OciErrorCode>) -> bool {
    matches!(code, Some(OciErrorCode::ManifestBlobUnknown | OciErrorCode::BlobUnknown))
}

/// Returns when a registry wants to be asked again. A date is not read: seconds are what they send.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Reads the error envelope of an answer: the first code, and all messages.
pub(crate) fn said(response: Response) -> (Option<OciErrorCode>, String) {
    let mut body = Vec::new();
    let _ = response.take(16 << 10).read_to_end(&mut body);
    let Ok(envelope) = serde_json::from_slice::<OciEnvelope>(&body) else {
        return (None, plain(&body));
    };
    let messages: Vec<&str> = envelope.errors.iter().map(|error| error.message.as_str()).collect();
    let message = messages.join(", ");
    (envelope.errors.into_iter().next().map(|error| error.code), message)
}

/// Returns a body's first line, if it is a line for people.
fn plain(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    let line = text.lines().next().unwrap_or_default();
    if line.starts_with(['<', '{']) || line.chars().any(char::is_control) {
        String::new()
    } else {
        line.chars().take(200).collect()
    }
}
