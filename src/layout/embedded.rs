//! The rules and migrations inside the binary: what it knows without any file beside it.

/// A rule file's name and text.
pub(super) const RULES: &[(&str, &str)] = &[
    ("alpine.yaml", include_str!("../../rules/alpine.yaml")),
    ("apache2.yaml", include_str!("../../rules/apache2.yaml")),
    ("arch.yaml", include_str!("../../rules/arch.yaml")),
    ("bind9.yaml", include_str!("../../rules/bind9.yaml")),
    ("cups.yaml", include_str!("../../rules/cups.yaml")),
    ("debian.yaml", include_str!("../../rules/debian.yaml")),
    ("exim4.yaml", include_str!("../../rules/exim4.yaml")),
    ("isc-dhcp-server.yaml", include_str!("../../rules/isc-dhcp-server.yaml")),
    ("java.yaml", include_str!("../../rules/java.yaml")),
    ("lighttpd.yaml", include_str!("../../rules/lighttpd.yaml")),
    ("mariadb.yaml", include_str!("../../rules/mariadb.yaml")),
    ("memcached.yaml", include_str!("../../rules/memcached.yaml")),
    ("nagios4.yaml", include_str!("../../rules/nagios4.yaml")),
    ("nginx.yaml", include_str!("../../rules/nginx.yaml")),
    ("ntp.yaml", include_str!("../../rules/ntp.yaml")),
    ("openssh.yaml", include_str!("../../rules/openssh.yaml")),
    ("php.yaml", include_str!("../../rules/php.yaml")),
    ("postfix.yaml", include_str!("../../rules/postfix.yaml")),
    ("postgresql.yaml", include_str!("../../rules/postgresql.yaml")),
    ("proftpd.yaml", include_str!("../../rules/proftpd.yaml")),
    ("rabbitmq.yaml", include_str!("../../rules/rabbitmq.yaml")),
    ("rpm.yaml", include_str!("../../rules/rpm.yaml")),
    ("ruby.yaml", include_str!("../../rules/ruby.yaml")),
    ("samba.yaml", include_str!("../../rules/samba.yaml")),
    ("squid.yaml", include_str!("../../rules/squid.yaml")),
    ("tomcat.yaml", include_str!("../../rules/tomcat.yaml")),
    ("varnish.yaml", include_str!("../../rules/varnish.yaml")),
];

/// A migration's number, name and SQL. Never edited once released; a change is a further one.
pub(super) const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "layout", include_str!("../../migrations-db/0001_layout.sql")),
    (2, "bodies", include_str!("../../migrations-db/0002_bodies.sql")),
    (5, "releases", include_str!("../../migrations-db/0005_releases.sql")),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> Vec<String> {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|n| n.into_string().unwrap()).collect();
        names.retain(|n| n.ends_with(".yaml") || n.ends_with(".sql"));
        names.sort();
        names
    }

    #[test]
    fn what_is_embedded_is_what_is_in_the_directories() {
        let rules: Vec<_> = RULES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(rules, directory("rules"));
        let migrations: Vec<_> =
            MIGRATIONS.iter().map(|(n, name, _)| format!("{n:04}_{name}.sql")).collect();
        assert_eq!(migrations, directory("migrations-db"));
    }
}
