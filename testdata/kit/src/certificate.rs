//! Certificates for a test: an authority of its own, and a server certificate.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// The files of a server's certificate, its key, and the authority that signed it.
#[derive(Debug)]
pub(crate) struct ServerCertificate {
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// A folder of the authority and of a client's certificate with its key.
    pub(crate) client: PathBuf,
}

/// The names of this machine for itself.
pub(crate) const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Makes an authority and a certificate for some names and addresses in `dir`.
pub(crate) fn make(dir: &Path, names: &[&str]) -> ServerCertificate {
    let ca_key = KeyPair::generate().expect("a key needs only random numbers");
    let mut ca = CertificateParams::new(Vec::new()).expect("no name is no bad name");
    ca.distinguished_name.push(DnType::CommonName, "sealer test authority");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_certificate = ca.self_signed(&ca_key).expect("the parameters are complete");
    let issuer = Issuer::from_params(&ca, &ca_key);

    let key = KeyPair::generate().expect("a key needs only random numbers");
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut server = CertificateParams::new(names).expect("the names are good");
    server.distinguished_name.push(DnType::CommonName, "sealer test server");
    let certificate = server.signed_by(&key, &issuer).expect("the parameters are complete");

    let client_key = KeyPair::generate().expect("a key needs only random numbers");
    let mut client = CertificateParams::new(Vec::new()).expect("no name is no bad name");
    client.distinguished_name.push(DnType::CommonName, "sealer test client");
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let client = client.signed_by(&client_key, &issuer).expect("the parameters are complete");

    // The authority stands alone in its folder: skopeo's `--cert-dir` trusts all it finds in one.
    let (authority, shown) = (dir.join("authority"), dir.join("client"));
    for folder in [&authority, &shown] {
        fs::create_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    }
    let files = ServerCertificate {
        ca: authority.join("ca.crt"),
        certificate: dir.join("server.crt"),
        key: dir.join("server.key"),
        client: shown,
    };
    write(&files.ca, &ca_certificate.pem());
    write(&files.certificate, &certificate.pem());
    write(&files.key, &key.serialize_pem());
    write(&files.client.join("ca.crt"), &ca_certificate.pem());
    write(&files.client.join("client.cert"), &client.pem());
    write(&files.client.join("client.key"), &client_key.serialize_pem());
    files
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
