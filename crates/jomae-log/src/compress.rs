//! Compressing closed segments, beside everything else.
//!
//! The compressed file is read back and compared before it takes the place of the segment. Until then the segment is there,
//! and as long as it is, it is what counts: a crash at any moment leaves one whole form of it.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufWriter, Read},
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jomae_crypto::hash::{HashAlg, Hasher};
use jomae_files as files;

use crate::{
    frames::{FrameWriter, Frames},
    layout::{
        self, Segment,
        frames::{FRAME_BYTES_MAX, FRAME_LINES_BYTES},
    },
    priority,
};

/// How often closed segments are looked for.
const LOOK_EVERY: Duration = if cfg!(test) { Duration::from_millis(5) } else { Duration::from_secs(5) };
/// How soon it is tried again when the disk does not take it.
const RETRY: Duration = Duration::from_mins(1);

/// What the thread that compresses shares with the log.
#[derive(Default)]
pub(crate) struct Closed {
    /// Held while a closed segment is removed or takes another form.
    pub changing: Mutex<()>,
    pub stop: AtomicBool,
}

/// Compresses segments as they are closed, until it is told to stop. `covered` tells how many events a checkpoint covers:
/// what comes later may have to be cut.
pub(crate) fn run(dir: &Path, closed: &Closed, covered: impl Fn() -> u64) {
    priority::stand_back(priority::COMPRESSOR);
    let (mut refused, mut failing) = (BTreeSet::new(), false);
    while !closed.stop.load(Ordering::Acquire) {
        let done = compress_all(dir, closed, covered(), &mut refused);
        if let Err(error) = &done
            && !failing
        {
            tracing::warn!(%error, "closed files of audit events cannot be compressed; it will be tried again");
        }
        failing = done.is_err();
        std::thread::park_timeout(if failing { RETRY } else { LOOK_EVERY });
    }
}

fn compress_all(dir: &Path, closed: &Closed, covered: u64, refused: &mut BTreeSet<u64>) -> io::Result<()> {
    let segments = layout::segments(dir)?;
    for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
        if segment.is_compressed() || next.first > covered || refused.contains(&segment.first) {
            continue;
        }
        match compress(segment, closed) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::warn!(file = %segment.path.display(), "is damaged, and stays as it is; check the audit log");
                refused.insert(segment.first);
            }
            // Retention was faster, or the log is being closed.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::Interrupted) => {}
            done => done?,
        }
        if closed.stop.load(Ordering::Acquire) {
            break;
        }
    }
    Ok(())
}

/// Compresses a segment that is closed. A log that is in use does this by itself, and nobody else may then.
pub fn compress_segment(segment: &Segment) -> io::Result<()> {
    compress(segment, &Closed::default())
}

/// Puts the compressed form of a closed segment in its place.
fn compress(segment: &Segment, closed: &Closed) -> io::Result<()> {
    let partial = layout::partial(&segment.path);
    let made = make(&segment.path, &partial, closed).and_then(|()| {
        let _changing = closed.changing.lock().unwrap_or_else(PoisonError::into_inner);
        // Retention may have removed it meanwhile.
        files::about(&segment.path)?;
        fs::rename(&partial, layout::compressed(&segment.path))?;
        files::sync_dir_of(&segment.path)?;
        fs::remove_file(&segment.path)
    });
    if made.is_err() {
        let _ = fs::remove_file(&partial);
    }
    made
}

/// Makes the compressed form of a segment, and reads it back. It is on disk then, but for its name.
pub(crate) fn make(from: &Path, to: &Path, closed: &Closed) -> io::Result<()> {
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let source = files::open(from)?;
    let modified = source.metadata()?.modified()?;
    let mut writer = FrameWriter::new(BufWriter::new(files::create_new(to, 0o600)?))?;
    let mut hash = Hasher::new(HashAlg::Sha256);
    each_frame(source, |lines| {
        if closed.stop.load(Ordering::Acquire) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        hash.update(lines);
        writer.push(lines)
    })?;
    let file = writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    // By this retention tells how old events are that do not tell it themselves.
    file.set_modified(modified)?;
    file.sync_all()?;
    drop(file);
    if hash_of(files::open(to)?)? != hash.finish() {
        return Err(io::Error::other(format!("{}: reads back otherwise than it was written", to.display())));
    }
    Ok(())
}

fn hash_of(file: File) -> io::Result<[u8; 32]> {
    let (mut frames, mut hash) = (Frames::open(file)?, Hasher::new(HashAlg::Sha256));
    loop {
        let lines = io::BufRead::fill_buf(&mut frames)?;
        if lines.is_empty() {
            return Ok(hash.finish());
        }
        hash.update(lines);
        let bytes = lines.len();
        io::BufRead::consume(&mut frames, bytes);
    }
}

/// Calls `each` with as many whole lines at a time as make a frame. An error of kind `InvalidData` if that cannot be.
fn each_frame(mut from: impl Read, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let (mut lines, mut wanted) = (Vec::new(), FRAME_LINES_BYTES);
    loop {
        let missing = wanted.saturating_sub(lines.len()) as u64;
        let read = from.by_ref().take(missing).read_to_end(&mut lines)? as u64;
        let ended = read < missing;
        match memchr::memrchr(b'\n', &lines) {
            Some(last) => {
                each(lines.get(..=last).unwrap_or_default())?;
                lines.drain(..=last);
                wanted = FRAME_LINES_BYTES;
            }
            // A line that is longer than a frame has one for itself, with what follows it there.
            None if !ended && wanted < FRAME_BYTES_MAX => wanted = FRAME_BYTES_MAX,
            None if ended && lines.is_empty() => return Ok(()),
            None => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

#[cfg(test)]
#[path = "compress_tests.rs"]
mod tests;
