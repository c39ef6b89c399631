//! The settings of a throw-away container that does what the service does, and nothing to others.

use crate::service::{
    HealthCheck, HealthTest, MountKind, Namespaces, Network, NetworkMode, Privileges,
    ServiceSettings,
};

/// What a machine without a name of its own is called, so that it has the same one on every run.
const HOST_NAME: &str = "service";

/// Capabilities that reach no further than the container, and so do no harm in one without network.
const HARMLESS: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
    "SYS_NICE",
    "SYS_RESOURCE",
];

/// The settings of `service` less all that reaches out of a container: networks, the host's
/// directories, devices and name spaces, privileges that are more than the container's own. Its
/// volumes are no part of them either. `lent` are names of other machines that it finds here.
pub(super) fn alone(service: &ServiceSettings, lent: &[String]) -> ServiceSettings {
    let mut hosts = service.network.hosts.clone();
    hosts.extend(lent.iter().map(|name| format!("{name}:127.0.0.1")));
    let plain = |name: &String| name.trim_start_matches("CAP_").to_uppercase();
    let kept = |name: &&String| HARMLESS.contains(&plain(name).as_str());
    let mut add: Vec<String> = service.privileges.add.iter().filter(kept).cloned().collect();
    // To see which program of another user listens on a port.
    add.push("SYS_PTRACE".to_owned());
    let security = service.privileges.security.iter();
    let security = security.filter(|option| option.starts_with("no-new-privileges"));
    let mounts = service.mounts.iter().filter(|mount| mount.kind == MountKind::Tmpfs);
    let host_name = match service.host_name.as_str() {
        "" => HOST_NAME.to_owned(),
        name => name.to_owned(),
    };
    ServiceSettings {
        host_name,
        labels: Default::default(),
        health_check: Some(HealthCheck { test: HealthTest::Off, ..HealthCheck::default() }),
        restart: None,
        network: Network { mode: NetworkMode::None, hosts, ..Network::default() },
        mounts: mounts.cloned().collect(),
        privileges: Privileges {
            add,
            drop: service.privileges.drop.clone(),
            security: security.cloned().collect(),
            ..Privileges::default()
        },
        namespaces: Namespaces::default(),
        log: None,
        engine: Default::default(),
        further: Default::default(),
        ..service.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{Device, Mount};

    #[test]
    fn what_reaches_out_of_a_container_is_no_part_of_its_observation() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let mount = |kind, target: &str| Mount {
            kind,
            source: "x".into(),
            target: target.into(),
            options: vec![],
            engine: None,
        };
        let service = ServiceSettings {
            command: words(&["app"]),
            user: "app".into(),
            network: Network {
                mode: NetworkMode::Host,
                hosts: words(&["db:10.0.0.1"]),
                publish_all: true,
                ..Network::default()
            },
            mounts: vec![mount(MountKind::Bind, "/b"), mount(MountKind::Tmpfs, "/t")],
            privileges: Privileges {
                all: true,
                add: words(&["SYS_TIME", "CAP_NET_ADMIN"]),
                drop: words(&["CHOWN"]),
                security: words(&["seccomp=unconfined", "no-new-privileges"]),
                devices: vec![Device {
                    host: "/dev/sda".into(),
                    container: "/dev/sda".into(),
                    permissions: "rw".into(),
                }],
                ..Privileges::default()
            },
            namespaces: Namespaces { pid: "host".into(), ..Namespaces::default() },
            ..ServiceSettings::default()
        };
        let alone = alone(&service, &["cache".to_owned()]);
        assert_eq!((alone.command, alone.user.as_str()), (service.command, "app"));
        assert_eq!(alone.network.mode, NetworkMode::None);
        assert_eq!(alone.network.hosts, ["db:10.0.0.1", "cache:127.0.0.1"]);
        assert!(!alone.network.publish_all);
        assert_eq!(alone.mounts.iter().map(|m| m.target.as_str()).collect::<Vec<_>>(), ["/t"]);
        assert!(!alone.privileges.all && alone.privileges.devices.is_empty());
        assert_eq!(alone.privileges.add, ["CAP_NET_ADMIN", "SYS_PTRACE"]);
        assert_eq!(alone.privileges.drop, ["CHOWN"]);
        assert_eq!(alone.privileges.security, ["no-new-privileges"]);
        assert_eq!(alone.namespaces, Namespaces::default());
        assert_eq!(alone.host_name, "service");
    }
}
