//! What is told of the configuration, and what is not.

use std::net::SocketAddr;

use super::{Listening, settings};
use crate::config::Config;

const LISTENING: Listening = Listening {
    api: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7443),
    admin: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7444),
    console: None,
    nodes: None,
};

fn shown(config: &str) -> Vec<(String, String)> {
    let config = Config::parse(config).unwrap();
    settings::of(&config, &LISTENING).into_iter().map(|row| (row.name, row.value)).collect()
}

fn value<'r>(rows: &'r [(String, String)], name: &str) -> &'r str {
    rows.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap()
}

#[test]
fn nothing_is_shown_that_opens_anything_or_says_where_it_lies() {
    let config = r#"
        data_dir = "/hidden/data"
        [tls]
        cert_file = "/hidden/cert"
        key_file = "/hidden/key"
        [store]
        kind = "etcd"
        endpoints = ["https://hidden:hidden@etcd.example:2379/hidden"]
        prefix = "hidden"
        ca_file = "/hidden/ca"
        cert_file = "/hidden/cert"
        key_file = "/hidden/key"
        [cluster]
        node = "a"
        [root_key]
        provider = ["passphrase", "kms"]
        passphrase_file = "/hidden/passphrase"
        file = "/hidden/file"
        share_files = ["/hidden/share"]
        [root_key.kms]
        endpoint = "https://hidden.example"
        region = "hidden"
        key_id = "hidden"
        credentials_file = "/hidden/credentials"
        [hsm]
        module = "/hidden/module.so"
        token_label = "t"
        token_serial = "hidden"
        pin_file = "/hidden/pin"
        [audit]
        witness_file = "/hidden/witness"
        witness_url = "https://hidden:hidden@witness.example:8080/hidden?token=hidden"
        [audit.archive]
        to = "/hidden/archive"
        [backup]
        to = "s3://hidden/hidden"
        region = "hidden"
        endpoint = "https://hidden.example"
        credentials_file = "/hidden/credentials"
        [destruction]
        keys_dir = "/hidden/keys"
        escrow_dir = "/hidden/escrow"
        [[oidc_provider]]
        account = "1234567890123456"
        name = "idp"
        issuer = "https://hidden.example"
        client_ids = ["hidden"]
        jwks_file = "/hidden/jwks"
        [oidc_provider.console]
        client_id = "hidden"
        client_secret_file = "/hidden/secret"
        role_arn = "hidden"
        redirect_uri = "https://hidden.example/sign-in/callback"
    "#;
    let rows = shown(config);
    for (name, value) in &rows {
        assert!(!value.contains("hidden"), "{name} shows {value}");
    }
    assert_eq!(value(&rows, "store.endpoints"), "https://etcd.example:2379");
    assert_eq!(value(&rows, "audit.witness_url"), "https://witness.example:8080");
    assert_eq!((value(&rows, "audit.archive.to"), value(&rows, "backup.to")), ("directory", "s3"));
    assert_eq!(value(&rows, "root_key.provider"), "passphrase, kms");
    assert_eq!(value(&rows, "oidc_provider"), "1234567890123456/idp");
    assert_eq!(value(&rows, "listen"), "127.0.0.1:7443", "as it listens, not as it was written");
}

/// The names are those of the documentation.
#[test]
fn settings_have_the_names_of_the_configuration() {
    let example = include_str!("../../../../docs/jomae.example.toml");
    for (name, _) in shown("[hsm]\nmodule = \"/m.so\"\ntoken_label = \"t\"\npin_file = \"/pin\"") {
        let last = name.rsplit('.').next().unwrap();
        let is_there = example.lines().any(|line| {
            let line = line.trim_start_matches(['#', ' ']);
            line.starts_with(&format!("{last} =")) || line.starts_with(&format!("[[{last}]]"))
        });
        assert!(is_there, "{name} is no setting of the example");
    }
}
