//! Answers the operator's requests, for a running service and for the store of a stopped one.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http::{Method, StatusCode};
use jomae_api::{
    action::Effect,
    answer::SecretText,
    names::{AccountId, RegionId},
    time::Timestamp,
};
use jomae_core::{
    audit::{Durability, OperatorAct, operator_event, outbox},
    call::new_request_id,
    error::{Fault, FaultKind},
    identity::accounts::{self, AccountError, AccountKey},
    keyring::Keyring,
    operator::{self, Made},
    service::Service,
    store::Store,
    tx::Vault,
    whole::WholeStore,
};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::simulate::{self, ReplayRequest, SimulateRequest, SimulationError};
use crate::{
    backup::{self, BackupError, Place, Source, schedule::Backups},
    bootstrap,
    config::Config,
    console::{Console, LINK_SECS, LinkError},
    exchange::Answer,
    gateway,
    nodes::{
        self,
        status::{Nodes, NodesError},
    },
    operate,
    root_key::{Holder, RootKeyError},
};

/// Where the operator's requests are answered.
pub struct OperatorApi {
    hold: Hold,
    pub(super) config: Config,
    pub(super) region: RegionId,
    pub(super) root: Arc<Holder>,
}

/// What the operator works on.
pub(crate) enum Hold {
    Service {
        service: Arc<Service>,
        /// Where there are several.
        nodes: Option<Nodes>,
        backups: Arc<Backups>,
        /// If it has one.
        console: Option<Arc<Console>>,
    },
    /// The store of a stopped service, which this process has for itself.
    Store { vault: Vault, store: Arc<dyn Store>, region: RegionId },
}

/// What is answered when something was not done; one line.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateAccount {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeAccount {
    name: Option<String>,
    disabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MakeToken {
    node: String,
    valid_secs: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Leave {
    node: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackUp {
    to: Option<String>,
    whole: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MakeLink {
    account: Option<String>,
    user: Option<String>,
}

/// Shown once.
#[derive(Serialize)]
struct Link {
    link: String,
    valid_secs: i64,
}

/// Shown once.
#[derive(Serialize)]
struct Token<'t> {
    token: &'t str,
}

/// A new access key. The secret is shown once.
#[derive(Serialize)]
struct Created {
    account: String,
    access_key_id: String,
    access_key_secret: SecretText,
}

#[derive(Serialize)]
struct Accounts {
    accounts: Vec<AccountRow>,
}

#[derive(Serialize)]
struct AccountRow {
    account: String,
    name: String,
    created: Timestamp,
    state: &'static str,
}

impl OperatorApi {
    pub(crate) fn new(hold: Hold, config: Config, root: Arc<Holder>) -> Self {
        let region = match &hold {
            Hold::Service { service, .. } => service.default_region.clone(),
            Hold::Store { region, .. } => region.clone(),
        };
        Self { hold, config, region, root }
    }

    /// Whether this is a store that no service has open.
    pub(super) const fn is_of_store(&self) -> bool {
        matches!(self.hold, Hold::Store { .. })
    }

    pub(super) fn vault(&self) -> &Vault {
        match &self.hold {
            Hold::Service { service, .. } => &service.kms.vault,
            Hold::Store { vault, .. } => vault,
        }
    }

    /// Answers one request. Never fails: whatever happens becomes an answer.
    pub async fn answer(self: &Arc<Self>, method: &Method, path: &str, body: &[u8]) -> Answer {
        let answered = match &self.hold {
            Hold::Service { service, .. } if !service.audit.is_writable() => {
                Err(refused(StatusCode::SERVICE_UNAVAILABLE, "the audit log cannot be written; nothing was done"))
            }
            _ => self.route(method, path, body).await,
        };
        answered.unwrap_or_else(|Refusal { status, error }| Answer::error(status, &error))
    }

    async fn route(self: &Arc<Self>, method: &Method, path: &str, body: &[u8]) -> Result<Answer, Refusal> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (method, parts.as_slice()) {
            (&Method::POST, ["accounts"]) => self.create_account(&read::<CreateAccount>(body)?.name).await,
            (&Method::GET, ["accounts"]) => self.list_accounts().await,
            (&Method::POST, ["accounts", id, "keys"]) => self.create_key(id).await,
            (&Method::POST, ["accounts", id]) => self.change_account(id, read(body)?).await,
            (&Method::DELETE, ["accounts", id]) => self.delete_account(id).await,
            (&Method::POST, ["simulate"]) => self.simulate(read(body)?).await,
            (&Method::POST, ["replay"]) => self.replay(read(body)?).await,
            (&Method::GET, ["nodes"]) => {
                let status = self.nodes()?.status()?;
                self.note("ListNodes", None, &[]).await?;
                json(&status)
            }
            (&Method::POST, ["nodes", "tokens"]) => {
                let MakeToken { node, valid_secs } = read(body)?;
                json(&Token { token: self.nodes()?.make_token(&node, valid_secs).await?.as_str() })
            }
            (&Method::POST, ["nodes", "leave"]) => {
                let node = self.nodes()?.leave(read::<Leave>(body)?.node.as_deref()).await?;
                json(&serde_json::json!({ "node": node }))
            }
            (&Method::POST, ["console", "links"]) => self.make_link(read(body)?).await,
            (&Method::POST, ["backup"]) => self.back_up(read(body)?).await,
            (&Method::GET, ["root"]) => self.root_status().await,
            (&Method::POST, ["root", "rotate"]) => self.rotate_root().await,
            (&Method::POST, ["root", "slots"]) => self.add_root_slot(&read(body)?).await,
            (&Method::DELETE, ["root", "slots", name]) => self.remove_root_slot(name).await,
            (&Method::GET, ["shred"]) => self.shredding_status().await,
            (&Method::POST, ["shred", "shares"]) => self.set_recovery(read(body)?).await,
            (
                _,
                ["accounts" | "simulate" | "replay" | "nodes" | "root" | "backup" | "shred"]
                | ["nodes", "tokens" | "leave"]
                | ["console", "links"]
                | ["root", "rotate" | "slots"]
                | ["shred", "shares"]
                | ["accounts", _]
                | ["accounts", _, "keys"]
                | ["root", "slots", _],
            ) => Err(refused(StatusCode::METHOD_NOT_ALLOWED, "not this method")),
            _ => Err(refused(
                StatusCode::NOT_FOUND,
                "/accounts, /accounts/<id>, /accounts/<id>/keys, /simulate, /replay, /nodes, /nodes/tokens, /nodes/leave, \
                 /console/links, /backup, /root, /root/rotate, /root/slots, /root/slots/<name>, /shred or /shred/shares",
            )),
        }
    }

    fn nodes(&self) -> Result<&Nodes, NodesError> {
        match &self.hold {
            Hold::Service { nodes: Some(nodes), .. } => Ok(nodes),
            _ => Err(NodesError::Alone),
        }
    }

    /// A link that signs an account or a user in to the console, once. It is recorded before it is given.
    async fn make_link(&self, MakeLink { account: id, user }: MakeLink) -> Result<Answer, Refusal> {
        let Hold::Service { console: Some(console), .. } = &self.hold else {
            return Err(refused(StatusCode::CONFLICT, "no console is served: console_listen says where one is"));
        };
        let id = id.as_deref().map(account).transpose()?;
        let caller = console.person(id, user.as_deref())?;
        let shown = [("Principal", caller.arn())];
        let shown = shown.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.note("CreateConsoleLink", Some(&caller.account), &shown).await?;
        json(&Link { link: console.link(caller), valid_secs: LINK_SECS })
    }

    async fn create_account(&self, name: &str) -> Result<Answer, Refusal> {
        self.made(operator::create_account(self.vault(), &self.region, name, gateway::now()).await?).await
    }

    async fn create_key(&self, id: &str) -> Result<Answer, Refusal> {
        let account = account(id)?;
        self.made(operator::create_key(self.vault(), &self.region, account, gateway::now()).await?).await
    }

    async fn change_account(&self, id: &str, change: ChangeAccount) -> Result<Answer, Refusal> {
        let (account, now) = (account(id)?, gateway::now());
        let (vault, region) = (self.vault(), &self.region);
        let event = match change {
            ChangeAccount { name: Some(name), disabled: None } => {
                operator::rename_account(vault, region, &account, &name, now).await?
            }
            ChangeAccount { name: None, disabled: Some(disabled) } => {
                operator::set_account_disabled(vault, region, &account, disabled, now).await?
            }
            _ => return Err(refused(StatusCode::BAD_REQUEST, "either a name, or whether it is disabled")),
        };
        self.appended(event).await?;
        json(&serde_json::json!({}))
    }

    async fn delete_account(&self, id: &str) -> Result<Answer, Refusal> {
        let account = account(id)?;
        let event = operator::delete_account(self.vault(), &self.region, &account, gateway::now()).await?;
        self.appended(event).await?;
        json(&serde_json::json!({}))
    }

    /// The event of a change is committed with it; a running service appends it at once.
    pub(super) async fn appended(&self, event: outbox::Pending) -> Result<(), Refusal> {
        if let Hold::Service { service, .. } = &self.hold {
            service.outbox.append(&*service.audit, event).await?;
        }
        Ok(())
    }

    async fn made(&self, made: Made) -> Result<Answer, Refusal> {
        self.appended(made.event).await?;
        let AccountKey { account, access_key_id, secret } = made.key;
        let account = account.to_string();
        json(&Created { account, access_key_id, access_key_secret: SecretText(secret) })
    }

    async fn list_accounts(&self) -> Result<Answer, Refusal> {
        let accounts = accounts::list(self.vault())?;
        self.note("ListAccounts", None, &[]).await?;
        let row = |(id, record): (AccountId, jomae_core::record::AccountRecord)| AccountRow {
            account: id.to_string(),
            name: record.name,
            created: Timestamp(record.created),
            state: if record.disabled { "Disabled" } else { "Enabled" },
        };
        json(&Accounts { accounts: accounts.into_iter().map(row).collect() })
    }

    async fn simulate(&self, request: SimulateRequest) -> Result<Answer, Refusal> {
        let answer = simulate::simulate(self.vault(), &self.region, &request, gateway::now())?;
        let account = request.account();
        let shown = [
            ("Principal", request.principal.as_str()),
            ("Permission", answer.permission),
            ("Resource", answer.resource.as_str()),
        ];
        self.note("SimulatePolicy", account.as_ref(), &shown).await?;
        json(&answer)
    }

    async fn replay(self: &Arc<Self>, request: ReplayRequest) -> Result<Answer, Refusal> {
        let account = account(&request.account)?;
        let shown =
            [request.from.as_deref().map(|from| ("From", from)), request.until.as_deref().map(|to| ("Until", to))];
        let shown: Vec<(&str, &str)> = shown.into_iter().flatten().collect();
        self.note("ReplayPolicy", Some(&account), &shown).await?;
        // Reading the log takes a while, and ends when nobody waits for it any more.
        let cancelled = Arc::new(AtomicBool::new(false));
        let _guard = CancelOnDrop(Arc::clone(&cancelled));
        let api = Arc::clone(self);
        let replayed = tokio::task::spawn_blocking(move || {
            let is_cancelled = || cancelled.load(Ordering::Relaxed);
            simulate::replay(
                api.vault(),
                &bootstrap::audit_dir(&api.config.data_dir),
                &request,
                gateway::now(),
                &is_cancelled,
            )
        });
        json(&replayed.await.map_err(Fault::internal)??)
    }

    async fn back_up(self: &Arc<Self>, wish: BackUp) -> Result<Answer, Refusal> {
        let BackUp { to, whole } = wish;
        let made = match &self.hold {
            Hold::Service { backups, .. } => backups.make(to, whole).await?,
            Hold::Store { store, .. } => {
                let (api, store) = (Arc::clone(self), Arc::clone(store));
                let made = tokio::task::spawn_blocking(move || {
                    let mut place = Place::open(&api.config, to.as_deref(), to.is_some())?;
                    let of = Source { store: &*store, vault: api.vault(), holder: &api.root };
                    let mut made =
                        backup::create(&api.config, &of, &mut place, whole, gateway::now(), &Handle::current())?;
                    let wrong = api.warnings(&store).unwrap_or_else(|fault| vec![fault.to_string()]);
                    made.warnings.extend(wrong.iter().map(|why| format!("of what is not as it was: {why}")));
                    Ok::<_, BackupError>(made)
                });
                let made = made.await.map_err(Fault::internal)??;
                if let Err(fault) = backup::record::keep(self.vault(), &made, gateway::now()).await {
                    tracing::warn!(cause = %fault, "the backup is made, and that it is cannot be kept in the store");
                }
                made
            }
        };
        self.note("CreateBackup", None, &[("Backup", &made.id)]).await?;
        json(&made)
    }

    /// What a start would say of a stopped service's store. May block for long.
    fn warnings(&self, store: &Arc<dyn Store>) -> Result<Vec<String>, RootKeyError> {
        let root = self.root.root(&**store)?;
        let keyring = Arc::new(Handle::current().block_on(Keyring::open(&**store, &root))?);
        let whole = WholeStore::open(Arc::clone(store), keyring, None)?;
        Ok(operate::warnings(&self.config, self.vault(), &whole))
    }

    /// Records what changes nothing.
    pub(super) async fn note(
        &self,
        name: &str,
        account: Option<&AccountId>,
        parameters: &[(&str, &str)],
    ) -> Result<(), Refusal> {
        let Hold::Service { service, .. } = &self.hold else { return Ok(()) };
        let (region, effect) = (&self.region, Effect::Read);
        let act = OperatorAct { name, effect, region, account, parameters, resources: &[] };
        let event = operator_event(&act, &new_request_id(), gateway::now());
        let appended = service.audit.append(&event, Durability::OnDisk);
        appended.done.wait().await.map_err(|error| refused(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()))
    }
}

struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(super) fn refused(status: StatusCode, error: &str) -> Refusal {
    Refusal { status, error: error.to_owned() }
}

fn account(id: &str) -> Result<AccountId, Refusal> {
    AccountId::new(id).ok_or_else(|| refused(StatusCode::BAD_REQUEST, "an account has 16 digits"))
}

fn read<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| refused(StatusCode::BAD_REQUEST, &format!("the body: {error}")))
}

pub(super) fn json(answer: &impl Serialize) -> Result<Answer, Refusal> {
    Ok(Answer::json(answer).map_err(Fault::internal)?)
}

impl From<LinkError> for Refusal {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Fault(fault) => fault.into(),
            other => refused(StatusCode::CONFLICT, &other.to_string()),
        }
    }
}

impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Self {
        let status = match error {
            AccountError::Name => StatusCode::BAD_REQUEST,
            AccountError::NoAccount(_) => StatusCode::NOT_FOUND,
            AccountError::TooManyKeys
            | AccountError::NameTaken(_)
            | AccountError::NotDisabled
            | AccountError::HasKeys { .. } => StatusCode::CONFLICT,
            AccountError::Failed(fault) => return fault.into(),
        };
        Self { status, error: error.to_string() }
    }
}

impl From<BackupError> for Refusal {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Fault(fault) => fault.into(),
            error => refused(StatusCode::CONFLICT, &error.to_string()),
        }
    }
}

impl From<NodesError> for Refusal {
    fn from(error: NodesError) -> Self {
        let status = match error {
            NodesError::Fault(fault) => return fault.into(),
            NodesError::Token(error) => return Self { status: nodes::status_of(&error), error: error.to_string() },
            NodesError::Name | NodesError::Validity => StatusCode::BAD_REQUEST,
            NodesError::Unknown(_) => StatusCode::NOT_FOUND,
            NodesError::Alone | NodesError::InUse(_) | NodesError::Serves(_) | NodesError::NoAddress => {
                StatusCode::CONFLICT
            }
        };
        Self { status, error: error.to_string() }
    }
}

impl From<SimulationError> for Refusal {
    fn from(error: SimulationError) -> Self {
        match error {
            SimulationError::Fault(fault) => fault.into(),
            other => refused(StatusCode::BAD_REQUEST, &other.to_string()),
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let status = match fault.kind {
            FaultKind::Unavailable | FaultKind::Away | FaultKind::InDoubt => StatusCode::SERVICE_UNAVAILABLE,
            FaultKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        refused(status, &fault.to_string())
    }
}
