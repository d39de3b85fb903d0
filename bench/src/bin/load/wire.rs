//! One HTTP/1.1 connection: a request out, an answer in.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::target::Target;

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Most headers of an answer.
const HEADERS_MAX: usize = 32;

/// A connection that is kept alive.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    input: Vec<u8>,
}

/// What came back.
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// The answer for people: status and body.
    pub fn text(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(self.body))
    }
}

impl Connection {
    pub async fn open(target: &Target) -> io::Result<Self> {
        Ok(Self { stream: target.connect().await?, input: Vec::with_capacity(4096) })
    }

    /// Sends a request and reads the whole answer to it.
    pub async fn send(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.input.clear();
        let (status, body_at) = loop {
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match head(&self.input)? {
                Some((_, body_at, body_bytes)) if body_at.saturating_add(body_bytes) > ANSWER_BYTES_MAX => {
                    return Err(io::Error::other("the answer is too long"));
                }
                Some((status, body_at, body_bytes)) if self.input.len() >= body_at + body_bytes => {
                    break (status, body_at);
                }
                None if self.input.len() > ANSWER_BYTES_MAX => {
                    return Err(io::Error::other("the head of the answer is too long"));
                }
                _ => {}
            }
        };
        Ok(Answer { status, body: self.input.get(body_at..).unwrap_or_default() })
    }
}

/// Status, length of the head and length of the body, once the head is there.
fn head(input: &[u8]) -> io::Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = response.parse(input).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let body_bytes = length
        .and_then(|header| str::from_utf8(header.value).ok()?.parse().ok())
        .ok_or_else(|| io::Error::other("the answer does not tell its length"))?;
    Ok(Some((response.code.unwrap_or(0), head_bytes, body_bytes)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn heads() {
        let answer = b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\n{}";
        for end in 0..answer.len() - 2 {
            assert_eq!(head(&answer[..end]).unwrap(), None);
        }
        assert_eq!(head(answer).unwrap(), Some((200, answer.len() - 2, 2)));
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "no length");
        assert!(head(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n").is_err());
        assert!(head(b"SSH-2.0-x\r\n").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _read = head(&bytes);
        }
    }
}
