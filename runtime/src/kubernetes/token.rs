//! The token by which a host may join: made by us, known to the API server until hosts have joined, two hours
//! at most.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rustix::rand::{GetRandomFlags, getrandom};
use sealer_plugin::KubeRequest;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::kube;

const LIFE: SignedDuration = SignedDuration::from_hours(2);
const SECRETS: &str = "/api/v1/namespaces/kube-system/secrets";
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A bootstrap token (https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/).
pub(crate) struct Token {
    id: String,
    secret: SecretString,
}

impl Token {
    /// Makes a token and has the API server know it.
    ///
    /// # Errors
    /// Why not, as a phrase.
    pub(crate) fn make(kubeconfig: &Path) -> Result<Self, String> {
        // In whole seconds: the API server reads no finer ones.
        let ends = Timestamp::from_second((Timestamp::now() + LIFE).as_second());
        let ends = ends.map_err(|error| error.to_string())?;
        let token = Self { id: random(6)?, secret: random(16)?.into() };
        let body = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": token.name() },
            "type": "bootstrap.kubernetes.io/token",
            "stringData": {
                "description": "sealer: for hosts that join",
                "token-id": token.id,
                "token-secret": token.secret.expose_secret(),
                "expiration": ends.to_string(),
                "usage-bootstrap-authentication": "true",
                "usage-bootstrap-signing": "true",
                "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
            },
        });
        let request = KubeRequest {
            method: "POST".to_owned(),
            path: SECRETS.to_owned(),
            body: Some(body.to_string()),
            ..KubeRequest::default()
        };
        let reply = kube::request(kubeconfig, &request)?;
        match reply.status {
            201 => Ok(token),
            status => Err(format!("the API server answered {status} to a new token")),
        }
    }

    /// Has the API server forget the token.
    ///
    /// # Errors
    /// Why not, as a phrase.
    pub(crate) fn forget(&self, kubeconfig: &Path) -> Result<(), String> {
        let path = format!("{SECRETS}/{}", self.name());
        let request = KubeRequest { method: "DELETE".to_owned(), path, ..KubeRequest::default() };
        match kube::request(kubeconfig, &request)?.status {
            200 | 404 => Ok(()),
            status => Err(format!("the API server answered {status} when it was to forget it")),
        }
    }

    /// The name of the Secret that holds it.
    fn name(&self) -> String {
        format!("bootstrap-token-{}", self.id)
    }

    /// The token as kubeadm reads it.
    pub(crate) fn text(&self) -> SecretString {
        format!("{}.{}", self.id, self.secret.expose_secret()).into()
    }
}

fn random(length: usize) -> Result<String, String> {
    let mut bytes = vec![0_u8; length];
    getrandom(&mut bytes, GetRandomFlags::empty()).map_err(|error| format!("no random numbers: {error}"))?;
    Ok(bytes.into_iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}
