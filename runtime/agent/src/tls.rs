//! Connections between the hosts of a run: TLS 1.3, both ends with a certificate of this run.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

use crate::error::{Error, Result};
use crate::socket::Socket;
use crate::wire::Keys;

/// How long a connection may take to be made, and a stranger to show a certificate.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);
/// A relay says something every second: one that is silent for so long hangs.
pub const SILENT: Duration = Duration::from_secs(8);

/// A connection that was made to a relay.
pub type Outgoing = StreamOwned<ClientConnection, Socket>;
/// A connection that a host made to this relay.
pub type Incoming = StreamOwned<ServerConnection, Socket>;

/// What a host needs for both.
#[derive(Debug, Clone)]
pub struct Tls {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Tls {
    /// Makes it of a run's keys.
    ///
    /// # Errors
    /// When the keys are none.
    pub fn new(keys: &Keys) -> Result<Self> {
        let provider = Arc::new(provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(keys.authority.clone()))?;
        let roots = Arc::new(roots);
        let chain = vec![CertificateDer::from(keys.certificate.clone())];
        let key = || PrivatePkcs8KeyDer::from(keys.key.clone()).into();
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(Arc::clone(&roots))
            .with_client_auth_cert(chain.clone(), key())?;
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key())?;
        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }

    /// Connects to the host whose certificate has the name.
    ///
    /// # Errors
    /// When nobody answers, or somebody else.
    pub fn connect(&self, name: &str, address: SocketAddr) -> Result<Outgoing> {
        let socket = TcpStream::connect_timeout(&address, CONNECT).map_err(Error::Wire)?;
        let mut socket = prepare(socket, SILENT).map_err(Error::Wire)?;
        let name = ServerName::try_from(name.to_owned()).map_err(|_| Error::Garbled)?;
        let mut connection = ClientConnection::new(Arc::clone(&self.client), name)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).map_err(Error::Wire)?;
        }
        Ok(StreamOwned::new(connection, socket))
    }

    /// Lets a host in that has a certificate of this run.
    ///
    /// # Errors
    /// When it has none.
    pub fn accept(&self, socket: TcpStream) -> Result<Incoming> {
        let mut socket = prepare(socket, CONNECT).map_err(Error::Wire)?;
        let mut connection = ServerConnection::new(Arc::clone(&self.server))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).map_err(Error::Wire)?;
        }
        Ok(StreamOwned::new(connection, socket))
    }
}

/// Ring, with the cipher first that costs the least where the processor has instructions for it; 256
/// bits of key protect nothing longer that lives for one run.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider
}

fn prepare(socket: TcpStream, silent: Duration) -> io::Result<Socket> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(silent))?;
    socket.set_write_timeout(Some(SILENT * 4))?;
    Ok(Socket::new(socket))
}
