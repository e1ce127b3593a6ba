//! Whether a server is well.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::Listen;

/// How long a server may take to connect, and then to say anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// Asks a server; why it is not well, as a phrase.
pub(crate) fn ask(listen: &Listen, server: SocketAddr) -> Result<(), String> {
    let socket = TcpStream::connect_timeout(&server, PATIENCE).map_err(|error| error.to_string())?;
    socket
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| socket.set_write_timeout(Some(PATIENCE)))
        .map_err(|error| error.to_string())?;
    let config = config(listen)?;
    let name = ServerName::try_from(listen.name.clone()).map_err(|error| error.to_string())?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    let mut stream = StreamOwned::new(connection, socket);
    let asked = format!("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", listen.path, listen.name);
    stream.write_all(asked.as_bytes()).map_err(|error| error.to_string())?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).map_err(|error| error.to_string())?;
    match &status[9..] {
        // A registry that wants a password is well too.
        b"200" | b"401" => Ok(()),
        other => Err(format!("answered {}", String::from_utf8_lossy(other))),
    }
}

/// The authority is read each time: it may be renewed.
fn config(listen: &Listen) -> Result<ClientConfig, String> {
    let text =
        fs::read(&listen.authority).map_err(|error| format!("{}: {error}", listen.authority.display()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
