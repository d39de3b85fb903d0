use std::time::{Duration, SystemTime};

use super::*;

fn names() -> Vec<String> {
    ["kms.cn-hangzhou.example.com", "*.kms.example.com", "127.0.0.1", "::1"].map(str::to_owned).to_vec()
}

/// The reason for a refusal; the value itself has no `Debug`.
fn error<T>(outcome: Result<T, TlsError>) -> TlsError {
    match outcome {
        Ok(_) => panic!("accepted"),
        Err(error) => error,
    }
}

#[test]
fn certificates_are_made_and_loaded() {
    let ca = generate_ca(SystemTime::now()).unwrap();
    for (days, lives_days) in [(30, 30), (0, 1), (396, 396), (10_000, 396)] {
        let leaf = issue(Role::Server, (&ca.cert_pem, &ca.key_pem), &names(), days, SystemTime::now()).unwrap();
        let left = leaf.not_after.duration_since(SystemTime::now()).unwrap();
        assert_eq!(left.as_secs().div_ceil(86_400), lives_days);
        assert_eq!(leaf.not_after.duration_since(leaf.not_before).unwrap().as_secs() / 86_400, lives_days + 1);
        ServerTls::from_pem(&leaf.cert_pem, &leaf.key_pem).unwrap();
        assert!(matches!(
            error(ServerTls::from_pem(&ca.cert_pem, &leaf.key_pem)),
            TlsError::Unusable(rustls::Error::InconsistentKeys(_))
        ));
    }
}

/// Whatever the clock showed when the CA was made, its certificates are valid when the clock has been put right.
#[test]
fn a_ca_made_by_a_wrong_clock_serves() {
    let day = Duration::from_hours(24);
    let right = SystemTime::UNIX_EPOCH + day * 21_000; // in 2027
    for wrong in [SystemTime::UNIX_EPOCH - day, SystemTime::UNIX_EPOCH, right - day * 3000, right, right + day * 9000] {
        let ca = generate_ca(wrong).unwrap();
        assert!(ca.not_before <= right && right + day * 3000 <= ca.not_after, "{wrong:?}");
        // Made while the clock is still wrong, and again when it is right; each is checked at its moment.
        issue(Role::Server, (&ca.cert_pem, &ca.key_pem), &names(), 397, wrong).unwrap();
        let leaf = issue(Role::Server, (&ca.cert_pem, &ca.key_pem), &names(), 397, right).unwrap();
        assert_eq!(right.duration_since(leaf.not_before).unwrap(), day);
        assert!(leaf.not_after <= ca.not_after);
    }
}

#[test]
fn a_ca_signs_only_with_its_own_key() {
    let (ca, other) = (generate_ca(SystemTime::now()).unwrap(), generate_ca(SystemTime::now()).unwrap());
    assert!(matches!(
        error(issue(Role::Server, (&ca.cert_pem, &other.key_pem), &names(), 1, SystemTime::now())),
        TlsError::ForeignCa
    ));
    assert!(matches!(
        error(issue(Role::Server, (&ca.cert_pem, "garbage"), &names(), 1, SystemTime::now())),
        TlsError::NoKey
    ));
    assert!(matches!(
        error(issue(Role::Server, ("garbage", &ca.key_pem), &names(), 1, SystemTime::now())),
        TlsError::NoCertificate
    ));
}

#[test]
fn names_are_checked() {
    let ca = generate_ca(SystemTime::now()).unwrap();
    for name in ["", "a b", "*", "*.", "a.*.example.com", "https://x", "x:8443", "日本", "-", "a..b"] {
        let names = vec!["localhost".to_owned(), name.to_owned()];
        assert!(
            matches!(error(issue(Role::Server, (&ca.cert_pem, &ca.key_pem), &names, 1, SystemTime::now())), TlsError::Name(n) if n == name),
            "{name}"
        );
    }
    assert!(matches!(
        error(issue(Role::Server, (&ca.cert_pem, &ca.key_pem), &[], 1, SystemTime::now())),
        TlsError::NoName
    ));
}

#[test]
fn errors_do_not_show_what_a_key_file_holds() {
    let folder = tempfile::tempdir().unwrap();
    let ca = generate_ca(SystemTime::now()).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, &ca.cert_pem).unwrap();
    let secret = ca.key_pem.lines().nth(1).unwrap();
    for broken in [
        secret.to_owned(),
        format!("-----BEGIN PRIVATE KEY-----{secret}"),
        format!("-----BEGIN PRIVATE KEY-----\n{secret}"),
        format!("-----BEGIN PRIVATE KEY-----\n{secret}!\n-----END PRIVATE KEY-----\n"),
        format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n"),
    ] {
        std::fs::write(&key, broken).unwrap();
        let error = error(ServerTls::load(&cert, &key));
        assert!(!format!("{error} {error:?}").contains(&secret[..20]));
    }
}

#[test]
fn files_are_bounded_and_named_in_errors() {
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large.pem");
    std::fs::write(&large, vec![b'-'; 300 * 1024]).unwrap();
    let failed = error(ServerTls::load(&large, &large));
    assert!(matches!(&failed, TlsError::TooLarge { path } if *path == large), "{failed}");
    let missing = folder.path().join("missing.pem");
    assert!(error(ServerTls::load(&missing, &large)).to_string().contains("missing.pem"));
    let ca = generate_ca(SystemTime::now()).unwrap();
    let loaded = ServerTls::from_pem(&ca.cert_pem, &ca.key_pem).unwrap();
    assert!(matches!(loaded.reload(), Err(TlsError::NoFile)));
}
