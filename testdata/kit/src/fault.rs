//! What a proxy is to break, and what it has seen, as data.

use std::time::Duration;

/// A fault on some of the requests that pass a [`crate::Proxy`].
///
/// Made by [`Fault::on`], which says what it applies to; it applies once unless told otherwise.
///
/// ```
/// use sealer_testkit::{Action, Fault};
///
/// // The second and the third blob that is fetched break off after a kilobyte.
/// let fault = Fault::on("GET", "/blobs/", Action::CutResponse { after: 1024 }).skip(1).times(2);
/// assert!(fault.matches("GET", "/v2/demo/blobs/sha256:00"));
/// ```
#[derive(Debug, Clone)]
pub struct Fault {
    method: String,
    path: String,
    skip: usize,
    times: usize,
    action: Action,
}

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum Action {
    /// The connection is closed without an answer, before the registry sees the request.
    Close,
    /// The answer breaks off after this many bytes of its body.
    CutResponse {
        /// How many bytes come through.
        after: u64,
    },
    /// The request breaks off after this many bytes of its body have gone to the registry.
    CutRequest {
        /// How many bytes come through.
        after: u64,
    },
    /// The byte at this place of the answer's body is another one.
    Corrupt {
        /// The place, from 0.
        at: u64,
    },
    /// The answer is this one, and the registry sees nothing.
    Answer {
        /// The status.
        status: u16,
        /// More headers: `("Retry-After", "1")`.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// The answer claims this length, and ends where the true one ends.
    ContentLength(u64),
    /// The answer comes without this header.
    WithoutHeader(String),
    /// The answer waits this long before its body begins.
    Delay(Duration),
    /// The answer's body comes at this speed at most.
    Slow {
        /// In bytes.
        per_second: u64,
    },
}

impl Action {
    /// An answer with nothing but a status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: String::new() }
    }

    /// `429 Too Many Requests` that asks to come back after some seconds.
    #[must_use]
    pub fn too_many(retry_after: u64) -> Self {
        let headers = vec![("Retry-After".to_owned(), retry_after.to_string())];
        Self::Answer { status: 429, headers, body: String::new() }
    }
}

impl Fault {
    /// A fault on the next request with this method whose path and query contain `path`. An empty
    /// method or path is every one.
    #[must_use]
    pub fn on(method: &str, path: &str, action: Action) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), skip: 0, times: 1, action }
    }

    /// Lets so many matching requests pass first.
    #[must_use]
    pub fn skip(mut self, requests: usize) -> Self {
        self.skip = requests;
        self
    }

    /// Applies to so many matching requests.
    #[must_use]
    pub fn times(mut self, requests: usize) -> Self {
        self.times = requests;
        self
    }

    /// Applies to every matching request from now on.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Tells whether the fault is about such a request, whatever its count says.
    #[must_use]
    pub fn matches(&self, method: &str, path: &str) -> bool {
        (self.method.is_empty() || self.method == method) && path.contains(&self.path)
    }

    /// Counts a request, and returns what is to happen to it.
    pub(crate) fn strike(&mut self, method: &str, path: &str) -> Option<Action> {
        if self.times == 0 || !self.matches(method, path) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times -= 1;
        Some(self.action.clone())
    }
}

/// A request that has passed a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `GET`.
    pub method: String,
    /// The path with the query: `/v2/demo/manifests/v1`.
    pub path: String,
    /// The `Range` header, if there was one.
    pub range: Option<String>,
    /// Whether it had an `Authorization` header.
    pub authorized: bool,
    /// The answer's status; 0 if there was none.
    pub status: u16,
    /// How many bytes of body the client sent.
    pub sent: u64,
    /// How many bytes of body the client was given.
    pub received: u64,
}
