//! Debian's `docker-registry`, a real one, for the length of a test.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::certificate::{self, ServerCertificate};
use crate::tokens::{self, TokenServer};

/// How a registry is to be. The default speaks plain HTTP and lets everybody in.
#[derive(Debug, Clone, Default)]
pub struct RegistryOptions {
    /// Whether it speaks HTTPS, with a certificate of [`Registry::ca_file`].
    pub tls: bool,
    /// The one user and password that it lets in.
    pub credentials: Option<(String, String)>,
    /// Whether it wants the certificate that [`Registry::client_dir`] holds. Only with TLS.
    pub client_certificate: bool,
}

impl RegistryOptions {
    /// The options of a registry that is like one in the field: HTTPS, `user` with `password`.
    #[must_use]
    pub fn secured(user: &str, password: &str) -> Self {
        Self {
            tls: true,
            credentials: Some((user.to_owned(), password.to_owned())),
            client_certificate: false,
        }
    }
}

/// A running registry. Stopped, and its content removed, when it is dropped.
#[derive(Debug)]
pub struct Registry {
    process: Child,
    address: SocketAddr,
    options: RegistryOptions,
    certificate: Option<ServerCertificate>,
    tokens: Option<TokenServer>,
    dir: TempDir,
}

impl Registry {
    /// Starts a registry on a free port of 127.0.0.1 and waits until it listens.
    ///
    /// # Panics
    /// When `docker-registry` is not installed or does not come up; with what it printed.
    #[must_use]
    pub fn start(options: RegistryOptions) -> Self {
        Self::start_in(temporary(), options, None)
    }

    /// Starts a registry that serves what a folder holds, `docker/registry/v2` and all. Plain HTTP.
    ///
    /// # Panics
    /// As [`Registry::start`].
    #[must_use]
    pub fn start_over(folder: &Path) -> Self {
        let dir = temporary();
        std::os::unix::fs::symlink(folder, dir.path().join("storage")).expect("the folder is new");
        Self::start_in(dir, RegistryOptions::default(), None)
    }

    /// Starts a registry that wants tokens, and the token server that gives them to this user: the
    /// way of Docker Hub. Plain HTTP. The password serves as an OAuth2 refresh token too.
    ///
    /// # Panics
    /// As [`Registry::start`].
    #[must_use]
    pub fn start_with_tokens(user: &str, password: &str) -> Self {
        let dir = temporary();
        let tokens = TokenServer::start(dir.path(), user, password);
        let options = RegistryOptions { tls: false, ..RegistryOptions::secured(user, password) };
        Self::start_in(dir, options, Some(tokens))
    }

    fn start_in(dir: TempDir, options: RegistryOptions, tokens: Option<TokenServer>) -> Self {
        let certificate = options.tls.then(|| certificate::make(dir.path(), &certificate::LOOPBACK));
        if let Some((user, password)) = &options.credentials {
            let hash = bcrypt::hash(password, 4).expect("the cost is within bcrypt's limits");
            write(&dir.path().join("htpasswd"), &format!("{user}:{hash}\n"));
        }
        // Another process can take the free port before the registry does: then the next one.
        let mut output = String::new();
        for _ in 0..5 {
            let address = free_address();
            let mut config = config(
                address,
                &auth(&options, tokens.as_ref(), dir.path()),
                certificate.as_ref(),
                dir.path(),
            );
            if let Some(files) = certificate.as_ref().filter(|_| options.client_certificate) {
                config += &format!("    clientcas:\n      - {}\n", files.ca.display());
            }
            write(&dir.path().join("config.yml"), &config);
            let mut process = spawn(dir.path());
            if wait_until_it_listens(&mut process, dir.path()) {
                return Self { process, address, options, certificate, tokens, dir };
            }
            let _ = process.kill();
            let _ = process.wait();
            output = printed(dir.path());
        }
        panic!("docker-registry does not come up:\n{output}");
    }

    /// Returns `127.0.0.1:PORT`, as it stands before the first `/` of a reference.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Returns the port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the certificate of the authority that signed the registry's, if it has TLS. It is
    /// the only file in its folder, so that the folder serves as a `certs.d/HOST`.
    #[must_use]
    pub fn ca_file(&self) -> Option<&Path> {
        self.certificate.as_ref().map(|certificate| certificate.ca.as_path())
    }

    /// Returns a folder as a `certs.d/HOST` is: the authority, and a client's certificate with its key.
    #[must_use]
    pub fn client_dir(&self) -> Option<&Path> {
        self.certificate.as_ref().map(|certificate| certificate.client.as_path())
    }

    /// Returns the user and the password that the registry lets in.
    #[must_use]
    pub fn credentials(&self) -> Option<(&str, &str)> {
        self.options.credentials.as_ref().map(|(user, password)| (user.as_str(), password.as_str()))
    }

    /// Returns the file that holds a blob (`sha256:…`) in the registry's own storage, so that a
    /// test can damage or remove it, or see that it is there.
    #[must_use]
    pub fn blob_path(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").expect("a SHA-256 digest");
        let blobs = self.dir.path().join("storage/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }

    /// Returns what each token was asked for, in the words of token servers:
    /// `repository:demo:pull`. Empty without a token server.
    #[must_use]
    pub fn tokens_given(&self) -> Vec<String> {
        self.tokens.as_ref().map(TokenServer::scopes).unwrap_or_default()
    }

    /// Returns what the registry has printed: its access log.
    #[must_use]
    pub fn log(&self) -> String {
        printed(self.dir.path())
    }

    /// Returns the registry's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns an address of 127.0.0.1 on which nobody listens.
#[must_use]
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    listener.local_addr().expect("a bound socket has an address")
}

fn temporary() -> TempDir {
    tempfile::Builder::new().prefix("registry-").tempdir().expect("a temporary folder")
}

/// Returns the part of the configuration that says who is let in.
fn auth(options: &RegistryOptions, tokens: Option<&TokenServer>, dir: &Path) -> String {
    match (tokens, &options.credentials) {
        (Some(tokens), _) => format!(
            "auth:\n  token:\n    realm: {}\n    service: {}\n    issuer: {}\n    rootcertbundle: {}\n",
            tokens.realm(),
            tokens::SERVICE,
            tokens::ISSUER,
            tokens.certificate().display()
        ),
        (None, Some(_)) => {
            format!("auth:\n  htpasswd:\n    realm: test\n    path: {}/htpasswd\n", dir.display())
        }
        (None, None) => String::new(),
    }
}

fn config(address: SocketAddr, auth: &str, certificate: Option<&ServerCertificate>, dir: &Path) -> String {
    let dir = dir.display();
    let mut config = format!(
        "version: 0.1\n\
         log:\n  level: info\n  accesslog:\n    disabled: false\n\
         storage:\n  filesystem:\n    rootdirectory: {dir}/storage\n  delete:\n    enabled: true\n"
    );
    config += auth;
    config += &format!("http:\n  addr: {address}\n");
    if let Some(files) = certificate {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        config += &format!("  tls:\n    certificate: {certificate}\n    key: {key}\n");
    }
    config
}

fn spawn(dir: &Path) -> Child {
    let output = File::create(dir.join("output")).expect("the temporary folder can be written");
    let errors = output.try_clone().expect("a file has more than one descriptor");
    Command::new("docker-registry")
        .arg("serve")
        .arg(dir.join("config.yml"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .unwrap_or_else(|error| panic!("docker-registry (package docker-registry): {error}"))
}

/// Waits for the line that the registry prints once its socket is bound. False when it has ended.
fn wait_until_it_listens(process: &mut Child, dir: &Path) -> bool {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(30) {
        if printed(dir).contains("listening on") {
            return true;
        }
        if process.try_wait().expect("the process is ours").is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

fn printed(dir: &Path) -> String {
    let bytes = fs::read(dir.join("output")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
