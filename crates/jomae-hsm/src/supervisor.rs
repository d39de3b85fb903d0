//! The thread that starts the worker, watches it, kills it when it hangs, and starts it anew.

use std::{
    io::{self, Write as _},
    net::Shutdown,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{Child, Command, Stdio},
    sync::{Arc, MutexGuard, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use crate::{
    client::{Launch, NoPin, Phase, Pin, Settings},
    link::{Delivery, Known, Shared, State},
    wire::{self, Frames, FromWorker, Refusal, Secret, Start, TokenFacts},
};

/// How often deadlines are looked at: by so much a hanging call may take longer than it may.
const TICK: Duration = Duration::from_millis(50);
/// The first pause before a worker is started anew, and the longest. Each is twice the one before.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// A worker that has lived as long begins with the first pause again.
const STEADY: Duration = Duration::from_mins(1);
/// How much longer than a call a start may take: modules connect to devices, and what they can do is tried.
const STARTING_FACTOR: u32 = 6;
/// How long a stop waits for a worker that starts.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// How a worker has ended.
enum End {
    /// Nobody wants it any more.
    Stopped,
    /// Nobody wants it any more, and its start goes on. It ends by itself: when it has started, or when its time is over.
    Left,
    Refused(Refusal),
    /// The PIN was refused before, by this process or another one.
    RefusedBefore(String),
    Failed(String),
}

pub fn run(shared: &Arc<Shared>) {
    if !shared.is_first {
        let known = shared.token.known();
        let waits = |known: &mut Known| known.facts.is_none() && !known.stop;
        drop(shared.token.learned.wait_while(known, waits).unwrap_or_else(PoisonError::into_inner));
    }
    let (mut pause, longest) = PAUSES;
    let mut is_first = true;
    // Said once, and not at each start.
    let mut told = String::new();
    loop {
        if !std::mem::replace(&mut is_first, false) {
            shared.restarts.fetch_add(1, Ordering::Relaxed);
        }
        set_phase(shared, Phase::Starting);
        let began = Instant::now();
        let (reason, is_final) = match live(shared) {
            End::Stopped | End::Left => {
                down(shared, "it was stopped", true);
                return;
            }
            End::Refused(refusal) => (refusal.to_string(), refusal.is_final()),
            End::RefusedBefore(reason) => (reason, true),
            End::Failed(reason) => (reason, false),
        };
        if began.elapsed() >= STEADY {
            pause = PAUSES.0;
        }
        let was_up = down(shared, &reason, is_final);
        let begins_outage = shared.token.begins_outage();
        if is_final {
            tracing::error!(reason, "the token is out of service until SIGHUP or a restart");
        } else if begins_outage {
            tracing::error!(reason, "the token is out of service; calls of its keys are refused until it is back");
        } else if was_up || told != reason {
            tracing::warn!(reason, "the worker of the token has ended, and is started anew");
        }
        told.clone_from(&reason);
        if !rest(shared, (!is_final).then_some(pause)) {
            return;
        }
        pause = (pause * 2).min(longest);
    }
}

fn set_phase(shared: &Shared, phase: Phase) {
    let mut state = shared.lock();
    shared.leave(&mut state, phase);
    state.ended = None;
    shared.changed.notify_all();
}

/// Gives whether it was up.
fn down(shared: &Shared, reason: &str, is_final: bool) -> bool {
    let mut state = shared.lock();
    let was_up = state.phase == Phase::Up;
    shared.leave(&mut state, Phase::Down { reason: reason.to_owned(), is_final });
    state.worker = None;
    shared.fail_all(&mut state, reason);
    shared.publish(&state);
    shared.changed.notify_all();
    let handed_over = std::mem::take(&mut state.handed_over);
    drop(state);
    for delivery in handed_over {
        shared.deliver(&delivery);
    }
    was_up
}

/// Waits for the next start: as long as the pause, or until it is wanted. False: to stop.
fn rest(shared: &Shared, pause: Option<Duration>) -> bool {
    let until = pause.map(|pause| Instant::now() + pause);
    let mut state = shared.lock();
    loop {
        if state.stop {
            return false;
        }
        if std::mem::take(&mut state.reload) {
            return true;
        }
        let left = match until {
            Some(until) => until.saturating_duration_since(Instant::now()),
            None => Duration::from_hours(1),
        };
        if left.is_zero() {
            return true;
        }
        state = shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Looks for a token without logging in, so that no try of the PIN is spent. Blocks.
///
/// # Errors
/// A line that says why there is none.
pub fn look(settings: &Settings, launch: &Launch) -> Result<TokenFacts, String> {
    let (mut child, stream) = spawn(launch).map_err(|error| format!("the worker cannot be started: {error}"))?;
    let seen = ask_about(settings, &stream);
    let _ended_by_itself = child.kill();
    let _reaped = child.wait();
    match seen {
        Ok(FromWorker::Started(facts)) => Ok(facts),
        Ok(FromWorker::Refused(refusal)) => Err(refusal.to_string()),
        Ok(_) => Err("the worker answers another question".to_owned()),
        Err(error) => Err(format!("the worker: {error}")),
    }
}

fn may_start_for(settings: &Settings) -> Duration {
    settings.timeout * STARTING_FACTOR
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn ask_about(settings: &Settings, mut stream: &UnixStream) -> io::Result<FromWorker> {
    stream.set_read_timeout(Some(may_start_for(settings)))?;
    let start = Start {
        module: settings.module.display().to_string(),
        label: settings.token_label.clone(),
        serial: settings.token_serial.clone(),
        pin: Secret::new(Vec::new()),
        sessions: 0,
        workers: 1,
        careful: true,
        probe: false,
        within_ms: millis(may_start_for(settings)),
    };
    stream.write_all(&wire::encode(0, &start)?)?;
    let (_, body) = Frames::new(stream).read_next()?.ok_or(io::ErrorKind::UnexpectedEof)?;
    wire::decode(&body)
}

fn spawn(launch: &Launch) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = Command::new(&launch.program);
    command.arg0("jomae").args(&launch.args).stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null());
    command.envs(launch.env.iter().map(|(name, value)| (name, value)));
    for variable in &launch.without {
        command.env_remove(variable);
    }
    Ok((command.spawn()?, ours))
}

/// Starts a worker and stays with it to its end.
fn live(shared: &Arc<Shared>) -> End {
    let starting = shared.token.starting.lock().unwrap_or_else(PoisonError::into_inner);
    if shared.lock().stop {
        return End::Stopped;
    }
    if let Some(refusal) = shared.token.known().refused.clone() {
        return End::Refused(refusal);
    }
    let is_asked_for = shared.token.known().is_pin_asked_for;
    let pin = match shared.token.settings.pin.read(is_asked_for) {
        Ok(pin) => pin,
        Err(NoPin::Unreadable(why)) => return End::Failed(format!("the PIN: {why}")),
        Err(NoPin::Refused(why)) => return End::RefusedBefore(why),
    };
    shared.token.known().is_pin_asked_for = false;
    let (mut child, stream) = match spawn(&shared.token.launch) {
        Ok(started) => started,
        Err(error) => return End::Failed(format!("the worker cannot be started: {error}")),
    };
    let stream = Arc::new(stream);
    let mut state = shared.lock();
    state.worker = Some(child.id());
    state.sending.stream = Some(Arc::clone(&stream));
    drop(state);
    let refusal = std::sync::Mutex::new(None);
    let end = std::thread::scope(|scope| {
        scope.spawn(|| {
            let why = match read(shared, &stream, &refusal) {
                Ok(()) => "the worker has ended".to_owned(),
                Err(error) => format!("the worker: {error}"),
            };
            ended(shared, why);
        });
        scope.spawn(|| {
            if let Err(error) = write(shared, &stream, pin) {
                ended(shared, format!("the worker: {error}"));
            }
        });
        let end = watch(shared, starting);
        // No grace after the start: there is nothing that the worker would have to finish, and a module may block where it is
        // closed.
        let is_left = matches!(end, End::Left);
        if !is_left {
            let _ended_by_itself = child.kill();
        }
        let _wakes_both_threads = stream.shutdown(Shutdown::Both);
        ended(shared, String::new());
        if !is_left {
            let _reaped = child.wait();
        }
        end
    });
    match refusal.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(refusal) if !matches!(end, End::Stopped | End::Left) => End::Refused(refusal),
        _ => end,
    }
}

/// Notes why the worker is at its end; the first reason is the one that counts.
fn ended(shared: &Shared, why: String) {
    let mut state = shared.lock();
    state.ended.get_or_insert(why);
    shared.changed.notify_all();
    shared.to_send.notify_all();
}

/// Returns when the worker has ended, or has to. One that starts has not to before its time is over: who ends a process in the
/// middle of a login may leave a broken token behind.
fn watch(shared: &Shared, starting: MutexGuard<'_, ()>) -> End {
    let starts_by = Instant::now() + may_start_for(&shared.token.settings);
    let mut starting = Some(starting);
    let mut stop_by = None;
    let mut state = shared.lock();
    loop {
        if state.stop {
            let stop_by = *stop_by.get_or_insert_with(|| Instant::now() + STOP_WAIT);
            if state.phase != Phase::Starting || state.ended.is_some() {
                return End::Stopped;
            }
            if Instant::now() > stop_by.min(starts_by) {
                return if stop_by < starts_by { End::Left } else { End::Stopped };
            }
        }
        state.reload = false;
        if state.phase != Phase::Starting {
            drop(starting.take());
        }
        if let Some(why) = state.ended.clone() {
            return End::Failed(why);
        }
        let now = Instant::now();
        if state.phase == Phase::Starting && now > starts_by {
            return End::Failed("the module has not begun in time".to_owned());
        }
        if state.waiting.values().any(|waiting| now > waiting.deadline) {
            return End::Failed("a call has not been answered in time".to_owned());
        }
        // A caller may have begun a call and not go on with it.
        shared.leave_to_thread(&mut state.sending);
        let handed_over = std::mem::take(&mut state.handed_over);
        drop(state);
        for delivery in handed_over {
            shared.deliver(&delivery);
        }
        state = shared.lock();
        if state.ended.is_none() && (!state.stop || state.phase == Phase::Starting) {
            state = shared.changed.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn read(shared: &Arc<Shared>, stream: &UnixStream, refusal: &std::sync::Mutex<Option<Refusal>>) -> io::Result<()> {
    let mut frames = Frames::new(stream);
    let mut answers = Vec::new();
    while let Some(first) = frames.read_message()? {
        let mut next = Some(first);
        while let Some((call, message)) = next {
            match message {
                FromWorker::Started(facts) => {
                    shared.token.settings.pin.taken();
                    started(shared, &mut shared.lock(), facts)?;
                }
                FromWorker::Refused(why) => {
                    if matches!(why, Refusal::PinIncorrect | Refusal::PinDoubtful) {
                        shared.token.settings.pin.refused();
                    }
                    if why.is_final() {
                        shared.token.known().refused = Some(why.clone());
                    }
                    *refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                    return Ok(());
                }
                FromWorker::Answer(answer) => answers.push((call, Ok(answer))),
                FromWorker::Failed(failure) => answers.push((call, Err(failure))),
            }
            next = frames.next_message()?;
        }
        let delivery = Arc::new(Delivery::default());
        let answered = {
            let mut state = shared.lock();
            let answered = state.answered(answers.drain(..), &delivery);
            shared.publish(&state);
            answered
        };
        shared.hand_over(delivery);
        answered.map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
    }
    Ok(())
}

fn started(shared: &Shared, state: &mut State, facts: TokenFacts) -> io::Result<()> {
    if state.phase != Phase::Starting {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it began twice"));
    }
    let mut known = shared.token.known();
    // It may have become known since the worker was told.
    if known.serial.get_or_insert_with(|| facts.serial.clone()) != &facts.serial {
        return Err(io::Error::other("another token is meant"));
    }
    // A worker that was not asked what the token can do does not say it; other firmware may do other things, and is asked
    // at the next start of the service.
    if known.facts.is_none() {
        tracing::info!(token = facts.label, serial = facts.serial, model = facts.model, kinds = ?facts.kinds, "token in use");
        known.facts = Some(facts);
        shared.token.learned.notify_all();
    }
    known.may_try_pin = true;
    known.up += 1;
    let outage = known.outage.take();
    drop(known);
    if let Some(since) = outage {
        let refused = shared.token.refused.swap(0, Ordering::Relaxed);
        tracing::info!(refused, secs = since.elapsed().as_secs(), "the token is in service again");
    }
    state.phase = Phase::Up;
    shared.publish(state);
    shared.changed.notify_all();
    shared.destroy_doubtful(state);
    Ok(())
}

/// Sends how to begin, and then what those who call could not send at once.
fn write(shared: &Shared, mut stream: &UnixStream, pin: Pin) -> io::Result<()> {
    let settings = &shared.token.settings;
    let start = {
        let mut known = shared.token.known();
        Start {
            module: settings.module.display().to_string(),
            label: settings.token_label.clone(),
            serial: known.serial.clone(),
            pin: pin.secret,
            sessions: shared.token.sessions_of_each(),
            workers: shared.token.workers(),
            careful: !std::mem::take(&mut known.may_try_pin) || pin.is_doubtful,
            probe: known.facts.is_none(),
            within_ms: millis(may_start_for(settings)),
        }
    };
    stream.write_all(&wire::encode(0, &start)?)?;
    drop(start);
    loop {
        let mut state = shared.lock();
        let (mut batch, mut sent) = loop {
            if state.ended.is_some() {
                return Ok(());
            }
            if let Some(rest) = state.sending.rest.take() {
                break rest;
            }
            state = shared.to_send.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        drop(state);
        while !batch.is_empty() {
            stream.write_all(batch.bytes().get(sent..).unwrap_or_default())?;
            let mut state = shared.lock();
            state.sending.sent(batch);
            (batch, sent) = (state.sending.take(), 0);
            state.sending.is_busy = !batch.is_empty();
        }
    }
}
