//! Keys of SSH: what opens, and what is refused.

use std::path::Path;

use age::{Identity as _, Recipient as _};
use base64::engine::general_purpose::STANDARD;
use curve25519_dalek::constants::EIGHT_TORSION;
use proptest::prelude::*;
use ssh_key::{
    LineEnding,
    private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData},
};

use super::*;
use crate::root_key::people::{Identities, Person, ShareFileError};

/// A private key as `ssh-keygen -t ed25519` has made it; it guards nothing.
const FILE: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACCVqEQy3XQib1d5cjnyU/yu+2tCF7seXbAY0QWxc0pTEAAAAJAoi4oTKIuK
EwAAAAtzc2gtZWQyNTUxOQAAACCVqEQy3XQib1d5cjnyU/yu+2tCF7seXbAY0QWxc0pTEA
AAAEBTx2nsw9jnKnrWY28+tuezW7rlTdIBKIQ89klugtLTQ5WoRDLddCJvV3lyOfJT/K77
a0IXux5dsBjRBbFzSlMQAAAADGFAam9tYWUudGVzdAE=
-----END OPENSSH PRIVATE KEY-----
";
/// Its public half.
const LINE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJWoRDLddCJvV3lyOfJT/K77a0IXux5dsBjRBbFzSlMQ a@jomae.test";
/// Another, with a passphrase.
const PROTECTED: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABBo5Q6yvR
7i0HXDbYSZu6jgAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIJmaiCS6s5KjgXqT
ts1vj6ajWHUXsFpJe3a2DRE9N65NAAAAkHyHjODfjHrQkOhQI/w/ri5uM/Ahoc5R/NNkIR
2mplqv4lZ3rUKU18Oe+K/pgMtKzwQFN3p7byZFZD8ij09cf5zm5Y9udTzyFGz3yafQoMs6
vUPvJMNFjL8BcDQdvmqv9xE8lBeokb52F5th6H8utEem3dLkkpPcGtFMeGTo6GtIAPvZP8
4SZpa/aDszmyKX8g==
-----END OPENSSH PRIVATE KEY-----
";
/// `jomae root share v1`, by `age -a -R` with the line.
const SEALED: &str = "\
-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNzaC1lZDI1NTE5IDJ1UFhTQSBZUFlD
NURQYTVveXVwNFl3MUNBQzlnN1BNeVkxOTlVb3VPeFlaTndQL2w4ClQzNjhBY3pJ
TXh1SUEyTmJXdmVPRGtkdHM3WFZURyttYmZIcUhDSWJKSjgKLS0tICt1VkNSWllh
dGhEbS9oMGo4QWJHVjV3K0JLOWI0dDVpZkxSd3dXVytQajAKY2RagvqvOdVGI4sh
6lfYn9rAGy7cTeOathNM0O24F897eVDnX0acdo7evkk+CKNodlhv
-----END AGE ENCRYPTED FILE-----
";
/// Public keys of other kinds, by their beginnings.
const OTHERS: [&str; 6] = [
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 a@jomae.test",
    "ssh-dss AAAAB3NzaC1kc3MAAACBAJ a@jomae.test",
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPgm a@jomae.test",
    "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAI a@jomae.test",
    "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZA a@jomae.test",
    "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t a@jomae.test",
];

/// A file with the private key of a seed, and `public` or what belongs to it as the public half.
fn file(seed: [u8; 32], public: Option<Ed25519PublicKey>) -> String {
    let own = || Ed25519PublicKey(EdwardsPoint::mul_base_clamped(*secret(&seed).as_bytes()).compress().0);
    let pair = Ed25519Keypair { public: public.unwrap_or_else(own), private: Ed25519PrivateKey::from_bytes(&seed) };
    let key = ssh_key::PrivateKey::new(KeypairData::Ed25519(pair), "a@jomae.test").unwrap();
    key.to_openssh(LineEnding::LF).unwrap().to_string()
}

pub fn identity(seed: [u8; 32]) -> Identity {
    Identity::from_openssh(file(seed, None).as_bytes()).unwrap()
}

fn line_of(key: [u8; 32]) -> String {
    ssh_key::PublicKey::from(KeyData::Ed25519(Ed25519PublicKey(key))).to_openssh().unwrap()
}

fn opens(file: &str, sealed: &str) -> Option<Vec<u8>> {
    let identities = Identities::in_file(Path::new("key"), file.as_bytes()).unwrap();
    identities.open(sealed.as_bytes()).map(|opened| opened.to_vec())
}

#[test]
fn what_the_tool_age_has_encrypted_opens() {
    assert_eq!(opens(FILE, SEALED).unwrap(), b"jomae root share v1");
    assert_eq!(opens(&FILE.replace('\n', "\r\n"), SEALED).unwrap(), b"jomae root share v1");
    assert_eq!(opens(&file([7; 32], None), SEALED), None);
    assert_eq!(
        Identity::from_openssh(FILE.as_bytes()).unwrap().recipient().to_string(),
        LINE.rsplit_once(' ').unwrap().0
    );
}

#[test]
fn a_line_is_a_person_whatever_its_comment() {
    let person: Person = LINE.parse().unwrap();
    let (bare, _) = LINE.rsplit_once(' ').unwrap();
    for line in [bare, &format!("{bare} b c"), &format!("  {LINE}\n")] {
        assert!(line.parse::<Person>().unwrap() == person, "{line}");
    }
    assert_eq!(person.to_string(), bare);
    assert!(line_of([3; 32]).parse::<Person>().is_ok_and(|other| other != person));
    let longest = format!("{bare} {}", "c".repeat(LINE_BYTES_MAX - bare.len() - 1));
    assert!(longest.parse::<Person>().unwrap() == person);
    for bad in [
        &format!("{longest}c"),
        &format!("{LINE}\n{LINE}"),
        &format!("{LINE}\r{LINE}"),
        &bare[..bare.len() - 1],
        &bare.replacen("AAAAC3", "AAAAC4", 1),
        &bare.replacen("AAAAIJ", "////IJ", 1),
        &format!("{bare}AAAA"),
        &bare.replacen("ssh-ed25519", "ssh-ed25519  ", 1),
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPgm",
    ] {
        let refused = bad.parse::<Person>().err().unwrap_or_else(|| panic!("{bad}"));
        assert!(refused.contains("is not a public key as ssh-keygen -t ed25519 makes it"), "{refused}");
        assert!(refused.len() < 300, "{refused}");
    }
}

#[test]
fn other_kinds_are_refused_by_name() {
    for line in OTHERS {
        let refused = line.parse::<Person>().err().unwrap_or_else(|| panic!("{line}"));
        let kind = line.split_once(' ').unwrap().0;
        assert!(
            refused.starts_with(&format!("SSH keys of the kind {kind} are not taken: ssh-keygen -t ed25519")),
            "{refused}"
        );
        assert!(Recipient::from_line(line).is_none());
    }
    let sk = ssh_key::public::SkEd25519::new(Ed25519PublicKey([3; 32]), "ssh:");
    let sk = ssh_key::PublicKey::from(KeyData::SkEd25519(sk)).to_openssh().unwrap();
    assert!(Recipient::from_line(&sk).is_none(), "{sk}");
}

/// Whoever agrees a key with such a one agrees what everybody knows.
#[test]
fn keys_of_low_order_and_second_forms_of_keys_are_refused() {
    for point in EIGHT_TORSION {
        let line = line_of(point.compress().0);
        assert!(Recipient::from_line(&line).is_none(), "{line}");
    }
    // 2 is no y of a point; p + 1 is 1, and p + 3 is 3, of which there is a point.
    let above = |n: u8| std::array::from_fn(|at| [0xed + n, 0xff, 0x7f][usize::from(at > 0) + usize::from(at == 31)]);
    let small = |n: u8| std::array::from_fn(|at| if at == 0 { n } else { 0 });
    assert!(CompressedEdwardsY(above(3)).decompress() == CompressedEdwardsY(small(3)).decompress());
    assert!(Recipient::from_line(&line_of(small(3))).is_some());
    for bad in [small(2), above(1), above(3)] {
        assert!(Recipient::from_line(&line_of(bad)).is_none(), "{bad:?}");
    }
}

#[test]
fn files_that_give_no_key_say_why() {
    let error = |content: &str| match Identities::in_file(Path::new("key"), content.as_bytes()) {
        Err(ShareFileError::SshKey { source, .. }) => source,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("{content}"),
    };
    assert_eq!(error(PROTECTED), IdentityError::Protected);
    let other =
        ssh_key::private::SkEd25519::new(ssh_key::public::SkEd25519::new(Ed25519PublicKey([3; 32]), "ssh:"), 1, [0; 8]);
    let other = ssh_key::PrivateKey::new(KeypairData::SkEd25519(other.unwrap()), "").unwrap();
    let other = other.to_openssh(LineEnding::LF).unwrap();
    assert_eq!(error(&other), IdentityError::Kind("sk-ssh-ed25519@openssh.com".into()));
    // A public half that is another's, or nobody's.
    let stranger = identity([8; 32]).recipient().to_string();
    let stranger = *ssh_key::PublicKey::from_openssh(&stranger).unwrap().key_data().ed25519().unwrap();
    for public in [stranger, Ed25519PublicKey(EIGHT_TORSION[0].compress().0)] {
        assert_eq!(error(&file([7; 32], Some(public))), IdentityError::Damaged);
    }
    let cut = FILE.lines().take(5).collect::<Vec<_>>().join("\n");
    for damaged in [
        FILE.replacen("AEBTx2", "AEBTx3", 1),
        FILE.replacen("AAAADGFA", "////DGFA", 1),
        FILE.replacen("OPENSSH PRIVATE", "PRIVATE", 2),
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n".to_owned(),
        "-----BEGIN ".to_owned(),
        format!("{FILE}{FILE}"),
        cut,
    ] {
        assert_ne!(damaged, FILE);
        assert_eq!(error(&damaged), IdentityError::Damaged, "{damaged}");
    }
    assert!(matches!(Identities::in_file(Path::new("key"), SEALED.as_bytes()), Err(ShareFileError::NoIdentity { .. })));
}

#[test]
fn a_damaged_stanza_opens_nothing() {
    let identity = identity([7; 32]);
    let file_key = || FileKey::new(Box::new([5; FILE_KEY_BYTES]));
    let stanza = || identity.recipient().wrap_file_key(&file_key()).unwrap().0.remove(0);
    let opened = |stanza: &Stanza| identity.unwrap_stanza(stanza).map(|opened| opened.map(|key| *key.expose_secret()));
    assert!(matches!(opened(&stanza()), Some(Ok(key)) if key == [5; FILE_KEY_BYTES]));
    assert_ne!(stanza().args[1], stanza().args[1]);

    let changed = |change: &dyn Fn(&mut Stanza)| {
        let mut stanza = stanza();
        change(&mut stanza);
        opened(&stanza)
    };
    assert!(changed(&|stanza| stanza.tag = "ssh-rsa".to_owned()).is_none());
    assert!(changed(&|stanza| stanza.args[0] = "AAAAAA".to_owned()).is_none(), "another's");
    let damages: [&dyn Fn(&mut Stanza); 10] = [
        &|stanza| stanza.args.truncate(1),
        &|stanza| stanza.args.clear(),
        &|stanza| stanza.args.push("AAAA".to_owned()),
        &|stanza| stanza.args[1].push('='),
        &|stanza| stanza.args[1].truncate(40),
        &|stanza| stanza.args[1] = STANDARD_NO_PAD.encode([9; 33]),
        &|stanza| stanza.args[1] = STANDARD_NO_PAD.encode([9; 32]),
        &|stanza| stanza.body[3] ^= 1,
        &|stanza| stanza.body.truncate(31),
        &|stanza| stanza.body.push(0),
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        assert!(matches!(changed(damage), Some(Err(_))), "{number}");
    }
    // Where nothing secret is agreed, everybody knows the key: who made the stanza is not who has the public key.
    for point in EIGHT_TORSION {
        let share = PublicKey::from(point.to_montgomery().to_bytes());
        let salt = [share.to_bytes(), identity.recipient().public.to_bytes()].concat();
        let known = hkdf(&salt, LABEL, &[0; 32]);
        let mut forged = stanza();
        forged.args[1] = STANDARD_NO_PAD.encode(share.as_bytes());
        forged.body = aead_encrypt(&known, &[5; FILE_KEY_BYTES]);
        assert!(matches!(opened(&forged), Some(Err(_))), "{point:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is made of a line or of a file, it is refused, or it is a key that can be used.
    #[test]
    fn changed_lines_and_files_are_refused_or_are_keys(
        seed: [u8; 32], at in 0..2048_usize, with: String, cut in 0..64_usize, bytes: Vec<u8>
    ) {
        let change = |text: &str| {
            let at = at % text.len();
            let end = (at + cut).min(text.len());
            [&text[..at], &with, &text[end..]].concat()
        };
        let whole = file(seed, None);
        let identity = Identity::from_openssh(whole.as_bytes()).unwrap();
        let line = identity.recipient().to_string();
        prop_assert!(Recipient::from_line(&line).unwrap() == *identity.recipient());
        for text in [change(&line), change(LINE), with.clone(), format!("ssh-ed25519 {}", STANDARD_NO_PAD.encode(&bytes))] {
            if let Ok(person) = text.parse::<Person>() {
                prop_assert!(person.to_string().parse::<Person>().unwrap() == person);
                prop_assert!(person.seal(b"share").is_ok());
            }
        }
        let pem = ssh_key::PrivateKey::from_openssh(FILE).unwrap().to_bytes().unwrap();
        let pem = [&pem[..at.min(pem.len())], &bytes].concat();
        let lines: Vec<_> = STANDARD.encode(&pem).into_bytes().chunks(70).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        let begun = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n", lines.join("\n"));
        for content in [change(&whole), with.clone(), begun] {
            if let Ok(found) = Identity::from_openssh(content.as_bytes()) {
                let sealed = Person::Ssh(found.recipient().clone()).seal(b"share").unwrap();
                prop_assert_eq!(opens(&content, &sealed).unwrap(), b"share");
            }
        }
    }
}
