//! How a store is opened by its providers, begun by one, and given others.

use jomae_core::{
    keyring::Keyring,
    root::{Change, NewSlot, change},
    store::memory::MemoryStore,
    tx::Vault,
};
use jomae_crypto::shares;
use std::{path::PathBuf, sync::Arc};

use super::*;
use crate::files;

struct Place {
    dir: tempfile::TempDir,
    store: Arc<MemoryStore>,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), store: Arc::new(MemoryStore::new()) }
    }

    fn config(&self, providers: &[RootKeyProvider]) -> Config {
        let mut config = Config { data_dir: self.dir.path().to_owned(), ..Config::default() };
        config.root_key.providers = providers.to_vec();
        config.root_key.passphrase_file = Some(self.dir.path().join("passphrase"));
        config
    }

    fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        files::write_private(&path, content).unwrap();
        path
    }

    async fn vault(&self, opened: &Opened) -> Vault {
        let keyring = Arc::new(Keyring::open(&*self.store, &opened.root).await.unwrap());
        Vault::new(Arc::clone(&self.store) as Arc<dyn Store>, keyring, 10)
    }
}

use RootKeyProvider::{File, Passphrase, Shares};

async fn changed(vault: &Vault, opened: &Opened, wish: Change<'_>) -> Result<(), ChangeError> {
    let region = jomae_api::names::RegionId::new("cn-hangzhou").unwrap();
    let root = opened.holder.root(vault.store()).unwrap();
    let direct = opened.holder.direct(vault.store()).unwrap();
    change(vault, &region, &root, direct.as_ref(), &wish, None, gateway::now()).await.map(drop)
}

#[tokio::test]
async fn strength_is_asked_when_the_passphrase_is_new() {
    let place = Place::new();
    place.put("passphrase", b"horse\n");
    let mut config = place.config(&[Passphrase]);
    assert!(matches!(open_or_begin(&config, &*place.store, None).await, Err(RootKeyError::Weak)));
    assert!(place.store.scan("", None, 1).unwrap().is_empty());
    config.root_key.insecure = true;
    assert!(open_or_begin(&config, &*place.store, None).await.unwrap().created);
    config.root_key.insecure = false;
    assert!(!open_or_begin(&config, &*place.store, None).await.unwrap().created);
}

#[tokio::test]
async fn any_one_of_several_slots_opens_and_a_removed_one_does_not() {
    let place = Place::new();
    let by_file = place.config(&[File]);
    let opened = open_or_begin(&by_file, &*place.store, None).await.unwrap();
    let vault = place.vault(&opened).await;
    let sealed = vault.keyring().seal_record("a", b"content").unwrap();

    place.put("passphrase", b"correct horse battery staple");
    let by_passphrase = place.config(&[Passphrase]);
    assert!(matches!(open(&by_passphrase, &*place.store).await, Err(RootKeyError::NoSlot { .. })));
    let (key, params) = local::from_new_passphrase(&by_passphrase).unwrap();
    let slot = NewSlot { name: "night", provider: "passphrase", params: &params, key: &key };
    changed(&vault, &opened, Change::Add(slot)).await.unwrap();

    let key = Key256::random();
    let (set, people) = shares::split(&key, 2, 3).unwrap();
    let slot = NewSlot { name: "disaster", provider: "shares", params: &set.to_line(), key: &key };
    changed(&vault, &opened, Change::Add(slot)).await.unwrap();
    let mut by_shares = place.config(&[Shares]);
    assert!(matches!(open(&by_shares, &*place.store).await, Err(RootKeyError::NoShares)));
    by_shares.root_key.share_files = vec![place.put("share-3", people[2].to_text().expose())];
    let too_few = open(&by_shares, &*place.store).await.err().unwrap();
    assert!(too_few.to_string().contains("1 shares of 3 are given, and 2 open"), "{too_few}");
    by_shares.root_key.share_files.push(place.put("share-1", people[0].to_text().expose()));

    let first = opened.root.id();
    changed(&vault, &opened, Change::Rotate).await.unwrap();
    for config in [&by_file, &by_passphrase, &by_shares] {
        let opened = open(config, &*place.store).await.unwrap();
        assert_ne!(opened.root.id(), first);
        let keyring = Keyring::open(&*place.store, &opened.root).await.unwrap();
        assert_eq!(keyring.open_record("a", &sealed).unwrap().expose(), b"content");
    }
    // The first one that opens is taken, and what does not open says nothing.
    std::fs::remove_file(place.dir.path().join("root.key")).unwrap();
    let either = place.config(&[File, Passphrase]);
    assert_eq!(open(&either, &*place.store).await.unwrap().holder.name(), "night");
    assert!(matches!(open(&by_file, &*place.store).await, Err(RootKeyError::Missing { .. })));

    let opened = open(&either, &*place.store).await.unwrap();
    changed(&vault, &opened, Change::Remove("night")).await.unwrap();
    assert!(matches!(open(&by_passphrase, &*place.store).await, Err(RootKeyError::NoSlot { .. })));
    assert!(matches!(opened.holder.root(&*place.store), Err(RootKeyError::Wrong(_))));
    assert!(open(&by_shares, &*place.store).await.is_ok());
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    /// Whatever is changed in an encrypted share, it opens as what it was or not at all.
    #[test]
    fn an_encrypted_share_is_what_was_encrypted(at in 0..4096_usize, byte: u8, cut in 0..4096_usize, length in 0..900_usize) {
        let share = vec![b'x'; length];
        for ((person, identities), (_, others)) in somebody(1).into_iter().zip(somebody(2)) {
            let sealed = person.seal(&share).unwrap();
            proptest::prop_assert!(people::is_sealed(sealed.as_bytes()) && sealed.len() <= people::SEALED_BYTES_MAX);
            proptest::prop_assert_eq!(&**identities.open(sealed.as_bytes()).unwrap(), &share);
            let mut changed = sealed.clone().into_bytes();
            let at = at % changed.len();
            changed[at] = byte;
            if let Some(opened) = identities.open(&changed) {
                proptest::prop_assert_eq!(&**opened, &share);
            }
            let cut = &sealed.as_bytes()[..cut % sealed.len()];
            proptest::prop_assert!(identities.open(cut).is_none_or(|opened| **opened == share));
            proptest::prop_assert!(others.open(sealed.as_bytes()).is_none());
        }
    }
}

/// Two people with a key of age and one of SSH, each with what opens what is encrypted to them.
fn somebody(seed: u8) -> [(people::Person, people::Identities); 2] {
    let by_age = age::x25519::Identity::generate();
    let by_ssh = ssh::tests::identity([seed; 32]);
    let lines = [by_age.to_public().to_string(), by_ssh.recipient().to_string()];
    let [one, two] = lines.map(|line| line.parse().unwrap());
    let boxed: [Box<dyn age::Identity>; 2] = [Box::new(by_age), Box::new(by_ssh)];
    let [of_one, of_two] = boxed.map(people::Identities::from);
    [(one, of_one), (two, of_two)]
}

#[test]
fn what_is_too_long_for_a_share_is_not_opened() {
    for (person, identities) in somebody(1) {
        for (length, opens) in [(shares::SHARE_BYTES_MAX, true), (shares::SHARE_BYTES_MAX + 1, false), (100_000, false)]
        {
            let sealed = person.seal(&vec![b'x'; length]).unwrap();
            assert_eq!(identities.open(sealed.as_bytes()).is_some(), opens, "{length}");
        }
    }
}

#[tokio::test]
async fn what_is_not_possible_changes_nothing() {
    let place = Place::new();
    let opened = open_or_begin(&place.config(&[File]), &*place.store, None).await.unwrap();
    let vault = place.vault(&opened).await;
    let before = place.store.get(root::PATH).unwrap();
    let key = Key256::random();
    let long = "x".repeat(33);
    let names: Vec<String> = (0..9).map(|n| format!("f{n}")).collect();
    let slot = |name| NewSlot { name, provider: "file", params: "", key: &key };
    assert!(matches!(changed(&vault, &opened, Change::Add(slot("file"))).await, Err(ChangeError::Taken(_))));
    for name in ["", "a b", "../x", &long] {
        assert!(matches!(changed(&vault, &opened, Change::Add(slot(name))).await, Err(ChangeError::Name)), "{name}");
    }
    assert!(matches!(changed(&vault, &opened, Change::Remove("file")).await, Err(ChangeError::Last(_))));
    assert!(matches!(changed(&vault, &opened, Change::Remove("hsm")).await, Err(ChangeError::NoSlot(_))));
    assert_eq!(place.store.get(root::PATH).unwrap(), before);
    for name in &names[..7] {
        changed(&vault, &opened, Change::Add(slot(name))).await.unwrap();
    }
    assert!(matches!(changed(&vault, &opened, Change::Add(slot(&names[8]))).await, Err(ChangeError::TooMany)));
}

/// A store as the version of before slots has left it: domain keys under the key in the file.
async fn old_store(place: &Place) -> RootMaterial {
    let root = RootMaterial::random();
    place.put("root.key", root.to_key_file().expose());
    Keyring::open(&*place.store, &root).await.unwrap();
    root
}

#[tokio::test]
async fn a_store_of_before_gets_slots_with_the_first_change() {
    let place = Place::new();
    let old = old_store(&place).await;
    let config = place.config(&[File]);
    let opened = open(&config, &*place.store).await.unwrap();
    assert_eq!((opened.root.id(), opened.holder.name()), (old.id(), "file"));
    let vault = place.vault(&opened).await;
    changed(&vault, &opened, Change::Rotate).await.unwrap();
    let again = open(&config, &*place.store).await.unwrap();
    assert_ne!(again.root.id(), old.id());
    assert!(Keyring::open(&*place.store, &again.root).await.is_ok());
    assert!(Keyring::open(&*place.store, &old).await.is_err());
    // The process that was there before finds it too.
    assert_eq!(opened.holder.root(&*place.store).unwrap().id(), again.root.id());
    assert!(opened.holder.direct(&*place.store).unwrap().is_none());
}

#[tokio::test]
async fn a_passphrase_of_before_needs_its_parameters() {
    let place = Place::new();
    place.put("passphrase", b"correct horse battery staple\r\n");
    let config = place.config(&[Passphrase]);
    let (key, params) = local::from_new_passphrase(&config).unwrap();
    Keyring::open(&*place.store, &copy(&key).unwrap()).await.unwrap();
    let missing = open(&config, &*place.store).await.err().unwrap().to_string();
    assert!(missing.contains("root.params is missing"), "{missing}");
    for damaged in [&b""[..], b"argon2id$v=19$m=4294967295,t=3,p=1$AAAA", &params.as_bytes()[1..], &[b'a'; 4000]] {
        place.put("root.params", damaged);
        let error = open(&config, &*place.store).await.err().unwrap().to_string();
        assert!(error.contains("root.params"), "{error}");
    }
    place.put("root.params", format!("{params}\n").as_bytes());
    let opened = open(&config, &*place.store).await.unwrap();
    let vault = place.vault(&opened).await;
    changed(&vault, &opened, Change::Rotate).await.unwrap();
    assert!(open(&config, &*place.store).await.is_ok());
    place.put("passphrase", b"another horse battery staple");
    assert!(matches!(open(&config, &*place.store).await, Err(RootKeyError::Wrong(_))));
}

#[tokio::test]
async fn an_added_provider_does_not_get_the_key_that_stands_in_the_old_file() {
    let place = Place::new();
    let old = old_store(&place).await;
    let opened = open(&place.config(&[File]), &*place.store).await.unwrap();
    let vault = place.vault(&opened).await;
    let key = Key256::random();
    let slot = NewSlot { name: "second", provider: "file", params: "", key: &key };
    changed(&vault, &opened, Change::Add(slot)).await.unwrap();
    let slots = Slots::read(&*place.store).unwrap().unwrap();
    assert_eq!(slots.slots().len(), 2);
    assert_ne!(slots.root_id(), old.id());
}

#[tokio::test]
async fn forged_slots_open_nothing() {
    let place = Place::new();
    let config = place.config(&[File]);
    open_or_begin(&config, &*place.store, None).await.unwrap();
    let stored = place.store.get(root::PATH).unwrap().unwrap().value;
    // Whoever can write the store puts a slot of his own beside ours, to be given the next root key.
    let other = Place::new();
    open_or_begin(&other.config(&[File]), &*other.store, None).await.unwrap();
    let theirs = other.store.get(root::PATH).unwrap().unwrap().value;
    let read = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    let list = |value: &serde_json::Value| read(value["list"].as_str().unwrap().as_bytes());
    let (mut ours, theirs) = (read(&stored), read(&theirs));
    let mut forged = list(&ours);
    let mut slot = list(&theirs)["slots"][0].clone();
    slot["name"] = "backdoor".into();
    forged["slots"].as_array_mut().unwrap().push(slot);
    ours["list"] = forged.to_string().into();
    let slots = Slots::from_bytes(ours.to_string().as_bytes()).unwrap();
    assert!(Sources::of(&config).by_slots(&slots).await.is_err());
    assert!(Sources::of(&other.config(&[File])).by_slots(&slots).await.is_err());
}
