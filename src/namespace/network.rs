//! The network of a run: its own, with a loopback device and nothing else.
//!
//! Abstract sockets, raw sockets and ports belong to a network, and so a command in one of its own
//! reaches none of the host's, whatever it may do as root.

use std::io;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, netlink, recv, sendto, socket};
use rustix::thread::UnshareFlags;

/// Gives the current thread, and what it starts from now on, a network of its own.
pub(super) fn leave_hosts() -> io::Result<()> {
    #[expect(deprecated, reason = "its successor is for flags that touch memory or open files")]
    rustix::thread::unshare(UnshareFlags::NEWNET)?;
    Ok(())
}

/// The request `RTM_NEWLINK` that sets the flag `IFF_UP` of the first device, as the kernel reads
/// it from memory: a header of 16 bytes and a description of the device of 16 more.
fn up() -> Vec<u8> {
    const LENGTH: u32 = 32;
    const NEW_LINK: u16 = 16;
    /// A request that is answered.
    const FLAGS: u16 = 1 | 4;
    const LOOPBACK: u32 = 1;
    const UP: u32 = 1;
    let mut message = LENGTH.to_ne_bytes().to_vec();
    message.extend(NEW_LINK.to_ne_bytes());
    message.extend(FLAGS.to_ne_bytes());
    // The number of the request, the sender, and a device of any family and type.
    message.extend([0; 12]);
    for word in [LOOPBACK, UP, UP] {
        message.extend(word.to_ne_bytes());
    }
    message
}

/// Brings up the loopback device of the current thread's network.
pub(super) fn raise_loopback() -> io::Result<()> {
    // Protocol zero of this family is the one about devices and routes.
    let kernel = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    let to = netlink::SocketAddrNetlink::new(0, 0);
    sendto(&kernel, &up(), SendFlags::empty(), &to)?;
    let mut answer = [0; 256];
    let (length, _) = recv(&kernel, &mut answer[..], RecvFlags::empty())?;
    // Behind the header of the answer stands an error number, negative, or zero.
    let code = answer[..length].get(16..20).and_then(|bytes| bytes.try_into().ok());
    match code.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_network_of_its_own_has_a_loopback_device_and_none_of_the_hosts_ports() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let hosts = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = hosts.local_addr().unwrap();
        let inside = std::thread::spawn(move || {
            leave_hosts().unwrap();
            raise_loopback().unwrap();
            let own = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            TcpStream::connect(own.local_addr().unwrap()).unwrap();
            assert!(TcpStream::connect(address).is_err());
        });
        inside.join().unwrap();
        TcpStream::connect(address).unwrap();
    }
}
