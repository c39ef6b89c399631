//! [`Downloads`]: how this machine reaches what is downloaded, for the commands that do.

use std::path::PathBuf;

/// Variables that say where packages come from and how to get there.
const VARIABLES: &[&str] = &[
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "PIP_DEFAULT_TIMEOUT",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];

/// Variables that name a file of certificate authorities; the first that is set counts.
const AUTHORITIES: &[&str] = &["PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"];

/// How this machine reaches what is downloaded. A new system knows nothing of it: it is lent to the
/// commands that download, and is no part of the result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Downloads {
    /// A file of certificate authorities to trust.
    pub authorities: Option<PathBuf>,
    /// Names and values.
    pub variables: Vec<(String, String)>,
}

impl Downloads {
    /// What `environment` says of it.
    pub fn of(environment: impl Fn(&str) -> Option<String>) -> Downloads {
        let set = |name: &&str| environment(name).filter(|value| !value.is_empty());
        Downloads {
            authorities: AUTHORITIES.iter().find_map(set).map(PathBuf::from),
            variables: VARIABLES
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), set(name)?)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_leads_to_downloads_is_lent() {
        let set = [
            ("SSL_CERT_FILE", "/etc/ca.pem"),
            ("PIP_CERT", ""),
            ("https_proxy", "http://proxy:3128"),
            ("HOME", "/root"),
        ];
        let lent = Downloads::of(|name| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        });
        assert_eq!(lent.authorities, Some(PathBuf::from("/etc/ca.pem")));
        assert_eq!(lent.variables, [("https_proxy".to_owned(), "http://proxy:3128".to_owned())]);
    }
}
