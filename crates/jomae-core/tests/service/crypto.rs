//! Encrypt, Decrypt, `GenerateDataKey`, `GenerateDataKeyWithoutPlaintext`.

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_api::actions::metadata::KeyState;
use serde_json::Value;

use crate::common::{HELLO, Subject, World, code_of};

const BAD: &str = "400 InvalidParameter";
const CRYPTO: [&str; 4] = ["Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"];

fn bytes(answer: &Value, member: &str) -> Vec<u8> {
    STANDARD.decode(answer[member].as_str().unwrap()).unwrap()
}

#[test]
fn what_encrypt_gives_decrypt_takes() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    alice.done("CreateAlias", &[("AliasName", "alias/a"), ("KeyId", &key)]);
    let metadata = alice.describe(&key);
    let arn = metadata["Arn"].as_str().unwrap();
    for form in [key.as_str(), "alias/a", arn] {
        let sealed = alice.ok("Encrypt", &[("KeyId", form), ("Plaintext", HELLO)]);
        assert_eq!(sealed["KeyId"], key);
        assert_eq!(sealed["KeyVersionId"], metadata["PrimaryKeyVersion"]);
        assert_eq!(sealed.as_object().unwrap().len(), 3);
        let blob = bytes(&sealed, "CiphertextBlob");
        assert_eq!(&blob[..36], sealed["KeyVersionId"].as_str().unwrap().as_bytes(), "the version stands in front");
        let opened = alice.ok("Decrypt", &[("CiphertextBlob", sealed["CiphertextBlob"].as_str().unwrap())]);
        let expected = serde_json::json!({
            "KeyId": key, "KeyVersionId": metadata["PrimaryKeyVersion"], "Plaintext": HELLO,
        });
        assert_eq!(opened, expected);
    }
    assert_ne!(alice.encrypt(&key), alice.encrypt(&key));
    let other = world.key();
    let blob = alice.encrypt(&key);
    let named = alice.ok("Decrypt", &[("CiphertextBlob", &blob), ("KeyId", &other)]);
    assert_eq!(named["KeyId"], key, "a KeyId that a client sends with it is ignored");
}

#[test]
fn plaintexts_of_every_length() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    for length in [1usize, 2, 3, 31, 32, 33, 4096, 6143, 6144] {
        let plaintext = STANDARD.encode(vec![0xa5; length]);
        let sealed = alice.ok("Encrypt", &[("KeyId", &key), ("Plaintext", &plaintext)]);
        let opened = alice.ok("Decrypt", &[("CiphertextBlob", sealed["CiphertextBlob"].as_str().unwrap())]);
        assert_eq!(opened["Plaintext"], plaintext, "{length}");
    }
    let too_long = STANDARD.encode(vec![0; 6145]);
    for (plaintext, expected) in
        [("", "400 MissingParameter"), (too_long.as_str(), BAD), ("aGVs bG8=", BAD), (&"-".repeat(6145), BAD)]
    {
        alice.refused("Encrypt", &[("KeyId", &key), ("Plaintext", plaintext)], expected);
    }
    alice.refused("Encrypt", &[("KeyId", &key)], "400 MissingParameter");
    alice.refused("Encrypt", &[("Plaintext", HELLO)], "400 MissingParameter");
}

/// Terraform's `alicloud_kms_ciphertext { plaintext = "example" }`: what is no Base64 comes back to the letter, under
/// every key spec, and through ReEncrypt too.
#[test]
fn text_comes_back_as_it_was_given() {
    let world = World::new();
    let alice = world.alice();
    let other = world.key();
    let longest = "\u{e9}".repeat(3072);
    let texts =
        ["example", "aGVsbG8", "aGVsbG8_", "aGVsbG9=", "\u{e9}", "hello, world\r\n", "{\"a\": [\"\u{1}\"]}", &longest];
    for spec in ["Aliyun_AES_256", "Aliyun_AES_192", "Aliyun_AES_128", "Aliyun_SM4"] {
        let key = alice.key(&[("KeySpec", spec)]);
        for text in texts {
            let opened = |blob: &str| {
                let context = ("EncryptionContext", r#"{"a":"1"}"#);
                alice.ok("Decrypt", &[("CiphertextBlob", blob), context])["Plaintext"].clone()
            };
            let context = ("EncryptionContext", r#"{"a":"1"}"#);
            let sealed = alice.ok("Encrypt", &[("KeyId", &key), ("Plaintext", text), context]);
            let blob = sealed["CiphertextBlob"].as_str().unwrap();
            assert_eq!(opened(blob), text, "{spec}");
            let moving = [
                ("CiphertextBlob", blob),
                ("DestinationKeyId", &other),
                ("SourceEncryptionContext", r#"{"a":"1"}"#),
                ("DestinationEncryptionContext", r#"{"a":"1"}"#),
            ];
            let moved = alice.ok("ReEncrypt", &moving);
            assert_eq!(opened(moved["CiphertextBlob"].as_str().unwrap()), text, "{spec}");
            // That it is text is authenticated: as bytes the blob does not open.
            let mut changed = STANDARD.decode(blob).unwrap();
            changed[36] ^= 0x10;
            alice.refused("Decrypt", &[("CiphertextBlob", &STANDARD.encode(changed)), context], BAD);
        }
    }
    // What is Base64 stays bytes, and comes back in its canonical form.
    for (given, back) in [("test", "test"), ("aGVs\r\nbG8=\n", HELLO)] {
        let sealed = alice.ok("Encrypt", &[("KeyId", &other), ("Plaintext", given)]);
        let blob = sealed["CiphertextBlob"].as_str().unwrap();
        let wrapped: Vec<&str> = blob.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let opened = alice.ok("Decrypt", &[("CiphertextBlob", &wrapped.join("\n"))]);
        assert_eq!(opened["Plaintext"], back);
        alice.refused("Decrypt", &[("CiphertextBlob", &wrapped.join(" "))], BAD);
    }
}

#[test]
fn contexts_must_be_equal() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let seal = |context: &str| {
        let params = [("KeyId", key.as_str()), ("Plaintext", HELLO), ("EncryptionContext", context)];
        alice.ok("Encrypt", &params)["CiphertextBlob"].as_str().unwrap().to_owned()
    };
    let open = |blob: &str, context: Option<&str>| {
        let context = context.map(|context| ("EncryptionContext", context));
        let params: Vec<_> = [("CiphertextBlob", blob)].into_iter().chain(context).collect();
        code_of(&alice.call("Decrypt", &params))
    };
    let blob = seal(r#"{"a":"1","b":"2"}"#);
    for same in [r#"{"a":"1","b":"2"}"#, r#"{"b":"2","a":"1"}"#, " { \"a\" : \"\\u0031\" ,\n\"b\":\"2\" } "] {
        assert_eq!(open(&blob, Some(same)), "200", "{same}");
    }
    for other in [r#"{"a":"1"}"#, r#"{"a":"1","b":"2","c":"3"}"#, r#"{"a":"1","B":"2"}"#, r#"{"a":"2","b":"1"}"#, "{}"]
    {
        assert_eq!(open(&blob, Some(other)), BAD, "{other}");
    }
    assert_eq!(open(&blob, None), BAD);
    let without = alice.encrypt(&key);
    for none in [None, Some("{}"), Some("")] {
        assert_eq!(open(&without, none), "200");
        assert_eq!(open(&seal("{}"), none), "200");
    }
    assert_eq!(open(&without, Some(r#"{"a":"1"}"#)), BAD);
    for bad in ["[]", r#"{"a":1}"#, r#"{"a":{"b":"c"}}"#, r#"{"a":"1","a":"1"}"#, "x"] {
        for action in CRYPTO {
            let subject = Subject::new(&world, KeyState::Enabled);
            let mut params = subject.params(action);
            params.push(("EncryptionContext", bad));
            alice.refused(action, &params, BAD);
        }
    }
}

/// One SDK sends a map in the flattened form; it is the same map.
#[test]
fn flattened_contexts() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let flat = [("EncryptionContext.b", "2"), ("EncryptionContext.a", "1")];
    let text = [("EncryptionContext", r#"{"a":"1","b":"2"}"#)];
    for (sealed_with, opened_with) in [(&flat[..], &text[..]), (&text, &flat), (&flat, &flat)] {
        let params: Vec<_> =
            [("KeyId", key.as_str()), ("Plaintext", HELLO)].iter().chain(sealed_with).copied().collect();
        let blob = alice.ok("Encrypt", &params)["CiphertextBlob"].as_str().unwrap().to_owned();
        let params: Vec<_> = [("CiphertextBlob", blob.as_str())].iter().chain(opened_with).copied().collect();
        assert_eq!(alice.ok("Decrypt", &params)["Plaintext"], HELLO);
        for other in [&[][..], &flat[..1], &[("EncryptionContext.a", "2"), ("EncryptionContext.b", "2")]] {
            let params: Vec<_> = [("CiphertextBlob", blob.as_str())].iter().chain(other).copied().collect();
            alice.refused("Decrypt", &params, BAD);
        }
    }
    let both: Vec<_> = [("KeyId", key.as_str())].iter().chain(&flat).chain(&text).copied().collect();
    alice.refused("GenerateDataKey", &both, BAD);
    let long = "x".repeat(8192);
    alice.refused("GenerateDataKey", &[("KeyId", &key), ("EncryptionContext.a", &long)], BAD);
}

/// Damage, another context and another key are one refusal, word for word.
#[test]
fn what_does_not_open_is_one_refusal() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let blob = STANDARD.decode(alice.encrypt(&key)).unwrap();
    let message = |blob: &[u8], context: &str| {
        let blob = STANDARD.encode(blob);
        let reply = alice.reply("Decrypt", &[("CiphertextBlob", &blob), ("EncryptionContext", context)]);
        assert_eq!(reply.status, 400);
        serde_json::from_slice::<Value>(&reply.body).unwrap()["Message"].as_str().unwrap().to_owned()
    };
    let expected = "The specified parameter \"CiphertextBlob\" is not valid.";
    assert_eq!(message(&blob, r#"{"a":"1"}"#), expected);
    for at in 36..blob.len() {
        let mut damaged = blob.clone();
        damaged[at] ^= 1;
        assert_eq!(message(&damaged, ""), expected, "byte {at}");
    }
    for length in [1, 36, 37, blob.len() - 10, blob.len() - 1] {
        assert_eq!(message(&blob[..length], ""), expected, "the first {length} bytes");
    }
    let longer = [blob.as_slice(), &[0]].concat();
    assert_eq!(message(&longer, ""), expected);
    // The version of another key of the same account in front: another key.
    let other = STANDARD.decode(alice.encrypt(&world.key())).unwrap();
    let grafted = [&other[..36], &blob[36..]].concat();
    assert_eq!(message(&grafted, ""), expected);
}

#[test]
fn a_version_that_nobody_knows() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let mut blob = STANDARD.decode(alice.encrypt(&key)).unwrap();
    blob[35] = if blob[35] == b'0' { b'1' } else { b'0' };
    alice.refused("Decrypt", &[("CiphertextBlob", &STANDARD.encode(&blob))], "404 Forbidden.KeyNotFound");
    blob[35] = b'!';
    alice.refused("Decrypt", &[("CiphertextBlob", &STANDARD.encode(&blob))], BAD);
    for (text, expected) in [("", "400 MissingParameter"), ("aGVsbG8=", BAD), ("%", BAD)] {
        alice.refused("Decrypt", &[("CiphertextBlob", text)], expected);
    }
    alice.refused("Decrypt", &[("CiphertextBlob", &STANDARD.encode(vec![b'a'; 9000]))], BAD);
}

#[test]
fn data_keys_of_every_length() {
    let world = World::new();
    let (key, alice) = (world.key(), world.alice());
    let cases: [(&[(&str, &str)], usize); 9] = [
        (&[], 32),
        (&[("KeySpec", "AES_256")], 32),
        (&[("KeySpec", "AES_128")], 16),
        (&[("NumberOfBytes", "1")], 1),
        (&[("NumberOfBytes", "1024")], 1024),
        (&[("KeySpec", "AES_256"), ("NumberOfBytes", "64")], 64),
        (&[("KeySpec", "AES_128"), ("NumberOfBytes", "32")], 32),
        (&[("KeySpec", ""), ("NumberOfBytes", "")], 32),
        (&[("EncryptionContext", r#"{"a":"1"}"#)], 32),
    ];
    for (rest, length) in cases {
        let params: Vec<_> = rest.iter().copied().chain([("KeyId", key.as_str())]).collect();
        let made = alice.ok("GenerateDataKey", &params);
        let plain = bytes(&made, "Plaintext");
        assert_eq!(plain.len(), length, "{rest:?}");
        assert_eq!(made["KeyId"], key);
        assert_eq!(made.as_object().unwrap().len(), 4);
        let without = alice.ok("GenerateDataKeyWithoutPlaintext", &params);
        assert!(without.get("Plaintext").is_none() && without.as_object().unwrap().len() == 3);
        let context: Vec<_> = rest.iter().copied().filter(|(name, _)| *name == "EncryptionContext").collect();
        let open = |blob: &Value| {
            let params: Vec<_> = [("CiphertextBlob", blob["CiphertextBlob"].as_str().unwrap())]
                .into_iter()
                .chain(context.clone())
                .collect();
            bytes(&alice.ok("Decrypt", &params), "Plaintext")
        };
        assert_eq!(open(&made), plain);
        let other = open(&without);
        assert_eq!(other.len(), length);
        assert!(length < 16 || other != plain, "each is a fresh one");
    }
    for action in ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"] {
        for (name, value) in [
            ("NumberOfBytes", "0"),
            ("NumberOfBytes", "1025"),
            ("NumberOfBytes", "-1"),
            ("NumberOfBytes", "1.5"),
            ("KeySpec", "AES_192"),
            ("KeySpec", "aes_256"),
            ("KeySpec", "Aliyun_AES_256"),
        ] {
            alice.refused(action, &[("KeyId", &key), (name, value)], BAD);
        }
    }
}

/// The plaintext would be sent in the clear.
#[test]
fn a_recipient_is_refused() {
    let world = World::new();
    let subject = Subject::new(&world, KeyState::Enabled);
    for action in ["Decrypt", "GenerateDataKey"] {
        let mut params = subject.params(action);
        params.push(("Recipient", "{}"));
        world.alice().refused(action, &params, BAD);
    }
}

#[test]
fn a_dry_run_does_nothing_and_says_what_it_would() {
    let world = World::new();
    let alice = world.alice();
    let subject = Subject::new(&world, KeyState::Enabled);
    let bobs = world.bob().key(&[]);
    let bobs_arn = world.bob().describe(&bobs)["Arn"].as_str().unwrap().to_owned();
    let disabled = Subject::new(&world, KeyState::Disabled);
    let before = world.dump();
    for action in CRYPTO {
        let call = |changes: &[(&'static str, &str)], subject: &Subject, dry_run: &str| {
            let mut params = subject.params(action);
            params.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
            params.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
            params.push(("DryRun", dry_run));
            alice.call(action, &params)
        };
        let expect = |changes: &[(&'static str, &str)], subject: &Subject, expected: &str| {
            for yes in ["true", "True"] {
                let answer = call(changes, subject, yes);
                assert_eq!(code_of(&answer), expected, "{action} {changes:?}");
            }
        };
        expect(&[], &subject, "400 DryRunOperationError");
        let needed = if action == "Decrypt" { "CiphertextBlob" } else { "KeyId" };
        expect(&[(needed, "")], &subject, "400 ValidationError");
        expect(&[(needed, "a b")], &subject, "400 ValidationError");
        expect(&[("EncryptionContext", "[]")], &subject, "400 ValidationError");
        if action == "Decrypt" {
            expect(&[("EncryptionContext", r#"{"a":"1"}"#)], &subject, "400 ValidationError");
        } else {
            expect(&[("KeyId", &bobs_arn)], &subject, "403 AccessDeniedError");
            expect(&[("KeyId", "none")], &subject, "404 Forbidden.KeyNotFound");
        }
        expect(&[], &disabled, "409 Rejected.Disabled");
        assert_eq!(code_of(&call(&[], &subject, "false")), "200");
        assert_eq!(code_of(&call(&[], &subject, "")), "200");
        assert_eq!(code_of(&call(&[], &subject, "yes")), BAD);
        // Nothing of a result is in the answer.
        let mut params = subject.params(action);
        params.push(("DryRun", "true"));
        let body: Value = serde_json::from_slice(&alice.reply(action, &params).body).unwrap();
        let members: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        for member in ["Plaintext", "CiphertextBlob", "KeyVersionId"] {
            assert!(!members.iter().any(|name| name == member), "{action}: {members:?}");
        }
    }
    assert_eq!(world.dump(), before);
    // Elsewhere DryRun means nothing: the call is made.
    let made = alice.ok("CreateKey", &[("DryRun", "true")]);
    assert_eq!(made["KeyMetadata"]["KeyState"], "Enabled");
}
