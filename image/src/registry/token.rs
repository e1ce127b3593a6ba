//! Who we are to a registry: the challenge it gave, the tokens we got, by scope.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use crate::registry::auth::Credentials;
use crate::registry::challenge::Challenge;
use crate::registry::error::{RegistryError, Target};

/// What is known of a registry's wishes.
#[derive(Debug, Default)]
pub(crate) struct Authorization {
    challenge: Option<Challenge>,
    tokens: HashMap<String, Token>,
}

#[derive(Debug)]
struct Token {
    secret: SecretString,
    /// A while before the registry thinks so.
    expires: Instant,
}

/// What goes into a request's header `Authorization`.
#[derive(Debug, Clone)]
pub(crate) enum Proof {
    /// Name and password.
    Basic(String, SecretString),
    /// A token.
    Bearer(SecretString),
}

impl Proof {
    pub(crate) fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Basic(user, password) => request.basic_auth(user, Some(password.expose_secret())),
            Self::Bearer(token) => request.bearer_auth(token.expose_secret()),
        }
    }

    /// The same for a request whose body is streamed.
    pub(crate) fn apply_sending(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match self {
            Self::Basic(user, password) => request.basic_auth(user, Some(password.expose_secret())),
            Self::Bearer(token) => request.bearer_auth(token.expose_secret()),
        }
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Authorization {
    /// Takes note of a 401: of the challenge, and that the token for the scope is no longer good.
    pub(crate) fn refused(&mut self, challenge: Option<Challenge>, scope: &str) {
        self.tokens.remove(scope);
        if challenge.is_some() {
            self.challenge = challenge;
        }
    }

    /// Returns the token server's URL where a token has to be fetched before the next request.
    pub(crate) fn wants_token(&self, scope: &str) -> Option<(String, Option<String>)> {
        let Some(Challenge::Bearer { realm, service }) = &self.challenge else { return None };
        let fresh = self.tokens.get(scope).is_some_and(|token| token.expires > Instant::now());
        (!fresh).then(|| (realm.clone(), service.clone()))
    }

    /// Returns what to show with a request, as far as is known.
    pub(crate) fn proof(&self, scope: &str, credentials: Option<&Credentials>) -> Option<Proof> {
        match (&self.challenge, credentials) {
            (Some(Challenge::Basic), Some(Credentials::Password { user, password })) => {
                Some(Proof::Basic(user.clone(), password.clone()))
            }
            (Some(Challenge::Bearer { .. }), _) => {
                self.tokens.get(scope).map(|token| Proof::Bearer(token.secret.clone()))
            }
            _ => None,
        }
    }

    /// Reads and keeps a token server's answer.
    pub(crate) fn keep(&mut self, scope: &str, body: &[u8], target: &Target) -> Result<(), RegistryError> {
        let refuse = || RegistryError::Protocol {
            target: target.clone(),
            detail: "its token server answers without a token".into(),
        };
        let answer: TokenAnswer = serde_json::from_slice(body).map_err(|_| refuse())?;
        let secret = SecretString::from(answer.token.or(answer.access_token).ok_or_else(refuse)?);
        // The default of the token specification, and a tenth for clocks and the way.
        let life = Duration::from_secs(answer.expires_in.unwrap_or(60).min(24 * 3600));
        self.tokens.insert(scope.to_owned(), Token { secret, expires: Instant::now() + life * 9 / 10 });
        Ok(())
    }
}

/// Builds the request for a token: GET with name and password, or POST with an identity token.
pub(crate) fn request(
    client: &Client,
    realm: Url,
    service: Option<&str>,
    scopes: &str,
    credentials: Option<&Credentials>,
) -> RequestBuilder {
    let mut fields: Vec<(&str, &str)> = Vec::new();
    fields.extend(service.map(|service| ("service", service)));
    if let Some(Credentials::IdentityToken(token)) = credentials {
        fields.extend((!scopes.is_empty()).then_some(("scope", scopes)));
        fields.extend([("grant_type", "refresh_token"), ("client_id", "sealer")]);
        fields.push(("refresh_token", token.expose_secret()));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = "application/x-www-form-urlencoded";
        return client.post(realm).header(reqwest::header::CONTENT_TYPE, form).body(body);
    }
    fields.extend(scopes.split(' ').filter(|scope| !scope.is_empty()).map(|scope| ("scope", scope)));
    let mut url = realm;
    url.query_pairs_mut().extend_pairs(fields);
    match credentials {
        Some(Credentials::Password { user, password }) => {
            client.get(url).basic_auth(user, Some(password.expose_secret()))
        }
        _ => client.get(url),
    }
}
