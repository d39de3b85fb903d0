//! What stands in the store: sealed records (`Keyring::open_record`) and the JSON inside (`Record::decode`).
//!
//! Input: one byte that chooses. 0: the rest is a sealed record as found in the database. 1: changes to a record that
//! we sealed. Else: what stands inside a seal, read as every kind of record.

#![no_main]

use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use jomae_core::client_token::ClientTokenRecord;
use jomae_core::error::Fault;
use jomae_core::identity::bootstrap::BootstrapRecord;
use jomae_core::keyring::{Keyring, RootKey, WrongRootKey};
use jomae_core::record::{
    AccessKeyRecord, AccountRecord, AliasRecord, DueRecord, GoneRecord, KeyRecord, Marker, VersionIndex, VersionRecord,
    path,
};
use jomae_core::store::memory::MemoryStore;
use jomae_core::stored::Record;
use jomae_core::usage::cell::UsageRecord;
use jomae_core::whole::record::{AcceptedRecord, BaseRecord, LaneRecord, of_lane, sum_of};
use jomae_crypto::secret::Key256;
use jomae_crypto::wrap;
use jomae_fuzz::change;
use libfuzzer_sys::fuzz_target;

struct Root(Key256);

impl RootKey for Root {
    fn wrap(&self, name: &str, domain_key: &Key256) -> Result<Vec<u8>, Fault> {
        wrap::wrap_domain_key(&self.0, name, domain_key).map_err(|error| Fault::internal(error.to_string()))
    }

    fn unwrap(&self, name: &str, wrapped: &[u8]) -> Result<Key256, WrongRootKey> {
        wrap::unwrap_domain_key(&self.0, name, wrapped).map_err(|_| WrongRootKey)
    }
}

const PLACE: &str = "a/1234567890123456/cn-hangzhou/alias/name";
const INSIDE: &[u8] = br#"{"key":"08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73","created":1}"#;

struct Sealed {
    keyring: Keyring,
    record: Vec<u8>,
}

static SEALED: LazyLock<Sealed> = LazyLock::new(|| {
    let (store, root) = (MemoryStore::new(), Root(Key256::random()));
    let opening = pin!(Keyring::open(&store, &root));
    // The store is in memory: it never waits.
    let Poll::Ready(keyring) = opening.poll(&mut Context::from_waker(Waker::noop())) else { unreachable!() };
    let keyring = keyring.unwrap();
    let record = keyring.seal_record(PLACE, INSIDE).unwrap();
    Sealed { keyring, record }
});

/// What is read must be written and read again without a change.
fn read<R: Record>(bytes: &[u8]) {
    if let Ok(record) = R::decode(bytes) {
        let written = record.encode().unwrap();
        let again = R::decode(&written).unwrap_or_else(|error| panic!("does not read its own record: {error}"));
        assert_eq!(again.encode().unwrap(), written);
    }
}

fuzz_target!(|data: &[u8]| {
    let [choice, rest @ ..] = data else { return };
    let keyring = &SEALED.keyring;
    match choice {
        0 => assert!(keyring.open_record(PLACE, rest).is_err(), "a record that we did not seal opens"),
        1 => {
            let mut record = SEALED.record.clone();
            change(&mut record, rest);
            let genuine = record == SEALED.record;
            match keyring.open_record(PLACE, &record) {
                Ok(inside) => assert!(genuine && inside.expose() == INSIDE, "a changed record opens"),
                Err(_) => assert!(!genuine),
            }
            assert!(keyring.open_record("a/1234567890123456/cn-hangzhou/alias/other", &record).is_err());
        }
        _ => {
            read::<KeyRecord>(rest);
            read::<VersionRecord>(rest);
            read::<VersionIndex>(rest);
            read::<AliasRecord>(rest);
            read::<AccountRecord>(rest);
            read::<AccessKeyRecord>(rest);
            read::<DueRecord>(rest);
            read::<GoneRecord>(rest);
            read::<Marker>(rest);
            read::<BootstrapRecord>(rest);
            read::<UsageRecord>(rest);
            read::<ClientTokenRecord>(rest);
            read::<LaneRecord>(rest);
            read::<BaseRecord>(rest);
            read::<AcceptedRecord>(rest);
            if let Ok(record) = KeyRecord::decode(rest) {
                let _ = record.next_rotation_date().map(|at| at.to_string());
            }
            if let Ok(record) = BaseRecord::decode(rest) {
                let _ = sum_of("sys/whole/base", &record.sum);
            }
            if let Ok(text) = std::str::from_utf8(rest) {
                let _ = of_lane(text);
                let _ = path::due_at(text);
            }
        }
    }
});
