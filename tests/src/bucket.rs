//! An S3 service with one bucket, whose objects are the files of a directory.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper::{Method, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::{net::TcpListener, task::JoinHandle};

/// Its AccessKey pair.
const PAIR: (&str, &str) = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
const NAME: &str = "kms-archive";
const POLL: Duration = Duration::from_millis(5);

/// The service; it ends with this.
pub struct Bucket {
    address: SocketAddr,
    objects: PathBuf,
    /// How many objects it still takes; what comes then waits.
    left: Arc<AtomicU64>,
    is_waiting: Arc<AtomicBool>,
    serving: JoinHandle<()>,
}

impl Bucket {
    /// Starts one whose files are in `dir`.
    pub async fn start(dir: &Path) -> Self {
        let objects = dir.join(NAME);
        fs::create_dir_all(&objects).expect("a directory for the bucket");
        let mut service = S3ServiceBuilder::new(FileSystem::new(dir).expect("a directory"));
        service.set_auth(SimpleAuth::from_single(PAIR.0, PAIR.1));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let (left, is_waiting) = (Arc::new(AtomicU64::new(u64::MAX)), Arc::<AtomicBool>::default());
        let state = (Arc::clone(&left), Arc::clone(&is_waiting));
        let serving = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.expect("a connection");
                let (service, state) = (service.clone(), state.clone());
                tokio::spawn(async move {
                    let answer = service_fn(move |request: hyper::Request<Incoming>| {
                        let (service, (left, is_waiting)) = (service.clone(), state.clone());
                        async move {
                            if request.method() == Method::PUT {
                                let take = |left: u64| left.checked_sub(1);
                                while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_err() {
                                    is_waiting.store(true, Ordering::SeqCst);
                                    tokio::time::sleep(POLL).await;
                                }
                            }
                            hyper::service::Service::call(&service, request).await
                        }
                    });
                    let connection = Builder::new(TokioExecutor::new());
                    let _ = connection.serve_connection(TokioIo::new(socket), answer).await;
                });
            }
        });
        Self { address, objects, left, is_waiting, serving }
    }

    /// Takes so many objects, and lets the next one wait.
    pub fn take_only(&self, objects: u64) {
        self.left.store(objects, Ordering::SeqCst);
    }

    /// Whether one waits.
    pub fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::SeqCst)
    }

    /// Where it is.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The name of a prefix in it.
    pub fn prefix(name: &str) -> String {
        format!("s3://{NAME}/{name}")
    }

    /// The files of a prefix.
    pub fn objects(&self, prefix: &str) -> PathBuf {
        self.objects.join(prefix)
    }

    /// A file of credentials.
    pub fn credentials() -> String {
        format!("access_key_id = \"{}\"\nsecret_access_key = \"{}\"\n", PAIR.0, PAIR.1)
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
