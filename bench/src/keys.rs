//! Keys as `CreateKey` writes them, put straight into a store.

use std::{error::Error, path::Path as FilePath, sync::Arc};

use jomae_api::{
    actions::{
        metadata::{KeyOrigin, KeyState, ProtectionLevel},
        params::Tags,
    },
    names::{AccountId, KeyId, KeyPlace, KeyVersionId, RegionId},
    spec::{KeySpec, KeyUsage},
    time::Timestamp,
};
use jomae_core::{
    record::{AccountRecord, KeyRecord, PrimaryVersion, StoredVersion, VersionIndex, VersionRecord, binding, path},
    service::Service,
    store::{Path, Store, Write},
    stored::{Bytes, Derived, Record},
    whole::WholeStore,
};
use jomae_crypto::rng;
use jomae_server::{
    bootstrap::{self, OpenedStore},
    cluster::Keeper,
    config::Config,
    gateway,
    store::SqliteStore,
};

/// Why it was given up.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Writes that make one key: the key, its version, and the index entry of the version.
pub const WRITES_PER_KEY: usize = 3;

/// A new key that is in no store yet.
pub struct NewKey {
    pub id: KeyId,
    pub writes: [Write; WRITES_PER_KEY],
}

/// The service of a data directory, without a socket, and whose keys it makes.
pub struct Maker {
    pub service: Arc<Service>,
    /// The store with the hash over all records, as the service uses it.
    pub store: Arc<WholeStore>,
    /// The same without: what is committed to it makes the hash wrong, and the store unusable.
    pub bare: Arc<dyn Store>,
    _keeper: Option<Keeper>,
    /// The same, if it is one.
    pub sqlite: Option<Arc<SqliteStore>>,
    account: AccountId,
    region: RegionId,
}

impl Maker {
    /// Opens a data directory as the server does, with what the configuration says if there is one; makes it if it is not
    /// there.
    pub async fn open(data_dir: &FilePath, config: Option<&FilePath>) -> Result<Self, Failure> {
        let config = config.map_or_else(|| Ok(Config::default()), Config::read)?;
        let config = Config { data_dir: data_dir.to_owned(), ..config };
        let started = bootstrap::open(&config, gateway::now()).await?;
        let (service, store, bare) = (started.service, started.whole, started.store.store());
        let sqlite = if let OpenedStore::Sqlite(sqlite) = started.store { Some(sqlite) } else { None };
        // The path ends in the id.
        let accounts = service.kms.vault.reading().list::<AccountRecord>("sys/account/", None, 1)?;
        let account = accounts.first().and_then(|(path, _)| path.as_str().rsplit('/').next()).and_then(AccountId::new);
        let account = account.ok_or("the store has no account")?;
        let region = service.default_region.clone();
        Ok(Self { service, store, bare, _keeper: started.keeper, sqlite, account, region })
    }

    /// A new key with fresh material, sealed.
    pub async fn new_key(&self) -> Result<NewKey, Failure> {
        let now = gateway::now();
        let spec = KeySpec::AliyunAes256;
        let id = KeyId::new(&new_id(now)).ok_or("no key id")?;
        let place = KeyPlace { account: self.account.clone(), region: self.region.clone(), id };
        let version_id = KeyVersionId::new(&new_id(now)).ok_or("no version id")?;
        let number = 1;
        let record = KeyRecord {
            creator: self.account.clone(),
            created: now.0,
            description: String::new(),
            spec,
            usage: KeyUsage::EncryptDecrypt,
            origin: KeyOrigin::AliyunKms,
            state: KeyState::Enabled,
            protection: ProtectionLevel::Software,
            primary: Some(PrimaryVersion { number, id: version_id.clone() }),
            versions: number,
            last_rotation: now.0,
            rotation_interval_secs: None,
            delete_at: None,
            deletion_protection: false,
            deletion_protection_description: String::new(),
            material_expires_at: None,
            has_imported_material: false,
            material_check: None,
            policy: None,
            primary_in_memory: Derived::default(),
            policy_in_memory: Derived::default(),
            tags: Tags::default(),
        };
        let kms = &self.service.kms;
        let binding = binding(&place, &record, &version_id);
        let made = kms.backends.of(record.protection).map_err(|fault| fault.to_string())?;
        let made = made.generate(spec, &binding, &place.account).wait().await;
        let made = made.map_err(|error| format!("{error:?}"))?;
        let (blob, public) = (Some(Bytes(made.blob.0)), made.public.map(Bytes));
        let version = StoredVersion { id: version_id.clone(), number, created: now.0, blob, public };
        let index = VersionIndex { key: place.clone(), number };
        let writes = [
            self.sealed(path::key(&place), &record)?,
            self.sealed(path::version(&place, number), &VersionRecord::of(version))?,
            self.sealed(path::version_index(&place.region, &version_id), &index)?,
        ];
        Ok(NewKey { id: place.id, writes })
    }

    fn sealed<R: Record>(&self, path: Path, record: &R) -> Result<Write, Failure> {
        let value = self.service.kms.vault.keyring().seal_record(path.as_str(), &record.encode()?)?;
        Ok(Write::Put(path, value))
    }
}

/// A UUID of version 7, as the service makes them.
pub fn new_id(now: Timestamp) -> String {
    let millis = now.0.unsigned_abs() * 1000;
    uuid::Builder::from_unix_timestamp_millis(millis, &rng::array()).into_uuid().to_string()
}
