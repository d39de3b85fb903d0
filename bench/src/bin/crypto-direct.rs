//! What signatures cost without a service around them: the library of the server in a loop, on one thread.
//!
//! Prints one line of `name=value` pairs, as `load` does.

use std::{
    error::Error,
    hint::black_box,
    io::Write as _,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};
use jomae_bench::process::Usage;
use jomae_crypto::asym::{AsymSpec, PrivateKey, SignAlg};

/// Signs digests of 32 bytes with one key, over and over.
#[derive(Parser)]
struct Options {
    #[arg(long, value_enum)]
    key: KeyName,
    /// How long to measure.
    #[arg(long, default_value_t = 5000)]
    duration_ms: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum KeyName {
    /// ECDSA over P-256.
    EcP256,
    /// RSA-PSS with 2048 bits.
    #[value(name = "rsa-2048")]
    Rsa2048,
}

/// Signatures between two looks at the clock.
const BATCH: u64 = 64;

fn main() -> ExitCode {
    match measure(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crypto-direct: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<(), Box<dyn Error>> {
    let (spec, algorithm) = match options.key {
        KeyName::EcP256 => (AsymSpec::EcP256, SignAlg::EcdsaSha256),
        KeyName::Rsa2048 => (AsymSpec::Rsa2048, SignAlg::RsaPssSha256),
    };
    let key = PrivateKey::generate(spec)?;
    let mut digest = [7; 32];
    let mut sign = |signatures: &mut u64| -> Result<(), Box<dyn Error>> {
        for _ in 0..BATCH {
            *signatures += 1;
            digest[..8].copy_from_slice(&signatures.to_be_bytes());
            black_box(key.sign(algorithm, black_box(&digest))?);
        }
        Ok(())
    };
    sign(&mut 0)?;
    let (before, started) = (Usage::of(std::process::id())?, Instant::now());
    let mut signatures = 0;
    while started.elapsed() < Duration::from_millis(options.duration_ms) {
        sign(&mut signatures)?;
    }
    let after = Usage::of(std::process::id())?;
    let cpu_ns = (after.cpu_us - before.cpu_us) * 1000 / signatures.max(1);
    writeln!(std::io::stdout(), "requests={signatures} cpu_ns_per_request={cpu_ns}")?;
    Ok(())
}
