//! File capabilities: the text in which rpm records them against the attribute on disk.

use crate::tree::Xattrs;

/// The attribute that holds them.
const ATTRIBUTE: &[u8] = b"security.capability";

/// Their names in the order of their numbers.
const NAMES: &[&str] = &[
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// What a file gives to the program in it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Capabilities {
    effective: bool,
    permitted: u64,
    inheritable: u64,
}

/// Whether the attribute in `found` gives what `recorded` says; `None` where it is not there: not
/// every way in delivers it, and what is not delivered was not taken away.
pub(super) fn as_recorded(recorded: &str, found: &Xattrs) -> Option<bool> {
    let found = found.get(ATTRIBUTE)?;
    Some(parse(recorded)? == decode(found)?)
}

/// Reads the form of `cap_from_text(3)`: clauses of names and of what is done with the sets.
fn parse(text: &str) -> Option<Capabilities> {
    let (mut effective, mut permitted, mut inheritable) = (0, 0, 0);
    for clause in text.split_whitespace() {
        let at = clause.find(['=', '+', '-'])?;
        let mut names = 0;
        for name in clause[..at].split(',') {
            names |= match name.to_lowercase().as_str() {
                "" | "all" => (1 << NAMES.len()) - 1,
                name => {
                    1 << NAMES.iter().position(|known| name.strip_prefix("cap_") == Some(known))?
                }
            };
        }
        let mut act = '=';
        for letter in clause[at..].chars() {
            let set = match letter {
                '=' => {
                    act = letter;
                    (effective, permitted, inheritable) =
                        (effective & !names, permitted & !names, inheritable & !names);
                    continue;
                }
                '+' | '-' => {
                    act = letter;
                    continue;
                }
                'e' => &mut effective,
                'p' => &mut permitted,
                'i' => &mut inheritable,
                _ => return None,
            };
            if act == '-' {
                *set &= !names;
            } else {
                *set |= names;
            }
        }
    }
    Some(Capabilities { effective: effective != 0, permitted, inheritable })
}

/// Reads the kernel's attribute, of all its revisions.
fn decode(attribute: &[u8]) -> Option<Capabilities> {
    let word = |index: usize| {
        let bytes = attribute.get(index * 4..index * 4 + 4)?;
        Some(u64::from(u32::from_le_bytes(bytes.try_into().ok()?)))
    };
    let magic = word(0)?;
    let (mut permitted, mut inheritable) = (word(1)?, word(2)?);
    match magic >> 24 {
        1 => {}
        2 | 3 => {
            permitted |= word(3)? << 32;
            inheritable |= word(4)? << 32;
        }
        _ => return None,
    }
    Some(Capabilities { effective: magic & 1 == 1, permitted, inheritable })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cap_net_raw+ep`, as setcap writes it.
    const NET_RAW: &[u8] =
        b"\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";

    fn told(recorded: &str, found: &[u8]) -> Option<bool> {
        as_recorded(recorded, &Xattrs::from([(ATTRIBUTE.to_vec(), found.to_vec())]))
    }

    #[test]
    fn equal_capabilities_are_equal_however_they_are_written() {
        for text in [
            "cap_net_raw=ep",
            "cap_net_raw+ep",
            "CAP_NET_RAW=pe",
            "= cap_net_raw+ep",
            "cap_net_raw=eip cap_net_raw-i",
        ] {
            assert_eq!(told(text, NET_RAW), Some(true), "{text}");
        }
    }

    #[test]
    fn other_capabilities_are_a_difference_and_absent_ones_say_nothing() {
        for text in ["", "cap_net_raw=p", "cap_net_admin=ep", "cap_net_raw,cap_bpf=ep"] {
            assert_eq!(told(text, NET_RAW), Some(false), "{text}");
        }
        assert_eq!(as_recorded("cap_net_raw=ep", &Xattrs::new()), None);
    }

    #[test]
    fn what_is_not_understood_says_nothing() {
        for text in ["cap_net_raw", "cap_unknown=ep", "cap_net_raw=x", "=\u{fffd}"] {
            assert_eq!(told(text, NET_RAW), None, "{text}");
        }
        for bytes in [&b""[..], &NET_RAW[..19], b"\x01\x00\x00\x09aaaaaaaa"] {
            assert_eq!(told("cap_net_raw=ep", bytes), None);
        }
    }
}
