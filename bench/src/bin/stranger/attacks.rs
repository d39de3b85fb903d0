//! What the stranger does.
//!
//! Each loop is bounded in number and paced, and all end with the time that was given.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    hint,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{Version, header};
use serde_json::json;
use std::sync::Arc;
use tokio::{
    io::AsyncReadExt as _,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::calls::{Call, Caller, Content, Failure, Target, whole};

/// Not an attack: computes as much as one and says nothing to the server. What a client notices of it is the machine's doing.
pub const CONTROL: u8 = 0;
/// The highest number of an attack.
pub const LAST: u8 = 8;

/// In place of a status: what may never be answered was begun.
const BEGUN: u16 = 1;
/// Rounds of one loop.
const ROUNDS_MAX: u32 = 100_000;
/// Between two rounds of one loop.
const PAUSE: Duration = Duration::from_millis(1);
/// Idle connections, and how often one of them is opened.
const IDLE: usize = 2000;
const IDLE_EVERY: Duration = Duration::from_millis(2);
/// Connections with bodies that never end, and streams of each.
const ENDLESS_CONNECTIONS: usize = 8;
const ENDLESS_STREAMS: usize = 100;
/// What of such a body is sent, in bytes; and the length that HTTP/1 promises.
const ENDLESS_SENT: usize = 255 * 1024;
const ENDLESS_PROMISED: usize = 256 * 1024;
/// How long such a body is left alone before it is begun anew.
const ENDLESS_FOR: Duration = Duration::from_secs(2);
/// After how long a stream of an RSA key is reset.
const RESET_AFTER: Duration = Duration::from_millis(4);
/// Length of the encryption context's value, in bytes.
const CONTEXT_BYTES: usize = 8100;
/// How far in the future stamps are, in seconds: just within what is accepted.
const AHEAD_SECS: i64 = 890;

struct Stranger {
    target: Target,
    root: Caller,
    user: Caller,
    key: String,
    /// Answers by attack and status; 0 stands for a connection that broke or was refused, and [`BEGUN`].
    answers: Mutex<BTreeMap<(u8, u16), u64>>,
    idle_turn: tokio::sync::Mutex<()>,
}

/// Does all of it, or one; tells how many answers of which status came, 0 being a connection that broke.
pub async fn run(target: Target, root: Caller, user: Caller, key: String, lasts: Duration, only: Option<u8>) -> String {
    let idle_turn = tokio::sync::Mutex::default();
    let stranger = Arc::new(Stranger { target, root, user, key, answers: Mutex::default(), idle_turn });
    let mut tasks = JoinSet::new();
    let attacks = only.map_or(CONTROL + 1..=LAST, |only| only..=only);
    for attack in attacks {
        let loops = match attack {
            1 => IDLE,
            2 => 2 * ENDLESS_CONNECTIONS,
            CONTROL | 3 => 2,
            _ => 4,
        };
        for at in 0..loops {
            let stranger = stranger.clone();
            tasks.spawn(async move { stranger.repeat(attack, at).await });
        }
    }
    // Running out of time is how this ends.
    let _ = timeout(lasts, async { while tasks.join_next().await.is_some() {} }).await;
    let answers = stranger.answers.lock().unwrap_or_else(PoisonError::into_inner);
    let mut text = String::new();
    for ((attack, status), count) in &*answers {
        let _ = write!(text, "attack{attack}_{status}={count} ");
    }
    text
}

impl Stranger {
    async fn repeat(&self, attack: u8, at: usize) {
        for _ in 0..ROUNDS_MAX {
            let ended = match attack {
                CONTROL => self.compute().await,
                1 => self.idle().await,
                2 if at.is_multiple_of(2) => self.endless_http2().await,
                2 => self.endless_http1().await,
                3 => self.reset().await,
                _ => self.calls(attack).await,
            };
            if ended.is_err() {
                self.note(attack, 0);
                // What was refused is tried again, but does not turn into a busy loop of ours.
                sleep(20 * PAUSE).await;
            }
        }
    }

    fn note(&self, attack: u8, status: u16) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner).entry((attack, status)).or_default() += 1;
    }

    async fn compute(&self) -> Result<(), Failure> {
        let began = Instant::now();
        while began.elapsed() < PAUSE {
            hint::spin_loop();
        }
        self.note(CONTROL, BEGUN);
        sleep(PAUSE).await;
        Ok(())
    }

    /// Opens a connection and says nothing until it is closed.
    async fn idle(&self) -> Result<(), Failure> {
        let mut stream = {
            let _turn = self.idle_turn.lock().await;
            sleep(IDLE_EVERY).await;
            self.target.tcp().await?
        };
        self.note(1, BEGUN);
        let _sent = stream.read(&mut [0]).await?;
        self.note(1, 0);
        Ok(())
    }

    async fn endless_http2(&self) -> Result<(), Failure> {
        let send = self.target.http2().await?;
        let mut streams = JoinSet::new();
        for _ in 0..ENDLESS_STREAMS {
            let request = self.target.plain(Version::HTTP_2, Content::endless(vec![b'a'; ENDLESS_SENT]))?;
            let mut send = send.clone();
            self.note(2, BEGUN);
            streams.spawn(async move { send.send_request(request).await.map_or(0, |answer| answer.status().as_u16()) });
            sleep(PAUSE).await;
        }
        let all = async {
            while let Some(status) = streams.join_next().await {
                self.note(2, status.unwrap_or(0));
            }
        };
        let _ = timeout(ENDLESS_FOR, all).await;
        Ok(())
    }

    async fn endless_http1(&self) -> Result<(), Failure> {
        let mut send = self.target.http1().await?;
        let mut request = self.target.plain(Version::HTTP_11, Content::endless(vec![b'a'; ENDLESS_SENT]))?;
        request.headers_mut().insert(header::CONTENT_LENGTH, ENDLESS_PROMISED.into());
        self.note(2, BEGUN);
        if let Ok(answer) = timeout(ENDLESS_FOR, send.send_request(request)).await {
            self.note(2, answer?.status().as_u16());
        }
        Ok(())
    }

    /// Asks for RSA keys and resets each stream soon after.
    async fn reset(&self) -> Result<(), Failure> {
        let mut send = self.target.http2().await?;
        let form = [("KeySpec", "RSA_4096"), ("KeyUsage", "SIGN/VERIFY")];
        for _ in 0..ROUNDS_MAX {
            send.ready().await?;
            let request = self.target.signed(Version::HTTP_2, &self.root, &Call::new("CreateKey", &form))?;
            self.note(3, BEGUN);
            if let Ok(answer) = timeout(RESET_AFTER, send.send_request(request)).await {
                self.note(3, answer?.status().as_u16());
            }
        }
        Ok(())
    }

    /// Calls on one connection, each after the answer to the one before.
    async fn calls(&self, attack: u8) -> Result<(), Failure> {
        let mut send = self.target.http1().await?;
        let texts = Texts::new();
        let form = match attack {
            4 => vec![("KeyId", &*self.key), ("Plaintext", "eA=="), ("EncryptionContext", &*texts.context)],
            5 => vec![("Filters", &*texts.filters)],
            7 => vec![("Description", &*texts.description), ("Policy", &*texts.policy), ("Tags", &*texts.tags)],
            _ => Vec::new(),
        };
        let (caller, action) = match attack {
            4 => (&self.user, "Encrypt"),
            5 => (&self.root, "ListKeys"),
            6 => (&self.root, "DescribeRegions"),
            _ => (&self.root, "CreateKey"),
        };
        let call = Call { action, form: &form, ahead_secs: if attack == 6 { AHEAD_SECS } else { 0 } };
        for _ in 0..ROUNDS_MAX {
            send.ready().await?;
            let request = if attack == LAST {
                self.target.plain(Version::HTTP_11, Content::whole(OIDC_CALL))?
            } else {
                self.target.signed(Version::HTTP_11, caller, &call)?
            };
            let (status, _) = whole(send.send_request(request).await?).await?;
            self.note(attack, status);
            sleep(PAUSE).await;
        }
        Ok(())
    }
}

/// A call without a signature; header and claims of the token are as they should be, its issuer is nobody's.
const OIDC_CALL: &str = "Action=AssumeRoleWithOIDC&Version=2015-04-01&Format=JSON&RoleSessionName=s\
    &RoleArn=acs:ram::1234567890123456:role/r&OIDCProviderArn=acs:ram::1234567890123456:oidc-provider/p\
    &OIDCToken=eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJpc3MiOiJodHRwczovLzEyNy4wLjAuMS8iLCJzdWIiOiJ4IiwiYXVkIjoieCJ9.AAAA";

/// Long parameters.
struct Texts {
    context: String,
    filters: String,
    description: String,
    policy: String,
    tags: String,
}

impl Texts {
    fn new() -> Self {
        let aliases: Vec<_> = (0..10).map(|number| format!("alias/x{number}")).collect();
        let tags: Vec<_> = (0..20)
            .map(|number| json!({ "TagKey": format!("{}{number}", "中".repeat(120)), "TagValue": "中".repeat(128) }))
            .collect();
        let statement = json!({
            "Effect": "Allow", "Action": ["kms:Encrypt"], "Resource": ["*"],
            "Principal": { "RAM": ["acs:ram::1234567890123456:root"] },
        });
        let policy = json!({ "Version": "1", "Statement": [statement] }).to_string();
        // White space is two bytes each in an event.
        let policy = policy.replacen('{', &format!("{{{}", "\n".repeat(32_000)), 1);
        Self {
            context: json!({ "k": "a".repeat(CONTEXT_BYTES) }).to_string(),
            filters: json!([{ "Key": "AliasName", "Values": aliases }]).to_string(),
            description: "\"".repeat(8192),
            policy,
            tags: json!(tags).to_string(),
        }
    }
}
