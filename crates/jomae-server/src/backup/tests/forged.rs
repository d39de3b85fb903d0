//! A backup of somebody else's, which opens with what opens ours.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_core::form::{self, FormRecord};
use jomae_crypto::{root::RootMaterial, root_slot};
use jomae_log::Signer;
use serde_json::{Value, json};

use super::{
    super::{
        chain::read_manifest,
        manifest::Manifest,
        signer::{self, forget},
    },
    *,
};
use crate::{
    bootstrap::Started,
    store::{Options, SqliteStore},
};

struct Deployment {
    config: Config,
    started: Started,
}

impl Deployment {
    async fn new(dir: &std::path::Path) -> Self {
        let config = Config { data_dir: dir.to_owned(), ..Config::default() };
        let started = bootstrap::open(&config, gateway::now()).await.unwrap();
        Self { config, started }
    }

    fn back_up(&self, to: &std::path::Path) -> String {
        let store = self.started.store.store();
        let of = Source { store: &*store, vault: &self.started.service.kms.vault, holder: &self.started.root_holder };
        let mut place = Place::open(&self.config, to.to_str(), true).unwrap();
        let made = tokio::task::block_in_place(|| {
            create(&self.config, &of, &mut place, false, gateway::now(), &Handle::current())
        });
        made.unwrap().id
    }

    fn root(&self) -> RootMaterial {
        self.started.root_holder.root(self.started.service.kms.vault.store()).unwrap()
    }

    fn signers(&self) -> [Signer; 2] {
        let vault = &self.started.service.kms.vault;
        [audit::signer(vault, None).unwrap().unwrap(), signer::signer(vault).unwrap().unwrap()]
    }
}

/// Where somebody restores: an empty machine.
struct Desk<'d> {
    dir: &'d std::path::Path,
    to: &'d std::path::Path,
}

impl Desk<'_> {
    fn place(&self) -> Place {
        Place::open(&Config::default(), self.to.to_str(), false).unwrap()
    }

    /// Whatever can be done with a backup, by whoever has a key file.
    fn take(&self, id: &str, root_key: &std::path::Path) -> [Result<(), BackupError>; 3] {
        let wish = Wish { choice: Choice::Id(id.to_owned()), root_key: Some(root_key.to_owned()), ..Wish::default() };
        let machine = tempfile::tempdir_in(self.dir).unwrap();
        let config = |name: &str| Config { data_dir: machine.path().join(name), ..Config::default() };
        let handle = Handle::current();
        tokio::task::block_in_place(|| {
            [
                verify(&config("checked"), &mut self.place(), &wish, machine.path(), &handle).map(drop),
                drill(&config("drilled"), &mut self.place(), &wish, &handle).map(drop),
                restore(&config("restored"), &mut self.place(), &wish, &handle).map(drop),
            ]
        })
    }
}

/// The slots of one deployment, with the root key of another in them: each is sealed to its public half.
fn slots_with(slots: &str, root: &RootMaterial, voucher: impl Fn(&mut Value)) -> String {
    let stored: Value = serde_json::from_str(slots).unwrap();
    let mut list: Value = serde_json::from_str(stored["list"].as_str().unwrap()).unwrap();
    list["root_id"] = root.id().into();
    for slot in list["slots"].as_array_mut().unwrap() {
        let public = STANDARD.decode(slot["public"].as_str().unwrap()).unwrap();
        let sealed = root_slot::seal_to(&public, slot["name"].as_str().unwrap(), root).unwrap();
        slot["root"] = STANDARD.encode(sealed).into();
        voucher(slot);
    }
    let list = list.to_string();
    let seal = STANDARD.encode(root_slot::seal_list(root, list.as_bytes()).unwrap());
    json!({ "list": list, "seal": seal }).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_only_read_a_manifest_makes_no_backup_that_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("backups");
    let (ours, theirs) =
        (Deployment::new(&dir.path().join("ours")).await, Deployment::new(&dir.path().join("theirs")).await);
    let (good, forged) = (ours.back_up(&to), theirs.back_up(&to));
    let mut place = Place::open(&ours.config, to.to_str(), false).unwrap();
    let (_, Manifest { slots, .. }) = read_manifest(&mut place, &good).unwrap();
    let slots = slots.unwrap();
    assert!(slots.contains("voucher"));
    let (root, [log, backups]) = (theirs.root(), theirs.signers());

    // Whoever restores has the key file, and an empty machine.
    let desk = Desk { dir: dir.path(), to: &to };
    let root_key = ours.config.root_key_file();
    for taken in desk.take(&good, &root_key) {
        taken.unwrap();
    }
    let refused = |is: fn(&BackupError) -> bool| {
        for taken in desk.take(&forged, &root_key) {
            assert!(is(&taken.unwrap_err()));
        }
    };
    let is_of_another = |error: &BackupError| matches!(error, BackupError::OtherRootKey { .. });
    let is_unknown = |error: &BackupError| matches!(error, BackupError::UnknownLog { .. });
    let forge = |change: &dyn Fn(Manifest) -> Manifest| {
        let (_, manifest) = read_manifest(&mut desk.place(), &forged).unwrap();
        let signed = change(manifest).sign(&root, Some(&log), Some(&backups)).unwrap();
        std::fs::write(to.join(&forged).join(MANIFEST), signed).unwrap();
    };
    let with = |voucher: &dyn Fn(&mut Value)| {
        forge(&|manifest| Manifest { slots: Some(slots_with(&slots, &root, voucher)), ..manifest });
    };
    refused(is_of_another);
    // It opens; but nobody vouches for who has signed it.
    with(&|_| {});
    refused(|error| matches!(error, BackupError::NotVouched { .. }));
    let other = backups.verifier().to_string();
    with(&|slot| slot["voucher"]["key"] = other.clone().into());
    refused(is_unknown);
    with(&|slot| drop(slot.as_object_mut().unwrap().remove("voucher")));
    refused(is_unknown);
    // As if the store had no slots: then the key file itself would have to seal it.
    let direct = Some(("file".to_owned(), String::new()));
    forge(&|manifest| Manifest { slots: None, direct: direct.clone(), ..manifest });
    refused(is_of_another);
    for deployment in [ours, theirs] {
        deployment.started.audit.close();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_of_backups_is_vouched_for_by_who_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("backups");
    let ours = Deployment::new(&dir.path().join("ours")).await;
    let (vault, region) = (&ours.started.service.kms.vault, &ours.started.service.default_region);
    let first = ours.back_up(&to);
    let [_, old] = ours.signers();
    let key = jomae_crypto::secret::Key256::random();
    let slot = jomae_core::root::NewSlot { name: "other", provider: "file", params: "", key: &key };
    let former = old.verifier().to_string();
    change(vault, region, &ours.root(), None, &Change::Add(slot), Some(&former), gateway::now()).await.unwrap();
    let names = |key: &str| {
        let slots = jomae_core::root::Slots::read(vault.store()).unwrap().unwrap();
        slots.slots().iter().map(|slot| slot.names_backup_key(key)).collect::<Vec<_>>()
    };
    assert_eq!(names(&former), [true, true]);

    let mut tx = vault.writing();
    forget(&mut tx).unwrap();
    tx.commit().await.unwrap();
    let second = ours.back_up(&to);
    let [_, new] = ours.signers();
    assert_ne!(new.verifier(), old.verifier());
    assert_eq!((names(&former), names(&new.verifier().to_string())), (vec![false, false], vec![true, false]));
    let desk = Desk { dir: dir.path(), to: &to };
    let other = dir.path().join("other.key");
    crate::files::write_private(&other, RootMaterial::from(key).to_key_file().expose()).unwrap();
    for id in [&first, &second] {
        for taken in desk.take(id, &ours.config.root_key_file()) {
            taken.unwrap();
        }
    }
    for taken in desk.take(&second, &other) {
        assert!(matches!(taken, Err(BackupError::UnknownLog { .. })));
    }
    ours.started.audit.close();
}

/// While another node cannot read it yet, nothing says whose a backup is but the key of the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_form_vouches_for_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("backups");
    let ours = Deployment::new(&dir.path().join("ours")).await;
    let vault = &ours.started.service.kms.vault;
    let mut tx = vault.writing();
    tx.put(form::path(), &FormRecord { form: form::NEWEST - 1 }).unwrap();
    tx.commit().await.unwrap();
    let id = ours.back_up(&to);
    assert!(signer::signer(vault).unwrap().is_none());
    for taken in (Desk { dir: dir.path(), to: &to }).take(&id, &ours.config.root_key_file()) {
        assert!(matches!(taken, Err(BackupError::UnknownLog { .. })));
    }
    let log_key = audit::signer(vault, None).unwrap().unwrap().verifier().clone();
    let wish = Wish {
        choice: Choice::Id(id),
        root_key: Some(ours.config.root_key_file()),
        whose: Whose::SignedBy(vec![log_key]),
        ..Wish::default()
    };
    let nobody = Config { data_dir: dir.path().join("new"), ..Config::default() };
    let mut place = Place::open(&nobody, to.to_str(), false).unwrap();
    tokio::task::block_in_place(|| restore(&nobody, &mut place, &wish, &Handle::current())).unwrap();
    ours.started.audit.close();
}

/// A store of before has no slots: what seals the manifest is the provider's own key, and there is no public half.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_seals_with_the_key_file_itself_is_known_by_it() {
    let dir = tempfile::tempdir().unwrap();
    let (to, data) = (dir.path().join("backups"), dir.path().join("ours"));
    std::fs::create_dir(&data).unwrap();
    crate::files::write_private(&data.join("root.key"), RootMaterial::random().to_key_file().expose()).unwrap();
    let root_key = data.join("root.key");
    let store = SqliteStore::open(&crate::bootstrap::store_path(&data), &Options::default()).unwrap();
    let text = std::fs::read(&root_key).unwrap();
    let key = RootMaterial::from_key_file(&text).unwrap();
    jomae_core::keyring::Keyring::open(&store, &key).await.unwrap();
    drop(store);
    let ours = Deployment::new(&data).await;
    assert!(matches!(*ours.started.root_holder, Holder::Direct(_)));
    let before = ours.back_up(&to);
    // It gets slots while it runs, and another key of backups.
    rotate(&ours.started.service, &ours.started.root_holder);
    let mut tx = ours.started.service.kms.vault.writing();
    forget(&mut tx).unwrap();
    tx.commit().await.unwrap();
    let after = ours.back_up(&to);
    for id in [before, after] {
        for taken in (Desk { dir: dir.path(), to: &to }).take(&id, &root_key) {
            taken.unwrap();
        }
    }
    ours.started.audit.close();
}
