//! One commit, from the caller's writes to its answer.

use std::{pin::pin, sync::Arc, time::Duration};

use jomae_core::store::{Commit, Committed, Path, Revision, StoreError, Write};
use jomae_etcd::{
    Error,
    proto::{Compare, Op, OpResponse, RangeRequest, TxnRequest},
};
use prost::Message as _;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::{
    Inner,
    slots::{self, Settled, equals, exists, get, put},
};

/// How long a caller waits at most; then the answer is `Unknown`, and what became of the commit is found out without it.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// Largest transaction. etcd takes 1.5 MiB unless told otherwise, of which its own frame takes a little.
const COMMIT_BYTES_MAX: usize = 1536 * 1024 - 16 * 1024;

type Answer = Result<Committed, StoreError>;

/// What an attempt led to.
enum Step {
    Answer(Committed),
    /// The replica did not know the newest; now it does.
    Again,
}

/// Runs until the outcome is certain; the caller is answered in time.
pub(super) async fn run(inner: Arc<Inner>, commit: Commit, answer: oneshot::Sender<Answer>) {
    let deadline = Instant::now() + ANSWER_WAIT;
    let mut work = pin!(decide(&inner, &commit, deadline));
    // Nobody listens if the caller has gone; the commit stands all the same.
    if let Ok(outcome) = timeout_at(deadline, &mut work).await {
        let _ = answer.send(outcome);
    } else {
        let _ = answer.send(Ok(Committed::Unknown));
        let outcome = work.await;
        tracing::info!(?outcome, "the outcome of a commit is known, too late for its caller");
    }
}

async fn decide(inner: &Inner, commit: &Commit, deadline: Instant) -> Answer {
    inner.replica.check()?;
    let unchanged = || Ok(Committed::Done(Revision(inner.replica.revision())));
    if commit.expect.is_empty() && commit.writes.is_empty() {
        return unchanged();
    }
    let Some(compare) = compares(inner, commit) else { return Ok(Committed::Conflict) };
    while Instant::now() + inner.call_timeout < deadline {
        let step = match witness(inner, commit) {
            Effect::None => compare_only(inner, commit, compare.clone(), deadline).await?,
            Effect::Certain => write(inner, commit, compare.clone(), None, deadline).await?,
            Effect::If(path) => write(inner, commit, compare.clone(), Some(path), deadline).await?,
        };
        if let Step::Answer(answer) = step {
            return Ok(answer);
        }
    }
    Err(StoreError::Unavailable("the store is changed faster than it can be followed".to_owned()))
}

/// The expectations; `None` if one can never hold.
fn compares(inner: &Inner, commit: &Commit) -> Option<Vec<Compare>> {
    let one = |(path, revision): &(Path, Option<Revision>)| {
        let revision = match revision {
            None => 0,
            // For etcd 0 means absence.
            Some(Revision(0)) => return None,
            Some(Revision(revision)) => i64::try_from(*revision).ok()?,
        };
        Some(equals(inner.keys.record(path), revision))
    };
    commit.expect.iter().map(one).collect()
}

/// Whether a commit changes anything.
enum Effect<'a> {
    Certain,
    /// It deletes this, if that is still there.
    If(&'a Path),
    /// As far as the replica knows.
    None,
}

fn witness<'a>(inner: &Inner, commit: &'a Commit) -> Effect<'a> {
    if commit.writes.iter().any(|write| matches!(write, Write::Put(..))) {
        return Effect::Certain;
    }
    let present = commit.writes.iter().map(Write::path).find(|path| inner.replica.contains(path));
    present.map_or(Effect::None, Effect::If)
}

/// A commit that has nothing to change, if the replica is right: it needs no slot, and no revision.
async fn compare_only(
    inner: &Inner,
    commit: &Commit,
    compare: Vec<Compare>,
    deadline: Instant,
) -> Result<Step, StoreError> {
    let counted = |write: &Write| {
        let key = inner.keys.record(write.path());
        Op::Range(RangeRequest { key, count_only: true, ..RangeRequest::default() }).into()
    };
    let mut success = vec![get(inner.keys.head())];
    success.extend(commit.writes.iter().map(counted));
    let request = TxnRequest { compare, success, failure: vec![get(inner.keys.head())] };
    let answer = inner.client.read_txn(request).await.map_err(|error| unavailable(&error))?;
    let mut responses = answer.responses.into_iter();
    let head = responses.next().and_then(slots::first).map_or(0, |kv| kv.mod_revision);
    let present = responses.any(|one| matches!(one.response, Some(OpResponse::Range(range)) if range.count > 0));
    if answer.succeeded && !present {
        return Ok(Step::Answer(Committed::Done(Revision(inner.replica.revision()))));
    }
    // Whoever decides again after a conflict must see what the conflict was with.
    inner.applied(head, deadline).await;
    Ok(if answer.succeeded { Step::Again } else { Step::Answer(Committed::Conflict) })
}

async fn write(
    inner: &Inner,
    commit: &Commit,
    mut compare: Vec<Compare>,
    witness: Option<&Path>,
    deadline: Instant,
) -> Result<Step, StoreError> {
    let mut slot = inner.slots.take().await?;
    let mark = slot.mark();
    compare.extend(witness.map(|path| exists(inner.keys.record(path))));
    compare.push(equals(slot.key(), slot.revision()));
    let change = |write: &Write| match write {
        Write::Put(path, value) => put(inner.keys.record(path), value.clone().into()),
        Write::Delete(path) => slots::delete(inner.keys.record(path), bytes::Bytes::new()),
    };
    let mut success: Vec<_> = commit.writes.iter().map(change).collect();
    success.push(put(inner.keys.head(), bytes::Bytes::new()));
    success.push(put(slot.key(), mark.clone()));
    let failure = vec![get(slot.key()), get(inner.keys.head())];
    let request = TxnRequest { compare, success, failure };
    if request.encoded_len() > COMMIT_BYTES_MAX {
        return Err(StoreError::Limit("bytes in a commit"));
    }
    let done = match inner.client.txn(request).await {
        Ok(answer) if answer.succeeded => answer.header.map_or(0, |header| header.revision),
        Ok(answer) => {
            let mut found = answer.responses.into_iter().map(slots::first);
            let in_slot = found.next().flatten().map_or(0, |kv| kv.mod_revision);
            let head = found.next().flatten().map_or(0, |kv| kv.mod_revision);
            if in_slot != slot.revision() {
                slot.left_at(in_slot);
                return Ok(Step::Again);
            }
            drop(slot);
            // Whoever decides again after a conflict must see what the conflict was with.
            inner.applied(head, deadline).await;
            let again = witness.is_some() && inner.replica.hold(&commit.expect);
            return Ok(if again { Step::Again } else { Step::Answer(Committed::Conflict) });
        }
        Err(Error::Unknown(why)) => match slot.settle(&inner.client, &mark).await {
            Settled::Done(revision) => revision,
            Settled::NotDone => return Err(StoreError::Unavailable(format!("it was not done: {why}"))),
            Settled::Gone => return Ok(Step::Answer(Committed::Unknown)),
        },
        Err(error) => return Err(unavailable(&error)),
    };
    slot.left_at(done);
    drop(slot);
    let seen = inner.applied(done, deadline).await;
    let done = Committed::Done(Revision(done.unsigned_abs()));
    // It has happened, but a read may not show it yet.
    Ok(Step::Answer(if seen { done } else { Committed::Unknown }))
}

pub(super) fn unavailable(error: &Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
