use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Mutex, mpsc},
};

use jomae_log::{Checkpoint, checkpoint::split_file};

use super::*;
use crate::audit::tests::{Site, append as append_events};

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
    let site = Site::new();
    let log = site.open_with(|settings| settings.checkpoint_every = Duration::from_millis(1));
    let places = Places { file: None, url: Some(url) };
    let witnesses = log.send_to_witnesses(&places).unwrap();
    let next = || {
        let (status, body) = bodies.recv().unwrap();
        (status, Checkpoint::open(&body, &site.key()).unwrap().size)
    };
    assert_eq!(next(), ("500 Oops", 0));
    // Whatever the endpoint does, the log goes on. What failed is followed by what is newest then.
    append_events(&log, 0, 10).await;
    assert!(next().0.starts_with("307"), "a redirect is not followed");
    append_events(&log, 10, 20).await;
    assert_eq!(next().0, "200 OK");
    append_events(&log, 20, 30).await;
    while next().1 < 30 {}
    append_events(&log, 30, 31).await;
    log.close();
    witnesses.finish(Duration::from_mins(1)).await;
    while next().1 < 31 {}
    let counts = log.counts();
    assert_eq!(counts.witness_failures, 2);
    assert!(counts.witness_sent >= 3, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_gets_every_checkpoint_once_and_whole() {
    let site = Site::new();
    let path = site.beside("mount").join("checkpoints");
    let places = Places { file: Some(path.clone()), url: None };
    let sizes = || -> Vec<u64> {
        let content = fs::read_to_string(&path).unwrap();
        let (notes, rest) = split_file(&content);
        assert_eq!(rest, "");
        notes.iter().map(|note| Checkpoint::open(note, &site.key()).unwrap().size).collect()
    };
    for round in 1..4 {
        let log = site.open();
        let witnesses = log.send_to_witnesses(&places).unwrap();
        append_events(&log, (round - 1) * 5, round * 5).await;
        log.close();
        witnesses.finish(Duration::from_mins(1)).await;
        let sizes = sizes();
        assert_eq!(sizes.last(), Some(&(round * 5)));
        assert!(sizes.is_sorted_by(|a, b| a < b), "{sizes:?}");
        // A write that broke off, in the middle of a character.
        let torn = [fs::read(&path).unwrap(), b"test.example/log\n99\n\n\xE2\x80".to_vec()].concat();
        fs::write(&path, torn).unwrap();
    }
    // It is back after a while on which it was away.
    let mount = path.parent().unwrap().to_owned();
    fs::remove_dir_all(&mount).unwrap();
    let log = site.open();
    let witnesses = log.send_to_witnesses(&places).unwrap();
    while log.counts().witness_failures == 0 {
        tokio::task::yield_now().await;
    }
    fs::create_dir(&mount).unwrap();
    append_events(&log, 15, 16).await;
    log.close();
    witnesses.finish(Duration::from_mins(1)).await;
    assert_eq!(sizes().last(), Some(&16));
}

#[test]
fn nothing_but_a_torn_checkpoint_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let note = "origin\n1\nroot\n\n\u{2014} origin c2ln\n";
    let entry = format!("{note}\n");
    let other = "origin\n0\nroot\n\n\u{2014} origin c2ln\n\n";
    for torn in ["", "o", "origin\n", "origin\n0\nro", "\n", "\0\0\0"] {
        fs::write(&path, format!("{other}{torn}")).unwrap();
        append(&path, note).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{other}{entry}"), "{torn:?}");
    }
    // Somebody's file, named by mistake.
    for mine in ["my notes\n".to_owned(), "x".repeat(100_000), format!("{other}and what I think of it\n")] {
        fs::write(&path, &mine).unwrap();
        append(&path, note).unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), mine);
    }
}

#[test]
fn where_whole_notes_end() {
    let note = "origin\n1\nroot\n\n\u{2014} a b\n\u{2014} c d\n\n";
    assert_eq!(whole_notes(b""), 0);
    assert_eq!(whole_notes(b"origin\n1\nroot\n\n"), 0);
    assert_eq!(whole_notes(note.as_bytes()), note.len());
    let twice = note.repeat(2);
    for cut in 1..note.len() {
        assert_eq!(whole_notes(&twice.as_bytes()[..twice.len() - cut]), note.len(), "{cut}");
    }
}
