//! `jomae health`: whether the service of this machine can serve, for those who can only run a command.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use crate::{
    args::Health,
    output::{Failure, line},
};

const TIMEOUT: Duration = Duration::from_secs(5);
/// Far more than the answer has.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Asks the admin listener for `/readyz`.
pub fn run(health: &Health) -> Result<(), Failure> {
    let admin = health.admin.trim_end();
    let place = admin.strip_prefix("http://").unwrap_or(admin).trim_end_matches('/');
    let answer = ask(place).map_err(|error| Failure::Service(format!("{place}: {error}")))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) != Some("200") {
        let why = if body.is_empty() { head.lines().next().unwrap_or_default() } else { body.trim_end() };
        return Err(Failure::Service(format!("{place}: {why}")));
    }
    line(body.trim_end())
}

fn ask(place: &str) -> io::Result<String> {
    let mut last = io::Error::other("it has no address");
    for address in place.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => return talk(stream, place),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn talk(mut stream: TcpStream, place: &str) -> io::Result<String> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("GET /readyz HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    fn answered(answer: &'static str) -> Result<(), Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = format!("http://{}/", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let length = stream.read(&mut request).unwrap();
            assert!(request[..length].starts_with(b"GET /readyz HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let result = run(&Health { admin });
        server.join().unwrap();
        result
    }

    #[test]
    fn only_a_service_that_is_ready_is_healthy() {
        assert!(answered("HTTP/1.1 200 OK\r\n\r\nready\n").is_ok());
        let Err(Failure::Service(why)) = answered("HTTP/1.1 503 Service Unavailable\r\n\r\nthe disk is full\n") else {
            panic!("healthy")
        };
        assert!(why.ends_with(": the disk is full"), "{why}");
        assert!(matches!(answered("SSH-2.0-x\r\n"), Err(Failure::Service(_))));
    }
}
