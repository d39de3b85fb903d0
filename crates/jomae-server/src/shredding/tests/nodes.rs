//! Nodes of a cluster, which share both directories.

use jomae_core::{
    record::{DueRecord, Job},
    shredding::expect_newest,
};
use jomae_sim::etcd::Etcd;

use super::*;
use crate::config::StoreKind;

/// Far longer than a lease lasts; only a hang reaches it.
const PATIENCE: Duration = Duration::from_mins(1);

/// The configuration of a node; all have the same directories for shredding keys.
fn node(site: &Site, etcd: &Etcd, name: &str) -> Config {
    let mut config = site.config.clone();
    config.data_dir = site.dir.path().join(name);
    config.store.kind = StoreKind::Etcd;
    config.store.endpoints = etcd.endpoints();
    config.cluster.node = name.to_owned();
    config.cluster.lease_secs = 3;
    config
}

/// Two nodes after each other's start, with shares of recovery.
async fn two(site: &Site, etcd: &Etcd) -> [Started; 2] {
    let (a, b) = (node(site, etcd, "kms-a"), node(site, etcd, "kms-b"));
    let before = Config { destruction: DestructionConfig::default(), ..a.clone() };
    let started = bootstrap::open(&before, Timestamp(START)).await.unwrap();
    let key = Key256::random();
    let (set, _) = shares::split(&key, 2, 3).unwrap();
    let recovery = Recovery::of(&key, &set).unwrap();
    let change = |record: &mut ShreddingRecord| record.recovery = Some(recovery);
    let (vault, region) = (&started.service.kms.vault, &started.service.default_region);
    // Whether this form may be written yet.
    until("all can read it", || vault.cluster().unwrap().may_write(3).is_ok()).await;
    let event = ("SetShreddingShares", &[][..]);
    record(&started).change_anywhere(vault, region, event, Timestamp(START), change).await.unwrap().unwrap();
    started.keeper.as_ref().unwrap().leave().await;
    stop(started);
    let one = bootstrap::open(&a, Timestamp(START)).await.unwrap();
    fs::create_dir_all(&b.data_dir).unwrap();
    let key = fs::read(a.root_key_file()).unwrap();
    crate::files::write_private(&b.root_key_file(), &key).unwrap();
    [one, bootstrap::open(&b, Timestamp(START)).await.unwrap()]
}

fn works_for_all(started: &Started) -> bool {
    started.service.kms.vault.cluster().unwrap().has_work()
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// The one that does the common work, and the other one.
async fn by_work(nodes: [Started; 2]) -> [Started; 2] {
    until("one works for all", || nodes.iter().any(works_for_all)).await;
    let [one, other] = nodes;
    if works_for_all(&one) { [one, other] } else { [other, one] }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_makes_all_use_and_what_it_destroys_all_forget() {
    let (site, etcd) = (Site::new().shreds(true), Etcd::start());
    let [worker, other] = by_work(two(&site, &etcd).await).await;
    let mut cmks = vec![make(&worker).await, make(&other).await];
    turns(&worker, START, 3).await;
    assert_eq!(under(&worker), [(Some("2027-01".to_owned()), 2)]);
    let first = record(&worker).keys[0].id;

    // Held up at the other node with material under the first key.
    let vault = &other.service.kms.vault;
    let binding = jomae_crypto::envelope::Binding {
        account: "1",
        region: "r",
        key_id: "k",
        version_id: "v",
        spec: "s",
        usage: "u",
    };
    let wrapped = other.shredding.keys().wrap(&binding, b"inner").unwrap().unwrap();
    assert_eq!(ShreddingKeyId::of_wrapped(&wrapped), Some(first));
    let mut held_up = vault.writing();
    expect_newest(&mut held_up, &wrapped).unwrap();
    held_up.put(StorePath::new("sys/held-up"), &Marker::default()).unwrap();

    let february = START + 31 * DAY;
    turns(&other, february, 4).await;
    assert_eq!(record(&other).keys.len(), 1, "only one node makes keys");
    turns(&worker, february, 4).await;
    let second = record(&worker).keys[1].id;
    until("the other node hears of it", || other.shredding.keys().target() == Some(second)).await;
    assert!(!other.shredding.keys().has(second), "not yet");
    cmks.push(make(&other).await);
    assert!(other.shredding.keys().has(second));
    all_work(&other, &cmks).await;
    all_work(&worker, &cmks).await;
    assert_eq!(held_up.commit().await.unwrap(), CommitOutcome::Conflict, "nothing comes under the first any more");
    let mut late = vault.writing();
    expect_newest(&mut late, &wrapped).unwrap();
    late.put(StorePath::new("sys/held-up"), &Marker::default()).unwrap();
    assert_eq!(late.commit().await.unwrap(), CommitOutcome::Conflict);

    turns(&worker, february + GRACE_SECS, 4).await;
    let end = february + GRACE_SECS + 10 * DAY;
    turns(&other, end, 4).await;
    assert!(other.shredding.keys().has(first) && record(&other).keys[0].is_there());
    turns(&worker, end, 4).await;
    assert_eq!(record(&worker).keys[0].destroyed, Some(end));
    assert!(site.places().key(first).unwrap().is_none() && site.places().escrow(first).unwrap().is_none());
    until("the other node forgets it", || !other.shredding.keys().has(first)).await;
    all_work(&other, &cmks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_another_directory_does_not_start_and_changes_nothing() {
    let (site, etcd) = (Site::new().shreds(true), Etcd::start());
    let [worker, other] = by_work(two(&site, &etcd).await).await;
    turns(&worker, START, 3).await;
    let before = record(&worker);
    assert!(before.keys_place.is_some() && before.escrow_place.is_some());
    let at = if other.service.kms.vault.node().unwrap().as_str() == "kms-a" { "kms-a" } else { "kms-b" };
    other.keeper.as_ref().unwrap().leave().await;
    stop(other);
    let config = node(&site, &etcd, at);
    let copied = site.dir.path().join("copied");
    fs::create_dir(&copied).unwrap();
    for entry in fs::read_dir(&site.places().keys).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|extension| extension == "key") {
            fs::copy(entry.path(), copied.join(entry.file_name())).unwrap();
        }
    }
    for (name, is_keys) in [("private", true), ("copied", true), ("private", false)] {
        let mut config = config.clone();
        let dir = site.dir.path().join(name);
        fs::create_dir_all(&dir).unwrap();
        let files = fs::read_dir(&dir).unwrap().count();
        let destruction = &mut config.destruction;
        *(if is_keys { &mut destruction.keys_dir } else { &mut destruction.escrow_dir }) = Some(dir.clone());
        let refused = bootstrap::open(&config, Timestamp(START)).await.err().unwrap().to_string();
        assert!(refused.contains("there is no jomae-place in it") && refused.contains(name), "{refused}");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), files);
    }
    assert_eq!(record(&worker), before);
    let again = bootstrap::open(&config, Timestamp(START)).await.unwrap();
    assert_eq!(again.shredding.keys().target(), before.newest());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_goes_on_where_one_was_cut_off() {
    let (site, etcd) = (Site::new().shreds(true), Etcd::start());
    let [worker, other] = by_work(two(&site, &etcd).await).await;
    let mut cmks = Vec::new();
    for _ in 0..4 {
        cmks.push(make(&worker).await);
    }
    turns(&worker, START, 3).await;
    // It has written the files of a key, and the store does not hear of it any more.
    let february = START + 31 * DAY;
    let id = ShreddingKeyId::random("2027-02").unwrap();
    let key = ShreddingKey::random(id).unwrap();
    site.places().keep_key(&KeyFile::of(&key, february, worker.service.kms.vault.keyring()).unwrap()).unwrap();
    worker.keeper.as_ref().unwrap().leave().await;
    let failed = worker.shredding.turn(&worker.service, Timestamp(february)).await;
    assert!(failed.is_ok() && record(&worker).keys.len() == 1, "it does not do the work any more");
    until("the other takes over", || works_for_all(&other)).await;
    turns(&other, february, 4).await;
    let ids: Vec<_> = record(&other).keys.iter().map(|key| key.id).collect();
    assert_eq!((ids.len(), ids[1]), (2, id), "adopted, and no other made");
    assert!(site.places().escrow(id).unwrap().is_some());
    assert_eq!(under(&other), [(Some("2027-02".to_owned()), 4)]);
    all_work(&other, &cmks).await;

    // Without the directories, what is in memory goes on, and nothing is destroyed.
    turns(&other, february + GRACE_SECS, 4).await;
    assert!(record(&other).keys[0].retired.is_some());
    let (keys, away) = (site.places().keys, site.dir.path().join("away"));
    fs::rename(&keys, &away).unwrap();
    fs::create_dir(&keys).unwrap();
    let end = february + GRACE_SECS + 10 * DAY;
    for n in 0..4 {
        let failed = other.shredding.turn(&other.service, Timestamp(end + n * RETRY_SECS)).await.unwrap_err();
        assert!(failed.to_string().contains("is it mounted?"), "{failed}");
    }
    assert!(record(&other).keys[0].is_there() && other.shredding.counts.late.get() > 0);
    cmks.push(make(&other).await);
    all_work(&other, &cmks).await;
    fs::remove_dir(&keys).unwrap();
    fs::rename(&away, &keys).unwrap();
    turns(&other, end + 60, 4).await;
    assert!(!record(&other).keys[0].is_there());
}

/// What has not heard of the newest shredding key yet does not make a key version under the one before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_version_is_made_under_a_shredding_key_of_before() {
    let mut site = Site::new().shreds(true);
    let started = site.start(START).await;
    let cmk = make(&started).await;
    turns(&started, START, 3).await;
    let february = START + 31 * DAY;
    turns(&started, february, 4).await;
    let present = record(&started);
    let past = ShreddingRecord { keys: present.keys[..1].to_vec(), ..present.clone() };

    let vault = &started.service.kms.vault;
    let mut tx = vault.writing();
    let key = tx.get::<KeyRecord>(&path::key(&cmk.place)).unwrap().unwrap();
    let due = DueRecord { key: cmk.place.clone(), job: Job::Rotate };
    tx.put(path::key(&cmk.place), &KeyRecord { rotation_interval_secs: Some(DAY), ..(*key).clone() }).unwrap();
    tx.put(path::due(february, Job::Rotate, &cmk.place), &due).unwrap();
    assert_eq!(tx.commit().await.unwrap(), CommitOutcome::Done);
    let second = || vault.reading().get::<VersionRecord>(&path::version(&cmk.place, 2)).unwrap();

    started.shredding.keys().follow(&past, true);
    let refused = started.service.do_due_work(Timestamp(february)).await.unwrap_err();
    assert!(refused.to_string().contains("kept changing") && second().is_none(), "{refused}");
    started.shredding.keys().follow(&present, true);
    started.service.do_due_work(Timestamp(february + 120)).await.unwrap();
    let made = second().unwrap().stored.blob.clone().unwrap();
    assert_eq!(ShreddingKeyId::of_wrapped(&made.0), present.newest());
}
