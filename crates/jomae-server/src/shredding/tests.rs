use std::{fs, path::Path};

use jomae_api::{
    actions::{
        metadata::{KeyOrigin, KeyState as CmkState, ProtectionLevel},
        params::Tags,
    },
    names::{AccountId, KeyId, KeyPlace, KeyVersionId},
    param::EncryptionContext,
    spec::{KeySpec, KeyUsage},
};
use jomae_core::{
    record::{KeyRecord, Marker, PrimaryVersion, StoredVersion, VersionRecord, binding, path},
    shredding::{pass, record::Recovery},
    store::Path as StorePath,
    stored::{Bytes, Derived},
    tx::CommitOutcome,
};
use jomae_crypto::{envelope::Content, secret::SecretBytes, shares};
use tempfile::TempDir;

use super::examined::LATE_SECS;
use super::*;
use crate::{
    bootstrap::{self, StartError, Started},
    config::DestructionConfig,
};

mod nodes;
mod recovery;

const DAY: i64 = 86_400;
/// 2027-01-15T00:00:00Z.
const START: i64 = 1_799_971_200;

struct Site {
    dir: TempDir,
    config: Config,
    shares: Vec<PathBuf>,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| Some(dir.path().join(name));
        let config = Config { data_dir: dir.path().join("data"), ..Config::default() };
        let destruction = DestructionConfig {
            keys_dir: at("keys"),
            escrow_dir: at("escrow"),
            retention_days: 10,
            ..DestructionConfig::default()
        };
        Self { config: Config { destruction, ..config }, dir, shares: Vec::new() }
    }

    fn shreds(mut self, shreds: bool) -> Self {
        self.config.destruction.mode = if shreds { Destruction::Shred } else { Destruction::Delete };
        self
    }

    fn places(&self) -> Places {
        Places::of(&self.config.destruction).unwrap()
    }

    async fn open(&self, now: i64) -> Result<Started, StartError> {
        bootstrap::open(&self.config, Timestamp(now)).await
    }

    /// Starts, with shares of recovery for the first time.
    async fn start(&mut self, now: i64) -> Started {
        self.deal(now).await;
        self.open(now).await.unwrap()
    }

    async fn deal(&mut self, now: i64) {
        let before = Config { destruction: DestructionConfig::default(), ..self.config.clone() };
        let config = if self.shares.is_empty() { &before } else { &self.config };
        let started = bootstrap::open(config, Timestamp(now)).await.unwrap();
        let key = Key256::random();
        let (set, people) = shares::split(&key, 2, 3).unwrap();
        let vault = &started.service.kms.vault;
        let record = record(&started);
        let recovery = Recovery::of(&key, &set).unwrap();
        let change = |record: &mut ShreddingRecord| record.recovery = Some(recovery);
        let region = &started.service.default_region;
        record.change(vault, region, ("SetShreddingShares", &[]), Timestamp(now), change).await.unwrap().unwrap();
        stop(started);
        for share in people {
            let path = self.dir.path().join(format!("share-{}-{}", share.number(), self.shares.len()));
            crate::files::write_private(&path, share.to_text().expose()).unwrap();
            self.shares.insert(0, path);
        }
        self.shares.truncate(3);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what was stopped is dropped, with its lock on the store")]
fn stop(started: Started) {
    started.audit.close();
}

fn record(started: &Started) -> ShreddingRecord {
    read(&mut started.service.kms.vault.reading()).unwrap().unwrap_or_default()
}

/// A key, and something that it has encrypted.
struct Cmk {
    place: KeyPlace,
    version: KeyVersionId,
    blob: Vec<u8>,
}

fn uuid() -> String {
    jomae_core::call::new_request_id().to_ascii_lowercase()
}

async fn make(started: &Started) -> Cmk {
    make_in(started, "1234567890123456", started.service.default_region.clone()).await
}

async fn make_in(started: &Started, account: &str, region: RegionId) -> Cmk {
    let kms = &started.service.kms;
    let (account, id) = (AccountId::new(account).unwrap(), KeyId::new(&uuid()).unwrap());
    let place = KeyPlace { account: account.clone(), region, id };
    let version = KeyVersionId::new(&uuid()).unwrap();
    let key = KeyRecord {
        creator: account.clone(),
        created: 0,
        description: String::new(),
        spec: KeySpec::AliyunAes256,
        usage: KeyUsage::EncryptDecrypt,
        origin: KeyOrigin::AliyunKms,
        protection: ProtectionLevel::Software,
        state: CmkState::Enabled,
        primary: Some(PrimaryVersion { number: 1, id: version.clone() }),
        versions: 1,
        last_rotation: 0,
        rotation_interval_secs: None,
        delete_at: None,
        deletion_protection: false,
        deletion_protection_description: String::new(),
        material_expires_at: None,
        has_imported_material: false,
        material_check: None,
        policy: None,
        policy_in_memory: Derived::default(),
        primary_in_memory: Derived::default(),
        tags: Tags::default(),
    };
    let bound = binding(&place, &key, &version);
    let backend = kms.backends.of(ProtectionLevel::Software).unwrap();
    let made = backend.generate(key.spec, &bound, &account).wait().await.unwrap();
    let handle = backend.load(key.spec, &made.blob, &bound).wait().await.unwrap();
    let plain = SecretBytes::new(b"plain".to_vec());
    let none = EncryptionContext::default();
    let blob = backend.encrypt(key.spec, &handle, &bound, &none, Content::Bytes, &plain).wait().await.unwrap();
    let stored =
        StoredVersion { id: version.clone(), number: 1, created: 0, blob: Some(Bytes(made.blob.0)), public: None };
    let mut tx = kms.vault.writing();
    tx.put(path::version(&place, 1), &VersionRecord::of(stored)).unwrap();
    tx.put(path::key(&place), &key).unwrap();
    assert_eq!(tx.commit().await.unwrap(), CommitOutcome::Done);
    Cmk { place, version, blob }
}

/// Whether what the key has encrypted can be decrypted.
async fn works(started: &Started, cmk: &Cmk) -> bool {
    let kms = &started.service.kms;
    let mut tx = kms.vault.reading();
    let key = tx.get::<KeyRecord>(&path::key(&cmk.place)).unwrap().unwrap();
    let version = tx.get::<VersionRecord>(&path::version(&cmk.place, 1)).unwrap().unwrap();
    let bound = binding(&cmk.place, &key, &cmk.version);
    let backend = kms.backends.of(ProtectionLevel::Software).unwrap();
    let blob = jomae_core::backend::KeyBlob(version.stored.blob.clone().unwrap().0);
    let Ok(handle) = backend.load(key.spec, &blob, &bound).wait().await else { return false };
    let none = EncryptionContext::default();
    let opened = backend.decrypt(key.spec, &handle, &bound, &none, &cmk.blob).wait().await.unwrap().unwrap();
    opened.expose() == b"plain"
}

async fn all_work(started: &Started, cmks: &[Cmk]) {
    for cmk in cmks {
        assert!(works(started, cmk).await, "{}", cmk.place.id);
    }
}

async fn turns(started: &Started, now: i64, count: usize) {
    for _ in 0..count {
        started.shredding.turn(&started.service, Timestamp(now)).await.unwrap();
    }
}

/// Until the key that was in use is retired and destroyed. Gives when that was.
async fn pass_a_month_and_more(started: &Started, now: i64) -> i64 {
    turns(started, now + 31 * DAY, 4).await;
    turns(started, now + 31 * DAY + GRACE_SECS, 4).await;
    let end = now + 31 * DAY + GRACE_SECS + 10 * DAY;
    turns(started, end, 4).await;
    end
}

fn under(started: &Started) -> Vec<(Option<String>, u64)> {
    let counts = pass::count(&started.service.kms.vault).unwrap();
    counts.into_iter().map(|(id, count)| (id.map(|id| id.month()), count)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_lives_for_a_month_and_the_retention() {
    assert_eq!(Timestamp(START).to_string().get(..10), Some("2027-01-15"));
    let mut site = Site::new().shreds(true);
    let started = site.start(START).await;
    let mut cmks = vec![make(&started).await, make(&started).await];
    turns(&started, START, 3).await;
    assert_eq!(under(&started), [(Some("2027-01".to_owned()), 2)]);
    let first = record(&started).keys[0].id;

    // The next month has a key of its own, and takes along what lives.
    let february = START + 31 * DAY;
    turns(&started, february, 4).await;
    assert_eq!(under(&started), [(Some("2027-02".to_owned()), 2)]);
    cmks.push(make(&started).await);
    assert!(record(&started).keys[0].retired.is_none(), "calls may still be under way");
    turns(&started, february + GRACE_SECS, 4).await;
    assert_eq!(record(&started).keys[0].retired, Some(february + GRACE_SECS));
    turns(&started, february + GRACE_SECS + 10 * DAY - 1, 4).await;
    assert!(record(&started).keys[0].is_there() && site.places().key(first).unwrap().is_some());
    let end = february + GRACE_SECS + 10 * DAY;
    turns(&started, end, 4).await;
    assert_eq!(record(&started).keys[0].destroyed, Some(end));
    assert!(site.places().key(first).unwrap().is_none() && site.places().escrow(first).unwrap().is_none());
    assert!(!started.shredding.keys().has(first));
    assert_eq!(site.places().destroyed(first), Some(Timestamp(end).to_string()));
    all_work(&started, &cmks).await;
    stop(started);
    all_work(&site.open(end).await.unwrap(), &cmks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_turn_may_be_the_last_of_its_process() {
    let mut site = Site::new().shreds(true);
    let started = site.start(START).await;
    let cmks = vec![make(&started).await, make(&started).await, make(&started).await];
    stop(started);
    let mut destroyed = 0;
    // Half a month at a time, with a stop after each turn; each process waits until calls of before are over.
    for half in 0..8 {
        let now = START + half * 16 * DAY;
        for turn in 0..4 {
            let started = site.open(now + turn).await.unwrap();
            turns(&started, now + turn, 1).await;
            all_work(&started, &cmks).await;
            turns(&started, now + turn + GRACE_SECS, 1).await;
            all_work(&started, &cmks).await;
            destroyed = record(&started).keys.iter().filter(|key| !key.is_there()).count();
            stop(started);
        }
        let started = site.open(now).await.unwrap();
        turns(&started, now, 3).await;
        turns(&started, now + GRACE_SECS, 3).await;
        all_work(&started, &cmks).await;
        stop(started);
    }
    assert!(destroyed >= 2, "{destroyed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_within_a_turn_leaves_a_key_too_much_and_none_too_few() {
    let mut site = Site::new().shreds(true);
    let started = site.start(START).await;
    let cmks = [make(&started).await];
    turns(&started, START, 3).await;
    // The files of a new key are there, and the store has not heard of it.
    let before = record(&started);
    let february = START + 31 * DAY;
    turns(&started, february, 4).await;
    let second = record(&started).keys[1].id;
    let mut tx = started.service.kms.vault.writing();
    tx.put(jomae_core::shredding::record::path(), &before).unwrap();
    assert_eq!(tx.commit().await.unwrap(), CommitOutcome::Done);
    stop(started);
    let started = site.open(february).await.unwrap();
    turns(&started, february, 4).await;
    all_work(&started, &cmks).await;
    assert_eq!(record(&started).keys[1].id, second, "adopted");

    // The store says that a key is destroyed, and its files are still there.
    let first = before.keys[0].id;
    let (key, escrow) = (format!("{first}.key"), format!("{first}.escrow"));
    let places = site.places();
    let kept = (fs::read(places.keys.join(&key)).unwrap(), fs::read(places.escrow.join(&escrow)).unwrap());
    let end = february + GRACE_SECS + 10 * DAY;
    turns(&started, february + GRACE_SECS, 4).await;
    turns(&started, end, 4).await;
    assert!(!record(&started).keys[0].is_there());
    stop(started);
    crate::files::write_private(&places.keys.join(&key), &kept.0).unwrap();
    crate::files::write_private(&places.escrow.join(&escrow), &kept.1).unwrap();
    // The process ended between overwriting and removing; and somebody else's file is there.
    crate::files::write_private(&places.keys.join(&key), &vec![0; kept.0.len()]).unwrap();
    let strange = ShreddingKeyId::random("2027-01").unwrap();
    crate::files::write_private(&places.keys.join(format!("{strange}.key")), b"no key").unwrap();
    let started = site.open(end).await.unwrap();
    turns(&started, end, 2).await;
    assert!(!places.keys.join(&key).exists() && !places.escrow.join(&escrow).exists());
    all_work(&started, &cmks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_there_follows_the_option() {
    let mut site = Site::new();
    let started = site.start(START).await;
    let mut cmks = vec![make(&started).await, make(&started).await];
    turns(&started, START, 3).await;
    assert_eq!(under(&started), [(None, 2)]);
    stop(started);

    let mut site = site.shreds(true);
    let started = site.open(START).await.unwrap();
    cmks.push(make(&started).await);
    turns(&started, START, 4).await;
    assert_eq!(under(&started), [(Some("2027-01".to_owned()), 3)]);
    all_work(&started, &cmks).await;
    stop(started);

    site = site.shreds(false);
    let without = Config { destruction: DestructionConfig::default(), ..site.config.clone() };
    let refused = bootstrap::open(&without, Timestamp(START)).await.err().unwrap().to_string();
    assert!(refused.contains("destruction.keys_dir"), "{refused}");
    let started = site.open(START).await.unwrap();
    cmks.push(make(&started).await);
    turns(&started, START, 4).await;
    assert_eq!(under(&started), [(None, 4)]);
    all_work(&started, &cmks).await;
    turns(&started, START + GRACE_SECS, 4).await;
    turns(&started, START + GRACE_SECS + 10 * DAY, 4).await;
    assert!(record(&started).keys.iter().all(|key| !key.is_there()));
    all_work(&started, &cmks).await;
    stop(started);
    let started = bootstrap::open(&without, Timestamp(START + 11 * DAY)).await.unwrap();
    all_work(&started, &cmks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_place_of_recovery_no_key_is_made_and_the_old_one_goes_on() {
    let mut site = Site::new().shreds(true);
    let refused = site.open(START).await.err().unwrap().to_string();
    assert!(refused.contains("jomae shred shares"), "{refused}");
    let started = site.start(START).await;
    let mut cmks = vec![make(&started).await];
    turns(&started, START, 3).await;
    let (escrow, away) = (site.places().escrow, site.dir.path().join("away"));
    fs::rename(&escrow, &away).unwrap();
    fs::create_dir(&escrow).unwrap();
    let february = START + 31 * DAY;
    let failed = started.shredding.turn(&started.service, Timestamp(february)).await.unwrap_err().to_string();
    assert!(failed.contains("is it mounted?"), "{failed}");
    assert_eq!(record(&started).keys.len(), 1);
    cmks.push(make(&started).await);
    all_work(&started, &cmks).await;
    stop(started);
    // Nor does a start need it.
    let started = site.open(february).await.unwrap();
    all_work(&started, &cmks).await;
    fs::remove_dir(&escrow).unwrap();
    fs::rename(&away, &escrow).unwrap();
    turns(&started, february + RETRY_SECS, 4).await;
    assert_eq!(under(&started), [(Some("2027-02".to_owned()), 2)]);
    all_work(&started, &cmks).await;
}

/// What nobody can look at is not called destroyed, and new shares do not begin another directory at an empty mount point.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_destroyed_or_sealed_anew_while_the_place_of_recovery_is_away() {
    let mut site = Site::new().shreds(true);
    let started = site.start(START).await;
    let cmks = [make(&started).await];
    turns(&started, START, 3).await;
    let february = START + 31 * DAY;
    turns(&started, february, 4).await;
    turns(&started, february + GRACE_SECS, 4).await;
    assert!(record(&started).keys[0].retired.is_some());
    let (escrow, away) = (site.places().escrow, site.dir.path().join("away"));
    fs::rename(&escrow, &away).unwrap();
    fs::create_dir(&escrow).unwrap();
    let end = february + GRACE_SECS + 10 * DAY;
    let mut failed = String::new();
    for turn in 0..4 {
        let now = Timestamp(end + turn * RETRY_SECS);
        failed = started.shredding.turn(&started.service, now).await.err().map_or(failed, |fault| fault.to_string());
    }
    assert!(failed.contains("is it mounted?"), "{failed}");
    assert!(record(&started).keys[0].is_there(), "nobody is told otherwise");
    assert!(started.shredding.counts.late.get() > 0);
    stop(started);

    let of_before = record_of_escrow(&away);
    site.deal(end).await;
    let started = site.open(end).await.unwrap();
    all_work(&started, &cmks).await;
    assert!(fs::read_dir(&escrow).unwrap().next().is_none(), "the mount point stays empty");
    fs::remove_dir(&escrow).unwrap();
    fs::rename(&away, &escrow).unwrap();
    turns(&started, end + 60, 8).await;
    assert!(!record(&started).keys[0].is_there());
    assert_ne!(record_of_escrow(&escrow), of_before, "sealed to the new shares");
    all_work(&started, &cmks).await;
}

/// What is there for recovery.
fn record_of_escrow(dir: &Path) -> Vec<Vec<u8>> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.map(|path| fs::read(path).unwrap()).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_directory_is_recovered_with_enough_shares_of_the_newest_set() {
    let mut site = Site::new().shreds(true);
    let started = site.start(START).await;
    let cmks = [make(&started).await];
    turns(&started, START, 3).await;
    stop(started);
    let of_before = site.shares.clone();
    site.deal(START).await;
    let started = site.open(START).await.unwrap();
    turns(&started, START, 3).await;
    let id = record(&started).keys[0].id;
    stop(started);

    fs::remove_dir_all(site.places().keys).unwrap();
    let refused = site.open(START).await.err().unwrap().to_string();
    assert!(refused.contains(&id.to_string()) && refused.contains("jomae shred recover"), "{refused}");
    let recover = |shares: &[PathBuf]| {
        let (config, shares) = (site.config.clone(), shares.to_vec());
        async move { crate::operator::recover_shredding_keys(&config, &shares, &[]).await }
    };
    for (wrong, why) in [(&of_before[..], "another set"), (&site.shares[..1], "2 open"), (&[], "2 open")] {
        let refused = recover(wrong).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    assert_eq!(recover(&site.shares[1..]).await.unwrap(), [id.to_string()]);
    assert!(recover(&[]).await.unwrap().is_empty());
    let started = site.open(START).await.unwrap();
    all_work(&started, &cmks).await;
    stop(started);

    // Neither is there: nothing is made in its place.
    for dir in [site.places().keys, site.places().escrow] {
        fs::remove_dir_all(dir).unwrap();
    }
    let refused = site.open(START).await.err().unwrap().to_string();
    assert!(refused.contains("is it mounted?"), "{refused}");
    site.places().begin_escrow().unwrap();
    let refused = site.open(START).await.err().unwrap().to_string();
    assert!(refused.contains("nor is it in destruction.escrow_dir"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_versions_are_brought_along_in_bounded_turns() {
    let mut site = Site::new();
    let started = site.start(START).await;
    let mut cmks = Vec::new();
    for _ in 0..620 {
        cmks.push(make(&started).await);
    }
    stop(started);
    let site = site.shreds(true);
    let started = site.open(START).await.unwrap();
    let of_none = |started: &Started| under(started).iter().find(|(id, _)| id.is_none()).map_or(0, |(_, count)| *count);
    assert!((1..620).contains(&of_none(&started)), "{}", of_none(&started));
    // Killed in the middle.
    stop(started);
    let started = site.open(START).await.unwrap();
    turns(&started, START, 4).await;
    assert_eq!(under(&started), [(Some("2027-01".to_owned()), 620)]);
    all_work(&started, &cmks).await;
    let _ = pass_a_month_and_more(&started, START).await;
    assert_eq!(under(&started), [(Some("2027-02".to_owned()), 620)]);
    assert!(!record(&started).keys[0].is_there());
    all_work(&started, &cmks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_are_found_wherever_they_are() {
    let mut site = Site::new();
    let started = site.start(START).await;
    let mut cmks = Vec::new();
    for account in ["1234567890123456", "1234567890123457", "9999999999999999"] {
        for region in ["cn-hangzhou", "cn-hangzhou-finance", "cn-shanghai", "cn-z"] {
            cmks.push(make_in(&started, account, RegionId::new(region).unwrap()).await);
        }
    }
    // More of everything else than one look takes, before and behind the versions.
    let beside = |kind: &str, n: usize| StorePath::new(format!("a/1234567890123457/cn-shanghai/{kind}/{n:04}"));
    for kind in ["alias", "gone", "usage", "zone"] {
        for batch in 0..6 {
            let mut tx = started.service.kms.vault.writing();
            for n in 0..100 {
                tx.put(beside(kind, batch * 100 + n), &Marker {}).unwrap();
            }
            assert_eq!(tx.commit().await.unwrap(), CommitOutcome::Done);
        }
    }
    assert_eq!(under(&started), [(None, 12)]);
    stop(started);
    let started = site.shreds(true).open(START).await.unwrap();
    turns(&started, START, 3).await;
    assert_eq!(under(&started), [(Some("2027-01".to_owned()), 12)]);
    all_work(&started, &cmks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_a_wrong_month_does_not_stay_in_use() {
    let mut site = Site::new().shreds(true);
    let started = site.start(START + 300 * DAY).await;
    let cmks = [make(&started).await];
    assert_eq!(record(&started).newest().unwrap().month(), "2027-11");
    stop(started);
    let started = site.open(START).await.unwrap();
    turns(&started, START, 3).await;
    assert_eq!(under(&started), [(Some("2027-01".to_owned()), 1)]);
    all_work(&started, &cmks).await;
}

/// No copy of a key lies open anywhere: neither directory alone gives one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_directory_has_a_key_in_clear() {
    let mut site = Site::new().shreds(true);
    let started = site.start(START).await;
    let id = record(&started).keys[0].id;
    let key = started.shredding.keys().get(id).unwrap();
    let sealed = key.wrap(&binding_of_nobody(), b"inner").unwrap();
    assert!(key.unwrap(&binding_of_nobody(), &sealed).is_ok());
    let other = jomae_crypto::root::RootMaterial::random();
    let places = site.places();
    for (dir, mode) in [(&places.keys, 0o077), (&places.escrow, 0o077)] {
        for entry in fs::read_dir(dir).unwrap() {
            let about = fs::metadata(entry.unwrap().path()).unwrap();
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & mode, 0);
        }
    }
    let file = places.escrow(id).unwrap().unwrap();
    assert_eq!(file.open(other.key()).err(), Some(KeyFileError::DoesNotOpen));
    // That of another key, or of another store, does not pass for it.
    let elsewhere = Path::new(&places.keys).join("2027-01-00000001.key");
    fs::copy(places.keys.join(format!("{id}.key")), &elsewhere).unwrap();
    let renamed = places.key(ShreddingKeyId::from_text("2027-01-00000001").unwrap()).unwrap_err().to_string();
    assert!(renamed.contains("not the file of a shredding key"), "{renamed}");
}

fn binding_of_nobody() -> jomae_crypto::envelope::Binding<'static> {
    jomae_crypto::envelope::Binding { account: "a", region: "r", key_id: "k", version_id: "v", spec: "s", usage: "u" }
}
