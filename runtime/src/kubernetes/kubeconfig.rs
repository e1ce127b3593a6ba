//! The file by which a client finds an API server and is known to it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::pki::Signed;

/// A cluster of one server and one user.
pub(crate) struct Kubeconfig<'a> {
    pub(crate) server: &'a str,
    /// The authority's certificate, as PEM.
    pub(crate) authority: &'a str,
    pub(crate) user: &'a str,
    pub(crate) signed: &'a Signed,
}

impl Kubeconfig<'_> {
    /// Writes it, with kubeadm's names for cluster and context.
    pub(crate) fn text(&self) -> String {
        let Self { server, user, .. } = self;
        let [authority, certificate, key] =
            [self.authority, &self.signed.certificate, &self.signed.key].map(|pem| STANDARD.encode(pem));
        format!(
            "\
apiVersion: v1
kind: Config
clusters:
- name: kubernetes
  cluster:
    certificate-authority-data: {authority}
    server: {server}
users:
- name: {user}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: {user}@kubernetes
  context:
    cluster: kubernetes
    user: {user}
current-context: {user}@kubernetes
"
        )
    }
}
