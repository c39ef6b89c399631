//! What engines do wrong, done by a socket that plays one.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Engine, EngineError, Made, Staging};
use crate::failure::FailureKind;

/// How the played engine answers a request for `/containers/x/…`.
#[derive(Clone)]
enum Answer {
    /// These bytes, whole, and the end of the connection.
    Raw(Vec<u8>),
    /// These bytes, and then nothing, with the connection left open.
    Hanging(Vec<u8>),
    /// One after the other, and the last one from then on.
    Turns(Arc<Mutex<Vec<Vec<u8>>>>),
}

fn chunked(chunks: &[&[u8]], end: &str) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in chunks {
        answer.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(end.as_bytes());
    answer
}

fn plain(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn serve(stream: UnixStream, answer: &Answer) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut request, mut line) = (String::new(), String::new());
    reader.read_line(&mut request)?;
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
    }
    let mut stream = stream;
    let version = r#"{"Version":"1","ApiVersion":"1.41","Components":[]}"#;
    let bytes = match &request {
        r if r.contains("/_ping") => plain("200 OK", "OK"),
        r if r.contains("/version") => plain("200 OK", version),
        r if r.contains("/info") => plain("200 OK", r#"{"Driver":"played"}"#),
        _ => match answer {
            Answer::Raw(bytes) => bytes.clone(),
            Answer::Turns(turns) => {
                let mut turns = turns.lock().unwrap();
                if turns.len() > 1 { turns.remove(0) } else { turns[0].clone() }
            }
            Answer::Hanging(bytes) => {
                stream.write_all(bytes)?;
                return stream.read_to_end(&mut vec![]).map(drop);
            }
        },
    };
    stream.write_all(&bytes)
}

/// An engine that answers so, and is given half a second before it counts as standing still.
fn played(answer: Answer) -> (Engine, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || serve(stream, &answer));
        }
    });
    let mut engine = Engine::connect_to(&format!("unix://{}", socket.display())).unwrap();
    assert_eq!((engine.info().driver.as_str(), engine.info().api), ("played", (1, 41)));
    Arc::get_mut(&mut engine.shared).unwrap().stall = Duration::from_millis(500);
    (engine, dir)
}

/// Reads the whole export from an engine that answers so.
fn exported(answer: Answer) -> Result<Vec<u8>, EngineError> {
    let (engine, _dir) = played(answer);
    let mut bytes = vec![];
    match engine.export("x")?.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(error.downcast::<EngineError>().unwrap()),
    }
}

#[test]
fn a_whole_tar_arrives_whatever_its_pieces_are() {
    let tar = [vec![7; 512], vec![0; 1024]].concat();
    for cut in [1, 511, 513, 1000, 1535] {
        let answer = chunked(&[&tar[..cut], &tar[cut..]], "0\r\n\r\n");
        assert_eq!(exported(Answer::Raw(answer)).unwrap(), tar, "cut at {cut}");
    }
}

#[test]
fn a_tar_that_ends_too_early_is_an_error_even_if_the_stream_ends_in_order() {
    for chunks in [&[&[7_u8; 512][..]][..], &[&[7; 512], &[0; 512]], &[&[7; 100], &[0; 1024]]] {
        let error = exported(Answer::Raw(chunked(chunks, "0\r\n\r\n"))).unwrap_err();
        assert!(matches!(error, EngineError::Unexpected { .. }), "{error:?}");
    }
    let error = exported(Answer::Raw(chunked(&[], "0\r\n\r\n"))).unwrap_err();
    assert!(matches!(error, EngineError::Unexpected { .. }), "{error:?}");
}

#[test]
fn a_connection_that_breaks_is_an_error() {
    let answer = chunked(&[&[7; 512], &[0; 1024]], "");
    let error = exported(Answer::Raw(answer)).unwrap_err();
    assert!(matches!(error, EngineError::Lost { .. }), "{error:?}");
    let error = exported(Answer::Raw(b"HTTP/1.1 200".to_vec())).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Environment, "{error:?}");
}

#[test]
fn a_stream_that_stands_still_is_an_error() {
    let started = Instant::now();
    let error = exported(Answer::Hanging(chunked(&[&[7; 512]], ""))).unwrap_err();
    assert!(matches!(error, EngineError::Stalled { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_cancelled_call_ends_at_once() {
    let (engine, _dir) = played(Answer::Hanging(vec![]));
    let handle = engine.cancel_handle();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        handle.cancel(15);
    });
    let error = engine.container("x").unwrap_err();
    assert_eq!(error.kind(), FailureKind::Signal(15), "{error:?}");
}

#[test]
fn answers_that_make_no_sense_say_so() {
    for (status, body) in [
        ("200 OK", ""),
        ("200 OK", "<html>"),
        ("200 OK", r#"{"Id":"#),
        ("200 OK", "[1]"),
        ("200 OK", r#"{"Id":"x","Mounts":[{"Destination":"/../x"}]}"#),
        ("500 Internal Server Error", "<html>oops</html>"),
        ("302 Found", ""),
    ] {
        let (engine, _dir) = played(Answer::Raw(plain(status, body)));
        let error = engine.container("x").unwrap_err();
        assert_eq!(error.kind(), FailureKind::Environment, "{status} {body}: {error:?}");
    }
}

#[test]
fn a_removal_that_is_refused_is_tried_again_and_then_told() {
    let busy = plain("500 Internal Server Error", r#"{"message":"device or resource busy"}"#);
    let gone = plain("204 No Content", "");
    let staged = |answers: Vec<Vec<u8>>| {
        let (engine, dir) = played(Answer::Turns(Arc::new(Mutex::new(answers))));
        let staging = Staging::new(&engine, "x");
        staging.register(Made::Container("x".to_owned()));
        (staging, dir)
    };
    let (staging, _dir) = staged(vec![busy.clone(), busy.clone(), gone]);
    assert!(staging.discard().is_empty());

    let (staging, _dir) = staged(vec![busy]);
    let left: Vec<String> = staging.discard().iter().map(ToString::to_string).collect();
    assert_eq!(left.len(), 1);
    assert!(left[0].contains("container `x` is still there"), "{left:?}");
    assert!(left[0].contains("device or resource busy"), "{left:?}");
}
