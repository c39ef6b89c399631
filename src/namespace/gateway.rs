//! [`Gateway`]: the one way out of a network without any, for commands that download.
//!
//! The socket it listens on lies in the command's network, the connections it makes lie in the
//! host's. To the command it is an HTTP proxy: it asks for a URL, or for a connection to a host and
//! port that it speaks through by itself, mostly with TLS. Names are resolved out here. Nothing but
//! such connections passes, and none to this machine itself, unless a variable that was given to
//! the command names it: what listens on a host's own addresses often asks nobody who he is. A
//! proxy there is another matter: only this machine's surroundings can name one.
//!
//! When the command is over, whatever is waited for here is over within a moment.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::upstream::{Proxy, Scheme, Upstream, host_and_port};

/// Connections at a time.
const MOST: usize = 64;
/// The longest head of a request.
const HEAD: usize = 64 * 1024;
/// How long a connection may take to be made, and how long nothing may come through it.
const CONNECT: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(300);
/// How long a client may take to close what it was told the end of.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often it is looked whether all is over, and whether somebody waits.
const GLANCE: Duration = Duration::from_millis(250);
const PAUSE: Duration = Duration::from_millis(3);

const OWN_PROXY: &str = "the proxy that the root's own settings name is this machine itself, which \
     is not reached from inside the root: set http_proxy for regrow, if that is the way";
const OWN: &str = "this machine itself is not reached from inside the root";

/// A proxy for one run.
#[derive(Debug)]
pub(super) struct Gateway {
    listener: TcpListener,
    upstream: Upstream,
}

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    scheme: Scheme,
    host: String,
    port: u16,
    /// The request line, as a proxy gets it and as the server itself gets it.
    absolute: String,
    origin: String,
    /// The other lines, those about this connection left out.
    headers: Vec<String>,
}

/// How long a connection is waited for, whichever way its bytes go.
struct Wait<'a> {
    over: &'a AtomicBool,
    idle: Duration,
    /// When the last byte came or went, in either direction.
    last: Mutex<Instant>,
}

impl<'a> Wait<'a> {
    fn new(over: &'a AtomicBool, idle: Duration) -> Wait<'a> {
        Wait { over, idle, last: Mutex::new(Instant::now()) }
    }

    fn renew(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn has_ended(&self) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        self.over.load(Ordering::SeqCst) || last.elapsed() >= self.idle
    }
}

/// Says that all is over when it is dropped, be it by a panic.
pub(super) struct Ending<'a>(pub(super) &'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// One open connection of those that are counted.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Gateway {
    /// Listens in the network of the current thread.
    pub(super) fn open(upstream: Upstream) -> io::Result<Gateway> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Gateway { listener, upstream })
    }

    /// How a client inside names it.
    pub(super) fn url(&self) -> io::Result<String> {
        Ok(format!("http://{}", self.listener.local_addr()?))
    }

    /// Serves clients, with connections in the network of the current thread, until it is `over`.
    pub(super) fn serve(&self, over: &AtomicBool) {
        let open = AtomicUsize::new(0);
        thread::scope(|scope| {
            while !over.load(Ordering::SeqCst) {
                let full = open.load(Ordering::SeqCst) >= MOST;
                let Some((client, _)) = self.listener.accept().ok().filter(|_| !full) else {
                    thread::sleep(PAUSE);
                    continue;
                };
                open.fetch_add(1, Ordering::SeqCst);
                let counted = Counted(&open);
                // A client that gets no answer, for want of a thread too, says so itself.
                let _ = thread::Builder::new().spawn_scoped(scope, move || {
                    let _counted = counted;
                    let _ = self.answer(&client, over);
                });
            }
        });
    }

    fn answer(&self, client: &TcpStream, over: &AtomicBool) -> io::Result<()> {
        prepare(client)?;
        let (asked, rest) = head(client, &Wait::new(over, IDLE))?;
        let asked =
            Request::parse(&asked).ok_or(("400", "this is no request to a proxy".to_owned()));
        let server = asked.and_then(|request| match self.connect(&request, over) {
            Ok(server) => Ok((request, server)),
            Err(error) => Err(("502", error.to_string())),
        });
        let (request, (server, proxy)) = match server {
            Ok(reached) => reached,
            Err((code, why)) => {
                let why = why.replace(['\r', '\n'], " ");
                let answer = format!(
                    "HTTP/1.1 {code} {why}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
                send(client, answer.as_bytes(), &Wait::new(over, CONNECT))?;
                return farewell(client, over);
            }
        };
        prepare(&server)?;
        let wait = Wait::new(over, IDLE);
        if request.scheme == Scheme::Http || proxy.is_some() {
            send(&server, request.text(proxy).as_bytes(), &wait)?;
        } else {
            send(client, b"HTTP/1.1 200 Connection established\r\n\r\n", &wait)?;
        }
        if request.scheme == Scheme::Http {
            // Further requests of this connection are asked again by the client on a new one.
            pour(&server, client, &wait)?;
            return farewell(client, over);
        }
        if proxy.is_some() {
            // Behind a refusal nobody but the proxy itself would be spoken to.
            let (answer, early) = head(&server, &wait)?;
            send(client, &[&answer[..], b"\r\n\r\n", &early].concat(), &wait)?;
            if !is_granted(&answer) {
                return farewell(client, over);
            }
        }
        send(&server, &rest, &wait)?;
        tunnel(client, &server, &wait)
    }

    /// A connection to what is asked for, or to the proxy on the way there.
    fn connect(
        &self,
        request: &Request,
        over: &AtomicBool,
    ) -> io::Result<(TcpStream, Option<&Proxy>)> {
        let named = self.upstream.names(&request.host, request.port);
        let proxy = self.upstream.proxy(request.scheme, &request.host)?;
        // A proxy may stand on this machine, and would be asked for it.
        if !named && means_this_machine(&request.host) {
            return Err(io::Error::other(OWN));
        }
        let (host, port) = match proxy {
            Some(proxy) => (proxy.host.as_str(), proxy.port),
            None => (request.host.as_str(), request.port),
        };
        let trusted = proxy.map_or(named, |proxy| proxy.trusted);
        let own = if proxy.is_some() { OWN_PROXY } else { OWN };
        let mut last = io::Error::other(format!("{host} has no address"));
        for address in addresses(host, port, &Wait::new(over, CONNECT))? {
            if !trusted && is_own(address.ip()) {
                last = io::Error::other(own);
                continue;
            }
            let server = match reach(&address, &Wait::new(over, CONNECT)) {
                Ok(server) => server,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            // Any other address of this machine answers from itself.
            if trusted || server.local_addr()?.ip() != server.peer_addr()?.ip() {
                return Ok((server, proxy));
            }
            last = io::Error::other(own);
        }
        Err(last)
    }
}

/// The addresses of a name. The resolver may take its time by itself; it is not waited for longer.
fn addresses(host: &str, port: u16, wait: &Wait) -> io::Result<Vec<SocketAddr>> {
    let (sender, receiver) = mpsc::channel();
    let place = (host.to_owned(), port);
    thread::Builder::new().spawn(move || {
        // Nobody may be waiting any more.
        let _ = sender.send(place.to_socket_addrs().map(Iterator::collect));
    })?;
    while !wait.has_ended() {
        match receiver.recv_timeout(GLANCE) {
            Ok(found) => return found,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Err(ErrorKind::TimedOut.into())
}

/// A connection to `address`.
fn reach(address: &SocketAddr, wait: &Wait) -> io::Result<TcpStream> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = TcpStream::from(socket_with(family, SocketType::STREAM, flags, None)?);
    match rustix::net::connect(&socket, address) {
        Ok(()) => return Ok(socket),
        Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    while !wait.has_ended() {
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        // It has a peer as soon as it is connected.
        if socket.peer_addr().is_ok() {
            return Ok(socket);
        }
        thread::sleep(PAUSE);
    }
    Err(ErrorKind::TimedOut.into())
}

/// Whether `host` is this machine by its very name, in any way in which an address can be written.
fn means_this_machine(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if let Ok(address) = host.parse() {
        return is_own(address);
    }
    // The C library reads 127.1, 2130706433 and 0x7f000001 as addresses too; no name looks so.
    let last = host.rsplit('.').next().unwrap_or_default();
    let number = last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit());
    host == "localhost" || host.ends_with(".localhost") || number
}

/// Whether `address` is of this machine or of its very link, where metadata services are.
fn is_own(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local(),
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(GLANCE))?;
    stream.set_write_timeout(Some(GLANCE))?;
    stream.set_nodelay(true)
}

/// What comes next from `from`, nothing at its end; an error when it takes too long or all is over.
fn receive(mut from: &TcpStream, buffer: &mut [u8], wait: &Wait) -> io::Result<usize> {
    while !wait.has_ended() {
        match from.read(buffer) {
            Err(e) if is_waiting(&e) => {}
            done => {
                wait.renew();
                return done;
            }
        }
    }
    Err(ErrorKind::TimedOut.into())
}

/// Sends all of `bytes`; an error when nothing goes for too long or all is over.
fn send(mut to: &TcpStream, mut bytes: &[u8], wait: &Wait) -> io::Result<()> {
    while !bytes.is_empty() {
        if wait.has_ended() {
            return Err(ErrorKind::TimedOut.into());
        }
        match to.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => {
                wait.renew();
                bytes = bytes.get(count..).unwrap_or_default();
            }
            Err(e) if is_waiting(&e) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Whether a call ended only because it took longer than a glance.
fn is_waiting(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// The head of a request, without its last line, and what came behind it.
fn head(client: &TcpStream, wait: &Wait) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = got.split_off(end + 4);
            got.truncate(end);
            return Ok((got, rest));
        }
        let count = receive(client, &mut buffer, wait)?;
        if count == 0 || got.len() > HEAD {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        got.extend_from_slice(&buffer[..count]);
    }
}

/// Whether the head of an answer, `HTTP/1.1 200 …`, says yes.
fn is_granted(head: &[u8]) -> bool {
    head.split(|&b| b == b' ').nth(1).is_some_and(|code| code.starts_with(b"2"))
}

/// Carries bytes both ways. A direction may be silent for as long as the other is not.
fn tunnel(client: &TcpStream, server: &TcpStream, wait: &Wait) -> io::Result<()> {
    thread::scope(|scope| {
        scope.spawn(|| pour(client, server, wait));
        pour(server, client, wait)
    })
}

/// Carries everything from `from` to `to`, its end too. Waiting in vain is no end.
fn pour(from: &TcpStream, to: &TcpStream, wait: &Wait) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut carry = || -> io::Result<()> {
        loop {
            match receive(from, &mut buffer, wait)? {
                0 => return Ok(()),
                count => send(to, &buffer[..count], wait)?,
            }
        }
    };
    match carry() {
        Err(error) if error.kind() == ErrorKind::TimedOut => Err(error),
        carried => to.shutdown(Shutdown::Write).and(carried),
    }
}

/// Whether all programs read the same host in it.
fn is_plain(host: &str) -> bool {
    host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c))
}

/// Waits until the client has read all: closing on what it still sends would take that from it.
fn farewell(client: &TcpStream, over: &AtomicBool) -> io::Result<()> {
    // It may be shut down already.
    let _ = client.shutdown(Shutdown::Write);
    let began = Instant::now();
    let mut buffer = [0; 4096];
    client.set_read_timeout(Some(GLANCE))?;
    while began.elapsed() < FAREWELL && !over.load(Ordering::SeqCst) {
        match (&*client).read(&mut buffer) {
            Ok(0) => break,
            Err(e) if !is_waiting(&e) => break,
            _ => {}
        }
    }
    Ok(())
}

impl Request {
    fn parse(head: &[u8]) -> Option<Request> {
        let text = std::str::from_utf8(head).ok()?;
        let mut lines = text.split("\r\n");
        // What one program takes for the end of a line and another does not hides a request.
        if lines.clone().any(|line| line.contains(['\r', '\n'])) {
            return None;
        }
        let first = lines.next()?;
        let mut words = first.split(' ');
        let (method, asked, version) = (words.next()?, words.next()?, words.next()?);
        let own = ["connection", "proxy-connection", "proxy-authorization", "keep-alive"];
        let about_us = |line: &str| {
            let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
            own.contains(&name.as_str())
        };
        let headers = lines.filter(|line| !about_us(line)).map(str::to_owned).collect();
        let absolute = first.to_owned();
        if method == "CONNECT" {
            let (host, port) = host_and_port(asked, 443).filter(|(host, _)| is_plain(host))?;
            let origin = String::new();
            return Some(Request { scheme: Scheme::Https, host, port, absolute, origin, headers });
        }
        // What is downloaded has no body to send.
        if !["GET", "HEAD"].contains(&method) {
            return None;
        }
        let rest = asked.strip_prefix("http://")?;
        let (place, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (host, port) = host_and_port(place.rsplit('@').next()?, 80)?;
        if !is_plain(&host) {
            return None;
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        let origin = format!("{method} {slash}{path} {version}");
        Some(Request { scheme: Scheme::Http, host, port, absolute, origin, headers })
    }

    /// The request as the next one on its way gets it.
    fn text(&self, proxy: Option<&Proxy>) -> String {
        let first = if proxy.is_some() { &self.absolute } else { &self.origin };
        let mut lines = vec![first.clone()];
        lines.extend(self.headers.iter().cloned());
        if self.scheme == Scheme::Http {
            lines.push("Connection: close".to_owned());
        }
        let credentials = proxy.and_then(|proxy| proxy.credentials.as_ref());
        lines.extend(credentials.map(|value| format!("Proxy-Authorization: {value}")));
        lines.join("\r\n") + "\r\n\r\n"
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;
    use std::sync::Arc;

    use super::*;

    /// A server that answers one request with `answer` and returns what it was asked.
    fn server(answer: &'static [u8]) -> (u16, thread::JoinHandle<String>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            let (head, rest) = head(&client, &Wait::new(&AtomicBool::new(false), IDLE)).unwrap();
            (&client).write_all(answer).unwrap();
            let mut text = String::from_utf8([head, rest].concat()).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            (&client).read_to_string(&mut text).unwrap();
            text
        });
        (port, served)
    }

    fn gateway(surroundings: &[(&str, String)], env: &[(&str, String)]) -> Gateway {
        let vars = |vars: &[(&str, String)]| -> BTreeMap<OsString, OsString> {
            vars.iter().map(|(name, value)| (name.into(), value.into())).collect()
        };
        Gateway::open(Upstream::take(&mut vars(env), &vars(surroundings))).unwrap()
    }

    /// What the client gets that sends `request` to a gateway with these variables, which are also
    /// those of the surroundings.
    fn ask(env: &[(&str, String)], request: &str) -> String {
        ask_from(env, env, request)
    }

    /// The same with variables of this machine's surroundings.
    fn ask_from(surroundings: &[(&str, String)], env: &[(&str, String)], request: &str) -> String {
        let gateway = gateway(surroundings, env);
        let address = gateway.listener.local_addr().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let serving = thread::spawn(move || gateway.serve(&stop));
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        over.store(true, Ordering::SeqCst);
        serving.join().unwrap();
        answer
    }

    #[test]
    fn a_url_is_fetched_from_a_host_that_a_variable_names() {
        let (port, served) = server(b"HTTP/1.1 200 OK\r\n\r\nbody");
        let index = ("PIP_INDEX_URL", format!("http://127.0.0.1:{port}/"));
        let request = format!(
            "GET http://127.0.0.1:{port}/a?b HTTP/1.1\r\nHost: x\r\nProxy-Connection: y\r\n\r\nGET more"
        );
        assert_eq!(ask(&[index], &request), "HTTP/1.1 200 OK\r\n\r\nbody");
        assert_eq!(served.join().unwrap(), "GET /a?b HTTP/1.1\r\nHost: x\r\nConnection: close");
    }

    #[test]
    fn a_connection_carries_bytes_both_ways() {
        let (port, served) = server(b"answer");
        let index = ("PIP_INDEX_URL", format!("https://127.0.0.1:{port}/"));
        let request = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\nhello\r\n\r\nworld");
        let answer = ask(&[index], &request);
        assert_eq!(answer, "HTTP/1.1 200 Connection established\r\n\r\nanswer");
        assert_eq!(served.join().unwrap(), "helloworld");
    }

    /// The two ends of a connection.
    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        near.set_read_timeout(Some(FAREWELL)).unwrap();
        prepare(&far).unwrap();
        (near, far)
    }

    #[test]
    fn a_client_may_be_silent_for_as_long_as_the_server_sends() {
        let ((client, inner), (mut server, outer)) = (connection(), connection());
        let over = AtomicBool::new(false);
        let wait = Wait::new(&over, Duration::from_secs(1));
        thread::scope(|scope| {
            scope.spawn(|| tunnel(&inner, &outer, &wait).unwrap());
            for _ in 0..15 {
                thread::sleep(Duration::from_millis(100));
                server.write_all(b".").unwrap();
            }
            (&client).write_all(b"thanks").unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            let mut heard = String::new();
            server.read_to_string(&mut heard).unwrap();
            server.shutdown(Shutdown::Write).unwrap();
            assert_eq!(heard, "thanks");
        });
    }

    #[test]
    fn a_connection_that_is_silent_both_ways_is_given_up() {
        let ((_client, inner), (_server, outer)) = (connection(), connection());
        let over = AtomicBool::new(false);
        let wait = Wait::new(&over, Duration::from_millis(300));
        let given_up = tunnel(&inner, &outer, &wait).unwrap_err();
        assert_eq!(given_up.kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn a_proxy_of_the_surroundings_gets_the_request_as_it_is() {
        let (port, served) = server(b"HTTP/1.1 200 OK\r\n\r\n");
        let proxy = ("http_proxy", format!("http://me:pw@127.0.0.1:{port}"));
        ask(&[proxy], "GET http://debian.example/x HTTP/1.1\r\nHost: debian.example\r\n\r\n");
        assert_eq!(
            served.join().unwrap(),
            "GET http://debian.example/x HTTP/1.1\r\nHost: debian.example\r\n\
             Connection: close\r\nProxy-Authorization: Basic bWU6cHc="
        );
    }

    #[test]
    fn this_machine_and_what_is_no_download_are_refused() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "169.254.169.254"] {
            let answer = ask(&[], &format!("CONNECT {host}:{port} HTTP/1.1\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 502 this machine itself"), "{host}: {answer}");
        }
        for request in ["GET / HTTP/1.1", "POST http://a/ HTTP/1.1", "nonsense"] {
            let answer = ask(&[], &format!("{request}\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 400 "), "{request}: {answer}");
        }
        let smuggled = ask(&[], "GET http://a/ HTTP/1.1\r\nA: b\nGET http://b/ HTTP/1.1\r\n\r\n");
        assert!(smuggled.starts_with("HTTP/1.1 400 "), "{smuggled}");
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err());
    }

    #[test]
    fn a_proxy_on_this_machine_is_used_only_when_its_surroundings_name_it() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let env = ["http_proxy", "https_proxy"].map(|name| (name, proxy.clone()));
        for request in ["GET http://a.example/ HTTP/1.1", "CONNECT a.example:443 HTTP/1.1"] {
            let answer = ask_from(&[], &env, &format!("{request}\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 502 the proxy that the root's"), "{answer}");
        }
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err());
    }

    /// A place where connections are neither made nor refused, for as long as the sockets are held.
    fn deaf() -> (SocketAddr, impl Sized) {
        let none = rustix::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &none).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().unwrap();
        let over = AtomicBool::new(false);
        let wait = || Wait::new(&over, Duration::from_millis(300));
        let waiting: Vec<TcpStream> = (0..4).map_while(|_| reach(&address, &wait()).ok()).collect();
        assert!(waiting.len() < 4, "the queue of a listener is not limited here");
        (address, (listener, waiting))
    }

    #[test]
    fn a_connection_under_way_does_not_hold_up_the_end() {
        let (address, _held) = deaf();
        let gateway = gateway(&[], &[("PIP_INDEX_URL", format!("http://{address}/"))]);
        let at = gateway.listener.local_addr().unwrap();
        let over = AtomicBool::new(false);
        let mut client = TcpStream::connect(at).unwrap();
        write!(client, "GET http://{address}/ HTTP/1.1\r\n\r\n").unwrap();
        let mut ended = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| gateway.serve(&over));
            thread::sleep(Duration::from_millis(500));
            ended = Instant::now();
            over.store(true, Ordering::SeqCst);
        });
        assert!(ended.elapsed() < Duration::from_secs(10), "{:?}", ended.elapsed());
    }

    #[test]
    fn a_reader_that_does_not_read_does_not_hold_up_the_end() {
        let (_client, inner) = connection();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let sending = scope.spawn(|| {
                let much = vec![0; 64 << 20];
                send(&inner, &much, &Wait::new(&over, IDLE)).unwrap_err().kind()
            });
            thread::sleep(Duration::from_millis(300));
            let ended = Instant::now();
            over.store(true, Ordering::SeqCst);
            assert_eq!(sending.join().unwrap(), ErrorKind::TimedOut);
            assert!(ended.elapsed() < Duration::from_secs(10), "{:?}", ended.elapsed());
        });
    }

    #[test]
    fn a_panic_is_an_end_too() {
        let gateway = gateway(&[], &[]);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let panicked = scope.spawn(|| {
                let _ends = Ending(&over);
                std::panic::resume_unwind(Box::new("as a bug would"));
            });
            gateway.serve(&over);
            assert!(panicked.join().is_err());
        });
    }

    #[test]
    fn a_proxy_of_the_surroundings_is_not_asked_for_this_machine() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        for place in [
            "127.0.0.1",
            "127.1",
            "0x7f000001",
            "2130706433",
            "LOCALHOST.",
            "a.localhost:22",
            "[::1]",
        ] {
            let env = ["http_proxy", "https_proxy"].map(|name| (name, proxy.clone()));
            let fetched = ask(&env, &format!("GET http://{place}/ HTTP/1.1\r\n\r\n"));
            let hidden = ask(&env, &format!("GET http://{place}?@a/ HTTP/1.1\r\n\r\n"));
            let through = ask(&env, &format!("CONNECT {place} HTTP/1.1\r\n\r\n"));
            for answer in [fetched, hidden, through] {
                assert!(
                    answer.starts_with("HTTP/1.1 502 this machine itself"),
                    "{place}: {answer}"
                );
            }
        }
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err());
    }

    #[test]
    fn behind_a_refusal_of_a_proxy_nothing_more_is_said_to_it() {
        let (port, served) = server(b"HTTP/1.1 403 no\r\n\r\n");
        let proxy = ("https_proxy", format!("http://127.0.0.1:{port}"));
        let request =
            "CONNECT a.example:443 HTTP/1.1\r\n\r\nGET http://127.0.0.1/ HTTP/1.1\r\n\r\n";
        assert_eq!(ask(&[proxy], request), "HTTP/1.1 403 no\r\n\r\n");
        assert_eq!(served.join().unwrap(), "CONNECT a.example:443 HTTP/1.1");
    }
}
