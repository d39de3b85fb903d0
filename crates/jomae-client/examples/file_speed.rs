//! How fast files are encrypted and decrypted, beside the bare cipher on the same machine:
//!
//! `cargo run --release -p jomae-client --example file_speed [DIRECTORY [MIB]]`
//!
//! Writes a file of MIB mebibytes (1024 if not given) to DIRECTORY (the system's temporary directory if not given),
//! leaves it in the page cache, and prints wall time and processor time. "stream" is input file to output file without
//! waiting for the disk; "durable" is what `jomae file` does: temporary file, sync, rename.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jomae_client::file::{self, Header, Input, Output};
use jomae_crypto::secret::Key256;
use jomae_crypto::stream::{STREAM_SEGMENT_BYTES, StreamKey};

/// How often the cipher alone is measured.
const CIPHER_ROUNDS: u32 = 8;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args_os().skip(1);
    let directory = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let mib: u64 = match arguments.next() {
        Some(text) => text.to_string_lossy().parse()?,
        None => 1024,
    };
    let directory = tempfile::tempdir_in(directory)?;
    let path = |name: &str| directory.path().join(name);
    let bytes = mib * 1024 * 1024;

    // It takes a few ticks of the clock only: once would be a rough figure.
    for _ in 0..CIPHER_ROUNDS {
        cipher(bytes)?;
    }
    fill(&path("plain"), mib)?;

    let key = Key256::random();
    let header = Header {
        region: "cn-hangzhou".into(),
        key_id: "speed".into(),
        encrypted_key: vec![0; 150],
        context_keys: Vec::new(),
    };
    let (plain, sealed, opened) = (path("plain"), path("sealed"), path("opened"));
    let seal = |output| file::seal(&header, &key, Input::file(&plain)?, output, &mut |_| ());
    let open = |output| file::open(&header.to_bytes()?, &key, after_header(&sealed, &header)?, output, &mut |_| ());
    // A write also pays for memory that the system has not handed out before: look at the best of the rounds.
    for round in 1..=3 {
        println!("round {round}");
        measure("encrypt, to nowhere", bytes, || Ok(seal(Output::writer(io::sink()))?))?;
        measure("encrypt, stream", bytes, || Ok(seal(Output::writer(File::create(&sealed)?))?))?;
        measure("decrypt, to nowhere", bytes, || Ok(open(Output::writer(io::sink()))?))?;
        measure("decrypt, stream", bytes, || Ok(open(Output::writer(File::create(&opened)?))?))?;
        fs::remove_file(&opened)?;
        measure("decrypt, durable", bytes, || Ok(open(Output::file(&opened, false)?)?))?;
        fs::remove_file(&opened)?;
        fs::remove_file(&sealed)?;
        measure("encrypt, durable", bytes, || Ok(seal(Output::file(&sealed, false)?)?))?;
        fs::remove_file(&sealed)?;
    }
    Ok(())
}

/// The file at `path`, read up to the end of its header.
fn after_header(path: &Path, header: &Header) -> Result<Input<'static>, file::Error> {
    let mut input = File::open(path).map_err(file::Error::Read)?;
    let (read, _) = Header::read(&mut input)?;
    assert!(read == *header, "the header reads back");
    Ok(Input::reader(input))
}

/// The library alone: 1 MiB in place, over and over, on one core.
fn cipher(bytes: u64) -> Result<(), Failure> {
    let (key, _) = StreamKey::seal(&Key256::random(), b"")?;
    let mut segment = vec![0; STREAM_SEGMENT_BYTES];
    measure("AES-256-GCM alone, 1 MiB in place", bytes, || {
        for index in 0..bytes / STREAM_SEGMENT_BYTES as u64 {
            key.seal_segment(u32::try_from(index)? + 1, false, &mut segment)?;
        }
        Ok(())
    })
}

fn fill(path: &Path, mib: u64) -> Result<(), Failure> {
    let mut out = BufWriter::with_capacity(STREAM_SEGMENT_BYTES, File::create(path)?);
    let mut block = vec![0_u8; STREAM_SEGMENT_BYTES];
    for round in 0..mib {
        block.fill(u8::try_from(round % 251)?);
        out.write_all(&block)?;
    }
    out.flush()?;
    out.get_ref().sync_all()?;
    Ok(())
}

fn measure(what: &str, bytes: u64, run: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    let (started, before) = (Instant::now(), processor_time()?);
    run()?;
    let (wall, after) = (started.elapsed(), processor_time()?);
    let user = after.user.saturating_sub(before.user);
    let processor = user + after.system.saturating_sub(before.system);
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let gb = bytes as f64 / 1e9;
    println!(
        "{what:34} {:6.2} GB/s   {:6.3} s wall   {:6.3} s processor   {:6.3} s user   {:6.2} GB per processor second",
        gb / wall.as_secs_f64(),
        wall.as_secs_f64(),
        processor.as_secs_f64(),
        user.as_secs_f64(),
        gb / processor.as_secs_f64().max(0.01),
    );
    Ok(())
}

struct ProcessorTime {
    user: Duration,
    system: Duration,
}

/// Processor time of this process, all threads: fields 14 and 15 of `/proc/self/stat`, in ticks of 10 ms.
fn processor_time() -> Result<ProcessorTime, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field is the program's name in brackets and may hold anything.
    let (_, after_name) = stat.rsplit_once(')').ok_or("/proc/self/stat has another form")?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let mut time = || {
        let ticks: u64 = fields.next().ok_or("/proc/self/stat is too short")?.parse()?;
        Ok::<_, Failure>(Duration::from_millis(ticks * 10))
    };
    Ok(ProcessorTime { user: time()?, system: time()? })
}
