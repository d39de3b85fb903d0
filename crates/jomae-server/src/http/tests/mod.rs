//! The HTTP side over real sockets with raw bytes, against a service that says what it was given.

mod any;
mod framing;
mod http1;
mod lanes;
mod over_tls;
mod proxies;
mod refusals;
mod shares;
mod stopping;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Answer, HttpFailure, HttpStats, Incoming, Limits, Proxies, Service, Terms, serve};
use crate::tls::{Issued, ServerTls, generate_ca, issue};

/// Far longer than anything here takes; only a hang reaches it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Answers with what it was given; `/panic` panics, `/slow` waits to be released, `/decided` as well, and is not given up;
/// `/thread` tells its thread, `/costly` as well after it has said that it is, and `/costly/slow` and `/costly/panic` then go on as these; `/busy` keeps its thread until it is `free`; `/known` makes its caller known, `/peer` tells the client's address. A head with `x-good` is vouched for.
#[derive(Default)]
pub(super) struct Mirror {
    pub(super) entered: Notify,
    pub(super) release: Notify,
    /// A `/slow` or `/decided` call is over: answered, or dropped.
    pub(super) over: Arc<Notify>,
    /// Calls that came to their end.
    pub(super) answered: AtomicUsize,
    pub(super) free: AtomicBool,
}

struct Over(Arc<Notify>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

fn answer(status: u16, body: Vec<u8>) -> Answer {
    Answer {
        status,
        content_type: "text/plain",
        request_id: "id".into(),
        retry_after: None,
        audit_index: None,
        audit_receipt: None,
        headers: Vec::new(),
        body,
        close: false,
        known: false,
    }
}

/// `METHOD path|query|header count|` and the body.
fn describe(request: &jomae_api::wire::Request<'_>) -> Vec<u8> {
    let head = format!("{} {}|{}|{}|", request.method, request.path, request.query, request.headers.len());
    [head.as_bytes(), request.body].concat()
}

impl Service for Mirror {
    async fn call<'a>(&'a self, incoming: Incoming<'a>) -> Answer {
        let path = incoming.request.path;
        let path = match path.strip_prefix("/costly") {
            None => path,
            Some(rest) => {
                incoming.lane.become_costly().await;
                if rest.is_empty() { "/thread" } else { rest }
            }
        };
        match path {
            "/panic" => panic!("asked to"),
            "/slow" | "/decided" => {
                let _over = Over(Arc::clone(&self.over));
                if path == "/decided" {
                    incoming.abandonment.decide().await;
                }
                self.entered.notify_one();
                self.release.notified().await;
                self.answered.fetch_add(1, Ordering::SeqCst);
            }
            "/busy" => {
                self.entered.notify_one();
                let began = Instant::now();
                while !self.free.load(Ordering::SeqCst) && began.elapsed() < PATIENCE {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            "/thread" => return answer(200, std::thread::current().name().unwrap_or_default().into()),
            "/close" => return Answer { close: true, ..answer(200, Vec::new()) },
            "/known" => return Answer { known: true, ..answer(200, Vec::new()) },
            "/peer" => return answer(200, incoming.peer.address.ip().to_string().into_bytes()),
            "/host" => return answer(200, incoming.request.header("host").unwrap_or(b"none").to_vec()),
            _ => {}
        }
        answer(200, describe(&incoming.request))
    }

    fn vouches(&self, incoming: Incoming<'_>) -> bool {
        assert!(incoming.request.body.is_empty());
        incoming.request.header("x-good").is_some()
    }

    fn malformed(&self, why: HttpFailure, _peer: SocketAddr) -> Answer {
        answer(why.status(), why.label().into())
    }
}

struct Server {
    address: SocketAddr,
    mirror: Arc<Mirror>,
    stats: Arc<HttpStats>,
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

async fn start_with(limits: Limits, tls: Option<Arc<ServerTls>>) -> Server {
    start_behind(Proxies::default(), limits, tls).await
}

async fn start_behind(proxies: Proxies, limits: Limits, tls: Option<Arc<ServerTls>>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let (mirror, stats) = (Arc::new(Mirror::default()), Arc::new(HttpStats::default()));
    let terms = Terms { limits, proxies, costly: costly() };
    let ended = tokio::spawn(serve(listener, tls, Arc::clone(&mirror), terms, Arc::clone(&stats), stopped));
    Server { address, mirror, stats, stop, ended }
}

/// The threads for costly calls, of all tests: a runtime cannot be dropped by a test that is one's task.
fn costly() -> Handle {
    static COSTLY: OnceLock<Runtime> = OnceLock::new();
    let start = || Builder::new_multi_thread().worker_threads(2).thread_name("costly").enable_all().build().unwrap();
    COSTLY.get_or_init(start).handle().clone()
}

async fn start() -> Server {
    start_with(Limits::default(), None).await
}

/// A certificate for `localhost` and 127.0.0.1 under a new CA.
fn certificate() -> (Issued, Issued) {
    let ca = generate_ca(std::time::SystemTime::now()).unwrap();
    let leaf = issue(
        crate::tls::Role::Server,
        (&ca.cert_pem, &ca.key_pem),
        &["localhost".into(), "127.0.0.1".into()],
        30,
        std::time::SystemTime::now(),
    )
    .unwrap();
    (ca, leaf)
}

/// One answer as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) status: u16,
    pub(super) connection: Option<String>,
    pub(super) body: String,
}

impl Seen {
    fn ok(body: &str) -> Self {
        Self { status: 200, connection: Some("keep-alive".into()), body: body.into() }
    }

    fn closing(self) -> Self {
        Self { connection: Some("close".into()), ..self }
    }
}

fn refused(why: HttpFailure) -> Seen {
    Seen { status: why.status(), connection: Some("close".into()), body: why.label().into() }
}

/// Takes the first answer off `bytes`, if it is complete. `to_head`: it answers a HEAD request.
pub(super) fn take_answer(bytes: &mut Vec<u8>, to_head: bool) -> Option<Seen> {
    let mut slots = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut slots);
    let httparse::Status::Complete(head) = response.parse(bytes).unwrap() else { return None };
    let header = |name: &str| {
        let found = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
        found.map(|h| String::from_utf8(h.value.to_vec()).unwrap())
    };
    let (status, connection) = (response.code.unwrap(), header("connection"));
    let length = if to_head || status == 100 { 0 } else { header("content-length").unwrap().parse().unwrap() };
    if status != 100 {
        assert_eq!(header("x-acs-request-id").as_deref(), Some("id"));
        assert!(header("date").is_some());
        // Whatever stays open says for how long.
        let hint = header("keep-alive").is_some_and(|hint| hint.starts_with("timeout="));
        assert_eq!(hint, connection.as_deref() == Some("keep-alive"));
    }
    let body = String::from_utf8_lossy(bytes.get(head..head + length)?).into_owned();
    bytes.drain(..head + length);
    Some(Seen { status, connection, body })
}

/// A client that sends raw bytes.
struct Client<IO> {
    io: IO,
    unread: Vec<u8>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Client<IO> {
    fn new(io: IO) -> Self {
        Self { io, unread: Vec::new() }
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        timeout(PATIENCE, self.io.write_all(bytes.as_ref())).await.unwrap().unwrap();
        self.io.flush().await.unwrap();
    }

    /// Waits for the next answer.
    async fn answer(&mut self) -> Seen {
        self.answer_to(false).await
    }

    async fn answer_to(&mut self, is_head: bool) -> Seen {
        loop {
            if let Some(seen) = take_answer(&mut self.unread, is_head) {
                return seen;
            }
            let read = timeout(PATIENCE, self.io.read_buf(&mut self.unread)).await.unwrap().unwrap();
            assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&self.unread));
        }
    }

    async fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Seen {
        self.send(bytes).await;
        self.answer().await
    }

    /// Waits for the server to close, which it must do in order and without another byte.
    async fn closed(&mut self) {
        let read = timeout(PATIENCE, self.io.read_buf(&mut self.unread)).await.unwrap().unwrap();
        assert_eq!((read, self.unread.len()), (0, 0));
    }
}

impl Server {
    async fn connect(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends `bytes` on a fresh connection, expects this answer and then the end.
    async fn refuses(&self, bytes: impl AsRef<[u8]>, why: HttpFailure) {
        let bytes = bytes.as_ref();
        let mut client = self.connect().await;
        let seen = client.ask(bytes).await;
        let shown = bytes.get(..100).unwrap_or(bytes).escape_ascii();
        assert_eq!(seen, refused(why), "{shown}");
        client.closed().await;
    }
}
