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
    ("ldap-utils.yaml", include_str!("../../rules/ldap-utils.yaml")),
    ("lighttpd.yaml", include_str!("../../rules/lighttpd.yaml")),
    ("mariadb.yaml", include_str!("../../rules/mariadb.yaml")),
    ("memcached.yaml", include_str!("../../rules/memcached.yaml")),
    ("nagios4.yaml", include_str!("../../rules/nagios4.yaml")),
    ("nginx.yaml", include_str!("../../rules/nginx.yaml")),
    ("ntp.yaml", include_str!("../../rules/ntp.yaml")),
    ("openssh.yaml", include_str!("../../rules/openssh.yaml")),
    ("openssl.yaml", include_str!("../../rules/openssl.yaml")),
    ("php.yaml", include_str!("../../rules/php.yaml")),
    ("postfix.yaml", include_str!("../../rules/postfix.yaml")),
    ("postgresql.yaml", include_str!("../../rules/postgresql.yaml")),
    ("proftpd.yaml", include_str!("../../rules/proftpd.yaml")),
    ("python.yaml", include_str!("../../rules/python.yaml")),
    ("rabbitmq.yaml", include_str!("../../rules/rabbitmq.yaml")),
    ("redis.yaml", include_str!("../../rules/redis.yaml")),
    ("rpm.yaml", include_str!("../../rules/rpm.yaml")),
    ("ruby.yaml", include_str!("../../rules/ruby.yaml")),
    ("samba.yaml", include_str!("../../rules/samba.yaml")),
    ("secrets.yaml", include_str!("../../rules/secrets.yaml")),
    ("slapd.yaml", include_str!("../../rules/slapd.yaml")),
    ("squid.yaml", include_str!("../../rules/squid.yaml")),
    ("tomcat-tree.yaml", include_str!("../../rules/tomcat-tree.yaml")),
    ("tomcat.yaml", include_str!("../../rules/tomcat.yaml")),
    ("varnish.yaml", include_str!("../../rules/varnish.yaml")),
];

/// A script's place beside its rule, and its text.
pub(super) const SCRIPTS: &[(&str, &str)] = &[
    ("apache2/decisions.sh", include_str!("../../rules/apache2/decisions.sh")),
    ("java/keystore.sh", include_str!("../../rules/java/keystore.sh")),
    ("mariadb/count.sh", include_str!("../../rules/mariadb/count.sh")),
    ("mariadb/create.sh", include_str!("../../rules/mariadb/create.sh")),
    ("mariadb/dump.sh", include_str!("../../rules/mariadb/dump.sh")),
    ("mariadb/load.sh", include_str!("../../rules/mariadb/load.sh")),
    ("mariadb/start.sh", include_str!("../../rules/mariadb/start.sh")),
    ("mariadb/stop.sh", include_str!("../../rules/mariadb/stop.sh")),
    ("openssh/test.sh", include_str!("../../rules/openssh/test.sh")),
    ("php/decisions.sh", include_str!("../../rules/php/decisions.sh")),
    ("php/image.sh", include_str!("../../rules/php/image.sh")),
    ("postgresql/count.sh", include_str!("../../rules/postgresql/count.sh")),
    ("postgresql/create.sh", include_str!("../../rules/postgresql/create.sh")),
    ("postgresql/facts.sh", include_str!("../../rules/postgresql/facts.sh")),
    ("postgresql/image-create.sh", include_str!("../../rules/postgresql/image-create.sh")),
    ("postgresql/image-dump.sh", include_str!("../../rules/postgresql/image-dump.sh")),
    ("postgresql/image-start.sh", include_str!("../../rules/postgresql/image-start.sh")),
    ("postgresql/image-stop.sh", include_str!("../../rules/postgresql/image-stop.sh")),
    ("postgresql/load.sh", include_str!("../../rules/postgresql/load.sh")),
    ("postgresql/start.sh", include_str!("../../rules/postgresql/start.sh")),
    ("postgresql/stop.sh", include_str!("../../rules/postgresql/stop.sh")),
    ("tomcat/jakarta.sh", include_str!("../../rules/tomcat/jakarta.sh")),
];

/// A migration's number, name and SQL. Never edited once released; a change is a further one.
pub(super) const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "layout", include_str!("../../migrations-db/0001_layout.sql")),
    (2, "bodies", include_str!("../../migrations-db/0002_bodies.sql")),
    (3, "settings", include_str!("../../migrations-db/0003_settings.sql")),
    (4, "words", include_str!("../../migrations-db/0004_words.sql")),
    (5, "releases", include_str!("../../migrations-db/0005_releases.sql")),
    (6, "lists", include_str!("../../migrations-db/0006_lists.sql")),
];

/// By distribution: what its releases offer, packed. `fixtures/releases.sh` writes it and says what
/// its lines are.
pub(super) const OFFERED: &[(&str, &[u8])] =
    &[("debian", include_bytes!("../../migrations-db/releases/debian.zst"))];

#[cfg(test)]
mod tests {
    use super::*;

    /// Every file below the directory with this ending, in order.
    fn below(name: &str, ending: &str) -> Vec<String> {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let entries = walkdir::WalkDir::new(&dir).into_iter().map(|entry| entry.unwrap());
        let names = entries.map(|e| e.path().strip_prefix(&dir).unwrap().to_owned());
        let mut names: Vec<_> = names.map(|n| n.into_os_string().into_string().unwrap()).collect();
        names.retain(|name| name.ends_with(ending));
        names.sort();
        names
    }

    #[test]
    fn what_is_embedded_is_what_is_in_the_directories() {
        let rules: Vec<_> = RULES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(rules, below("rules", ".yaml"));
        let scripts: Vec<_> = SCRIPTS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(scripts, below("rules", ".sh"));
        let migrations: Vec<_> =
            MIGRATIONS.iter().map(|(n, name, _)| format!("{n:04}_{name}.sql")).collect();
        assert_eq!(migrations, below("migrations-db", ".sql"));
    }

    #[test]
    fn every_script_is_named_by_a_rule() {
        let mut unused: Vec<&str> = SCRIPTS.iter().map(|(name, _)| *name).collect();
        for (file, text) in RULES {
            let mut rule = crate::layout::load::embedded(file, text).unwrap();
            for (name, _) in rule.sources() {
                unused.retain(|script| *script != name.as_str());
            }
        }
        assert!(unused.is_empty(), "{unused:?}");
    }
}
