use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
};

use jomae_core::store::memory::MemoryStore;
use jomae_log::Checkpoint;

use super::*;
use crate::audit::trust_tests::{append, begun, vault};

/// Reads one HTTP request, and gives its body.
fn body(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    loop {
        let mut block = [0; 4096];
        let bytes = stream.read(&mut block).unwrap();
        read.extend_from_slice(&block[..bytes]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        assert!(head.starts_with("POST /add HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: text/plain; charset=utf-8"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            return body.to_owned();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_gets_what_is_newest_until_it_takes_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/add", listener.local_addr().unwrap());
    let answers = Mutex::new(vec!["200 OK", "307 Temporary Redirect\r\nLocation: /elsewhere", "500 Oops"]);
    let (got, bodies) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let body = body(&mut stream);
            let status = answers.lock().unwrap().pop().unwrap_or("204 No Content");
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            if got.send((status, body)).is_err() {
                return;
            }
        }
    });
    let (store, temp) = (Arc::new(MemoryStore::new()), tempfile::tempdir().unwrap());
    let config = config::Audit { witness_url: Some(url), ..config::Audit::default() };
    let log = begun(&temp.path().join("audit"), &config, &vault(&store).await).await.unwrap();
    let key = log.log.verifier().clone();
    let witnesses = log.send_to_witnesses(&config).unwrap();
    let next = || {
        let (status, body) = bodies.recv().unwrap();
        (status, Checkpoint::open(&body, &key).unwrap().size)
    };
    assert_eq!(next(), ("500 Oops", 0));
    // Whatever the endpoint does, the log goes on. What failed is followed by what is newest then.
    append(&log, 0, 10).await;
    assert!(next().0.starts_with("307"), "a redirect is not followed");
    append(&log, 10, 20).await;
    assert_eq!(next().0, "200 OK");
    append(&log, 20, 30).await;
    while next().1 < 30 {}
    append(&log, 30, 31).await;
    log.close();
    tokio::task::spawn_blocking(|| witnesses.finish(Duration::from_mins(1))).await.unwrap();
    while next().1 < 31 {}
    let counts = log.counts();
    assert_eq!(counts.witness_failures, 2);
    assert!(counts.witness_sent >= 3, "{counts:?}");
}
