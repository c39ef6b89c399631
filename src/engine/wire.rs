//! One request to the engine, and its answer.
//!
//! bollard keeps the connection, the error statuses and the upgraded streams. Its typed answers
//! are not used: they drop what they do not know, refuse an unknown word (Podman has some), and
//! read a body of any length into memory. So every request is written here, sent through
//! bollard, and its answer read with a limit. Paths carry the negotiated API version: an engine
//! that was exchanged for an older one in between then says so instead of answering differently.

use std::future::Future;
use std::io::{self, Read};
use std::sync::Mutex;
use std::time::Duration;

use bollard::{BollardRequest, Docker, body_full, body_try_stream};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use serde_json::Value;
use tokio::sync::mpsc;

use super::cancellation::cancellation;
use super::error::{About, EngineError, Object};
use super::stream::EngineReader;
use super::{Engine, LONG, SHORT};

/// Answers that are read whole. The largest honest one is the list of changes of a container
/// with a million changed files.
const ANSWER_LIMIT: usize = 512 << 20;

/// Size of the pieces a body is sent in.
const PIECE: usize = 256 << 10;

/// How long an empty answer is given, at the last, before it is asked for again.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A request's body.
enum Body {
    Whole(Bytes),
    Pieces(mpsc::Receiver<io::Result<Bytes>>),
}

/// A request that has not been sent yet.
pub(super) struct Call {
    method: &'static str,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Body,
    content_type: &'static str,
    patience: Duration,
    about: About,
}

impl Call {
    /// `method` on the path made of `segments`, each of them escaped.
    pub(super) fn new(
        method: &'static str,
        segments: &[&str],
        act: &'static str,
        object: Object,
    ) -> Result<Call, EngineError> {
        let mut path = String::new();
        for segment in segments {
            // An empty or a dot segment is taken out by the engine's router, and the request
            // then means something else: `/containers//json` is the list of all containers.
            if segment.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return Err(EngineError::NoSuch { object });
            }
            path.push('/');
            path.push_str(&percent_encoded(segment, Slash::Kept));
        }
        Ok(Call {
            method,
            path,
            query: vec![],
            body: Body::Whole(Bytes::new()),
            content_type: "application/json",
            patience: SHORT,
            about: About { act, object },
        })
    }

    pub(super) fn query(mut self, key: &'static str, value: impl Into<String>) -> Call {
        self.query.push((key, value.into()));
        self
    }

    pub(super) fn body(mut self, json: &Value) -> Call {
        self.body = Body::Whole(Bytes::from(json.to_string()));
        self
    }

    /// Waits up to an hour for the answer.
    pub(super) fn patient(mut self) -> Call {
        self.patience = LONG;
        self
    }

    pub(super) fn within(mut self, patience: Duration) -> Call {
        self.patience = patience;
        self
    }

    pub(super) fn about(&self) -> About {
        self.about.clone()
    }

    /// Sends the request. The first item is an error when the engine answers with an error
    /// status.
    fn send(
        self,
        docker: &Docker,
    ) -> impl Stream<Item = Result<Bytes, bollard::errors::Error>> + Send + Unpin + use<> {
        let mut target = format!("{}{}", version_prefix(docker), self.path);
        for (n, (key, value)) in self.query.iter().enumerate() {
            target.push(if n == 0 { '?' } else { '&' });
            target.push_str(&format!("{key}={}", percent_encoded(value, Slash::Escaped)));
        }
        let (method, content_type) = (self.method, self.content_type);
        // The modifier may be called once only, but its type says otherwise.
        let body = Mutex::new(Some(self.body));
        let docker = docker.clone().with_request_modifier(move |mut request| {
            aim(&mut request, &target);
            if let Ok(method) = method.parse() {
                *request.method_mut() = method;
            }
            if let Ok(value) = content_type.parse() {
                request.headers_mut().insert("content-type", value);
            }
            *request.body_mut() = match body.lock().ok().and_then(|mut body| body.take()) {
                Some(Body::Pieces(pieces)) => body_try_stream(received(pieces)),
                Some(Body::Whole(whole)) => body_full(whole),
                None => body_full(Bytes::new()),
            };
            request
        });
        // Any call of bollard's that answers with plain bytes would do.
        Box::pin(docker.export_container("regrow"))
    }
}

/// `/v1.41`: where the negotiated version of the API begins.
fn version_prefix(docker: &Docker) -> String {
    format!("/v{}", docker.client_version())
}

/// Exchanges the path and query of `request`, keeping the engine's address.
fn aim(request: &mut BollardRequest, target: &str) {
    let uri = request.uri();
    let address = format!(
        "{}://{}{target}",
        uri.scheme_str().unwrap_or("unix"),
        uri.authority().map_or("", |a| a.as_str())
    );
    if let Ok(uri) = address.parse() {
        *request.uri_mut() = uri;
    }
}

/// `docker`, with the version in the path of bollard's own requests too.
pub(super) fn versioned(docker: Docker) -> Docker {
    let prefix = version_prefix(&docker);
    docker.with_request_modifier(move |mut request| {
        let target = request.uri().path_and_query().map_or("/", |p| p.as_str()).to_owned();
        aim(&mut request, &format!("{prefix}{target}"));
        request
    })
}

fn received(pieces: mpsc::Receiver<io::Result<Bytes>>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(pieces, |mut pieces| async { pieces.recv().await.map(|p| (p, pieces)) })
}

#[derive(Clone, Copy, PartialEq)]
enum Slash {
    Kept,
    Escaped,
}

/// `text` with everything escaped that is not plainly harmless in a path or a query.
fn percent_encoded(text: &str, slash: Slash) -> String {
    let mut out = String::with_capacity(text.len());
    for &b in text.as_bytes() {
        let kept = b.is_ascii_alphanumeric()
            || b"-._~:@".contains(&b)
            || (b == b'/' && slash == Slash::Kept);
        if kept {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

impl Engine {
    /// Runs `work` to its end, to cancellation or for at most `patience`.
    pub(super) fn block<T>(
        &self,
        about: &About,
        patience: Duration,
        work: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let cancelled = self.cancelled.clone();
        self.runtime(about)?.block_on(async {
            tokio::select! {
                biased;
                error = cancellation(cancelled) => Err(error),
                result = tokio::time::timeout(patience, work) => {
                    result.unwrap_or_else(|_| Err(about.stalled(patience)))
                }
            }
        })
    }

    pub(super) fn runtime(&self, about: &About) -> Result<&tokio::runtime::Runtime, EngineError> {
        self.shared.runtime.as_ref().ok_or_else(|| about.unexpected("the connection is closed"))
    }

    pub(super) fn docker(&self) -> &Docker {
        &self.shared.docker
    }

    /// The whole body of the answer.
    pub(super) fn bytes(&self, call: Call) -> Result<Bytes, EngineError> {
        let (about, patience) = (call.about(), call.patience);
        self.block(&about, patience, whole(call.send(self.docker()), &about))
    }

    /// The answer as JSON.
    pub(super) fn json(&self, call: Call) -> Result<Value, EngineError> {
        let about = call.about();
        parsed(&self.bytes(call)?, &about)
    }

    /// The answer, a tar, as a stream; an error status is an error here, not of the first read.
    ///
    /// Podman, while it is still tidying up after a container that just ended, now and then
    /// answers a request for its files with nothing under status 200. It is asked again then.
    pub(super) fn reader(
        &self,
        call: impl Fn() -> Result<Call, EngineError>,
    ) -> Result<EngineReader, EngineError> {
        let mut pause = Duration::from_millis(50);
        loop {
            let call = call()?;
            let about = call.about();
            let mut pieces = call.send(self.docker());
            let first = self.block(&about, LONG, async {
                pieces.next().await.transpose().map_err(|e| about.engine(e))
            })?;
            match first {
                Some(first) => return EngineReader::new(self, about, first, pieces),
                None if pause > LONGEST_PAUSE => return Err(about.unexpected("it is empty")),
                None => self.block(&about, LONG, async {
                    tokio::time::sleep(pause).await;
                    Ok(())
                })?,
            }
            pause *= 2;
        }
    }

    /// Sends what `body` yields, and returns the whole answer. When `body` fails, the request is
    /// broken off, so that the engine never takes the part for the whole.
    pub(super) fn upload(&self, mut call: Call, body: &mut dyn Read) -> Result<Bytes, EngineError> {
        let about = call.about();
        let (sender, pieces) = mpsc::channel(4);
        call.body = Body::Pieces(pieces);
        call.content_type = "application/x-tar";
        let answer = call.send(self.docker());
        let task = {
            let about = about.clone();
            self.runtime(&about)?.spawn(async move { whole(answer, &about).await })
        };
        let outcome = self.feed(&about, &sender, body);
        drop(sender);
        if let Err(error) = outcome {
            task.abort();
            return Err(error);
        }
        self.block(&about, LONG, async { task.await.map_err(|e| about.unexpected(e.to_string()))? })
    }

    /// Moves `body` into `sender` piece by piece, until its end or until nobody listens.
    fn feed(
        &self,
        about: &About,
        sender: &mpsc::Sender<io::Result<Bytes>>,
        body: &mut dyn Read,
    ) -> Result<(), EngineError> {
        loop {
            let mut piece = BytesMut::zeroed(PIECE);
            let read = filled(body, &mut piece);
            let last = !matches!(read, Ok(PIECE));
            let (piece, failure) = match read {
                Ok(0) => return Ok(()),
                Ok(n) => (Ok(piece.split_to(n).freeze()), None),
                Err(e) => (Err(io::Error::from(e.kind())), Some(e)),
            };
            let listening = self
                .block(about, self.shared.stall, async { Ok(sender.send(piece).await.is_ok()) })?;
            if let Some(error) = failure {
                // Lets the broken body reach the connection before the request is dropped.
                let _ = self.block(about, Duration::from_secs(5), async {
                    sender.closed().await;
                    Ok(())
                });
                return Err(about.local("what was to be sent cannot be read", error));
            }
            if last || !listening {
                return Ok(());
            }
        }
    }
}

/// Reads until `piece` is full or `body` ends.
fn filled(body: &mut dyn Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < piece.len() {
        match body.read(&mut piece[n..]) {
            Ok(0) => break,
            Ok(more) => n += more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(n)
}

pub(super) fn parsed(bytes: &[u8], about: &About) -> Result<Value, EngineError> {
    serde_json::from_slice(bytes).map_err(|e| about.unexpected(format!("it is not JSON: {e}")))
}

async fn whole(
    mut pieces: impl Stream<Item = Result<Bytes, bollard::errors::Error>> + Unpin,
    about: &About,
) -> Result<Bytes, EngineError> {
    let mut answer = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|e| about.engine(e))?;
        if answer.len() + piece.len() > ANSWER_LIMIT {
            return Err(about.unexpected(format!("it is longer than {ANSWER_LIMIT} bytes")));
        }
        answer.extend_from_slice(&piece);
    }
    Ok(answer.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment_of_the_path() {
        let path = |name: &str| {
            Call::new("GET", &["images", name, "json"], "", Object::Engine).map(|call| call.path)
        };
        assert_eq!(path("localhost/a:b@c").unwrap(), "/images/localhost/a:b@c/json");
        assert_eq!(path("a?b#c%d é").unwrap(), "/images/a%3Fb%23c%25d%20%C3%A9/json");
        for hostile in ["", "..", "a/../b", "/a", "a//b", "."] {
            assert!(path(hostile).unwrap_err().is_absence(), "{hostile}");
        }
    }
}
