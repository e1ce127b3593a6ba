//! Connections between the hosts of a run: TLS 1.3, both ends with a certificate of this run.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::error::{Error, Result};
use crate::wire::Keys;

/// How long a connection may take to be made, and a stranger to show a certificate.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);
/// A relay says something every second: one that is silent for so long hangs.
pub const SILENT: Duration = Duration::from_secs(8);

/// A connection that was made to a relay.
pub type Outgoing = StreamOwned<ClientConnection, TcpStream>;
/// A connection that a host made to this relay.
pub type Incoming = StreamOwned<ServerConnection, TcpStream>;

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
        let provider = Arc::new(ring::default_provider());
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
        let mut socket = TcpStream::connect_timeout(&address, CONNECT).map_err(Error::Wire)?;
        prepare(&socket, SILENT)?;
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
    pub fn accept(&self, mut socket: TcpStream) -> Result<Incoming> {
        prepare(&socket, CONNECT)?;
        let mut connection = ServerConnection::new(Arc::clone(&self.server))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).map_err(Error::Wire)?;
        }
        Ok(StreamOwned::new(connection, socket))
    }
}

fn prepare(socket: &TcpStream, silent: Duration) -> Result<()> {
    socket.set_nodelay(true).map_err(Error::Wire)?;
    socket.set_read_timeout(Some(silent)).map_err(Error::Wire)?;
    socket.set_write_timeout(Some(SILENT * 4)).map_err(Error::Wire)
}
