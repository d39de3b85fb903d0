//! Work that the service does by itself: destroying keys whose time has come, rotating keys.
//!
//! A function of `now` that the server calls every second and a test calls with any date.

use jomae_api::{
    actions::metadata::{KeyState, ProtectionLevel},
    names::{AliasName, KeyPlace},
    time::Timestamp,
};

use crate::{
    audit::{
        self,
        outbox::{self, Pending},
    },
    backend::KeyBlob,
    call::new_request_id,
    cluster::Cluster,
    error::{Error, Fault},
    import::forget_material,
    keys::{add_version, discard, plan_rotation},
    quota::Counted,
    record::{
        AliasRecord, Discarded, DueRecord, GoneRecord, Job, KeyRecord, Marker, VersionIndex, VersionRecord, path,
    },
    run::Kms,
    service::Service,
    store::Path,
    tx::{CommitOutcome, Tx},
    usage::cell::UsageRecord,
};

/// Jobs done in one turn.
const JOBS_PER_TURN: usize = 64;
/// How often as many entries of the list are looked at in one turn, where most are not for it.
const LOOKS_PER_TURN: usize = 16;
/// Records removed in one commit; each version takes two.
const REMOVED_PER_COMMIT: usize = 50;
/// Commits that one job may try; a key with many versions is destroyed over several turns.
const ATTEMPTS_MAX: u32 = 256;
/// How late the last destruction of a planned key may be looked at again after a failure, in seconds.
const RETRY_SECS: i64 = 60;

/// Who is needed for a job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nobody,
    /// The token that has the key, which may be gone or hang.
    Token,
}

impl Service {
    /// Does what is due at `now` and needs no token; tells how much was done. Call again while it was something. A job that
    /// fails is put off by a minute and does not stop the others. Of several nodes one does it: each commit compares the work
    /// lease, so that one which was held up finishes nothing that another has taken over.
    pub async fn do_due_work(&self, now: Timestamp) -> Result<usize, Fault> {
        if self.may_work()? { self.do_what(Needs::Nobody, now).await } else { Ok(0) }
    }

    /// The same for what needs a token: rotations, and the destruction of what no record has any more. It may take as long as
    /// the token is given to answer, so nothing else is to wait for it.
    pub async fn do_token_work(&self, now: Timestamp) -> Result<usize, Fault> {
        if !self.may_work()? {
            return Ok(0);
        }
        let rotated = self.do_what(Needs::Token, now).await;
        let destroyed = self.kms.destroy_discarded().await?;
        Ok(rotated? + destroyed)
    }

    /// Whether this node does due work.
    fn may_work(&self) -> Result<bool, Fault> {
        if !self.audit.is_writable() {
            return Err(Fault::unavailable("the audit log cannot be written"));
        }
        self.kms.vault.store().health()?;
        Ok(self.kms.vault.cluster().is_none_or(Cluster::has_work))
    }

    async fn do_what(&self, needs: Needs, now: Timestamp) -> Result<usize, Fault> {
        let (mut done, mut failed, mut after) = (0, None, None::<Path>);
        'list: for _ in 0..LOOKS_PER_TURN {
            let due = self.kms.vault.reading().paths(path::DUE, after.as_ref().map(Path::as_str), JOBS_PER_TURN)?;
            for at in &due {
                if done == JOBS_PER_TURN || path::due_at(at.as_str()).is_none_or(|secs| secs > now.0) {
                    break 'list;
                }
                if self.needs_of(at) != needs {
                    continue;
                }
                if let Err(fault) = self.do_entry(at, now).await {
                    failed = Some(fault);
                }
                done += 1;
            }
            if due.len() < JOBS_PER_TURN {
                break;
            }
            after = due.into_iter().next_back();
        }
        match failed {
            Some(fault) => Err(fault),
            None => Ok(done),
        }
    }

    /// Who is needed for an entry. What cannot be read needs nobody: it fails at once.
    fn needs_of(&self, at: &Path) -> Needs {
        let mut tx = self.kms.vault.reading();
        let of_token = |due: &DueRecord, key: &KeyRecord| due.job == Job::Rotate && !key.protection.is_software();
        match tx.get::<DueRecord>(at) {
            Ok(Some(due)) => match tx.get::<KeyRecord>(&path::key(&due.key)) {
                Ok(Some(key)) if of_token(&due, &key) => Needs::Token,
                _ => Needs::Nobody,
            },
            _ => Needs::Nobody,
        }
    }

    /// Does one entry of the list of due work. One that cannot be read is left, and named in the fault; one whose job
    /// fails is put off.
    async fn do_entry(&self, at: &Path, now: Timestamp) -> Result<(), Fault> {
        let Some(due) = self.kms.vault.reading().get::<DueRecord>(at)? else { return Ok(()) };
        if let Err(fault) = self.do_job(at, &due, now).await {
            self.put_off(at, &due, now).await?;
            return Err(fault);
        }
        Ok(())
    }

    async fn do_job(&self, at: &Path, due: &DueRecord, now: Timestamp) -> Result<(), Fault> {
        let event = match due.job {
            Job::Destroy => self.kms.destroy(at, &due.key, now).await?,
            Job::Rotate => self.kms.rotate(at, &due.key, now).await?,
            Job::ExpireMaterial => self.kms.expire_material(at, &due.key, now).await?,
        };
        match event {
            Some(pending) => self.outbox.append(&*self.audit, pending).await.map(|_| ()),
            None => Ok(()),
        }
    }

    async fn put_off(&self, at: &Path, due: &DueRecord, now: Timestamp) -> Result<(), Fault> {
        let mut tx = self.kms.vault.working()?;
        if tx.get::<DueRecord>(at)?.is_some() {
            tx.delete::<DueRecord>(at.clone());
            tx.put(path::due(now.0 + RETRY_SECS, due.job, &due.key), due)?;
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Lets the event of what the service does by itself be committed with it.
fn event(tx: &mut Tx<'_>, name: &str, now: Timestamp, key: &KeyPlace) -> Result<Pending, Fault> {
    let id = new_request_id();
    outbox::put(tx, &id, audit::service_event(name, &id, now, key))
}

/// What one commit takes away of a key.
struct Removed {
    aliases: usize,
    /// Whether something may be left.
    more: bool,
}

impl Kms {
    /// Destroys in the token what no record has any more. While the token is not available it waits, and nothing is said
    /// each time: the token itself is watched.
    async fn destroy_discarded(&self) -> Result<usize, Fault> {
        let waiting = self.vault.reading().paths(path::DISCARDED, None, JOBS_PER_TURN)?;
        let (mut destroyed, mut failed) = (0, None);
        for at in waiting {
            let Some(discarded) = self.vault.reading().get::<Discarded>(&at)? else { continue };
            let Some(backend) = self.backends.find(ProtectionLevel::Hsm) else { return Ok(destroyed) };
            let blob = KeyBlob(discarded.blob.0.clone());
            match backend.destroy(&blob, &discarded.binding()).wait().await {
                Ok(()) => {}
                Err(fault) if fault.is_temporary() => return Ok(destroyed),
                // It does not stop the others.
                Err(fault) => {
                    failed = Some(fault);
                    continue;
                }
            }
            let mut tx = self.vault.working()?;
            if tx.get::<Discarded>(&at)?.is_some() {
                tx.delete::<Discarded>(at);
                tx.commit().await?;
            }
            destroyed += 1;
        }
        failed.map_or(Ok(destroyed), Err)
    }

    /// Destroys a key whose waiting period is over: its versions first, a few at a time, then its names and itself.
    /// Gives the event, if this call ended it.
    async fn destroy(&self, at: &Path, place: &KeyPlace, now: Timestamp) -> Result<Option<Pending>, Fault> {
        for _ in 0..ATTEMPTS_MAX {
            let mut tx = self.vault.working()?;
            let key = tx.get::<KeyRecord>(&path::key(place))?;
            let key = key.filter(|key| {
                key.state == KeyState::PendingDeletion && key.delete_at.is_some_and(|delete_at| delete_at <= now.0)
            });
            let Some(key) = key else {
                // Rescued meanwhile, or planned anew for later under another entry.
                tx.delete::<DueRecord>(at.clone());
                tx.commit().await?;
                return Ok(None);
            };
            let Removed { aliases, more } = Self::remove_some(&mut tx, place, &key)?;
            // The material goes, whether or not the counts can be read.
            let counted = self.quotas.give_back(&mut tx, &place.account, Counted::Alias, aliases);
            let mut pending = None;
            if !more {
                pending = Some(event(&mut tx, "DeleteKey", now, place)?);
                if let Some(rotation) = key.next_rotation_date() {
                    tx.delete::<DueRecord>(path::due(rotation.0, Job::Rotate, place));
                }
                if let Some(expiry) = key.material_expires_at {
                    tx.delete::<DueRecord>(path::due(expiry, Job::ExpireMaterial, place));
                }
                tx.delete::<KeyRecord>(path::key(place));
                tx.put(path::gone(place), &GoneRecord { created: key.created, destroyed: now.0 })?;
                tx.delete::<DueRecord>(at.clone());
            }
            let counted = match counted {
                Ok(()) if !more => self.quotas.give_back(&mut tx, &place.account, Counted::Key, 1),
                other => other,
            };
            if let Err(fault) = counted
                && fault.is_temporary()
            {
                return Err(fault);
            }
            if tx.commit().await? == CommitOutcome::Done && !more {
                return Ok(pending);
            }
        }
        Err(unsettled(place))
    }

    /// Removes versions, aliases and usage counts of a key, as many as fit in one commit.
    fn remove_some(tx: &mut Tx<'_>, place: &KeyPlace, key: &KeyRecord) -> Result<Removed, Fault> {
        // A version whose material is in a token takes three.
        let most = if key.protection.is_software() { REMOVED_PER_COMMIT } else { REMOVED_PER_COMMIT / 2 };
        let versions = tx.paths(&path::versions(place), None, most)?;
        for at in &versions {
            // A damaged version cannot say its id; that its material goes is what counts.
            if let Ok(Some(version)) = tx.get::<VersionRecord>(at) {
                tx.delete::<VersionIndex>(path::version_index(&place.region, &version.stored.id));
                discard(tx, place, key, &version.stored)?;
            }
            tx.delete::<VersionRecord>(at.clone());
        }
        if versions.len() == most {
            return Ok(Removed { aliases: 0, more: true });
        }
        let room = REMOVED_PER_COMMIT - versions.len();
        let prefix = path::aliases_of(place);
        let aliases = tx.paths(&prefix, None, room)?;
        let mut removed = 0;
        for at in &aliases {
            if let Some(name) = path::tail(at, &prefix).and_then(AliasName::new) {
                let named = path::alias(&place.account, &place.region, &name);
                // Read, so that an alias that is pointed at another key meanwhile is not taken along.
                if tx.get::<AliasRecord>(&named).is_ok_and(|alias| alias.is_none_or(|alias| alias.key == place.id)) {
                    removed += usize::from(tx.get::<AliasRecord>(&named).is_ok_and(|alias| alias.is_some()));
                    tx.delete::<AliasRecord>(named);
                }
            }
            tx.delete::<Marker>(at.clone());
        }
        let left = room - aliases.len();
        let usages = tx.paths(&path::usages(place), None, left)?;
        for at in &usages {
            tx.delete::<UsageRecord>(at.clone());
        }
        Ok(Removed { aliases: removed, more: usages.len() == left })
    }

    /// Forgets imported material whose time is over.
    async fn expire_material(&self, at: &Path, place: &KeyPlace, now: Timestamp) -> Result<Option<Pending>, Fault> {
        for _ in 0..ATTEMPTS_MAX {
            let mut tx = self.vault.working()?;
            let key = tx.get::<KeyRecord>(&path::key(place))?;
            tx.delete::<DueRecord>(at.clone());
            let mut pending = None;
            if let Some(key) = key.filter(|key| key.material_expires_at.is_some_and(|at| at <= now.0)) {
                forget_material(&mut tx, place, &key).map_err(into_fault)?;
                pending = Some(event(&mut tx, "ExpireKeyMaterial", now, place)?);
            }
            if tx.commit().await? == CommitOutcome::Done {
                return Ok(pending);
            }
        }
        Err(unsettled(place))
    }

    /// Rotates a key whose interval is over: once, however late.
    async fn rotate(&self, at: &Path, place: &KeyPlace, now: Timestamp) -> Result<Option<Pending>, Fault> {
        for _ in 0..ATTEMPTS_MAX {
            let mut tx = self.vault.working()?;
            let key = tx.get::<KeyRecord>(&path::key(place))?;
            tx.delete::<DueRecord>(at.clone());
            let mut rotated = None;
            // A key that cannot rotate now has its rotation planned anew when it works again.
            if let Some(key) = key.filter(|key| key.state == KeyState::Enabled)
                && let Some(next) = key.next_rotation_date()
            {
                let mut key = (*key).clone();
                if next <= now {
                    add_version(self, &mut tx, place, &mut key, now).await.map_err(into_fault)?;
                    tx.put(path::key(place), &key)?;
                    rotated = Some(event(&mut tx, "RotateKey", now, place)?);
                }
                plan_rotation(&mut tx, place, &key)?;
            }
            if tx.commit().await? == CommitOutcome::Done {
                return Ok(rotated);
            }
        }
        Err(unsettled(place))
    }
}

/// The records of the key kept changing; the job is put off.
fn unsettled(place: &KeyPlace) -> Fault {
    Fault::unavailable(format!("key {} kept changing", place.id))
}

fn into_fault(error: Error) -> Fault {
    match error {
        Error::Failed(fault) => fault,
        Error::Refused(refusal) | Error::Denied(refusal, _) => Fault::internal(refusal.to_string()),
    }
}
