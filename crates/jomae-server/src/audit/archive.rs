//! The archive that the configuration names: a directory, or a bucket of an S3 service.

use std::{
    fs::File,
    io::{self, Seek as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use jomae_log::archive::{Archive, Content, DirArchive, Object};
use object_store::{
    ClientOptions, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path as Key,
};
use serde::Deserialize;
use tokio::runtime::{Builder, Runtime};

use crate::{
    config::{self, ArchivePlace},
    files::{self, Secret},
};

/// A request must have been answered after this; one of a part has 8 MiB.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A request that failed is sent again so often; then it is for the next look.
const RETRIES_MAX: usize = 2;
/// Larger objects go in parts of this length, in bytes; it is what is held of an object at a time.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Largest file of credentials, in bytes.
const CREDENTIALS_BYTES_MAX: usize = 64 * 1024;

/// Opens an archive; nobody is asked yet. What is fetched lies in `scratch` meanwhile, or where temporary files do.
pub fn open(config: &config::Archive, scratch: Option<&Path>) -> io::Result<Box<dyn Archive>> {
    let place = config.place().map_err(io::Error::other)?;
    let ArchivePlace::S3 { prefix, .. } = &place else {
        let ArchivePlace::Directory(dir) = place else { return Err(io::ErrorKind::Unsupported.into()) };
        return Ok(Box::new(DirArchive::new(dir)));
    };
    let prefix = Key::parse(prefix).map_err(io::Error::other)?;
    // A wrong file is told at once.
    let store = connect(&place)?;
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let scratch = scratch.map_or_else(std::env::temp_dir, Path::to_owned);
    Ok(Box::new(Bucket { place, prefix, scratch, store: Some(store), runtime: Some(runtime) }))
}

/// An AccessKey pair, as it stands in its file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

fn credentials(path: &Path) -> io::Result<Credentials> {
    let text = files::read_secret(path, Secret::Configured, CREDENTIALS_BYTES_MAX).map_err(io::Error::other)?;
    let read = str::from_utf8(&text).ok().and_then(|text| toml::from_str(text).ok());
    // The cause would hold part of the secret.
    read.ok_or_else(|| {
        io::Error::other(format!(
            "{}: is not access_key_id = \"…\" and secret_access_key = \"…\", on a line each",
            path.display()
        ))
    })
}

fn connect(place: &ArchivePlace) -> io::Result<AmazonS3> {
    let ArchivePlace::S3 { bucket, region, endpoint, credentials_file, .. } = place else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let Credentials { access_key_id, secret_access_key, session_token } = credentials(credentials_file)?;
    let options = ClientOptions::new().with_timeout(REQUEST_TIMEOUT).with_connect_timeout(CONNECT_TIMEOUT);
    let retry = RetryConfig { max_retries: RETRIES_MAX, retry_timeout: REQUEST_TIMEOUT, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_client_options(options)
        .with_retry(retry)
        .with_bucket_name(bucket)
        .with_region(region)
        .with_access_key_id(access_key_id)
        .with_secret_access_key(secret_access_key);
    if let Some(token) = session_token {
        builder = builder.with_token(token);
    }
    if let Some(endpoint) = endpoint {
        let host = reqwest::Url::parse(endpoint).ok().and_then(|url| url.host_str().map(str::to_owned));
        builder = builder
            .with_endpoint(endpoint.trim_end_matches('/'))
            .with_allow_http(endpoint.starts_with("http://"))
            // Of a service that wants the bucket in the name of the host, the endpoint has it there.
            .with_virtual_hosted_style_request(host.is_some_and(|host| host.starts_with(&format!("{bucket}."))));
    }
    builder.build().map_err(|error| of(&error))
}

/// The error of the store, of the kind that tells, in one line.
fn of(error: &object_store::Error) -> io::Error {
    let kind = match error {
        object_store::Error::NotFound { .. } => io::ErrorKind::NotFound,
        object_store::Error::AlreadyExists { .. } => io::ErrorKind::AlreadyExists,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error.to_string().replace(char::is_control, " "))
}

/// A prefix in a bucket.
struct Bucket {
    place: ArchivePlace,
    prefix: Key,
    scratch: PathBuf,
    /// `None` after a failure: somebody may have changed the credentials.
    store: Option<AmazonS3>,
    /// Its own: that of the service may end while the bucket does not answer.
    runtime: Option<Runtime>,
}

impl Bucket {
    /// Does something with the store.
    fn run<T>(&mut self, act: impl AsyncFnOnce(&AmazonS3) -> object_store::Result<T>) -> io::Result<T> {
        let store = if let Some(store) = self.store.take() { store } else { connect(&self.place)? };
        let runtime = self.runtime.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        let done = runtime.block_on(act(&store)).map_err(|error| of(&error));
        let is_answered =
            |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists);
        if done.as_ref().err().is_none_or(is_answered) {
            self.store = Some(store);
        }
        done
    }

    fn key(&self, log: &str, name: &str) -> Key {
        self.prefix.clone().join(log).join(name)
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Archive for Bucket {
    fn logs(&mut self) -> io::Result<Vec<String>> {
        let prefix = self.prefix.clone();
        let found = self.run(async |store| store.list_with_delimiter(Some(&prefix)).await)?;
        Ok(found.common_prefixes.iter().filter_map(|prefix| prefix.filename().map(str::to_owned)).collect())
    }

    fn list(&mut self, log: &str) -> io::Result<Vec<Object>> {
        let prefix = self.prefix.clone().join(log);
        let found = self.run(async |store| store.list_with_delimiter(Some(&prefix)).await)?;
        let object = |about: object_store::ObjectMeta| {
            Some(Object { name: about.location.filename()?.to_owned(), bytes: about.size })
        };
        Ok(found.objects.into_iter().filter_map(object).collect())
    }

    fn put(&mut self, log: &str, name: &str, content: Content<'_>) -> io::Result<()> {
        let key = self.key(log, name);
        match self.run(async |store| store.head(&key).await) {
            Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let part = |at: u64| -> object_store::Result<Vec<u8>> {
            let left = usize::try_from(content.bytes() - at).unwrap_or(usize::MAX);
            let mut part = vec![0; left.min(PART_BYTES)];
            let read = content.read(&mut part, at);
            read.map_err(|source| object_store::Error::Generic { store: "audit log", source: source.into() })?;
            Ok(part)
        };
        if content.bytes() <= PART_BYTES as u64 {
            return self.run(async |store| store.put(&key, PutPayload::from(part(0)?)).await).map(drop);
        }
        self.run(async |store| {
            let mut upload = store.put_multipart(&key).await?;
            let mut at = 0;
            let sent = async {
                while at < content.bytes() {
                    let part = part(at)?;
                    at += part.len() as u64;
                    upload.put_part(part.into()).await?;
                }
                upload.complete().await
            };
            let sent = sent.await;
            if sent.is_err() {
                let _ = upload.abort().await;
            }
            sent.map(drop)
        })
    }

    fn remove(&mut self, log: &str, name: &str) -> io::Result<()> {
        let key = self.key(log, name);
        match self.run(async |store| store.delete(&key).await) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn get(&mut self, log: &str, name: &str) -> io::Result<File> {
        let key = self.key(log, name);
        let bytes = self.run(async |store| store.head(&key).await)?.size;
        let mut file = tempfile::tempfile_in(&self.scratch)?;
        let mut at = 0;
        while at < bytes {
            let part = at..bytes.min(at + PART_BYTES as u64);
            let read = self.run(async |store| store.get_range(&key, part).await)?;
            if read.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            file.write_all(&read)?;
            at += read.len() as u64;
        }
        file.rewind()?;
        Ok(file)
    }
}
