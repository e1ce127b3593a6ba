//! One request to a registry: made again where that helps, with the proof that it wants.

use std::sync::{Arc, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use reqwest::StatusCode;
use reqwest::blocking::{Client, RequestBuilder, Response};
use sealer_stdx::task::{Cancelled, Task};
use url::Url;

use crate::error::{Error, Result};
use crate::registry::auth::Credentials;
use crate::registry::challenge::Challenge;
use crate::registry::error::{RegistryError, Target};
use crate::registry::failure::{self, Hope};
use crate::registry::host::{self, Host};
use crate::registry::token::{self, Proof};
use crate::registry::{RegistrySettings, Retry};

/// What is left of the will to try again. Progress renews it.
#[derive(Debug)]
pub(crate) struct Patience {
    retry: Retry,
    pauses: ExponentialBackoff,
}

impl Patience {
    pub(crate) fn new(retry: Retry) -> Self {
        Self { retry, pauses: pauses(retry) }
    }

    pub(crate) fn renew(&mut self) {
        self.pauses = pauses(self.retry);
    }

    /// Waits before the next try, for as long as the registry asks if it does. Hands `error` back
    /// when there is to be no next try.
    pub(crate) fn wait(&mut self, task: &Task, asked: Option<Duration>, error: Error) -> Result<()> {
        let Some(pause) = self.pauses.next() else { return Err(error) };
        match asked {
            Some(asked) if asked > self.retry.longest_pause => Err(error),
            _ => Ok(sleep(task, pause.max(asked.unwrap_or_default()))?),
        }
    }
}

fn pauses(retry: Retry) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(retry.first_pause)
        .with_max_delay(retry.longest_pause)
        .with_max_times(retry.times)
        .build()
}

/// Sleeps in short pieces, so that a cancelled task does not wait.
fn sleep(task: &Task, pause: Duration) -> std::result::Result<(), Cancelled> {
    let end = Instant::now() + pause;
    loop {
        task.check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(Duration::from_millis(50)));
    }
}

/// A failed try, and whether another one can help.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: Box<Error>,
    pub(crate) hope: bool,
    pub(crate) retry_after: Option<Duration>,
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { error: Box::new(error.into()), hope: false, retry_after: None }
    }
}

/// Builds a request to a URL, as often as it has to be made.
pub(crate) type Build<'a> = &'a dyn Fn(&Client, Url) -> RequestBuilder;

/// Whom a request is for, and with whose name.
#[derive(Clone)]
pub(crate) struct Caller<'a> {
    pub(crate) settings: &'a RegistrySettings,
    pub(crate) host: Arc<Host>,
    pub(crate) task: &'a Task,
    pub(crate) target: Target,
    pub(crate) credentials: Option<Credentials>,
    /// What the requests do, in the words of token servers: `repository:demo:pull`.
    pub(crate) scope: String,
}

impl Caller<'_> {
    /// Makes a request until it is answered. Any answer but 401, 429 and 5xx is an answer.
    pub(crate) fn send(&self, url: &Url, build: Build<'_>) -> Result<Response> {
        let mut patience = Patience::new(self.settings.retry);
        loop {
            match self.attempt(url, build) {
                Ok(response) => return Ok(response),
                Err(failed) if failed.hope => patience.wait(self.task, failed.retry_after, *failed.error)?,
                Err(failed) => return Err(*failed.error),
            }
        }
    }

    /// Makes a request once; twice, when the registry wants to know who we are.
    pub(crate) fn attempt(&self, url: &Url, build: Build<'_>) -> std::result::Result<Response, Failed> {
        let proof = self.proof_for(url)?;
        let response = self.once(build(&self.host.client, url.clone()), proof.as_ref())?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        self.refused(&response);
        let proof = self.proof_for(url)?;
        let response = self.once(build(&self.host.client, url.clone()), proof.as_ref())?;
        match response.status() {
            StatusCode::UNAUTHORIZED => Err(self.refusal(response).into()),
            _ => Ok(response),
        }
    }

    /// Takes note of a 401.
    pub(crate) fn refused(&self, response: &Response) {
        self.authorization().refused(Challenge::of(response.headers()), &self.scope);
    }

    /// Returns what to show at a URL: nothing, where the registry has sent us elsewhere.
    pub(crate) fn proof_for(&self, url: &Url) -> std::result::Result<Option<Proof>, Failed> {
        if self.host.is_at(url) { self.proof() } else { Ok(None) }
    }

    /// Says what an answer means that the caller has no use for.
    pub(crate) fn refusal(&self, response: Response) -> RegistryError {
        failure::of_answer(response, &self.target, self.credentials.is_some())
    }

    /// Makes a request with the given proof. 429 and 5xx are failures.
    fn once(&self, request: RequestBuilder, proof: Option<&Proof>) -> std::result::Result<Response, Failed> {
        let request = match proof {
            Some(proof) => proof.apply(request),
            None => request,
        };
        self.judge(request.send())
    }

    pub(crate) fn judge(&self, answer: reqwest::Result<Response>) -> std::result::Result<Response, Failed> {
        let response = answer.map_err(|error| {
            let (error, hope) = failure::of_request(error, &self.target);
            let hope = hope == Hope::Some || (hope == Hope::IfReached && self.host.is_reached());
            Failed { error: Box::new(error.into()), hope, retry_after: None }
        })?;
        self.host.has_answered();
        let status = response.status();
        // 501 and 505 are about what we ask, not about how the registry is today.
        let hope = matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504);
        if hope || status.is_server_error() {
            let retry_after = failure::retry_after(&response);
            return Err(Failed { error: Box::new(self.refusal(response).into()), hope, retry_after });
        }
        Ok(response)
    }

    /// Returns what to show with the next request. Fetches a token if one is wanted.
    fn proof(&self) -> std::result::Result<Option<Proof>, Failed> {
        // Held while the token comes: four blobs at once want one token, not four.
        let mut authorization = self.authorization();
        if let Some((realm, service)) = authorization.wants_token(&self.scope) {
            let realm = self.realm(&realm)?;
            let client = self.client_of(&realm)?;
            let credentials = self.credentials.as_ref();
            let request = token::request(&client, realm, service.as_deref(), &self.scope, credentials);
            let response = self.once(request, None)?;
            if !response.status().is_success() {
                return Err(self.token_refusal(response).into());
            }
            let body = response.bytes().map_err(|error| failure::of_request(error, &self.target).0)?;
            authorization.keep(&self.scope, &body, &self.target)?;
        }
        Ok(authorization.proof(&self.scope, self.credentials.as_ref()))
    }

    fn authorization(&self) -> MutexGuard<'_, token::Authorization> {
        self.host.authorization.lock().expect("no holder panics")
    }

    /// Reads the token server's URL. A password that the registry gets by HTTPS goes nowhere in
    /// plain text.
    fn realm(&self, realm: &str) -> Result<Url> {
        let refuse = |detail| RegistryError::Protocol { target: self.target.clone(), detail };
        let url =
            Url::parse(realm).map_err(|error| refuse(format!("its token server `{realm}`: {error}")))?;
        match url.scheme() {
            "https" => Ok(url),
            "http" if self.host.is_plain_http() => Ok(url),
            _ => Err(refuse(format!("its token server `{realm}` does not speak HTTPS")).into()),
        }
    }

    /// Returns the client for the token server, which can be another host with another authority.
    fn client_of(&self, realm: &Url) -> Result<Client> {
        let authority = realm.authority();
        if authority == self.host.name {
            Ok(self.host.client.clone())
        } else {
            host::client(authority, self.settings)
        }
    }

    /// Token servers refuse wrong passwords by 401, and some by 403 or 400.
    fn token_refusal(&self, response: Response) -> RegistryError {
        match (self.refusal(response), self.credentials.is_some()) {
            (
                RegistryError::Forbidden { target, message }
                | RegistryError::Rejected { target, message, .. },
                true,
            ) => RegistryError::Unauthorized { target, credentials: true, message },
            (refusal, _) => refusal,
        }
    }
}
