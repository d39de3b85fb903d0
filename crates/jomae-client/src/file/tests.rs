use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use jomae_crypto::stream::{STREAM_SEGMENT_BYTES, segment_plain_bytes};
use proptest::prelude::*;

use super::*;

const FIRST: usize = segment_plain_bytes(0);
const NEXT: usize = segment_plain_bytes(1);

/// Runs a future that never waits: the key services here answer at once.
fn now<F: Future>(future: F) -> F::Output {
    struct NoWake;
    impl Wake for NoWake {
        fn wake(self: Arc<Self>) {}
    }
    match pin!(future).poll(&mut Context::from_waker(&Waker::from(Arc::new(NoWake)))) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}

/// A key service of one data key, which remembers the context it was asked with.
struct OneKey {
    key_bytes: usize,
    context: Mutex<Option<EncryptionContext>>,
}

impl OneKey {
    fn new() -> Self {
        Self { key_bytes: 32, context: Mutex::new(None) }
    }
}

impl DataKeys for OneKey {
    async fn generate(&self, key_id: &str, context: &EncryptionContext) -> Result<DataKey, KeysError> {
        *self.context.lock().unwrap() = Some(context.clone());
        Ok(DataKey {
            plain: SecretBytes::new(vec![42; self.key_bytes]),
            encrypted: b"wrapped".to_vec(),
            key_id: key_id.to_owned(),
            region: "cn-test".to_owned(),
        })
    }

    async fn decrypt(&self, header: &Header, context: &EncryptionContext) -> Result<SecretBytes, KeysError> {
        if header.encrypted_key != b"wrapped" || self.context.lock().unwrap().as_ref() != Some(context) {
            return Err("Forbidden: the blob does not open".into());
        }
        Ok(SecretBytes::new(vec![42; self.key_bytes]))
    }
}

fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn plain(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| u8::try_from((i.wrapping_mul(2_654_435_761) >> 13) & 0xFF).unwrap()).collect()
}

fn header() -> Header {
    Header {
        region: "cn-test".into(),
        key_id: "key-1".into(),
        encrypted_key: b"wrapped".to_vec(),
        context_keys: Vec::new(),
    }
}

fn data_key() -> Key256 {
    Key256::from_slice(&[42; 32]).unwrap()
}

fn sealed(plain: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    seal(&header(), &data_key(), Input::reader(plain), Output::writer(&mut file), &mut |_| ()).unwrap();
    file
}

fn opened_into(mut file: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let (_, header_bytes) = Header::read(&mut file)?;
    open(&header_bytes, &data_key(), Input::reader(file), Output::writer(out), &mut |_| ())
}

fn opened(file: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    opened_into(file, &mut out).map(|()| out)
}

/// Hands out at most `most` bytes a call, as pipes do.
struct Dribble<'a>(&'a [u8], usize);

impl Read for Dribble<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = out.len().min(self.1);
        self.0.read(&mut out[..most])
    }
}

fn names(directory: &Path) -> BTreeSet<String> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_boundary_round_trips_at_its_exact_size() {
    let overhead = header().to_bytes().unwrap().len() + STREAM_HEADER_BYTES;
    for (bytes, segments) in [
        (0, 1),
        (1, 1),
        (FIRST - 1, 1),
        (FIRST, 1),
        (FIRST + 1, 2),
        (FIRST + NEXT - 1, 2),
        (FIRST + NEXT, 2),
        (FIRST + NEXT + 1, 3),
        (FIRST + 4 * NEXT, 5),
        (7_654_321, 8),
    ] {
        let plain = plain(bytes);
        let file = sealed(&plain);
        assert_eq!(file.len(), overhead + bytes + segments * STREAM_TAG_BYTES, "{bytes}");
        assert!(opened(&file).unwrap() == plain, "{bytes}");
    }
}

#[test]
fn a_reader_that_gives_little_at_a_time_changes_nothing() {
    let plain = plain(FIRST + NEXT + 7);
    let mut file = Vec::new();
    let input = Input::reader(Dribble(&plain, 10_007));
    seal(&header(), &data_key(), input, Output::writer(&mut file), &mut |_| ()).unwrap();
    assert!(opened(&file).unwrap() == plain);
}

#[test]
fn progress_goes_up_to_the_size_of_the_input() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plain");
    fs::write(&path, plain(FIRST + NEXT + 9)).unwrap();
    let mut seen = Vec::new();
    let mut file = Vec::new();
    let input = Input::file(&path).unwrap();
    seal(&header(), &data_key(), input, Output::writer(&mut file), &mut |at| seen.push(at)).unwrap();
    let total_bytes = Some((FIRST + NEXT + 9) as u64);
    let at = |done: usize| Progress { done_bytes: done as u64, total_bytes };
    assert_eq!(seen, [at(FIRST), at(FIRST + NEXT), at(FIRST + NEXT + 9)]);

    fs::write(&path, &file).unwrap();
    let mut last = None;
    let mut input = Input::file(&path).unwrap();
    let (_, header_bytes) = Header::read(&mut input.reader).unwrap();
    open(&header_bytes, &data_key(), input, Output::writer(io::sink()), &mut |at| last = Some(at)).unwrap();
    assert_eq!(last, Some(Progress { done_bytes: file.len() as u64, total_bytes: Some(file.len() as u64) }));
}

#[test]
fn every_class_of_truncation_fails() {
    let file = sealed(&plain(FIRST + NEXT + 100));
    let stream = header().to_bytes().unwrap().len();
    let mut cuts: Vec<usize> = (0..=stream + STREAM_HEADER_BYTES + STREAM_TAG_BYTES).collect();
    for boundary in [stream + STREAM_SEGMENT_BYTES, stream + 2 * STREAM_SEGMENT_BYTES] {
        cuts.extend([boundary - 17, boundary - 1, boundary, boundary + 1, boundary + 15, boundary + 16, boundary + 17]);
    }
    cuts.extend([file.len() - 17, file.len() - 16, file.len() - 1]);
    for cut in cuts {
        match opened(&file[..cut]) {
            Err(Error::NotOurFile) => assert!(cut < MAGIC.len(), "{cut}"),
            Err(Error::Truncated) => assert!(cut < stream + STREAM_HEADER_BYTES, "{cut}"),
            Err(Error::Damaged { .. }) => assert!(cut >= stream + STREAM_HEADER_BYTES, "{cut}"),
            other => panic!("cut at {cut}: {:?}", other.map(|plain| plain.len())),
        }
    }
}

#[test]
fn moved_repeated_dropped_and_appended_segments_fail_where_they_stand() {
    let plain = plain(FIRST + 3 * NEXT + 5);
    let file = sealed(&plain);
    let first = header().to_bytes().unwrap().len() + STREAM_SEGMENT_BYTES;
    let (head, rest) = file.split_at(first);
    let segments: Vec<&[u8]> = rest.chunks(STREAM_SEGMENT_BYTES).collect();
    let [a, b, c, last] = segments[..] else { panic!() };
    let other = sealed(&plain);
    for (parts, segment) in [
        (vec![head, b, a, c, last], 1),
        (vec![head, a, c, b, last], 2),
        (vec![head, a, a, b, c, last], 2),
        (vec![head, a, c, last], 2),
        (vec![head, a, b, c, last, last], 4),
        (vec![head, a, b, c, last, b"\0"], 4),
        (vec![head, a, b, c], 3),
        (vec![head, last], 1),
        (vec![head, a, &other[first + STREAM_SEGMENT_BYTES..]], 2),
    ] {
        let mut out = Vec::new();
        let error = opened_into(&parts.concat(), &mut out).unwrap_err();
        assert!(matches!(error, Error::Damaged { segment: at } if at == segment), "{error} instead of {segment}");
        let verified = FIRST + (segment as usize - 1) * NEXT;
        assert!(out == plain[..verified], "what came out is the verified beginning");
    }
    assert!(opened(&[head, a, b, c, last].concat()).unwrap() == plain);
}

#[test]
fn every_bit_of_header_and_small_stream_counts() {
    let file = sealed(b"a small file");
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            assert!(opened(&changed).is_err(), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn wrong_data_key_fails() {
    let file = sealed(b"plain");
    let mut input = &file[..];
    let (_, header_bytes) = Header::read(&mut input).unwrap();
    let wrong = Key256::from_slice(&[43; 32]).unwrap();
    let result = open(&header_bytes, &wrong, Input::reader(input), Output::writer(io::sink()), &mut |_| ());
    assert!(matches!(result, Err(Error::Damaged { segment: 0 })));
}

#[test]
fn keys_and_context_go_through_the_key_service() {
    let keys = OneKey::new();
    let given = context(&[("tenant", "7"), ("app", "shop")]);
    let mut file = Vec::new();
    let header =
        now(encrypt(&keys, "alias/a", &given, Input::reader(&b"data"[..]), Output::writer(&mut file), &mut |_| ()))
            .unwrap();
    assert_eq!(header.context_keys, ["app", "tenant"]);
    assert_eq!(inspect(&mut &file[..]).unwrap(), header);
    assert!(!file.windows(4).any(|window| window == b"shop" || window == b"data"));

    let decrypted = |context: &EncryptionContext| {
        let mut out = Vec::new();
        now(decrypt(&keys, context, Input::reader(&file[..]), Output::writer(&mut out), &mut |_| ())).map(|_| out)
    };
    assert_eq!(decrypted(&given).unwrap(), b"data");
    assert!(matches!(decrypted(&context(&[("app", "shop")])), Err(Error::Context { .. })));
    let refused = decrypted(&context(&[("app", "shop"), ("tenant", "8")])).unwrap_err();
    assert_eq!(refused.to_string(), "Forbidden: the blob does not open");
}

#[test]
fn a_data_key_of_another_length_is_refused() {
    let keys = OneKey { key_bytes: 16, ..OneKey::new() };
    let mut file = Vec::new();
    let result =
        now(encrypt(&keys, "k", &context(&[]), Input::reader(&b""[..]), Output::writer(&mut file), &mut |_| ()));
    assert!(matches!(result, Err(Error::DataKeyLength(16))));
    assert_eq!(file, b"");
}

#[test]
fn files_keep_mode_and_are_never_overwritten_unasked() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("a"), plain(FIRST + 1)).unwrap();
    fs::set_permissions(path("a"), fs::Permissions::from_mode(0o4640)).unwrap();
    let run = |from: &str, to: &str, force| {
        let output = Output::file(&path(to), force)?;
        seal(&header(), &data_key(), Input::file(&path(from))?, output, &mut |_| ())
    };
    run("a", "a.jomae", false).unwrap();
    assert_eq!(fs::metadata(path("a.jomae")).unwrap().permissions().mode() & 0o7777, 0o640);
    assert!(matches!(run("a", "a.jomae", false), Err(Error::OutputExists(_))));
    assert!(matches!(run("a", "a", false), Err(Error::OutputExists(_))));

    std::os::unix::fs::symlink("a", path("link")).unwrap();
    assert!(matches!(run("a", "link", false), Err(Error::OutputExists(_))));
    run("a", "link", true).unwrap();
    assert!(fs::symlink_metadata(path("link")).unwrap().is_symlink(), "the link stays, its target is replaced");
    assert!(opened(&fs::read(path("a")).unwrap()).unwrap() == plain(FIRST + 1));

    fs::create_dir(path("dir")).unwrap();
    assert!(matches!(run("a", "dir", true), Err(Error::OutputNotRegular(_))));
    assert!(matches!(Output::file(Path::new("/dev/null"), true), Err(Error::OutputNotRegular(_))));
    assert!(matches!(run("a", "no/such/place", false), Err(Error::Path { .. })));
    assert!(matches!(Input::file(&path("dir")), Err(Error::Path { .. })));
    assert_eq!(names(directory.path()), ["a", "a.jomae", "dir", "link"].map(str::to_owned).into());
}

#[test]
fn an_output_that_appears_meanwhile_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    let output = Output::file(&path, false).unwrap();
    fs::write(&path, "theirs").unwrap();
    let result = seal(&header(), &data_key(), Input::reader(&b"ours"[..]), output, &mut |_| ());
    assert!(matches!(result, Err(Error::OutputExists(_))));
    assert_eq!(fs::read(&path).unwrap(), b"theirs");
    assert_eq!(names(directory.path()).len(), 1);
}

#[test]
fn a_damaged_end_leaves_no_output_and_the_original_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    let file = sealed(&plain(FIRST + 2 * NEXT + 1));
    for (force, before) in [(false, None), (true, Some("original"))] {
        if let Some(before) = before {
            fs::write(&path, before).unwrap();
        }
        let mut input = &file[..file.len() - 1];
        let (_, header_bytes) = Header::read(&mut input).unwrap();
        let output = Output::file(&path, force).unwrap();
        let result = open(&header_bytes, &data_key(), Input::reader(input), output, &mut |_| ());
        assert!(matches!(result, Err(Error::Damaged { segment: 3 })));
        assert_eq!(fs::read_to_string(&path).ok().as_deref(), before);
        assert_eq!(names(directory.path()).len(), usize::from(before.is_some()));
    }
}

#[test]
fn disk_full_is_named() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let result = seal(&header(), &data_key(), Input::reader(&b""[..]), Output::writer(Full), &mut |_| ());
    assert!(matches!(result, Err(Error::DiskFull)));
}

/// Starts itself as the process to kill: it encrypts a pipe that never ends, over an existing file.
#[test]
fn a_kill_midway_leaves_the_original_untouched() {
    const OUTPUT: &str = "JOMAE_TEST_KILLED_OUTPUT";
    if let Some(path) = std::env::var_os(OUTPUT) {
        let output = Output::file(Path::new(&path), true).unwrap();
        let result = seal(&header(), &data_key(), Input::stdin().unwrap(), output, &mut |_| ());
        panic!("the pipe ended: {result:?}");
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("original");
    fs::write(&path, "original").unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "file::tests::a_kill_midway_leaves_the_original_untouched"])
        .env(OUTPUT, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(&plain(5 * STREAM_SEGMENT_BYTES)).unwrap();
    // Its file has no name, but a descriptor.
    let descriptors = format!("/proc/{}/fd", child.id());
    let unfinished_bytes = || {
        let links = fs::read_dir(&descriptors).unwrap().map(|entry| entry.unwrap().path());
        let of_ours = |link: &std::path::PathBuf| {
            fs::read_link(link).is_ok_and(|to| to.starts_with(directory.path())) && link.metadata().is_ok()
        };
        links.filter(of_ours).map(|link| link.metadata().map_or(0, |about| about.len())).max().unwrap_or(0)
    };
    while unfinished_bytes() < STREAM_SEGMENT_BYTES as u64 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"original");
    assert_eq!(names(directory.path()), ["original".to_owned()].into(), "nothing is left even by a kill");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_size_round_trips_through_any_reader(bytes in 0..4 * STREAM_SEGMENT_BYTES, most in 1000..3_000_000_usize) {
        let plain = plain(bytes);
        let mut file = Vec::new();
        let input = Input::reader(Dribble(&plain, most));
        seal(&header(), &data_key(), input, Output::writer(&mut file), &mut |_| ()).unwrap();
        prop_assert!(opened(&file).unwrap() == plain);
    }

    #[test]
    fn any_changed_bit_fails(bytes in 0..3 * STREAM_SEGMENT_BYTES, at: prop::sample::Index, bit in 0..8_u8) {
        let mut file = sealed(&plain(bytes));
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        prop_assert!(opened(&file).is_err());
    }

    #[test]
    fn any_cut_fails(bytes in 0..3 * STREAM_SEGMENT_BYTES, at: prop::sample::Index) {
        let file = sealed(&plain(bytes));
        prop_assert!(opened(&file[..at.index(file.len())]).is_err());
    }
}
