//! Whom a connection stands for: the PROXY protocol, versions 1 and 2, and `X-Forwarded-For`, both believed from
//! configured networks only.
//!
//! `proxy-header` reads the PROXY header. Here stands how many bytes it may have, and whose word counts.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use jomae_api::wire::Request;
use proxy_header::{ParseConfig, ProxyHeader};
use serde::Deserialize;
use tokio::io::{self, AsyncReadExt};
use tokio::net::TcpStream;

/// Longest header of version 1, in bytes, with its line end (PROXY protocol, section 2.1).
const V1_BYTES_MAX: usize = 107;
const V1_START: &[u8] = b"PROXY ";
const V2_START: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, command, family and length of version 2, in bytes.
const V2_HEAD_BYTES: usize = 16;
/// Most bytes of version 2 after these; addresses take 216 at most, the rest are particulars that nobody here reads.
const V2_REST_BYTES_MAX: usize = 4096;
/// Version 2, command LOCAL: the proxy speaks for itself.
const V2_LOCAL: u8 = 0x20;

/// Whether connections from trusted proxies begin with a PROXY header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyProtocol {
    /// No. One that does is no TLS and is refused.
    #[default]
    Off,
    /// Some do. Whoever can send bytes through such a proxy that adds none can give itself any address.
    Optional,
    /// All do; one that does not is closed.
    Required,
}

/// The proxies whose word about a client's address is believed.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// Their networks.
    pub trusted: Vec<IpNet>,
    /// Whether their connections begin with a PROXY header.
    pub protocol: ProxyProtocol,
}

/// What the start of a connection says of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// More bytes are needed.
    Partial,
    /// It is no PROXY header.
    Nothing,
    /// A header of so many bytes, and the client's address; none if the proxy speaks for itself, or does not know.
    Header {
        /// Length of the header in bytes.
        bytes: usize,
        /// The client.
        client: Option<SocketAddr>,
    },
    /// It begins like one, and is wrong or too long.
    Wrong,
}

/// Reads a PROXY header from the start of `input`.
pub fn read(input: &[u8]) -> Told {
    if input.starts_with(V2_START) {
        return read_v2(input);
    }
    if input.starts_with(V1_START) {
        return read_v1(input);
    }
    // A connection of TLS or HTTP differs from both with its first byte, but for `PRI` and `POST` and the like.
    if V2_START.starts_with(input) || V1_START.starts_with(input) { Told::Partial } else { Told::Nothing }
}

fn read_v1(input: &[u8]) -> Told {
    let window = input.get(..V1_BYTES_MAX).unwrap_or(input);
    match memchr::memchr(b'\n', window).and_then(|end| window.get(..=end)) {
        Some(line) => parsed(line),
        None if window.len() == V1_BYTES_MAX => Told::Wrong,
        None => Told::Partial,
    }
}

fn read_v2(input: &[u8]) -> Told {
    let Some(&[version, _, high, low]) = input.get(V2_START.len()..V2_HEAD_BYTES) else { return Told::Partial };
    let rest = usize::from(u16::from_be_bytes([high, low]));
    if rest > V2_REST_BYTES_MAX {
        return Told::Wrong;
    }
    match input.get(..V2_HEAD_BYTES + rest) {
        None => Told::Partial,
        // What else it says is to be ignored (section 2.2).
        Some(header) if version == V2_LOCAL => Told::Header { bytes: header.len(), client: None },
        Some(header) => parsed(header),
    }
}

/// Reads what must be exactly one header.
fn parsed(header: &[u8]) -> Told {
    match ProxyHeader::parse(header, ParseConfig { include_tlvs: false, ..ParseConfig::default() }) {
        Ok((proxied, bytes)) if bytes == header.len() => {
            Told::Header { bytes, client: proxied.proxied_address().map(|address| address.source) }
        }
        _ => Told::Wrong,
    }
}

impl Proxies {
    /// Whether the word of whoever has this address is believed.
    pub fn trusts(&self, ip: IpAddr) -> bool {
        // Almost always there are none.
        if self.trusted.is_empty() {
            return false;
        }
        let ip = ip.to_canonical();
        self.trusted.iter().any(|network| network.contains(&ip))
    }

    /// Takes the PROXY header off a connection from a trusted proxy. Gives the client's address, or that of the other
    /// end if no other is told.
    ///
    /// # Errors
    /// The connection broke or ended, its header is wrong, or it must have one and has none.
    pub(super) async fn client_of(&self, stream: &mut TcpStream, peer: SocketAddr) -> io::Result<SocketAddr> {
        if self.protocol == ProxyProtocol::Off {
            return Ok(peer);
        }
        let wrong = |why| io::Error::new(io::ErrorKind::InvalidData, why);
        let mut taken = Vec::new();
        let mut window = [0; 512];
        loop {
            // What follows the header is TLS and must stay in the socket.
            let seen = stream.peek(&mut window).await?;
            let before = taken.len();
            taken.extend_from_slice(window.get(..seen).unwrap_or_default());
            let bytes = match read(&taken) {
                // A port check, or a health check without a header.
                _ if seen == 0 && taken.is_empty() => return Ok(peer),
                Told::Partial if seen == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                Told::Header { bytes, client } => {
                    drop_bytes(stream, bytes - before).await?;
                    return Ok(client.unwrap_or(peer));
                }
                Told::Wrong => return Err(wrong("the PROXY header is wrong")),
                // Bytes of the start of a header were consumed: there is no way back.
                Told::Nothing if before > 0 || self.protocol == ProxyProtocol::Required => {
                    return Err(wrong("no PROXY header"));
                }
                Told::Nothing => return Ok(peer),
                Told::Partial => seen,
            };
            drop_bytes(stream, bytes).await?;
        }
    }

    /// The address of the client of a request: that of the other end, or, if that is a trusted proxy, the rightmost
    /// one of `X-Forwarded-For` that is none. What cannot be read ends the search.
    pub(super) fn forwarded(&self, request: &Request<'_>, peer: SocketAddr) -> SocketAddr {
        if !self.trusts(peer.ip()) {
            return peer;
        }
        let fields = request.headers.iter().rev().filter(|field| field.name.eq_ignore_ascii_case("x-forwarded-for"));
        let mut client = peer;
        for entry in fields.flat_map(|field| field.value.rsplit(|byte| *byte == b',')) {
            let Some(ip) = std::str::from_utf8(entry).ok().and_then(|text| address(text.trim())) else { break };
            client = SocketAddr::new(ip, 0);
            if !self.trusts(ip) {
                break;
            }
        }
        client
    }
}

async fn drop_bytes(stream: &mut TcpStream, bytes: usize) -> io::Result<()> {
    let mut dropped = [0; 512];
    let mut left = bytes;
    while left > 0 {
        let most = left.min(dropped.len());
        let read = stream.read(dropped.get_mut(..most).unwrap_or_default()).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= read;
    }
    Ok(())
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip())).ok()
}
