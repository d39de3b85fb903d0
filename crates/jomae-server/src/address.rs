//! Where to listen: an address or a name, and a port.

use std::{fmt, io, net::SocketAddr, str::FromStr};

use rustls::pki_types::DnsName;
use serde::Deserialize;
use tokio::net::{TcpListener, lookup_host};

/// `127.0.0.1:8443`, `[::1]:8443` or `localhost:8443`. A name is looked up when the listener is opened.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ListenAddress {
    Literal(SocketAddr),
    Name { host: String, port: u16 },
}

/// A text that is no [`ListenAddress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address and a port are wanted, such as 127.0.0.1:8443, [::1]:8443 or localhost:8443")]
pub struct NotAnAddress;

impl FromStr for ListenAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Literal(address));
        }
        let (host, port) = text.rsplit_once(':').ok_or(NotAnAddress)?;
        // u16::from_str would also take a leading '+'.
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits).ok_or(NotAnAddress)?;
        // A mistyped address is not looked up as a name.
        let is_name = DnsName::try_from(host).is_ok() && !host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if is_name { Ok(Self::Name { host: host.to_owned(), port }) } else { Err(NotAnAddress) }
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = NotAnAddress;

    fn try_from(text: String) -> Result<Self, NotAnAddress> {
        text.parse()
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Literal(address)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(address) => address.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl ListenAddress {
    /// The name, if it is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Name { host, .. } => Some(host),
        }
    }

    /// Opens a listener. Of the addresses of a name the first one serves that can be bound, IPv4 before IPv6.
    ///
    /// # Errors
    /// A name without addresses, and the last refusal of the system.
    pub(crate) async fn bind(&self) -> io::Result<TcpListener> {
        let addresses = match self {
            Self::Literal(address) => vec![*address],
            Self::Name { host, port } => {
                let mut found: Vec<SocketAddr> = lookup_host((host.as_str(), *port)).await?.collect();
                found.sort_by_key(SocketAddr::is_ipv6);
                found
            }
        };
        TcpListener::bind(addresses.as_slice()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_read_and_nothing_else() {
        for good in ["127.0.0.1:8443", "[::1]:0", "0.0.0.0:65535", "localhost:8443", "kms-1.example.com:443"] {
            let read: ListenAddress = good.parse().unwrap();
            assert_eq!(read.to_string(), good);
            assert_eq!(read.name().is_some(), good.contains(|c: char| c.is_ascii_lowercase()), "{good}");
        }
        for bad in [
            "",
            "nowhere",
            "localhost",
            ":8443",
            "localhost:",
            "localhost:+1",
            "localhost:65536",
            "localhost:http",
            "::1:8443",
            "127.0.0.1",
            "127.0.0:1",
            "127.0.0.256:1",
            "a b:1",
            "a/b:1",
            "https://localhost:1",
            "*:8443",
            "-:1",
            "a..b:1",
        ] {
            assert_eq!(bad.parse::<ListenAddress>(), Err(NotAnAddress), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_name_is_looked_up_and_ipv4_comes_first() {
        let listener = "localhost:0".parse::<ListenAddress>().unwrap().bind().await.unwrap();
        let address = listener.local_addr().unwrap();
        assert!(address.ip().is_loopback() && address.is_ipv4(), "{address}");
        let taken = format!("localhost:{}", address.port()).parse::<ListenAddress>().unwrap();
        // The other address of the name, if this machine has one, would serve as well.
        if let Ok(other) = taken.bind().await {
            assert!(other.local_addr().unwrap().is_ipv6());
        }
    }
}
