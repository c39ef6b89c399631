//! [`Upstream`]: the way from this machine to what is downloaded, as variables say it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use base64::Engine as _;

/// The variables that name proxies, in lower case; programs read them in upper case too.
const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];

/// The two schemes that are downloaded by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// A proxy of this machine's surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// The value of `Proxy-Authorization`, where the variable holds a name and a password.
    pub(super) credentials: Option<String>,
}

/// Which proxy leads where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Upstream {
    http: Option<Proxy>,
    https: Option<Proxy>,
    /// Hosts, and ends of their names, that are reached without.
    direct: Vec<String>,
    /// Hosts that the variables themselves name.
    named: BTreeSet<String>,
}

impl Upstream {
    /// Takes the variables that name proxies out of `env`: inside, another one is named.
    pub(super) fn take(env: &mut BTreeMap<OsString, OsString>) -> Upstream {
        let mut proxies = BTreeMap::new();
        for name in PROXIES {
            for spelled in [name.to_ascii_uppercase(), name.to_owned()] {
                if let Some(value) = env.remove(&OsString::from(spelled)) {
                    proxies.insert(name, value.to_string_lossy().into_owned());
                }
            }
        }
        let proxy = |name| proxies.get(name).or(proxies.get("all_proxy"));
        let direct = proxies.get("no_proxy").map_or("", String::as_str).split([',', ' ']);
        let urls = env.values().filter_map(|value| host_of(value.to_str()?));
        Upstream {
            http: proxy("http_proxy").and_then(|url| Proxy::parse(url)),
            https: proxy("https_proxy").and_then(|url| Proxy::parse(url)),
            direct: direct.filter(|name| !name.is_empty()).map(str::to_ascii_lowercase).collect(),
            named: urls.collect(),
        }
    }

    /// The proxy for `host`; `None` where it is reached directly.
    pub(super) fn proxy(&self, scheme: Scheme, host: &str) -> Option<&Proxy> {
        let host = host.to_ascii_lowercase();
        let within = |name: &String| {
            let name = name.trim_start_matches('.');
            name == "*" || host == name || host.ends_with(&format!(".{name}"))
        };
        if self.direct.iter().any(within) {
            return None;
        }
        match scheme {
            Scheme::Http => self.http.as_ref(),
            Scheme::Https => self.https.as_ref(),
        }
    }

    /// Whether a variable names `host`, such as an index on this machine itself.
    pub(super) fn names(&self, host: &str) -> bool {
        self.named.contains(&host.to_ascii_lowercase())
    }
}

impl Proxy {
    /// Reads a proxy that is spoken to without encryption; others are not known here.
    fn parse(url: &str) -> Option<Proxy> {
        let rest = match url.split_once("://") {
            Some(("http", rest)) => rest,
            Some(_) => return None,
            None => url,
        };
        let authority = rest.split(['/', '?', '#']).next()?;
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place, 80)?;
        let encoded = |user: &str| base64::engine::general_purpose::STANDARD.encode(decoded(user));
        let credentials = user.map(|user| format!("Basic {}", encoded(user)));
        Some(Proxy { host, port, credentials })
    }
}

/// `%41` is `A`.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        let code = more
            .get(..2)
            .and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        match code.filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => {
                bytes.push(first);
                rest = more;
            }
        }
    }
    bytes
}

/// The host in a URL, in lower case.
fn host_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#', ' ']).next()?;
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    host_and_port(place, 0).map(|(host, _)| host.to_ascii_lowercase())
}

/// Reads `host`, `host:port`, `[address]` or `[address]:port`.
pub(super) fn host_and_port(text: &str, port: u16) -> Option<(String, u16)> {
    let (host, after) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => match text.find(':') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        },
    };
    let port = match after.strip_prefix(':') {
        Some(digits) => digits.parse().ok()?,
        None if after.is_empty() => port,
        None => return None,
    };
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(env: &[(&str, &str)]) -> (Upstream, BTreeMap<OsString, OsString>) {
        let mut env = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        (Upstream::take(&mut env), env)
    }

    #[test]
    fn the_surroundings_proxies_lead_on_and_are_not_seen_inside() {
        let (way, rest) = upstream(&[
            ("http_proxy", "http://a%40b:c@proxy:3128/"),
            ("HTTPS_PROXY", "other"),
            ("no_proxy", "localhost,.example.org, 10.0.0.1"),
            ("PIP_INDEX_URL", "http://user:x@[::1]:3141/root"),
        ]);
        assert_eq!(rest.len(), 1);
        let credentials = Some("Basic YUBiOmM=".to_owned());
        let proxy = Proxy { host: "proxy".to_owned(), port: 3128, credentials };
        assert_eq!(way.proxy(Scheme::Http, "debian.example"), Some(&proxy));
        assert_eq!(way.proxy(Scheme::Https, "debian.example").unwrap().port, 80);
        for host in ["localhost", "EXAMPLE.org", "a.example.org", "10.0.0.1"] {
            assert_eq!(way.proxy(Scheme::Http, host), None, "{host}");
        }
        assert!(way.proxy(Scheme::Http, "notexample.org").is_some());
        assert!(way.names("::1") && !way.names("localhost"));
    }

    #[test]
    fn places_are_read_with_and_without_a_port() {
        for (text, wanted) in [
            ("host", Some(("host", 7))),
            ("host:80", Some(("host", 80))),
            ("[::1]", Some(("::1", 7))),
            ("[::1]:80", Some(("::1", 80))),
            (":80", None),
            ("host:x", None),
            ("[::1]80", None),
        ] {
            let wanted = wanted.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(host_and_port(text, 7), wanted, "{text}");
        }
    }
}
