//! The audit log on disk: one JSON event a line, in files of 64 MiB.
//!
//! Request threads put their event into a buffer; one thread writes what has gathered and syncs it. A call that waits
//! for the disk is answered after the sync that covers its event, so many calls share one sync. If a write fails, the
//! log counts as unwritable, nothing is answered with a success, and the same bytes are tried again until they are
//! written.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use jomae_core::{
    audit::{AuditError, AuditSink, Durability},
    wait::Work,
};
use tokio::sync::oneshot;

use crate::files;

/// Events may gather this long before they are written.
const GATHER: Duration = Duration::from_millis(2);
/// Written events are synced at the latest after this.
const SYNC_WITHIN: Duration = Duration::from_millis(100);
/// How soon a failed write is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// A file is followed by the next one when it has grown beyond this, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How many files back an event of the last minutes is looked for.
const FILES_LOOKED_BACK: usize = 3;
/// With more than this in the buffer, every call waits for the disk, in bytes.
const BUFFER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The audit log in a directory.
pub struct AuditLog {
    dir: PathBuf,
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
    /// Whether every call waits for the disk.
    strict: bool,
}

struct Shared {
    buffer: Mutex<Buffer>,
    filled: Condvar,
    writable: AtomicBool,
    events: AtomicU64,
    syncs: AtomicU64,
}

#[derive(Default)]
struct Buffer {
    lines: Vec<u8>,
    waiting: Vec<oneshot::Sender<Result<(), AuditError>>>,
    closing: bool,
}

impl Shared {
    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuditLog {
    /// Opens the log in `dir`. A last line that a crash cut off is moved to a file of its own: its call was never
    /// answered.
    pub fn open(dir: &Path, strict: bool) -> io::Result<Self> {
        files::private_dir(dir)?;
        let file = LogFile::open(dir)?;
        let shared = Arc::new(Shared {
            buffer: Mutex::default(),
            filled: Condvar::new(),
            writable: AtomicBool::new(true),
            events: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
        });
        let for_writer = Arc::clone(&shared);
        let writer = std::thread::Builder::new().name("audit".into()).spawn(move || write_all(&for_writer, file))?;
        Ok(Self { dir: dir.to_owned(), shared, writer: Some(writer), strict })
    }

    /// Events appended, and syncs done, since the start.
    pub fn counts(&self) -> (u64, u64) {
        (self.shared.events.load(Ordering::Relaxed), self.shared.syncs.load(Ordering::Relaxed))
    }
}

impl AuditSink for AuditLog {
    fn is_writable(&self) -> bool {
        self.shared.writable.load(Ordering::Acquire)
    }

    fn append(&self, event: Vec<u8>, durability: Durability) -> Work<'_, Result<(), AuditError>> {
        let mut buffer = self.shared.buffer();
        let first = buffer.lines.is_empty();
        buffer.lines.extend_from_slice(&event);
        buffer.lines.push(b'\n');
        self.shared.events.fetch_add(1, Ordering::Relaxed);
        let waits = self.strict || durability == Durability::OnDisk || buffer.lines.len() > BUFFER_BYTES_MAX;
        let written = waits.then(|| {
            let (done, written) = oneshot::channel();
            buffer.waiting.push(done);
            written
        });
        drop(buffer);
        if first || waits {
            self.shared.filled.notify_one();
        }
        match written {
            None => Work::Done(Ok(())),
            Some(written) => Work::Later(Box::pin(async move {
                written.await.unwrap_or_else(|_| Err(AuditError("the log is closed".into())))
            })),
        }
    }

    fn find(&self, event_ids: &[&str]) -> Result<Vec<String>, AuditError> {
        let mut found = Vec::new();
        let files = log_files(&self.dir).map_err(|error| AuditError(error.to_string()))?;
        for path in files.iter().rev().take(FILES_LOOKED_BACK) {
            found.extend(find_in(path, event_ids).map_err(|error| AuditError(format!("{}: {error}", path.display())))?);
        }
        Ok(found)
    }
}

/// The ids among `wanted` whose events stand in a file.
fn find_in(path: &Path, wanted: &[&str]) -> io::Result<Vec<String>> {
    const START: &[u8] = b"{\"eventId\":\"";
    let mut lines = io::BufReader::new(File::open(path)?);
    let (mut line, mut found) = (Vec::new(), Vec::new());
    while io::BufRead::read_until(&mut lines, b'\n', &mut line)? > 0 {
        let id = line.strip_prefix(START).and_then(|rest| rest.get(..memchr::memchr(b'"', rest)?));
        if let Some(id) = wanted.iter().find(|wanted| id == Some(wanted.as_bytes())) {
            found.push((*id).to_owned());
        }
        line.clear();
    }
    Ok(found)
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.shared.buffer().closing = true;
        self.shared.filled.notify_one();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn write_all(shared: &Shared, mut file: LogFile) {
    let mut lines = Vec::new();
    let mut unsynced_since: Option<Instant> = None;
    loop {
        let mut buffer = shared.buffer();
        while buffer.lines.is_empty() && !buffer.closing {
            let Some(since) = unsynced_since else {
                buffer = shared.filled.wait(buffer).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = SYNC_WITHIN.saturating_sub(since.elapsed());
            if left.is_zero() {
                break;
            }
            buffer = shared.filled.wait_timeout(buffer, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        // Without anyone waiting, a pause lets more events share the write.
        if buffer.waiting.is_empty() && !buffer.lines.is_empty() && !buffer.closing {
            buffer = shared.filled.wait_timeout(buffer, GATHER).unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(&mut lines, &mut buffer.lines);
        let waiting = std::mem::take(&mut buffer.waiting);
        let closing = buffer.closing;
        drop(buffer);

        if !lines.is_empty() {
            unsynced_since.get_or_insert_with(Instant::now);
        }
        let sync = closing || !waiting.is_empty() || unsynced_since.is_some_and(|since| since.elapsed() >= SYNC_WITHIN);
        let sync = sync && unsynced_since.is_some();
        let mut result = file.append(&lines, sync);
        if let Err(error) = &result {
            shared.writable.store(false, Ordering::Release);
            tracing::error!(%error, file = %file.path.display(), "the audit log cannot be written; nothing is served until it can");
        }
        let text = result.as_ref().err().map(ToString::to_string);
        for done in waiting {
            let _ = done.send(text.clone().map_or(Ok(()), |text| Err(AuditError(text))));
        }
        while result.is_err() {
            if shared.buffer().closing {
                return;
            }
            std::thread::sleep(RETRY);
            result = file.append(&lines, true);
            if result.is_ok() {
                tracing::info!("the audit log can be written again");
            }
        }
        shared.writable.store(true, Ordering::Release);
        if sync {
            shared.syncs.fetch_add(1, Ordering::Relaxed);
            unsynced_since = None;
        }
        lines.clear();
        lines.shrink_to(BUFFER_BYTES_MAX);
        if closing && shared.buffer().lines.is_empty() {
            return;
        }
    }
}

/// The file that is written now.
struct LogFile {
    dir: PathBuf,
    path: PathBuf,
    number: u64,
    file: File,
    /// Bytes that are whole lines.
    bytes: u64,
}

fn file_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.jsonl"))
}

/// The files of a log, oldest first.
pub fn log_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    paths.sort();
    Ok(paths)
}

impl LogFile {
    fn open(dir: &Path) -> io::Result<Self> {
        let number = log_files(dir)?.last().and_then(|path| path.file_stem()?.to_str()?.parse().ok()).unwrap_or(1);
        Self::open_number(dir, number)
    }

    fn open_number(dir: &Path, number: u64) -> io::Result<Self> {
        let path = file_path(dir, number);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        let bytes = whole_lines(&mut file)?;
        let length = file.metadata()?.len();
        if bytes < length {
            let mut torn = vec![0; usize::try_from((length - bytes).min(FILE_BYTES_MAX)).unwrap_or(0)];
            file.seek(SeekFrom::Start(bytes))?;
            io::Read::read_exact(&mut file, &mut torn)?;
            files::write_private(&path.with_extension(format!("torn-at-{bytes}")), &torn)?;
            tracing::warn!(file = %path.display(), at = bytes, "a crash cut off the last audit event; it was set aside");
            file.set_len(bytes)?;
        }
        file.sync_all()?;
        files::sync_dir_of(&path)?;
        Ok(Self { dir: dir.to_owned(), path, number, file, bytes })
    }

    /// Appends whole lines, all or none: what a failed write left is cut off before the next one.
    fn append(&mut self, lines: &[u8], sync: bool) -> io::Result<()> {
        if !lines.is_empty() {
            if self.bytes >= FILE_BYTES_MAX {
                self.file.sync_data()?;
                *self = Self::open_number(&self.dir, self.number + 1)?;
            }
            if self.file.metadata()?.len() != self.bytes {
                self.file.set_len(self.bytes)?;
            }
            self.file.seek(SeekFrom::Start(self.bytes))?;
            self.file.write_all(lines)?;
        }
        if sync {
            self.file.sync_data()?;
        }
        self.bytes += lines.len() as u64;
        Ok(())
    }
}

/// How many bytes of a file are whole lines.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let part = block.get_mut(..usize::try_from(end - start).unwrap_or(0)).unwrap_or_default();
        file.seek(SeekFrom::Start(start))?;
        io::Read::read_exact(file, part)?;
        if let Some(at) = memchr::memrchr(b'\n', part) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(dir: &Path) -> Vec<String> {
        let all: String = log_files(dir).unwrap().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        all.lines().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn events_are_there_in_order_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        for round in 0..3 {
            let log = AuditLog::open(dir.path(), false).unwrap();
            for n in 0..50 {
                let durability = if n % 10 == 0 { Durability::OnDisk } else { Durability::Handed };
                log.append(format!("{{\"n\":{}}}", round * 50 + n).into_bytes(), durability).wait().await.unwrap();
            }
        }
        let expected: Vec<String> = (0..150).map(|n| format!("{{\"n\":{n}}}")).collect();
        assert_eq!(lines_of(dir.path()), expected);
    }

    #[tokio::test]
    async fn an_answered_event_is_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let log = AuditLog::open(dir.path(), false).unwrap();
        for n in 0..20 {
            log.append(format!("{{\"n\":{n}}}").into_bytes(), Durability::OnDisk).wait().await.unwrap();
            assert_eq!(lines_of(dir.path()).len(), n + 1);
        }
    }

    #[tokio::test]
    async fn waiting_calls_share_syncs() {
        let dir = tempfile::tempdir().unwrap();
        let log = Arc::new(AuditLog::open(dir.path(), true).unwrap());
        let calls: Vec<_> = (0..500)
            .map(|n| {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    log.append(format!("{{\"n\":{n}}}").into_bytes(), Durability::Handed).wait().await
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        let (events, syncs) = log.counts();
        assert_eq!(events, 500);
        assert!(syncs <= 500, "{syncs}");
        assert_eq!(lines_of(dir.path()).len(), 500);
    }

    #[tokio::test]
    async fn events_are_found_by_id() {
        let dir = tempfile::tempdir().unwrap();
        let log = AuditLog::open(dir.path(), false).unwrap();
        for id in ["a", "b", "c"] {
            log.append(format!("{{\"eventId\":\"{id}\",\"x\":\"z\"}}").into_bytes(), Durability::OnDisk)
                .wait()
                .await
                .unwrap();
        }
        assert_eq!(log.find(&["b", "z", "a"]).unwrap(), ["a", "b"]);
    }

    #[test]
    fn a_torn_last_line_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("00000001.jsonl"), "{\"n\":1}\n{\"n\":2}\n{\"n\"").unwrap();
        drop(AuditLog::open(dir.path(), false).unwrap());
        assert_eq!(lines_of(dir.path()), ["{\"n\":1}", "{\"n\":2}"]);
        assert_eq!(fs::read(dir.path().join("00000001.torn-at-16")).unwrap(), b"{\"n\"");
    }

    #[test]
    fn whole_lines_of_a_file_without_any() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, vec![b'x'; 10_000]).unwrap();
        assert_eq!(whole_lines(&mut File::open(&path).unwrap()).unwrap(), 0);
        fs::write(&path, [vec![b'x'; 5000], vec![b'\n'], vec![b'y'; 9000]].concat()).unwrap();
        assert_eq!(whole_lines(&mut File::open(&path).unwrap()).unwrap(), 5001);
    }
}
