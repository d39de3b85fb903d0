use std::fs;

use super::*;
use crate::{
    Checkpoint,
    checkpoint::split_file,
    log::tests::{Site, append as append_events},
};

#[test]
fn a_file_gets_every_checkpoint_once_and_whole() {
    let site = Site::new();
    let path = site.beside("mount").join("checkpoints");
    let witnesses = || -> Vec<Box<dyn Witness>> { vec![Box::new(FileWitness::new(path.clone()))] };
    let sizes = || -> Vec<u64> {
        let content = fs::read_to_string(&path).unwrap();
        let (notes, rest) = split_file(&content);
        assert_eq!(rest, "");
        notes.iter().map(|note| Checkpoint::open(note, &site.key()).unwrap().size).collect()
    };
    for round in 1..4 {
        let log = site.open();
        let sending = log.send_to(witnesses()).unwrap();
        append_events(&log, (round - 1) * 5, round * 5);
        log.close();
        sending.finish(Duration::from_mins(1));
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
    let sending = log.send_to(witnesses()).unwrap();
    while log.counts().witness_failures == 0 {
        std::thread::yield_now();
    }
    fs::create_dir(&mount).unwrap();
    append_events(&log, 15, 16);
    log.close();
    sending.finish(Duration::from_mins(1));
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
