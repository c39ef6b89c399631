//! [`Upstream`]: the way from this machine to what is downloaded, as variables say it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;

use base64::Engine as _;

/// The variables that name proxies, in lower case; programs read them in upper case too.
const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];

/// The two schemes that are downloaded by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// A proxy on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// The value of `Proxy-Authorization`, where the variable holds a name and a password.
    pub(super) credentials: Option<String>,
    /// Whether this machine's surroundings name it: it may stand on this machine itself then.
    pub(super) trusted: bool,
}

/// What a variable says of the way: to a proxy, to one that is not understood, or nothing.
type Way = Option<Result<Proxy, String>>;

/// Which proxy leads where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Upstream {
    http: Way,
    https: Way,
    /// Hosts, and ends of their names, that are reached without.
    direct: Vec<String>,
    /// Hosts and ports that the variables themselves name.
    named: BTreeSet<(String, u16)>,
}

impl Upstream {
    /// Takes the variables that name proxies out of `env`: inside, another one is named. What the
    /// `surroundings` of this machine say counts before it, and what either reaches without a proxy
    /// is reached without.
    pub(super) fn take(
        env: &mut BTreeMap<OsString, OsString>,
        surroundings: &BTreeMap<OsString, OsString>,
    ) -> Upstream {
        let (own, lent) = (said(env), said(surroundings));
        env.retain(|name, _| !PROXIES.iter().any(|known| name.eq_ignore_ascii_case(known)));
        let proxy = |name| {
            let of = |said: &BTreeMap<&str, String>| {
                let url = said.get(name).or(said.get("all_proxy"))?.trim().to_owned();
                Some(url).filter(|url| !url.is_empty())
            };
            let parsed = |url: String, trusted| Proxy::parse(&url, trusted).ok_or(url);
            let lent = of(&lent).map(|url| parsed(url, true));
            lent.or_else(|| of(&own).map(|url| parsed(url, false)))
        };
        let direct = [&own, &lent].into_iter().filter_map(|said| said.get("no_proxy"));
        let direct = direct.flat_map(|names| names.split([',', ' ']));
        let urls = env.values().filter_map(|value| place_of(value.to_str()?));
        Upstream {
            http: proxy("http_proxy"),
            https: proxy("https_proxy"),
            direct: direct.filter(|name| !name.is_empty()).map(str::to_ascii_lowercase).collect(),
            named: urls.collect(),
        }
    }

    /// The proxy for `host`; `None` where it is reached directly.
    ///
    /// # Errors
    /// The variable names a proxy of a kind that is not known here: going without it would be
    /// another way than the one that was asked for.
    pub(super) fn proxy(&self, scheme: Scheme, host: &str) -> io::Result<Option<&Proxy>> {
        let host = host.to_ascii_lowercase();
        let within = |name: &String| {
            let name = name.trim_start_matches('.');
            name == "*" || host == name || host.ends_with(&format!(".{name}"))
        };
        if self.direct.iter().any(within) {
            return Ok(None);
        }
        let way = match scheme {
            Scheme::Http => &self.http,
            Scheme::Https => &self.https,
        };
        match way {
            None => Ok(None),
            Some(Ok(proxy)) => Ok(Some(proxy)),
            // Its text may hold a password.
            Some(Err(_)) => {
                Err(io::Error::other("the proxy of the environment is none of http://"))
            }
        }
    }

    /// Whether a variable names this place, such as an index on this machine itself.
    pub(super) fn names(&self, host: &str, port: u16) -> bool {
        self.named.contains(&(host.to_ascii_lowercase(), port))
    }
}

/// What `env` says of proxies, by the names in lower case.
fn said(env: &BTreeMap<OsString, OsString>) -> BTreeMap<&'static str, String> {
    let spelled = |name: &'static str| [(name, name.to_ascii_uppercase()), (name, name.to_owned())];
    let set = PROXIES.into_iter().flat_map(spelled).filter_map(|(name, spelled)| {
        Some((name, env.get(&OsString::from(spelled))?.to_string_lossy().into_owned()))
    });
    set.collect()
}

impl Proxy {
    /// Reads a proxy that is spoken to without encryption; others are not known here.
    fn parse(url: &str, trusted: bool) -> Option<Proxy> {
        let rest = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
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
        Some(Proxy { host, port, credentials, trusted })
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

/// The host in a URL, in lower case, and the port that it means.
fn place_of(url: &str) -> Option<(String, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let usual = if scheme.eq_ignore_ascii_case("http") { 80 } else { 443 };
    let authority = rest.split(['/', '?', '#', ' ']).next()?;
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    host_and_port(place, usual).map(|(host, port)| (host.to_ascii_lowercase(), port))
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
        (Upstream::take(&mut env, &BTreeMap::new()), env)
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
        let proxy = Proxy { host: "proxy".to_owned(), port: 3128, credentials, trusted: false };
        assert_eq!(way.proxy(Scheme::Http, "debian.example").unwrap(), Some(&proxy));
        assert_eq!(way.proxy(Scheme::Https, "debian.example").unwrap().unwrap().port, 80);
        for host in ["localhost", "EXAMPLE.org", "a.example.org", "10.0.0.1"] {
            assert_eq!(way.proxy(Scheme::Http, host).unwrap(), None, "{host}");
        }
        assert!(way.proxy(Scheme::Http, "notexample.org").unwrap().is_some());
        assert!(way.names("::1", 3141) && !way.names("::1", 22) && !way.names("localhost", 3141));
    }

    #[test]
    fn the_surroundings_way_counts_before_the_systems_own() {
        let vars = |vars: &[(&str, &str)]| -> BTreeMap<OsString, OsString> {
            vars.iter().map(|(name, value)| (name.into(), value.into())).collect()
        };
        let mut env = vars(&[("http_proxy", "http://theirs"), ("no_proxy", "a.example")]);
        let lent = vars(&[("HTTP_PROXY", "http://ours"), ("NO_PROXY", "b.example")]);
        let way = Upstream::take(&mut env, &lent);
        assert_eq!(env.len(), 0);
        let ours = way.proxy(Scheme::Http, "c.example").unwrap().unwrap();
        assert_eq!((ours.host.as_str(), ours.trusted), ("ours", true));
        for host in ["a.example", "b.example"] {
            assert_eq!(way.proxy(Scheme::Http, host).unwrap(), None);
        }
        let mut env = vars(&[("https_proxy", "http://theirs")]);
        let way = Upstream::take(&mut env, &lent);
        assert!(!way.proxy(Scheme::Https, "c.example").unwrap().unwrap().trusted);
    }

    #[test]
    fn a_proxy_that_is_not_understood_is_no_reason_to_go_without() {
        for url in ["https://proxy:3128", "socks5://proxy", "http://proxy:x"] {
            let (way, _) = upstream(&[("http_proxy", url)]);
            assert!(way.proxy(Scheme::Http, "debian.example").is_err(), "{url}");
            assert_eq!(way.proxy(Scheme::Https, "debian.example").unwrap(), None);
        }
        let (way, _) = upstream(&[("http_proxy", ""), ("https_proxy", "HTTP://proxy")]);
        assert_eq!(way.proxy(Scheme::Http, "debian.example").unwrap(), None);
        assert!(way.proxy(Scheme::Https, "debian.example").unwrap().is_some());
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
