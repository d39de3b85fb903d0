//! What keys in a token do: the same as others.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_client::api::Client;
use jomae_crypto::{
    import::{WrapAlg, wrap_material},
    mac::{MacAlg, mac},
    secret::SecretBytes,
};
use jomae_sim::softhsm::MODULE;
use jomae_tests::calls::{ask, create_key, refused};
use serde_json::{Value, json};

use crate::{Bench, wait_until};

pub async fn make(client: &Client, params: &[(&str, &str)]) -> (String, Value) {
    let answer = ask(client, "CreateKey", &[params, &[("ProtectionLevel", "HSM")]].concat()).await;
    let metadata = answer["KeyMetadata"].clone();
    assert_eq!(metadata["ProtectionLevel"], "HSM");
    (metadata["KeyId"].as_str().unwrap().to_owned(), metadata)
}

pub fn text<'v>(answer: &'v Value, member: &str) -> &'v str {
    answer[member].as_str().unwrap_or_else(|| panic!("no {member} in {answer}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symmetric_key_does_what_others_do() {
    let bench = Bench::new();
    let mut server = bench.start();
    let client = server.client();
    let (key, metadata) = make(&client, &[]).await;
    let objects = bench.objects();
    assert_eq!(objects.len(), 1);
    let label = format!("jomae:{}:{key}:{}", text(&metadata, "Creator"), text(&metadata, "PrimaryKeyVersion"));
    assert_eq!(objects[0].label, label);

    let context = ("EncryptionContext", r#"{"for":"orders"}"#);
    let plaintext = STANDARD.encode("attack at dawn");
    let sealed = ask(&client, "Encrypt", &[("KeyId", &key), ("Plaintext", &plaintext), context]).await;
    assert_eq!(sealed["KeyVersionId"], metadata["PrimaryKeyVersion"]);
    let blob = text(&sealed, "CiphertextBlob").to_owned();
    let opened = ask(&client, "Decrypt", &[("CiphertextBlob", &blob), context]).await;
    assert_eq!((text(&opened, "Plaintext"), text(&opened, "KeyId")), (plaintext.as_str(), key.as_str()));
    for wrong in
        [&[("CiphertextBlob", blob.as_str())][..], &[("CiphertextBlob", blob.as_str()), ("EncryptionContext", "{}")]]
    {
        let refusal = refused(&client, "Decrypt", wrong).await;
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "InvalidParameter"), "as with any key");
    }
    let mut damaged = STANDARD.decode(&blob).unwrap();
    for at in [40, 60, 90, 100, 150, damaged.len() - 1] {
        damaged[at] ^= 1;
        let damaged_blob = STANDARD.encode(&damaged);
        refused(&client, "Decrypt", &[("CiphertextBlob", &damaged_blob), context]).await;
        damaged[at] ^= 1;
    }

    let data_key = ask(&client, "GenerateDataKey", &[("KeyId", &key)]).await;
    let opened = ask(&client, "Decrypt", &[("CiphertextBlob", text(&data_key, "CiphertextBlob"))]).await;
    assert_eq!(opened["Plaintext"], data_key["Plaintext"]);

    // To a key of the other level, and back.
    let software = create_key(&client, "software").await;
    let source = ("SourceEncryptionContext", context.1);
    let moved = ask(&client, "ReEncrypt", &[("CiphertextBlob", &blob), ("DestinationKeyId", &software), source]).await;
    let back =
        ask(&client, "ReEncrypt", &[("CiphertextBlob", text(&moved, "CiphertextBlob")), ("DestinationKeyId", &key)])
            .await;
    let opened = ask(&client, "Decrypt", &[("CiphertextBlob", text(&back, "CiphertextBlob"))]).await;
    assert_eq!(text(&opened, "Plaintext"), plaintext);

    // A new version encrypts, the old one decrypts, over a restart too.
    let version = ask(&client, "CreateKeyVersion", &[("KeyId", &key)]).await;
    assert_eq!(bench.objects().len(), 2);
    assert_eq!(server.stop(), Some(0));
    drop(server);
    let server = bench.start();
    let client = server.client();
    let opened = ask(&client, "Decrypt", &[("CiphertextBlob", &blob), context]).await;
    assert_eq!(opened["KeyVersionId"], metadata["PrimaryKeyVersion"]);
    let sealed = ask(&client, "Encrypt", &[("KeyId", &key), ("Plaintext", &plaintext)]).await;
    assert_eq!(sealed["KeyVersionId"], version["KeyVersion"]["KeyVersionId"]);

    let filter = |level: &str| json!([{"Key": "ProtectionLevel", "Values": [level]}]).to_string();
    for (level, id) in [("HSM", &key), ("SOFTWARE", &software)] {
        let listed = ask(&client, "ListKeys", &[("Filters", &filter(level))]).await;
        assert_eq!((&listed["TotalCount"], &listed["Keys"]["Key"][0]["KeyId"]), (&json!(1), &json!(id)));
    }
    let described = ask(&client, "DescribeKey", &[("KeyId", &key)]).await;
    assert_eq!(described["KeyMetadata"]["ProtectionLevel"], "HSM");
    let events = server.audit();
    let made = events
        .iter()
        .find(|event| event["eventName"] == "CreateKey" && event.to_string().contains(r#""ProtectionLevel":"HSM""#));
    assert!(made.is_some(), "the log knows the level");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_pairs_and_macs_do_what_others_do() {
    let bench = Bench::new();
    let server = bench.start();
    let client = server.client();
    let digest = STANDARD.encode([7; 32]);
    for (spec, algorithms) in [
        ("EC_P256", &["ECDSA_SHA_256"][..]),
        ("EC_P256K", &["ECDSA_SHA_256"]),
        ("RSA_2048", &["RSA_PSS_SHA_256", "RSA_PKCS1_SHA_256"]),
    ] {
        let (key, metadata) = make(&client, &[("KeySpec", spec)]).await;
        let version = text(&metadata, "PrimaryKeyVersion");
        let public = ask(&client, "GetPublicKey", &[("KeyId", &key), ("KeyVersionId", version)]).await;
        assert!(text(&public, "PublicKey").contains("BEGIN PUBLIC KEY"));
        for algorithm in algorithms {
            let common = [
                ("KeyId", key.as_str()),
                ("KeyVersionId", version),
                ("Algorithm", *algorithm),
                ("Digest", digest.as_str()),
            ];
            let signed = ask(&client, "AsymmetricSign", &common).await;
            let value = ("Value", text(&signed, "Value"));
            let verified = ask(&client, "AsymmetricVerify", &[&common[..], &[value]].concat()).await;
            assert_eq!(verified["Value"], true, "{spec} {algorithm}");
        }
    }
    let (key, _) = make(&client, &[("KeySpec", "HMAC_SHA_256"), ("KeyUsage", "GENERATE/VERIFY_MAC")]).await;
    let message = STANDARD.encode("message");
    let common = [("KeyId", key.as_str()), ("Algorithm", "HMAC_SHA_256"), ("Message", message.as_str())];
    let made = ask(&client, "GenerateMac", &common).await;
    let verified = ask(&client, "VerifyMac", &[&common[..], &[("Mac", text(&made, "Mac"))]].concat()).await;
    assert_eq!(verified["Value"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_token_does_not_serve_is_refused_before_anything_is_made() {
    let bench = Bench::new();
    let server = bench.start();
    let client = server.client();
    for params in [
        &[("KeySpec", "Aliyun_SM4")][..],
        &[("KeySpec", "EC_SM2")],
        &[("KeySpec", "ML_DSA_65")],
        &[("KeySpec", "HMAC_SM3"), ("KeyUsage", "GENERATE/VERIFY_MAC")],
        // SoftHSM 2.6 has OAEP with SHA-1 alone.
        &[("KeySpec", "RSA_2048"), ("KeyUsage", "ENCRYPT/DECRYPT")],
        &[("KeySpec", "EC_SM2"), ("Origin", "EXTERNAL")],
    ] {
        let refusal = refused(&client, "CreateKey", &[params, &[("ProtectionLevel", "HSM")]].concat()).await;
        assert_eq!((refusal.status, refusal.code.as_str()), (400, "Unsupported.ProtectionLevel"), "{params:?}");
    }
    assert!(bench.objects().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_after_it_was_made_in_the_token_is_destroyed_there() {
    let bench = Bench::new();
    let server = bench.start_more(Path::new(MODULE), 10, "[quotas]\nkeys_per_account = 1\n");
    let client = server.client();
    make(&client, &[]).await;
    let refusal = refused(&client, "CreateKey", &[("ProtectionLevel", "HSM")]).await;
    assert_eq!(refusal.code, "Rejected.LimitExceeded");
    wait_until("one object", || bench.objects().len() == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imported_material_lives_and_dies_in_the_token() {
    let bench = Bench::new();
    let server = bench.start();
    let client = server.client();
    let params = [("KeySpec", "HMAC_SHA_256"), ("KeyUsage", "GENERATE/VERIFY_MAC"), ("Origin", "EXTERNAL")];
    let (key, metadata) = make(&client, &params).await;
    assert_eq!(metadata["KeyState"], "PendingImport");
    let material = SecretBytes::new(vec![0x42; 32]);
    let import = async || {
        let wanted =
            [("KeyId", key.as_str()), ("WrappingAlgorithm", "RSAES_OAEP_SHA_256"), ("WrappingKeySpec", "RSA_2048")];
        let given = ask(&client, "GetParametersForImport", &wanted).await;
        let spki = STANDARD.decode(text(&given, "PublicKey")).unwrap();
        let wrapped = STANDARD.encode(wrap_material(&spki, WrapAlg::RsaesOaepSha256, &material).unwrap());
        let params = [
            ("KeyId", key.as_str()),
            ("EncryptedKeyMaterial", wrapped.as_str()),
            ("ImportToken", text(&given, "ImportToken")),
        ];
        ask(&client, "ImportKeyMaterial", &[&params[..], &[("KeyMaterialExpireUnix", "0")]].concat()).await;
    };
    import().await;
    assert_eq!(bench.objects().len(), 1);
    let message = STANDARD.encode("message");
    let common = [("KeyId", key.as_str()), ("Algorithm", "HMAC_SHA_256"), ("Message", message.as_str())];
    let expected = STANDARD.encode(&*mac(MacAlg::Sha256, material.expose(), b"message"));
    assert_eq!(text(&ask(&client, "GenerateMac", &common).await, "Mac"), expected);
    // Once more: one object takes the place of the other.
    import().await;
    wait_until("one object", || bench.objects().len() == 1);
    ask(&client, "DeleteKeyMaterial", &[("KeyId", &key)]).await;
    wait_until("an empty token", || bench.objects().is_empty());
    refused(&client, "GenerateMac", &common).await;
    import().await;
    assert_eq!(text(&ask(&client, "GenerateMac", &common).await, "Mac"), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_the_level_is_refused_and_its_keys_wait() {
    let bench = Bench::new();
    let key = {
        let server = bench.start();
        make(&server.client(), &[]).await.0
    };
    let server = bench.site.launch().config("").start();
    let client = server.client();
    let refusal = refused(&client, "CreateKey", &[("ProtectionLevel", "HSM")]).await;
    assert_eq!((refusal.status, refusal.code.as_str()), (400, "Unsupported.ProtectionLevel"));
    let refusal = refused(&client, "Encrypt", &[("KeyId", &key), ("Plaintext", "AAAA")]).await;
    assert_eq!((refusal.status, refusal.code.as_str()), (503, "ServiceUnavailableTemporary"));
}
