//! Calls of a token through the worker processes beside the same calls of its module in this process, 16 in flight.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that goes wrong has no result"
)]

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Parser;
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    mechanism::{
        Mechanism, MechanismType,
        aead::GcmParams,
        rsa::{PkcsMgfType, PkcsPssParams},
    },
    object::{Attribute, ObjectClass},
    session::{Session, UserType},
    types::AuthPin,
};
use jomae_crypto::{envelope::token::Nonces, rng};
use jomae_hsm::{Algorithm, Hsm, KeyRef, Kind, Launch, ObjectName, Secret, Settings};

/// Calls in flight.
const CALLERS: usize = 16;
const AAD: [u8; 32] = [3; 32];

#[derive(Parser)]
struct Args {
    /// The PKCS#11 module.
    #[arg(long)]
    module: PathBuf,
    /// The label of a token.
    #[arg(long)]
    label: String,
    /// Its PIN: of a token for this alone.
    #[arg(long)]
    pin: String,
    /// The worker: `jomae-hsm-worker`.
    #[arg(long)]
    program: PathBuf,
    /// Worker processes.
    #[arg(long, default_value_t = 2)]
    workers: u16,
    /// Seconds for each figure.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Rounds; each measures everything, one after the other.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

#[derive(Clone, Copy)]
enum Work {
    Seal,
    Ecdsa,
    Pss,
}

const WORKS: [(Work, Kind, &str); 3] = [
    (Work::Seal, Kind::Aes256, "AES-256-GCM of 32 bytes"),
    (Work::Ecdsa, Kind::EcP256, "ECDSA P-256"),
    (Work::Pss, Kind::Rsa2048Sign, "RSA-2048 PSS"),
];

fn main() {
    let args = Args::parse();
    let pin = args.pin.clone();
    let settings = Settings {
        module: args.module.clone(),
        token_label: args.label.clone(),
        token_serial: None,
        sessions: 16,
        workers: args.workers,
        timeout: Duration::from_secs(30),
        pin: Box::new(move || Ok(Secret::new(pin.clone().into_bytes()))),
    };
    let worker = Launch { program: args.program.clone(), args: Vec::new(), env: Vec::new(), without: Vec::new() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let hsm = Arc::new(Hsm::start(settings, worker).unwrap());
    let until = Instant::now() + Duration::from_mins(1);
    while hsm.status().up < usize::from(args.workers) {
        assert!(Instant::now() < until, "{:?}", hsm.status());
        std::thread::sleep(Duration::from_millis(20));
    }
    let keys = WORKS.map(|(work, kind, name)| {
        let (id, label) = (rng::array(), "jomae:bench".to_owned());
        runtime.block_on(hsm.generate(kind, ObjectName { id, label })).unwrap();
        (work, KeyRef { kind, id }, name)
    });
    // After the keys are there: a module looks into its files when it begins.
    let module = Pkcs11::new(&args.module).unwrap();
    module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slots = module.get_slots_with_token().unwrap();
    let slot = slots.into_iter().find(|slot| module.get_token_info(*slot).unwrap().label() == args.label).unwrap();
    let session = module.open_rw_session(slot).unwrap();
    session.login(UserType::User, Some(&AuthPin::from(args.pin.as_str()))).unwrap();

    let time = Duration::from_secs(args.seconds);
    let workers = hsm.status().workers;
    println!(
        "| call | module called directly, /s | through the workers, /s | share | each round | CPU time directly, µs | \
         through the workers, µs | share by CPU time |\n|---|---|---|---|---|---|---|---|"
    );
    for (work, key, name) in keys {
        let mut pairs = Vec::new();
        let (mut direct_cpu, mut through_cpu) = ((0.0, 0.0), (0.0, 0.0));
        for _ in 0..args.rounds {
            let before = cpu_micros(&workers);
            let direct = direct(&module, slot, work, key, time);
            let between = cpu_micros(&workers);
            let through = runtime.block_on(through(&hsm, work, key, time));
            let after = cpu_micros(&workers);
            let secs = time.as_secs_f64();
            direct_cpu = (direct_cpu.0 + between - before, direct_cpu.1 + direct * secs);
            through_cpu = (through_cpu.0 + after - between, through_cpu.1 + through * secs);
            pairs.push((direct, through));
        }
        let (direct_cpu, through_cpu) = (direct_cpu.0 / direct_cpu.1, through_cpu.0 / through_cpu.1);
        let shares: Vec<f64> = pairs.iter().map(|(direct, through)| through / direct).collect();
        pairs.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
        let (direct, through) = pairs[pairs.len() / 2];
        let each: Vec<String> = shares.iter().map(|share| format!("{share:.2}")).collect();
        println!(
            "| {name} | {direct:.0} | {through:.0} | {:.2} | {} | {direct_cpu:.1} | {through_cpu:.1} | {:.2} |",
            through / direct,
            each.join(", "),
            direct_cpu / through_cpu
        );
    }
    for (_, key, _) in keys {
        runtime.block_on(hsm.destroy(key)).unwrap();
    }
}

/// CPU time of this process and its workers so far: what a neighbour on the machine changes least.
fn cpu_micros(workers: &[u32]) -> f64 {
    let of = |process: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        // utime and stime, in hundredths of a second.
        fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap() * 10_000.0).sum::<f64>()
    };
    of("self") + workers.iter().map(|worker| of(&worker.to_string())).sum::<f64>()
}

/// Calls a second, from as many threads, each with a session.
fn direct(module: &Pkcs11, slot: cryptoki::slot::Slot, work: Work, key: KeyRef, time: Duration) -> f64 {
    let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let nonces = Nonces::new();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let session: Session = module.open_rw_session(slot).unwrap();
                let class = if matches!(work, Work::Seal) { ObjectClass::SECRET_KEY } else { ObjectClass::PRIVATE_KEY };
                let wanted = [Attribute::Token(true), Attribute::Class(class), Attribute::Id(key.id.to_vec())];
                let handle = session.find_objects(&wanted).unwrap()[0];
                while !stop.load(Ordering::Relaxed) {
                    match work {
                        Work::Seal => {
                            let mut nonce = nonces.next();
                            let params = GcmParams::new(&mut nonce, &AAD, 128.into()).unwrap();
                            session.encrypt(&Mechanism::AesGcm(params), handle, &[7; 32]).unwrap();
                        }
                        Work::Ecdsa => drop(session.sign(&Mechanism::Ecdsa, handle, &[7; 32]).unwrap()),
                        Work::Pss => {
                            let (hash_alg, mgf) = (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256);
                            let params = PkcsPssParams { hash_alg, mgf, s_len: 32.into() };
                            drop(session.sign(&Mechanism::RsaPkcsPss(params), handle, &[7; 32]).unwrap());
                        }
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
    });
    per_second(&done, began)
}

/// The same through the workers, from as many tasks.
async fn through(hsm: &Arc<Hsm>, work: Work, key: KeyRef, time: Duration) -> f64 {
    let (done, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let nonces = Arc::new(Nonces::new());
    let began = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (hsm, done, stop, nonces) =
                (Arc::clone(hsm), Arc::clone(&done), Arc::clone(&stop), Arc::clone(&nonces));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    match work {
                        Work::Seal => {
                            hsm.seal(key, nonces.next(), AAD.to_vec(), Secret::new(vec![7; 32])).await.unwrap();
                        }
                        Work::Ecdsa => drop(hsm.sign(key, Algorithm::Ecdsa, vec![7; 32]).await.unwrap()),
                        Work::Pss => drop(hsm.sign(key, Algorithm::RsaPssSha256, vec![7; 32]).await.unwrap()),
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    per_second(&done, began)
}

#[expect(clippy::cast_precision_loss, reason = "a count of calls within seconds")]
fn per_second(done: &AtomicU64, began: Instant) -> f64 {
    done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}
