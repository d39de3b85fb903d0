//! Shares of several sets, places that nobody has named, a clock that was wrong, and what `jomae doctor` says of all this.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

async fn recover(site: &Site, shares: &[&PathBuf]) -> Result<Vec<String>, String> {
    let shares: Vec<PathBuf> = shares.iter().copied().cloned().collect();
    crate::operator::recover_shredding_keys(&site.config, &shares, &[]).await.map_err(|error| error.to_string())
}

fn doctor(site: &Site, started: &Started, now: i64) -> Result<String, String> {
    examine(&site.config, &started.service.kms.vault, Timestamp(now)).unwrap()
}

/// Two keys, of which the first is sealed to shares of before: as after a restore of `escrow_dir` from two moments.
async fn sealed_to_two_sets() -> (Site, Vec<PathBuf>, [ShreddingKeyId; 2], Cmk) {
    let mut site = Site::new().shreds(true);
    let started = site.start(START).await;
    let cmk = make(&started).await;
    turns(&started, START, 3).await;
    let february = START + 31 * DAY;
    turns(&started, february, 4).await;
    let ids = [0, 1].map(|n| record(&started).keys[n].id);
    let escrow = site.places().files(ids[0])[1].clone();
    let of_before = (site.shares.clone(), fs::read(&escrow).unwrap());
    stop(started);
    site.deal(february).await;
    let started = site.open(february).await.unwrap();
    turns(&started, february, 3).await;
    stop(started);
    crate::files::write_private(&escrow, &of_before.1).unwrap();
    (site, of_before.0, ids, cmk)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_set_of_shares_brings_back_what_is_sealed_to_it() {
    let (site, of_before, ids, cmk) = sealed_to_two_sets().await;
    fs::remove_dir_all(site.places().keys).unwrap();
    let is_back = |n: usize| site.places().key(ids[n]).unwrap().is_some();

    for mixed in [[&of_before[0], &site.shares[0]], [&site.shares[1], &of_before[1]]] {
        let refused = recover(&site, &mixed).await.unwrap_err();
        assert!(refused.contains("another set"), "{refused}");
        assert!(!is_back(0) && !is_back(1));
    }
    // The newer set has not the older key, and says so; its own is back all the same.
    let refused = recover(&site, &[&site.shares[0], &site.shares[1]]).await.unwrap_err();
    assert!(refused.contains(&ids[0].to_string()) && refused.contains("another set"), "{refused}");
    assert!(!is_back(0) && is_back(1));
    assert!(site.open(START + 31 * DAY).await.is_err());
    assert_eq!(recover(&site, &[&of_before[0], &of_before[2]]).await.unwrap(), [ids[0].to_string()]);
    let started = site.open(START + 31 * DAY).await.unwrap();
    all_work(&started, &[cmk]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_sealed_to_other_shares_are_told_of() {
    let (site, _, ids, _) = sealed_to_two_sets().await;
    let started = site.open(START + 31 * DAY).await.unwrap();
    let (vault, region) = (&started.service.kms.vault, &started.service.default_region);
    let notes = after_restore(&site.config, vault, region, false, false).await.unwrap();
    let [note] = &*notes else { panic!("{notes:?}") };
    assert!(note.contains(&ids[0].to_string()) && note.contains("other shares"), "{note}");
    assert!(note.contains("any 2 of 3"), "{note}");
    let found = doctor(&site, &started, START + 31 * DAY).unwrap_err();
    assert!(found.contains(note), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_that_are_not_named_are_not_empty_ones() {
    let mut site = Site::new().shreds(true);
    let started = site.start(START).await;
    let _cmk = make(&started).await;
    let (vault, region) = (&started.service.kms.vault, &started.service.default_region);
    let unnamed = Config { destruction: DestructionConfig::default(), ..site.config.clone() };
    let refused = after_restore(&unnamed, vault, region, false, false).await.unwrap_err();
    assert!(matches!(refused, ShreddingError::NoPlaces), "{refused}");
    assert_eq!(examine(&unnamed, vault, Timestamp(START)).unwrap().unwrap_err(), refused.to_string());
    // Who says that it may be gone is believed, without a place to look at.
    let notes = after_restore(&unnamed, vault, region, true, false).await.unwrap();
    assert!(notes.iter().any(|note| note.contains("gone for good")), "{notes:?}");
    // Two that are named, and empty, have been looked at.
    let named = Site::new();
    named.places().begin_escrow().unwrap();
    let refused = after_restore(&named.config, vault, region, false, false).await.unwrap_err();
    assert!(matches!(refused, ShreddingError::Shredded { versions: 1, .. }), "{refused}");
}

/// What a pass has found while the clock ran ahead says nothing of what was written after it was set right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_ran_ahead_retires_no_key_that_is_needed() {
    let mut site = Site::new().shreds(true);
    let started = site.start(START).await;
    let mut cmks = vec![make(&started).await];
    turns(&started, START, 3).await;
    let february = START + 31 * DAY;
    turns(&started, february, 4).await;
    let present = record(&started);
    let past = ShreddingRecord { keys: present.keys[..1].to_vec(), ..present.clone() };
    turns(&started, february + 5 * DAY, 1).await;
    // A call that had begun before the month did ends now.
    started.shredding.keys().follow(&past, true);
    cmks.push(make(&started).await);
    started.shredding.keys().follow(&present, true);
    let mut is_retired = false;
    for now in [1, GRACE_SECS, GRACE_SECS + 1, GRACE_SECS + 2, GRACE_SECS + 3] {
        turns(&started, february + now, 1).await;
        is_retired = record(&started).keys[0].retired.is_some();
        let needs_first = under(&started).iter().any(|(month, _)| month.as_deref() == Some("2027-01"));
        assert!(!is_retired || !needs_first, "retired at {now}");
    }
    assert!(is_retired);
    all_work(&started, &cmks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_looks_at_both_places() {
    let mut site = Site::new();
    // On another file system than the rest.
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let here = site.places().escrow;
    site.config.destruction.escrow_dir = Some(elsewhere.path().join("escrow"));
    let mut site = site.shreds(true);
    let started = site.start(START).await;
    let _cmk = make(&started).await;
    turns(&started, START, 3).await;
    let february = START + 31 * DAY;
    turns(&started, february, 4).await;
    turns(&started, february + GRACE_SECS, 4).await;
    let said = doctor(&site, &started, february).unwrap();
    assert!(said.starts_with("2 in both places, the oldest of 2027-01-15"), "{said}");
    assert!(said.contains("1 of them retired; 0 destroyed; any 2 of 3 shares recover them"), "{said}");

    let [key, escrow] = site.places().files(record(&started).keys[0].id);
    let wrong = |now: i64, what: &str| {
        let found = doctor(&site, &started, now).unwrap_err();
        assert!(found.contains(what) && !found.contains("; "), "{found}");
    };
    let late = february + GRACE_SECS + 10 * DAY + LATE_SECS;
    assert!(doctor(&site, &started, late).is_ok());
    wrong(late + 1, "should have been destroyed at 2027-02-25");
    let moved = |path: &Path, what: &str| {
        let aside = path.with_extension("aside");
        fs::rename(path, &aside).unwrap();
        wrong(february, what);
        fs::rename(&aside, path).unwrap();
    };
    moved(&escrow, "is not in");
    moved(&key, "jomae shred recover");
    let content = fs::read(&key).unwrap();
    crate::files::write_private(&key, b"no key").unwrap();
    wrong(february, "not the file of a shredding key");
    crate::files::write_private(&key, &content).unwrap();
    for (dir, mode, what) in
        [(&site.places().keys, 0o750, "can be read"), (&site.places().escrow, 0o777, "can be written")]
    {
        fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
        wrong(february, what);
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
    }
    assert!(doctor(&site, &started, february).is_ok());

    turns(&started, february + GRACE_SECS + 10 * DAY, 4).await;
    assert!(!record(&started).keys[0].is_there());
    assert!(doctor(&site, &started, late).unwrap().contains("1 destroyed"));
    crate::files::write_private(&key, &content).unwrap();
    wrong(late, "is destroyed, and");
    fs::remove_file(&key).unwrap();
    stop(started);

    // Both on one file system, where one loss takes both.
    let away = site.places().escrow;
    files_to(&away, &here);
    site.config.destruction.escrow_dir = Some(here);
    let started = site.open(late).await.unwrap();
    let found = doctor(&site, &started, late).unwrap_err();
    assert!(found.contains("on one file system"), "{found}");
}

fn files_to(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
