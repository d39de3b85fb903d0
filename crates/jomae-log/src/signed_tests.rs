//! Notes, checkpoints, proofs of events, receipts.

use jomae_crypto::asym::{AsymSpec, PrivateKey};
use proptest::prelude::*;

use crate::merkle_tests::{Leaves, leaves, signer};
use crate::{
    Checkpoint, EventProof, Receipt, Signer, StoreState, Timestamp, TlogError, VerifierKey,
    checkpoint::split_file,
    inclusion_proof, leaf_hash,
    note::{self, NAME_BYTES_MAX, NOTE_BYTES_MAX, SIGNATURES_MAX},
    receipt::RECEIPT_BYTES_MAX,
    root_at,
};

const LOG: &str = "log.example/jomae";

fn checkpoint(tree: &Leaves) -> Checkpoint {
    let size = tree.0.len() as u64;
    let root = root_at(tree, size).unwrap();
    Checkpoint { origin: LOG.into(), size, root, time: Timestamp(1_800_000_000), state: None }
}

fn receipt() -> Receipt {
    Receipt {
        origin: LOG.into(),
        index: 7,
        leaf: leaf_hash(b"event 7"),
        event_id: "08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73".into(),
        time: Timestamp(1_800_000_000),
    }
}

/// The example of the Go module `golang.org/x/mod/sumdb/note`, which C2SP signed-note describes.
#[test]
fn a_note_of_another_implementation_opens() {
    let key = VerifierKey::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
    let text = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n";
    let signature = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    assert_eq!(note::open(&format!("{text}\n{signature}"), &[&key]), Ok(text));
    assert_eq!(note::open(&format!("{}\n{signature}", text.replace("you", "me")), &[&key]), Err(TlogError::Signature));
    assert_eq!(key.to_string(), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
}

#[test]
fn a_key_is_read_back_and_nothing_else_is_a_key() {
    let key = signer(LOG).verifier().clone();
    assert_eq!(VerifierKey::parse(&format!(" {key}\n")), Ok(key.clone()));
    let text = key.to_string();
    let parts: Vec<&str> = text.splitn(3, '+').collect();
    let wrong = [
        String::new(),
        "a+b".into(),
        format!("other+{}+{}", parts[1], parts[2]),
        format!("{}+00000000+{}", parts[0], parts[2]),
        format!("{}+{}+{}", parts[0], parts[1].to_uppercase() + "0", parts[2]),
        format!("{}+{}+{}", parts[0], parts[1], parts[2].replacen('A', "B", 1)),
        format!("{}+{}+{}", parts[0], parts[1], parts[2].to_owned() + "="),
        text.replacen(LOG, &"x".repeat(100_000), 1),
    ];
    for text in wrong {
        assert_eq!(VerifierKey::parse(&text), Err(TlogError::VerifierKey), "{text:.100}");
    }
    for name in ["", "a b", "a+b", "a\nb", "a\u{3000}b", &"x".repeat(NAME_BYTES_MAX + 1)] {
        let key = PrivateKey::generate(AsymSpec::Ed25519).unwrap();
        assert_eq!(Signer::new(name, key).err(), Some(TlogError::Name), "{name}");
    }
}

#[test]
fn signatures_of_others_may_stand_beside_ours() {
    let (log, witness) = (signer(LOG), signer("witness.example"));
    let text = "a\n\nb\n";
    let note = log.sign(text).unwrap();
    let line = |note: &str| note.rsplit_once("\n\n").unwrap().1.to_owned();
    let both = note.clone() + &line(&witness.sign(text).unwrap());
    let strange = note.clone() + "\u{2014} later.example AAAAAAA=\n";
    for note in [&note, &both, &strange] {
        assert_eq!(note::open(note, &[log.verifier()]), Ok(text));
    }
    assert_eq!(note::open(&both, &[witness.verifier()]), Ok(text));
    assert_eq!(note::open(&note, &[witness.verifier()]), Err(TlogError::Unsigned));
    assert_eq!(note::open(&both, &[signer(LOG).verifier()]), Err(TlogError::Unsigned));
    // A second signature of a known key that does not verify.
    let forged = both + &line(&log.sign("other\n").unwrap());
    assert_eq!(note::open(&forged, &[log.verifier()]), Err(TlogError::Signature));
    let many = note.clone() + &line(&witness.sign(text).unwrap()).repeat(SIGNATURES_MAX - 1);
    assert_eq!(note::open(&many, &[log.verifier()]), Ok(text));
    assert_eq!(note::open(&(many + &line(&note)), &[log.verifier()]), Err(TlogError::Note));
}

#[test]
fn malformed_notes_are_refused() {
    let log = signer(LOG);
    let note = log.sign("text\n").unwrap();
    let wrong = [
        String::new(),
        "text\n".into(),
        "text\n\n".into(),
        note.trim_end().to_owned(),
        note.clone() + "\n",
        note.replace('\u{2014}', "-"),
        note.replace("text\n\n", "text\n"),
        note.replace("text", "te\txt"),
        note.replace('\n', "\r\n"),
        note.replace(LOG, "a+b"),
        note.trim_end().to_owned() + " x\n",
        note.clone() + "\u{2014} w AAAA\n",
        format!("{}{note}", "x".repeat(NOTE_BYTES_MAX)),
    ];
    for note in wrong {
        assert_eq!(note::open(&note, &[log.verifier()]), Err(TlogError::Note), "{note:.100}");
    }
    for text in ["", "no newline", "tab\t\n", "return\r\n", &("x".repeat(NOTE_BYTES_MAX) + "\n")] {
        assert_eq!(log.sign(text), Err(TlogError::Text), "{text:.100}");
    }
}

#[test]
fn a_checkpoint_says_how_far_the_store_had_come() {
    let log = signer(LOG);
    let state = StoreState { changes: 4711, digest: leaf_hash(b"all records") };
    let made = Checkpoint { state: Some(state), ..checkpoint(&leaves(5)) };
    let text = made.text();
    let line = text.lines().nth(4).unwrap();
    assert!(line.starts_with("jomae-store 4711 ") && line.len() == "jomae-store 4711 ".len() + 44, "{line}");
    assert_eq!(Checkpoint::open(&made.sign(&log).unwrap(), log.verifier()), Ok(made.clone()));
    let later = log.sign(&(text.clone() + "jomae-other 1\n")).unwrap();
    assert_eq!(Checkpoint::open(&later, log.verifier()), Ok(made.clone()), "others are ignored");
    let wrong = [
        text.replace("4711", "04711"),
        text.replace("4711", "-1"),
        text.replace("4711 ", ""),
        text.replace("4711", "18446744073709551616"),
        text.replace("=\n", "\n"),
        format!("{text}{line}\n"),
        text.clone() + "jomae-store \n",
        text.replace("jomae-store", "jomae-other 1\njomae-store"),
    ];
    for text in wrong {
        assert_eq!(Checkpoint::parse(&text), Err(TlogError::Checkpoint), "{text}");
    }
}

#[test]
fn a_checkpoint_has_the_form_of_c2sp() {
    let log = signer(LOG);
    let made = checkpoint(&leaves(5));
    let note = made.sign(&log).unwrap();
    let lines: Vec<&str> = note.lines().collect();
    assert_eq!(lines[..2], [LOG, "5"]);
    assert_eq!((lines[2].len(), lines[3], lines[4]), (44, "2027-01-15T08:00:00Z", ""));
    assert!(lines[5].starts_with(&format!("\u{2014} {LOG} ")));
    assert_eq!(Checkpoint::open(&note, log.verifier()), Ok(made.clone()));
    assert_eq!(made.sign(&signer("other")), Err(TlogError::Origin));
    // The key of the log, but another origin.
    let foreign = log.sign(&Checkpoint { origin: "other".into(), ..made.clone() }.text()).unwrap();
    assert_eq!(Checkpoint::open(&foreign, log.verifier()), Err(TlogError::Origin));
    let extended = log.sign(&(made.text() + "more\n")).unwrap();
    assert_eq!(Checkpoint::open(&extended, log.verifier()), Ok(made.clone()));

    let text = made.text();
    let wrong = [
        text.replace("\n5\n", "\n05\n"),
        text.replace("\n5\n", "\n+5\n"),
        text.replace("\n5\n", "\n\n"),
        text.replace("\n5\n", "\n18446744073709551616\n"),
        text.replace('=', ""),
        text.replace("2027-01-15T08:00:00Z\n", ""),
        text.replace("08:00:00Z", "08:00:00+00:00"),
        text.replace(LOG, ""),
        text.clone() + "\n",
        text.trim_end().to_owned(),
        String::new(),
    ];
    for text in wrong {
        assert_eq!(Checkpoint::parse(&text), Err(TlogError::Checkpoint), "{text}");
    }
}

#[test]
fn a_file_of_checkpoints_is_split_where_they_end() {
    let log = signer(LOG);
    let notes: Vec<String> = (0..4).map(|count| checkpoint(&leaves(count)).sign(&log).unwrap()).collect();
    let file: String = notes.iter().flat_map(|note| [note, "\n"]).collect();
    assert_eq!(split_file(&file), (notes.iter().map(String::as_str).collect(), ""));
    assert_eq!(split_file(""), (vec![], ""));
    let last = file.len() - notes[3].len() - 1;
    for end in (last..file.len()).filter(|end| file.is_char_boundary(*end)) {
        let (whole, rest) = split_file(&file[..end]);
        assert_eq!((whole.len(), rest), (3, &file[last..end]));
    }
}

#[test]
fn the_proof_of_an_event_verifies_with_the_key_alone() {
    let (log, tree) = (signer(LOG), leaves(20));
    let made = EventProof {
        event: "event 13".into(),
        index: 13,
        proof: inclusion_proof(&tree, 13, 20).unwrap(),
        checkpoint: checkpoint(&tree).sign(&log).unwrap(),
    };
    let read = EventProof::parse(&made.to_json()).unwrap();
    assert_eq!(read, made);
    assert_eq!(read.verify(log.verifier()), Ok(checkpoint(&tree)));
    assert_eq!(read.verify(signer(LOG).verifier()), Err(TlogError::Unsigned));
    for changed in [
        EventProof { event: "event 14".into(), ..made.clone() },
        EventProof { index: 12, ..made.clone() },
        EventProof { proof: made.proof[1..].to_vec(), ..made.clone() },
        EventProof { checkpoint: checkpoint(&leaves(19)).sign(&log).unwrap(), ..made.clone() },
    ] {
        assert_eq!(changed.verify(log.verifier()), Err(TlogError::NotIncluded));
    }
    let text = made.to_tlog_proof();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 13\n"));
    assert!(text.ends_with(&format!("\n\n{}", made.checkpoint)));
    assert_eq!(text.lines().count(), 2 + 5 + 1 + 6);

    let json = made.to_json();
    let wrong = [
        String::new(),
        json.replace("\"index\":13", "\"index\":-1"),
        json.replace("{\"event\"", "{\"more\":1,\"event\""),
        json.replace("\"proof\":[\"", "\"proof\":[\"A"),
        json.replace("\"proof\":[", &format!("\"proof\":[{}", format!("\"{}=\",", "A".repeat(43)).repeat(66))),
        " ".repeat(3 * 1024 * 1024) + &json,
    ];
    for text in wrong {
        assert_eq!(EventProof::parse(&text), Err(TlogError::Proof), "{text:.100}");
    }
}

#[test]
fn a_receipt_fits_a_header_and_opens_with_the_key_alone() {
    let log = signer(LOG);
    let sent = receipt().sign(&log).unwrap();
    assert!(sent.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    assert_eq!(Receipt::open(&format!("{sent}\n"), log.verifier()), Ok(receipt()));
    assert_eq!(Receipt::open(&sent, signer(LOG).verifier()), Err(TlogError::Unsigned));
    assert_eq!(Receipt::open(&"A".repeat(RECEIPT_BYTES_MAX + 1), log.verifier()), Err(TlogError::Receipt));

    let longest = signer(&"n".repeat(NAME_BYTES_MAX));
    let largest = Receipt { origin: longest.name().into(), index: u64::MAX, event_id: "i".repeat(64), ..receipt() };
    let sent = largest.sign(&longest).unwrap();
    assert!(sent.len() <= RECEIPT_BYTES_MAX, "{}", sent.len());
    assert_eq!(Receipt::open(&sent, longest.verifier()), Ok(largest));

    assert_eq!(receipt().sign(&signer("other")), Err(TlogError::Origin));
    for event_id in ["", "a b", "a\nb", "\u{e9}", &"i".repeat(65)] {
        assert_eq!(Receipt { event_id: event_id.into(), ..receipt() }.sign(&log), Err(TlogError::Receipt));
    }
}

#[test]
fn receipts_and_checkpoints_are_not_taken_for_each_other() {
    // Even under a key whose name is the first line of a receipt.
    let log = signer("jomae-receipt/v1");
    let receipt = Receipt { origin: log.name().into(), ..receipt() };
    let sent = receipt.sign(&log).unwrap();
    let note = String::from_utf8(base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, &sent).unwrap());
    assert_eq!(Checkpoint::open(&note.unwrap(), log.verifier()), Err(TlogError::Checkpoint));
    let note = Checkpoint { origin: log.name().into(), ..checkpoint(&leaves(3)) }.sign(&log).unwrap();
    let sent = base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, note);
    assert_eq!(Receipt::open(&sent, log.verifier()), Err(TlogError::Receipt));
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,60}|[\\n\u{2014} a-z0-9+/=\\-:TZ]{0,200}") {
        let key = signer(LOG).verifier().clone();
        let _ = VerifierKey::parse(&text);
        prop_assert!(note::open(&text, &[&key]).is_err());
        prop_assert!(EventProof::parse(&text).is_err());
        prop_assert!(Receipt::open(&text, &key).is_err());
        let (notes, rest) = split_file(&text);
        let joined: String = notes.iter().flat_map(|note| [note, "\n"]).collect();
        prop_assert_eq!(joined + rest, text.clone());
        if let Ok(checkpoint) = Checkpoint::parse(&text) {
            prop_assert!(text.starts_with(&checkpoint.text()));
        }
    }

    #[test]
    fn a_changed_byte_is_seen(place: prop::sample::Index, change in 1_u8..) {
        let log = signer(LOG);
        let mut sent = receipt().sign(&log).unwrap().into_bytes();
        let at = place.index(sent.len());
        sent[at] ^= change;
        if let Ok(sent) = std::str::from_utf8(&sent) {
            let opened = Receipt::open(sent, log.verifier());
            // White space around it is no part of it, but without its last character it is none.
            prop_assert!(opened.is_err(), "{sent}");
        }
        let mut note = checkpoint(&leaves(9)).sign(&log).unwrap().into_bytes();
        let at = place.index(note.len());
        note[at] ^= change;
        if let Ok(note) = std::str::from_utf8(&note) {
            prop_assert!(Checkpoint::open(note, log.verifier()).is_err(), "{note}");
        }
    }
}
