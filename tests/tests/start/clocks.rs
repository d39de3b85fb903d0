//! A machine whose clock is wrong when the service starts, and is put right while it runs: one without a battery, or one
//! whose hardware clock shows local time.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use jomae_tests::{Server, Site, binary, calls::create_key};

/// Far longer than a renewal takes; only a service that keeps its certificate for hours reaches it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts with a clock that is this many seconds off; the file says how many at any time.
fn start_off(site: &Site, file: &Path, secs: i64) -> Server {
    set(file, secs);
    site.launch()
        .variable("LD_PRELOAD", &binary::faketime())
        .variable("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap())
        .variable("FAKETIME_NO_CACHE", "1")
        .variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .start()
}

/// In one step, so that no half-written number is read.
fn set(file: &Path, secs: i64) {
    let new = file.with_extension("new");
    fs::write(&new, format!("{secs:+}\n")).unwrap();
    fs::rename(new, file).unwrap();
}

/// Waits until a client with a right clock gets in.
async fn is_served(server: &Server) {
    let began = Instant::now();
    loop {
        match server.client().call("DescribeRegions", &[]).await {
            Ok(_) => return,
            Err(error) => assert!(began.elapsed() < PATIENCE, "nobody gets in: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_put_right_lets_clients_in_at_once() {
    const YEAR_SECS: i64 = 365 * 86_400;
    // Eight hours ahead, the certificate is one that clients take all the same.
    for (secs, taken) in [(-7 * YEAR_SECS, false), (8 * 3600, true), (3 * YEAR_SECS, false)] {
        let site = Site::default();
        let clock = site.path("clock");
        let mut server = start_off(&site, &clock, secs);
        let refusal = server.client().call("DescribeRegions", &[]).await.expect_err("the clocks are apart").to_string();
        let by_tls = refusal.contains("no answer");
        assert_eq!(by_tls, !taken, "{secs}: {refusal}");
        set(&clock, 0);
        is_served(&server).await;
        create_key(&server.client(), "k").await;
        assert_eq!(server.stop(), Some(0));
        // The authority was made by the wrong clock, and clients keep it.
        let ca = fs::read(site.data().join("ca.pem")).unwrap();
        is_served(&site.start()).await;
        assert_eq!(fs::read(site.data().join("ca.pem")).unwrap(), ca);
    }
}
