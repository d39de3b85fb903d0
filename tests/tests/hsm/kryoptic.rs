//! The service with a token of Kryoptic, which serves what SoftHSM does not.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_sim::{kryoptic::Token, softhsm::PIN};
use jomae_tests::{
    Server, Site,
    calls::{ask, refused},
};

use crate::{
    LABEL,
    keys::{make, text},
};

fn start(site: &Site, token: &Token) -> Server {
    let pin_file = site.path("pin");
    std::fs::write(&pin_file, PIN).unwrap();
    std::fs::set_permissions(&pin_file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let config = format!(
        "[hsm]\nmodule = \"{}\"\ntoken_label = \"{LABEL}\"\npin_file = \"{}\"\nsessions = 4\n",
        token.module().display(),
        pin_file.display()
    );
    let mut launch = site.launch().config(&config);
    for (name, value) in token.env() {
        launch = launch.variable(name.to_str().unwrap(), value.to_str().unwrap());
    }
    launch.start()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_in_it_do_what_others_do_over_a_restart() {
    let site = Site::default();
    let token = Token::new(&site.path("kryoptic"), LABEL);
    let mut server = start(&site, &token);
    let client = server.client();
    let plaintext = STANDARD.encode("attack at dawn");
    let (aes, _) = make(&client, &[]).await;
    let sealed = ask(&client, "Encrypt", &[("KeyId", &aes), ("Plaintext", &plaintext)]).await;
    let blob = text(&sealed, "CiphertextBlob").to_owned();

    let (rsa, metadata) = make(&client, &[("KeySpec", "RSA_2048"), ("KeyUsage", "ENCRYPT/DECRYPT")]).await;
    let version = text(&metadata, "PrimaryKeyVersion");
    for algorithm in ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"] {
        let common = [("KeyId", rsa.as_str()), ("KeyVersionId", version), ("Algorithm", algorithm)];
        let sealed =
            ask(&client, "AsymmetricEncrypt", &[&common[..], &[("Plaintext", plaintext.as_str())]].concat()).await;
        let blob = text(&sealed, "CiphertextBlob");
        let opened = ask(&client, "AsymmetricDecrypt", &[&common[..], &[("CiphertextBlob", blob)]].concat()).await;
        assert_eq!(text(&opened, "Plaintext"), plaintext, "{algorithm}");
        let mut damaged = STANDARD.decode(blob).unwrap();
        damaged[100] ^= 1;
        let damaged = STANDARD.encode(damaged);
        let wrong = [&common[..], &[("CiphertextBlob", damaged.as_str())]].concat();
        let refusal = refused(&client, "AsymmetricDecrypt", &wrong).await;
        assert_eq!(refusal.status, 400, "a wrong ciphertext is the caller's fault, and ends no worker");
    }
    assert!(super::metric(&server, "jomae_hsm_worker_restarts_total") < 0.5);

    let (ec, metadata) = make(&client, &[("KeySpec", "EC_P256")]).await;
    let digest = STANDARD.encode([7; 32]);
    let version = text(&metadata, "PrimaryKeyVersion");
    let common =
        [("KeyId", ec.as_str()), ("KeyVersionId", version), ("Algorithm", "ECDSA_SHA_256"), ("Digest", &digest)];
    let signed = ask(&client, "AsymmetricSign", &common).await;
    let value = ("Value", text(&signed, "Value"));
    let verified = ask(&client, "AsymmetricVerify", &[&common[..], &[value]].concat()).await;
    assert_eq!(verified["Value"], true);
    assert_eq!(
        refused(&client, "CreateKey", &[("KeySpec", "EC_P256K"), ("ProtectionLevel", "HSM")]).await.code,
        "Unsupported.ProtectionLevel"
    );

    assert_eq!(server.stop(), Some(0));
    drop(server);
    let server = start(&site, &token);
    let opened = ask(&server.client(), "Decrypt", &[("CiphertextBlob", &blob)]).await;
    assert_eq!(text(&opened, "Plaintext"), plaintext);
}
