//! The cluster's certificates: three authorities, and what they sign for each master.
//!
//! Files and names are kubeadm's (<https://kubernetes.io/docs/setup/best-practices/certificates/>); it
//! takes what it finds. Keys are ECDSA on P-256. They are kept on the masters and nowhere else.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData,
};
use sealer_image::digest::sha256;

use super::{API_PORT, API_SERVER, FileOut, Kubeconfig, Node};

/// Where kubeadm looks for them.
pub(crate) const DIR: &str = "/etc/kubernetes/pki";
/// Clocks of hosts may be behind.
const SLACK: Duration = Duration::from_secs(24 * 60 * 60);
/// A cluster is not renewed by hand every year where nobody comes by: the authorities' time.
const AUTHORITY_LIFE: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
/// What they sign lives a third of that.
const LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

type Result<T> = std::result::Result<T, rcgen::Error>;

/// What can sign: a certificate and its key.
pub(crate) struct Signer {
    certificate: String,
    key: String,
    digest: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Who may use a certificate, and for what.
#[derive(Clone, Copy)]
enum Use {
    Server,
    Client,
    Both,
}

/// A certificate and its key, as PEM.
pub(crate) struct Signed {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Signer {
    /// Makes an authority.
    pub(crate) fn make(name: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let params = authority(name);
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self::with(params, certificate, key))
    }

    /// Takes up an authority that [`Self::make`] made.
    pub(crate) fn load(name: &str, certificate: &str, key: &str) -> Result<Self> {
        Ok(Self::with(authority(name), certificate.to_owned(), KeyPair::from_pem(key)?))
    }

    fn with(params: CertificateParams, certificate: String, key: KeyPair) -> Self {
        let digest = sha256(&key.subject_public_key_info()).to_string();
        Self { certificate, key: key.serialize_pem(), digest, issuer: Issuer::new(params, key) }
    }

    /// The authority's certificate, as PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Signs a server's certificate.
    pub(crate) fn server(&self, name: &str, alt_names: &[String]) -> Result<Signed> {
        self.sign((name, None), alt_names, Use::Server)
    }

    fn sign(&self, (name, group): (&str, Option<&str>), alt_names: &[String], usage: Use) -> Result<Signed> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(alt_names.to_vec())?;
        params.distinguished_name = DistinguishedName::new();
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        let (server, client) = (ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth);
        params.extended_key_usages = match usage {
            Use::Server => vec![server],
            Use::Client => vec![client],
            Use::Both => vec![server, client],
        };
        params.use_authority_key_identifier_extension = true;
        lives(&mut params, LIFE);
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Signed { certificate, key: key.serialize_pem() })
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    lives(&mut params, AUTHORITY_LIFE);
    params
}

fn lives(params: &mut CertificateParams, time: Duration) {
    let now = SystemTime::now();
    params.not_before = (now - SLACK).into();
    params.not_after = (now + time).into();
}

/// The cluster's three authorities.
pub(crate) struct Authority {
    cluster: Signer,
    front_proxy: Signer,
    etcd: Signer,
}

/// Each authority's file below [`DIR`], without its ending, and its name.
pub(crate) const AUTHORITIES: [(&str, &str); 3] =
    [("ca", "kubernetes"), ("front-proxy-ca", "front-proxy-ca"), ("etcd/ca", "etcd-ca")];

impl Authority {
    /// Makes the authorities of a new cluster.
    pub(crate) fn make() -> Result<Self> {
        let [cluster, front_proxy, etcd] = AUTHORITIES.map(|(_, name)| Signer::make(name));
        Ok(Self { cluster: cluster?, front_proxy: front_proxy?, etcd: etcd? })
    }

    /// Takes up those of a cluster: a certificate and a key each, in the order of [`AUTHORITIES`].
    pub(crate) fn load(pairs: &[(String, String); 3]) -> Result<Self> {
        let load = |at: usize| Signer::load(AUTHORITIES[at].1, &pairs[at].0, &pairs[at].1);
        Ok(Self { cluster: load(0)?, front_proxy: load(1)?, etcd: load(2)? })
    }

    /// The certificate of the cluster's own authority, as PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.cluster.certificate
    }

    /// The digest of the cluster's public key, as `kubeadm join` wants it.
    pub(crate) fn digest(&self) -> &str {
        &self.cluster.digest
    }

    /// All files of a master, `names` being those of its API server.
    pub(crate) fn files(&self, master: &Node, names: &[String]) -> Result<Vec<FileOut>> {
        let masters = Some("system:masters");
        let own = |names: &[&str]| -> Vec<String> {
            let mut all = vec![master.name.clone(), master.address.clone()];
            all.extend(names.iter().map(|name| (*name).to_owned()));
            all
        };
        let local = own(&["localhost", "127.0.0.1", "::1"]);
        let signed = [
            ("apiserver", self.cluster.sign(("kube-apiserver", None), names, Use::Server)?),
            (
                "apiserver-kubelet-client",
                self.cluster.sign(("kube-apiserver-kubelet-client", masters), &[], Use::Client)?,
            ),
            ("front-proxy-client", self.front_proxy.sign(("front-proxy-client", None), &[], Use::Client)?),
            (
                "apiserver-etcd-client",
                self.etcd.sign(("kube-apiserver-etcd-client", masters), &[], Use::Client)?,
            ),
            ("etcd/server", self.etcd.sign((&master.name, None), &local, Use::Both)?),
            ("etcd/peer", self.etcd.sign((&master.name, None), &local, Use::Both)?),
            (
                "etcd/healthcheck-client",
                self.etcd.sign(("kube-etcd-healthcheck-client", masters), &[], Use::Client)?,
            ),
        ];
        let authorities = [&self.cluster, &self.front_proxy, &self.etcd];
        let authorities = AUTHORITIES.iter().zip(authorities).map(|((file, _), signer)| {
            (*file, Signed { certificate: signer.certificate.clone(), key: signer.key.clone() })
        });
        let mut files = Vec::new();
        for (name, signed) in authorities.chain(signed) {
            files.push(FileOut::new(format!("{DIR}/{name}.crt"), 0o644, signed.certificate));
            files.push(FileOut::new(format!("{DIR}/{name}.key"), 0o600, signed.key));
        }
        files.extend(self.kubeconfigs(master)?);
        Ok(files)
    }

    /// The control plane's kubeconfigs. The kubelet's is kubeadm's and its own to renew.
    fn kubeconfigs(&self, master: &Node) -> Result<Vec<FileOut>> {
        let everywhere = format!("https://{API_SERVER}:{API_PORT}");
        let here = format!("https://{}:{API_PORT}", master.address);
        let files = [
            ("admin", "kubernetes-admin", Some("system:masters"), &everywhere),
            ("controller-manager", "system:kube-controller-manager", None, &here),
            ("scheduler", "system:kube-scheduler", None, &here),
        ];
        let files = files.into_iter().map(|(file, user, group, server)| {
            let signed = self.cluster.sign((user, group), &[], Use::Client)?;
            let text =
                Kubeconfig { server, authority: &self.cluster.certificate, user, signed: &signed }.text();
            Ok(FileOut::new(format!("/etc/kubernetes/{file}.conf"), 0o600, text))
        });
        files.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{AUTHORITIES, Authority, DIR, Node};

    fn node() -> Node {
        Node { address: "10.0.0.2".to_owned(), name: "m1".to_owned() }
    }

    #[test]
    fn a_master_gets_the_files_that_kubeadm_looks_for() {
        let files = Authority::make().unwrap().files(&node(), &["m1".to_owned()]).unwrap();
        let mut paths: Vec<String> =
            files.iter().map(|file| file.path.replace(DIR, "pki").replace("/etc/kubernetes/", "")).collect();
        paths.sort();
        let pairs = [
            "apiserver",
            "apiserver-etcd-client",
            "apiserver-kubelet-client",
            "ca",
            "etcd/ca",
            "etcd/healthcheck-client",
            "etcd/peer",
            "etcd/server",
            "front-proxy-ca",
            "front-proxy-client",
        ];
        let mut expected: Vec<String> =
            pairs.iter().flat_map(|name| [format!("pki/{name}.crt"), format!("pki/{name}.key")]).collect();
        expected.extend(["admin.conf", "controller-manager.conf", "scheduler.conf"].map(str::to_owned));
        expected.sort();
        assert_eq!(paths, expected);
        let readable: Vec<&str> = files
            .iter()
            .filter(|file| file.mode & 0o077 != 0 && !file.path.ends_with(".crt"))
            .map(|file| file.path.as_str())
            .collect();
        assert_eq!(readable, Vec::<&str>::new());
    }

    #[test]
    fn an_authority_that_is_taken_up_again_signs_as_before() {
        let made = Authority::make().unwrap();
        let signers = [&made.cluster, &made.front_proxy, &made.etcd];
        let pairs = signers.map(|signer| (signer.certificate.clone(), signer.key.clone()));
        let loaded = Authority::load(&pairs).unwrap();
        assert_eq!(loaded.digest(), made.digest());
        assert_eq!(AUTHORITIES.len(), pairs.len());
    }
}
