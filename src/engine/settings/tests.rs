use std::collections::BTreeMap;

use serde_json::{Map, json};

use super::*;
use crate::engine::Flavour;
use crate::service::{HealthTest, NetworkMode, RestartWhen};

/// What Docker 20.10 answered for a container with many flags.
const DOCKER: &str = include_str!("docker-20.10.json");
/// What Podman 5.4 answered for one.
const PODMAN: &str = include_str!("podman-5.4.json");
/// What Docker 28.5 with containerd's store answered for one in two networks.
const CONTAINERD: &str = include_str!("docker-28-containerd.json");

fn carried(inspect: &Value, flavour: Flavour) -> Carried {
    let volumes = ["engine-vol", "engine-mv"].map(|v| (v.to_owned(), format!("web_{v}"))).into();
    carried_with(inspect, &Renewal { image: "sha256:new", volumes: &volumes, flavour }).unwrap()
}

/// From one engine's answer over what a bundle holds to the request.
fn carried_with(inspect: &Value, renewal: &Renewal) -> Result<Carried, SettingsError> {
    let settings = translate(inspect)?;
    let text = serde_json::to_string(&settings).unwrap();
    let read: ServiceSettings = serde_json::from_str(&text).unwrap();
    assert_eq!(read, settings, "{text}");
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    carry(&read, renewal)
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn everything_a_person_set_with_docker_is_carried_and_nothing_else() {
    let carried = carried(&parsed(DOCKER), Flavour::Docker);
    assert_eq!(
        Value::Object(carried.spec.config),
        json!({
            "Image": "sha256:new",
            "Hostname": "myhost",
            "Domainname": "ex.org",
            "User": "1:2",
            "ExposedPorts": { "53/udp": {}, "80/tcp": {} },
            "Env": ["FOO=bar"],
            "Cmd": ["sleep", "100"],
            "Entrypoint": [],
            "Healthcheck": { "Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000_u64 },
            "Volumes": { "/anon": {} },
            "WorkingDir": "/tmp",
            "Labels": { "l": "v" },
            "StopSignal": "SIGINT",
            "StopTimeout": 7,
        })
    );
    assert_eq!(
        Value::Object(carried.spec.host),
        json!({
            "Binds": ["/tmp/engine-bind:/bind:ro", "web_engine-vol:/data"],
            "Mounts": [{
                "Type": "volume", "Target": "/m2",
                "VolumeOptions": { "NoCopy": true, "DriverConfig": {} },
            }],
            "LogConfig": { "Type": "json-file", "Config": { "max-file": "3", "max-size": "1m" } },
            "PortBindings": {
                "53/udp": [{ "HostIp": "127.0.0.1", "HostPort": "53" }],
                "80/tcp": [{ "HostIp": "", "HostPort": "8080" }],
            },
            "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 3 },
            "CapAdd": ["CAP_NET_ADMIN"],
            "CapDrop": ["CAP_MKNOD"],
            "Dns": ["9.9.9.9"],
            "DnsSearch": ["ex.org"],
            "ExtraHosts": ["a:1.2.3.4"],
            "GroupAdd": ["4"],
            "IpcMode": "private",
            "ReadonlyRootfs": true,
            "SecurityOpt": ["no-new-privileges"],
            "Tmpfs": { "/scratch": "size=1m" },
            "ShmSize": 33_554_432,
            "Sysctls": { "net.core.somaxconn": "100" },
            "Memory": 67_108_864,
            "MemorySwap": 134_217_728,
            "NanoCpus": 500_000_000,
            "PidsLimit": 50,
            "Ulimits": [{ "Name": "nofile", "Hard": 200, "Soft": 100 }],
            "Init": true,
        })
    );
    assert_eq!(carried.spec.endpoints, Map::new());
    assert_eq!(carried.dropped, []);
    assert_eq!(carried.grants, ["capability NET_ADMIN", "the host's /tmp/engine-bind at /bind"]);
}

#[test]
fn what_podman_adds_of_its_own_stays_behind() {
    let carried = carried(&parsed(PODMAN), Flavour::Docker);
    assert_eq!(
        Value::Object(carried.spec.config),
        json!({
            "Image": "sha256:new",
            "Hostname": "myhost",
            "User": "1:2",
            "ExposedPorts": { "53/udp": {}, "80/tcp": {} },
            "Env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "FOO=bar",
            ],
            "Cmd": ["sleep", "100"],
            "Entrypoint": [],
            "Healthcheck": {
                "Test": ["CMD-SHELL", "true"], "Interval": 30_000_000_000_u64,
                "Timeout": 30_000_000_000_u64, "Retries": 3,
            },
            "Volumes": { "/anon": {} },
            "WorkingDir": "/tmp",
            "Labels": { "l": "v" },
            "StopSignal": "15",
            "StopTimeout": 10,
        })
    );
    assert_eq!(
        Value::Object(carried.spec.host),
        json!({
            "Binds": [
                "web_engine-mv:/m2:rw,rprivate", "web_engine-vol:/data:rw,rprivate",
                "/tmp:/bind:ro,rprivate",
            ],
            "LogConfig": { "Type": "json-file", "Config": {} },
            "NetworkMode": "engine-net",
            "PortBindings": {
                "53/udp": [{ "HostIp": "127.0.0.1", "HostPort": "53" }],
                "80/tcp": [{ "HostIp": "0.0.0.0", "HostPort": "8080" }],
            },
            "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 3 },
            "CapAdd": ["NET_ADMIN"],
            "Dns": ["9.9.9.9"],
            "ExtraHosts": ["a:1.2.3.4"],
            "GroupAdd": ["4"],
            "IpcMode": "shareable",
            "Tmpfs": { "/scratch": "size=1m,rw,nosuid,nodev" },
            "ShmSize": 33_554_432,
            "Memory": 67_108_864,
            "MemorySwap": 134_217_728,
            "NanoCpus": 500_000_000,
            "PidsLimit": 50,
            "Ulimits": [
                { "Name": "nofile", "Hard": 200, "Soft": 100 },
                { "Name": "nproc", "Hard": 4096, "Soft": 4096 },
            ],
        })
    );
    assert_eq!(
        Value::Object(carried.spec.endpoints),
        json!({ "engine-net": { "Aliases": ["web", "myhost"] } })
    );
    assert_eq!(carried.dropped, []);
}

#[test]
fn networks_keep_aliases_and_given_addresses_and_lose_the_old_id() {
    let mut carried = carried(&parsed(CONTAINERD), Flavour::Docker);
    assert_eq!(
        Value::Object(carried.spec.endpoints.clone()),
        json!({
            "engine-net": { "IPAMConfig": { "IPv4Address": "10.99.0.9" }, "Aliases": ["web"] },
            "engine-net2": { "Aliases": ["second"] },
        })
    );
    assert_eq!(carried.spec.host["NetworkMode"], "engine-net");
    assert_eq!(carried.spec.host["Binds"], json!(["web_engine-vol:/data:ro"]));
    assert!(!carried.spec.config.contains_key("Hostname"), "it was the id's beginning");
    carried.drop_network("engine-net");
    assert_eq!(carried.spec.host["NetworkMode"], "engine-net2");
    carried.drop_network("engine-net2");
    assert!(!carried.spec.host.contains_key("NetworkMode"));
    assert_eq!(carried.networks().count(), 0);
    assert_eq!(carried.dropped.len(), 2);
}

#[test]
fn a_container_in_the_default_and_another_network_stays_in_both() {
    let mut inspect = parsed(CONTAINERD);
    inspect["HostConfig"]["NetworkMode"] = "default".into();
    inspect["NetworkSettings"]["Networks"]["bridge"] = json!({ "Aliases": null });
    let carried = carried(&inspect, Flavour::Docker);
    assert!(!carried.spec.host.contains_key("NetworkMode"));
    assert_eq!(carried.networks().collect::<Vec<_>>(), ["engine-net", "engine-net2"]);
}

#[test]
fn what_belongs_to_other_containers_is_dropped_and_named() {
    let mut inspect = parsed(CONTAINERD);
    inspect["HostConfig"]["NetworkMode"] = "container:abc".into();
    inspect["HostConfig"]["PidMode"] = "container:def".into();
    inspect["HostConfig"]["IpcMode"] = "host".into();
    inspect["HostConfig"]["Links"] = json!(["/db:/web/db"]);
    inspect["HostConfig"]["LogConfig"] = json!({ "Type": "gelf", "Config": { "a": "b" } });
    let carried = carried(&inspect, Flavour::Podman);
    let dropped: Vec<_> =
        carried.dropped.iter().map(|d| (d.setting.as_str(), d.value.as_str())).collect();
    assert_eq!(
        dropped,
        [
            ("PidMode", "container:def"),
            ("Links", r#"["/db:/web/db"]"#),
            ("LogConfig", "gelf"),
            ("NetworkMode", "container:abc"),
        ]
    );
    assert_eq!(carried.grants, ["the host's shared memory"]);
    assert_eq!(carried.networks().count(), 0);
}

#[test]
fn the_name_of_the_old_host_and_our_own_labels_stay_behind() {
    let mut inspect = parsed(DOCKER);
    inspect["HostConfig"]["NetworkMode"] = "host".into();
    inspect["Config"]["Labels"]["regrow.bundle"] = "x".into();
    let carried = carried(&inspect, Flavour::Docker);
    assert!(!carried.spec.config.contains_key("Hostname"));
    assert_eq!(carried.spec.config["Labels"], json!({ "l": "v" }));
    assert_eq!(carried.spec.host["NetworkMode"], "host");
    assert!(carried.grants.contains(&"the host's network".to_owned()));
}

#[test]
fn a_volume_without_a_plan_is_never_mounted() {
    let none = BTreeMap::new();
    let renewal = Renewal { image: "x", volumes: &none, flavour: Flavour::Docker };
    assert_eq!(
        carried_with(&parsed(DOCKER), &renewal),
        Err(SettingsError::UnplannedVolume("engine-vol".to_owned()))
    );
}

#[test]
fn settings_of_any_shape_are_refused_or_carried_without_a_panic() {
    let volumes = BTreeMap::new();
    let renewal = Renewal { image: "x", volumes: &volumes, flavour: Flavour::Docker };
    assert_eq!(carried_with(&json!([]), &renewal), Err(SettingsError::Missing("Id")));
    let shapes = [json!(null), json!(1), json!("é"), json!([1, null, {}]), json!({ "Name": 3 })];
    for shape in &shapes {
        for part in ["Config", "HostConfig", "Mounts", "NetworkSettings"] {
            let whole = parsed(PODMAN);
            let keys = whole[part].as_object().map(|o| o.keys().cloned().collect::<Vec<_>>());
            for key in keys.unwrap_or_default() {
                let mut inspect = whole.clone();
                inspect["Id"] = "ééééééé".into();
                inspect[part][key] = shape.clone();
                let _ = carried_with(&inspect, &renewal);
            }
            let mut inspect = whole.clone();
            inspect[part] = shape.clone();
            let _ = carried_with(&inspect, &renewal);
        }
    }
    let mut inspect = parsed(PODMAN);
    inspect["Mounts"] = json!([{ "Type": "bind", "Source": "/a:b", "Destination": "/c" }]);
    assert_eq!(carried_with(&inspect, &renewal), Err(SettingsError::BadMount("/c".to_owned())));
}

#[test]
fn what_both_engines_say_is_in_the_words_of_the_field() {
    for text in [DOCKER, PODMAN] {
        let settings = translate(&parsed(text)).unwrap();
        assert_eq!(settings.command, ["sleep", "100"]);
        assert_eq!(settings.user, "1:2");
        assert_eq!(settings.working_directory, "/tmp");
        assert_eq!(settings.host_name, "myhost");
        let check = settings.health_check.unwrap();
        assert_eq!(check.test, HealthTest::Shell("true".to_owned()));
        let published = settings.network.published.iter();
        let published: Vec<_> = published.map(|p| (p.port.number, p.host_port.as_str())).collect();
        assert_eq!(published, [(53, "53"), (80, "8080")]);
        let restart = settings.restart.unwrap();
        assert_eq!((restart.when, restart.retries), (RestartWhen::OnFailure, Some(3)));
        assert_eq!(settings.limits.memory, Some(67_108_864));
        assert!(settings.further.is_empty());
        assert!(settings.engine.config.is_empty(), "{:?}", settings.engine);
        assert!(settings.engine.host.is_empty(), "{:?}", settings.engine);
    }
    let named = translate(&parsed(CONTAINERD)).unwrap().network;
    assert_eq!(named.mode, NetworkMode::Named("engine-net".to_owned()));
    assert_eq!(named.joined["engine-net2"].aliases, ["second"]);
}

#[test]
fn what_no_field_stands_for_is_carried_in_the_engines_words() {
    let mut inspect = parsed(DOCKER);
    let further = [
        ("AutoRemove", json!(true)),
        ("BlkioWeight", json!(300)),
        ("DeviceRequests", json!([{ "Driver": "x", "Count": -1 }])),
        ("MaskedPaths", json!([])),
        ("Runtime", json!("runsc")),
        ("StorageOpt", json!({ "size": "1G" })),
    ];
    for (key, value) in &further {
        inspect["HostConfig"][*key] = value.clone();
    }
    // Of another form than it has today.
    inspect["Config"]["StopSignal"] = json!(15);
    let carried = carried(&inspect, Flavour::Docker);
    for (key, value) in further {
        assert_eq!(carried.spec.host[key], value, "{key}");
    }
    assert_eq!(carried.spec.config["StopSignal"], 15);
}

#[test]
fn a_bundle_cannot_ask_for_more_than_an_engine_would_have_told() {
    let settings: ServiceSettings = serde_json::from_value(json!({
        "mounts": [
            { "kind": "volume", "target": "/a", "engine": { "type": "bind", "Source": "/etc" } },
            { "kind": "bind", "source": "/srv", "target": "/b", "options": ["ro", "x:y", "z"] },
        ],
        "engine": {
            "config": { "Labels": { "regrow.staging": "x" } },
            "host": { "Binds": ["/:/host"], "VolumesFrom": ["other"], "PidMode": "host" },
        },
        "gravity": 9.81,
    }))
    .unwrap();
    let none = BTreeMap::new();
    let renewal = Renewal { image: "x", volumes: &none, flavour: Flavour::Docker };
    let carried = carry(&settings, &renewal).unwrap();
    assert_eq!(
        Value::Object(carried.spec.host),
        json!({ "Binds": ["/srv:/b:ro,z"], "Mounts": [{ "Type": "volume", "Target": "/a" }] })
    );
    assert_eq!(carried.spec.config.get("Labels"), None, "ours would make it a leftover");
    assert_eq!(carried.grants, ["the host's /srv at /b"]);
    let dropped = Dropped {
        setting: "gravity".to_owned(),
        value: "9.81".to_owned(),
        reason: "this regrow does not know it",
    };
    assert_eq!(carried.dropped, [dropped]);
}
