//! Which addresses a webhook may reach: no address of a private network, unless it is allowed. A URL of a contact must not
//! become a way into the network that this server stands in.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotANetwork(String);

impl fmt::Display for NotANetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a range of addresses; write it as 10.0.0.0/8 or fd00::/8", self.0)
    }
}

impl std::error::Error for NotANetwork {}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let refused = || NotANetwork(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(refused)?;
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let prefix: u8 = prefix.parse().map_err(|_| refused())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        if prefix > bits { Err(refused()) } else { Ok(Self { address, prefix }) }
    }
}

impl Network {
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

/// Whether it lies beyond this server's own networks, as far as an address shows that.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_special = a == 0 || (a == 192 && b == 0 && c == 0) || (a == 198 && (b == 18 || b == 19)) || a >= 240;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || is_shared
        || is_special)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let inner = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match (a, b, c, d, e, f) {
        // Addresses that stand for one of IPv4: mapped, compatible, 6to4, NAT64.
        (0, 0, 0, 0, 0, 0xffff | 0) => f == 0xffff && is_public_v4(inner(g, h)),
        (0x2002, ..) => is_public_v4(inner(b, c)),
        (0x64, 0xff9b, 0, 0, 0, 0) => is_public_v4(inner(g, h)),
        (0x64, 0xff9b, ..) => false,
        // Global unicast without Teredo, documentation and benchmarks.
        (0x2001, 0, ..) | (0x2001, 0xdb8, ..) | (0x2001, 2, ..) => false,
        _ => (0x2000..0x4000).contains(&a),
    }
}

/// Whether a webhook may go there.
pub(crate) fn may_reach(address: IpAddr, allowed: &[Network]) -> bool {
    let is_public = match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    };
    is_public || allowed.iter().any(|network| network.contains(address.to_canonical()) || network.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_leads_into_private_networks() {
        let private = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "2002:7f00:1::",
            "64:ff9b::10.0.0.1",
            "2001:db8::1",
            "ff02::1",
        ];
        for address in private {
            assert!(!may_reach(address.parse().unwrap(), &[]), "{address}");
        }
        for address in ["8.8.8.8", "203.150.1.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(may_reach(address.parse().unwrap(), &[]), "{address}");
        }
        let allowed: Vec<Network> = vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        assert!(may_reach("127.9.9.9".parse().unwrap(), &allowed));
        assert!(may_reach("::ffff:127.0.0.1".parse().unwrap(), &allowed));
        assert!(may_reach("fd12::1".parse().unwrap(), &allowed));
        assert!(!may_reach("10.0.0.1".parse().unwrap(), &allowed));
        for wrong in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("1.2.3.4".parse().unwrap()));
    }
}
