//! The audit log in an archive: a directory, and a bucket of an S3 service.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test; the lint does not see that its helpers are tests too"
)]

use std::{
    fs,
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use jomae_log::archive::Content;
use jomae_server::{audit::open_archive, config};
use jomae_tests::{
    Server, Site,
    bucket::Bucket,
    calls::{ask, create_key, refused},
    cli::jomae,
};

const PATIENCE: Duration = Duration::from_mins(1);
/// Files of the log are closed as soon as they may be, and looked for as often.
const AUDIT: &str = "[audit]\nsegment_bytes_max = 1048576\norigin = \"kms.example.com/node-1\"\n";

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "never {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn to_directory(dir: &Path) -> String {
    format!("{AUDIT}[audit.archive]\nto = \"{}\"\nevery_secs = 1\n", dir.display())
}

/// The configuration of a bucket, and that with which the command line reaches it.
fn to_bucket(site: &Site, bucket: &Bucket) -> (String, config::Archive) {
    let file = site.write("bucket.credentials", Bucket::credentials());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let archive = config::Archive {
        to: Bucket::prefix("logs/kms"),
        endpoint: Some(bucket.endpoint()),
        region: Some("eu-central-1".into()),
        credentials_file: Some(file.clone()),
        every_secs: 1,
    };
    let text = format!(
        "{AUDIT}[audit.archive]\nto = \"{}\"\nendpoint = \"{}\"\nregion = \"eu-central-1\"\ncredentials_file = \
         \"{}\"\nevery_secs = 1\n",
        archive.to,
        bucket.endpoint(),
        file.display()
    );
    (text, archive)
}

/// Makes so many events that three files of them are closed.
async fn fill(server: &Server) {
    let client = server.client();
    let key = create_key(&client, "k").await;
    let description = "x".repeat(8000);
    let mut updates = 0;
    while segments(&server.data.join("audit")).len() < 4 {
        ask(&client, "UpdateKeyDescription", &[("KeyId", &key), ("Description", &description)]).await;
        updates += 1;
        assert!(updates < 20_000, "the log does not grow");
    }
}

fn segments(log: &Path) -> Vec<String> {
    let names = fs::read_dir(log).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut firsts: Vec<String> =
        names.filter(|name| name.contains(".jsonl")).map(|name| name.chars().take(20).collect()).collect();
    firsts.sort();
    firsts.dedup();
    firsts
}

fn first_of_last(log: &Path) -> u64 {
    segments(log).last().unwrap().parse().unwrap()
}

fn metric(server: &Server, name: &str) -> u64 {
    let (_, page) = server.page("/metrics").unwrap();
    let line = page.lines().find(|line| line.starts_with(&format!("jomae_audit_archive_{name} "))).unwrap();
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// The directory of the one log in an archive.
fn one_log(archive: &Path) -> PathBuf {
    let mut logs: Vec<_> = fs::read_dir(archive).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(logs.len(), 1);
    logs.pop().unwrap()
}

/// Waits until all closed files are in the archive, and then kills the service. How many events are in it.
fn complete(mut server: Server) -> u64 {
    let log = server.data.join("audit");
    let end = first_of_last(&log);
    let record = || fs::read_to_string(log.join("archived")).unwrap_or_default();
    until("complete", || record().ends_with(&format!("\n{end}\n")));
    assert_eq!(metric(&server, "refused"), 0);
    until("in time", || metric(&server, "waiting_seconds") == 0);
    server.kill();
    end
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_outlives_the_data_directory_whenever_the_service_was_killed() {
    let site = Site::default();
    let archive = site.path("archive");
    fs::create_dir(&archive).unwrap();
    let mut server = site.launch().config(AUDIT).start();
    fill(&server).await;
    server.kill();
    for turn in 0..8 {
        site.launch().config(&to_directory(&archive)).start_and_kill_after(Duration::from_millis(150 + 60 * turn));
    }
    let events = complete(site.launch().config(&to_directory(&archive)).start());
    let key = fs::read_to_string(site.data().join("audit/key.pub")).unwrap();
    fs::remove_dir_all(site.data()).unwrap();
    let word = archive.to_str().unwrap();
    let text = jomae(&["audit", "verify", "--archive", word]).ok().text().to_owned();
    assert!(text.contains(&format!("reaches event {}", events - 1)) && text.contains("the log is intact"), "{text}");
    jomae(&["audit", "verify", "--archive", word, "--key", key.trim()]).ok();
    // One bit of a closed file.
    let log = one_log(&archive);
    assert!(log.file_name().unwrap().to_str().unwrap().starts_with("kms.example.com=2Fnode-1."));
    let second = fs::OpenOptions::new().write(true).open(log.join(format!("{}.jsonl.zst", segments(&log)[1]))).unwrap();
    second.write_all_at(b"!", 100).unwrap();
    let ran = jomae(&["audit", "verify", "--archive", word]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.text().contains("changed: ") && ran.stderr.contains("not intact: kms.example.com"), "{}", ran.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_outlives_the_data_directory() {
    let site = Site::default();
    let bucket = Bucket::start(&site.path("bucket")).await;
    let (config, archive) = to_bucket(&site, &bucket);
    // The service is killed while the bucket takes the third object.
    bucket.take_only(2);
    let mut server = site.launch().config(&config).start();
    fill(&server).await;
    until("waiting", || bucket.is_waiting());
    until("late", || metric(&server, "waiting_seconds") > 0);
    assert!(metric(&server, "lag_events") > 0);
    server.kill();
    bucket.take_only(u64::MAX);
    let events = complete(site.launch().config(&config).start());
    let verify = || {
        jomae(&[
            "audit",
            "verify",
            "--archive",
            &archive.to,
            "--archive-endpoint",
            archive.endpoint.as_deref().unwrap(),
            "--archive-region",
            "eu-central-1",
            "--archive-credentials",
            archive.credentials_file.as_deref().unwrap().to_str().unwrap(),
        ])
    };
    let kept = site.path("kept");
    fs::rename(site.data(), &kept).unwrap();
    let text = verify().ok().text().to_owned();
    assert!(text.contains(&format!("reaches event {}", events - 1)) && text.contains("the log is intact"), "{text}");
    let configured = site.path("jomae.toml");
    jomae(&["audit", "verify", "--archive", "--config", configured.to_str().unwrap()]).ok();

    // What somebody else has put under a name of ours stays, and stops the shipping.
    fs::rename(&kept, site.data()).unwrap();
    fs::remove_file(site.data().join("audit/archived")).unwrap();
    let log = one_log(&bucket.objects("logs/kms"));
    let first = log.join(format!("{}.jsonl.zst", segments(&log)[0]));
    fs::write(&first, "other").unwrap();
    let mut server = site.launch().config(&config).start();
    server.wait_for_log("is not what this log would put there");
    until("told", || metric(&server, "refused") == 1);
    assert!(metric(&server, "failures_total") > 0);
    create_key(&server.client(), "still served").await;
    assert_eq!(server.stop(), Some(0));
    assert_eq!(fs::read(&first).unwrap(), b"other");
    assert_eq!(verify().code, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_object_goes_in_parts_and_a_wrong_pair_is_told() {
    let site = Site::default();
    let bucket = Bucket::start(&site.path("bucket")).await;
    let (_, settings) = to_bucket(&site, &bucket);
    let large: Vec<u8> = (0..20_000_000u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let file = site.write("large", &large);
    let open = settings.clone();
    let large = tokio::task::spawn_blocking(move || {
        let mut archive = open_archive(&open, None).unwrap();
        let file = fs::File::open(file).unwrap();
        assert_eq!(archive.list("a").unwrap(), []);
        archive.put("a", "large", Content::of(&file).unwrap()).unwrap();
        let again = archive.put("a", "large", Content::of(&file).unwrap()).unwrap_err();
        assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(archive.get("a", "none").unwrap_err().kind(), std::io::ErrorKind::NotFound);
        assert_eq!(archive.logs().unwrap(), ["a"]);
        let mut there = archive.get("a", "large").unwrap();
        let mut read = Vec::new();
        std::io::Read::read_to_end(&mut there, &mut read).unwrap();
        assert!(read == large);
        large
    });
    let large = large.await.unwrap();
    assert!(fs::read(bucket.objects("logs/kms/a/large")).unwrap() == large);

    let wrong = site.write("wrong", Bucket::credentials().replace("wJalr", "wrong"));
    let with = |file: PathBuf| config::Archive { credentials_file: Some(file), ..settings.clone() };
    let error = open_archive(&with(wrong.clone()), None).err().unwrap().to_string();
    assert!(error.contains("chmod 600"), "{error}");
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).unwrap();
    let wrong = with(wrong);
    let error = tokio::task::spawn_blocking(move || open_archive(&wrong, None).unwrap().logs().unwrap_err());
    let error = error.await.unwrap().to_string();
    assert!(!error.contains("wrong") && !error.contains(char::is_control), "{error}");
    let shape = site.write("shape", "[default]\naws_access_key_id = AKID\n");
    fs::set_permissions(&shape, fs::Permissions::from_mode(0o600)).unwrap();
    let error = open_archive(&with(shape), None).err().unwrap().to_string();
    assert!(error.contains("access_key_id") && !error.contains("AKID"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_takes_nothing_does_not_stop_the_service() {
    let site = Site::default();
    // Even root makes no directory there.
    let config = to_directory(Path::new("/sys"));
    let mut server = site.launch().config(&config).start();
    server.wait_for_log("the audit log cannot be archived");
    until("counted", || metric(&server, "failures_total") > 1);
    let client = server.client();
    create_key(&client, "k").await;
    refused(&client, "DescribeKey", &[("KeyId", "none")]).await;
    until("lagging", || metric(&server, "lag_events") > 0);
    assert_eq!(server.stop(), Some(0));
    for (wrong, words) in [
        ("to = \"here\"", "audit.archive.to"),
        ("to = \"/a\"\nevery_secs = 0", "audit.archive.every_secs"),
        ("to = \"s3://b\"", "audit.archive.region"),
        ("to = \"s3://b\"\nregion = \"r\"\ncredentials_file = \"/none\"", "/none"),
    ] {
        let config = format!("[audit.archive]\n{wrong}\n");
        site.launch().config(&config).fails().failed(1, &[words]);
    }
}
