//! How a registry's certificate is checked: against the system's authorities and those given.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme};
use sealer_stdx::fs::At;

use crate::error::Result;
use crate::registry::error::RegistryError;

/// The files that are about one registry.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// Of authorities that are trusted for it.
    pub(crate) authorities: Vec<PathBuf>,
    /// Our own certificate, and its key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// Builds the TLS configuration for one registry.
///
/// The provider is passed, never installed: what else the process does with TLS is its own affair.
pub(crate) fn verified(files: &Files) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    // A system without authorities is no error: whom it cannot verify, it does not trust.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for path in &files.authorities {
        add(&mut roots, path)?;
    }
    shown(builder().with_root_certificates(roots), files)
}

/// Builds a TLS configuration that trusts whoever answers.
pub(crate) fn unverified(files: &Files) -> Result<ClientConfig> {
    let verifier = Arc::new(Anybody(Arc::new(ring::default_provider())));
    shown(builder().dangerous().with_custom_certificate_verifier(verifier), files)
}

/// Says what we show who wants to know who we are.
fn shown(
    builder: rustls::ConfigBuilder<ClientConfig, WantsClientCert>,
    files: &Files,
) -> Result<ClientConfig> {
    let Some((certificate, key)) = &files.identity else { return Ok(builder.with_no_client_auth()) };
    let refuse = |path: &Path, reason: String| RegistryError::CaFile { path: path.to_owned(), reason };
    let chain = certificates(certificate)?;
    let bytes = fs::read(key).at(key)?;
    let parsed = PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|_| refuse(key, "there is no private key (PEM) in it".into()))?;
    let config = builder.with_client_auth_cert(chain, parsed);
    Ok(config.map_err(|error| refuse(certificate, format!("does not go with its key: {error}")))?)
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3")
}

/// Finds the files for a registry in folders, by the rules of `certs.d`: what ends in `.crt` is an
/// authority, a `*.cert` is our certificate, and the `*.key` of the same name its key. The first by name
/// is shown. A folder need not be there.
pub(crate) fn files_in(dirs: &[PathBuf]) -> Result<Files> {
    let mut files = Files::default();
    let mut certificates = Vec::new();
    for dir in dirs {
        let Ok(entries) = fs::read_dir(dir) else { continue };
        for entry in entries {
            let path = entry.at(dir)?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => files.authorities.push(path),
                Some("cert") => certificates.push(path),
                _ => {}
            }
        }
    }
    files.authorities.sort();
    certificates.sort();
    if let Some(certificate) = certificates.into_iter().next() {
        let key = certificate.with_extension("key");
        if !key.exists() {
            let reason = format!("its key is missing: {}", key.display());
            return Err(RegistryError::CaFile { path: certificate, reason }.into());
        }
        files.identity = Some((certificate, key));
    }
    Ok(files)
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<()> {
    for certificate in certificates(path)? {
        let refuse = |error| RegistryError::CaFile {
            path: path.to_owned(),
            reason: format!("not a certificate: {error}"),
        };
        roots.add(certificate).map_err(refuse)?;
    }
    Ok(())
}

/// Reads the certificates of a file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = fs::read(path).at(path)?;
    let refuse = |reason: String| RegistryError::CaFile { path: path.to_owned(), reason };
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        found.push(certificate.map_err(|error| refuse(format!("not PEM: {error}")))?);
    }
    match found.is_empty() {
        false => Ok(found),
        true => Err(refuse("there is no certificate (PEM) in it".into()).into()),
    }
}

/// Trusts every certificate, but still wants the peer to have its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
