//! How a registry's certificate is checked: against the system's authorities and those given.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme};
use sealer_stdx::fs::At;

use crate::error::Result;
use crate::registry::error::RegistryError;

/// Builds the TLS configuration for one registry that `ca_files` are trusted for.
///
/// The provider is passed, never installed: what else the process does with TLS is its own affair.
pub(crate) fn verified(ca_files: &[PathBuf]) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    // A system without authorities is no error: whom it cannot verify, it does not trust.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for path in ca_files {
        add(&mut roots, path)?;
    }
    Ok(builder().with_root_certificates(roots).with_no_client_auth())
}

/// Builds a TLS configuration that trusts whoever answers.
pub(crate) fn unverified() -> ClientConfig {
    let verifier = Arc::new(Anybody(Arc::new(ring::default_provider())));
    builder().dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3")
}

/// Returns what ends in `.crt` in `DIR/HOST` for each of the folders.
pub(crate) fn files_for(host: &str, certs_dirs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for dir in certs_dirs {
        let dir = dir.join(host);
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries {
            let path = entry.at(&dir)?.path();
            if path.extension().is_some_and(|extension| extension == "crt") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<()> {
    let bytes = fs::read(path).at(path)?;
    let refuse = |reason: String| RegistryError::CaFile { path: path.to_owned(), reason };
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| refuse(format!("not PEM: {error}")))?;
        roots.add(certificate).map_err(|error| refuse(format!("not a certificate: {error}")))?;
        found = true;
    }
    match found {
        true => Ok(()),
        false => Err(refuse("there is no certificate (PEM) in it".into()).into()),
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
