//! The client's side of one worker: what waits for its answers, and who tells whom. And what all workers of a token go by.

use std::{
    collections::HashMap,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Instant,
};

use futures_channel::oneshot;

use crate::{
    client::{CallError, Launch, Phase, Settings},
    sending::Sending,
    wire::{Answer, Expected, Failure, KeyRef, Refusal, Request, TokenFacts},
};

/// Calls that wait at most, at all workers of a token together: as many bytes as that are held for workers that have stopped
/// reading.
const CALLS_MAX: usize = 1024;
/// How much longer than other calls the making of a key may take: an RSA key takes some tokens a minute.
const MAKING_FACTOR: u32 = 6;
pub(crate) struct Waiting {
    pub deadline: Instant,
    began: Instant,
    answer: oneshot::Sender<Reply>,
    expected: Expected,
    /// The object that it makes, to be destroyed if nobody learns of it.
    makes: Option<KeyRef>,
}

/// What a call hears: its answer, and those of others, which it passes on.
pub(crate) struct Reply {
    pub result: Result<Answer, CallError>,
    pub others: Option<Others>,
}

impl Waiting {
    /// Gives a call its answer, and perhaps others'. Gives back the object that may have been made without anybody knowing of it.
    fn deliver(self, result: Result<Answer, CallError>, others: Option<Others>) -> Option<KeyRef> {
        let is_unknown = matches!(result, Err(CallError::Down(_)));
        let is_made = matches!(result, Ok(Answer::Made { .. }));
        let nobody_heard = self.answer.send(Reply { result, others }).is_err();
        self.makes.filter(|_| is_unknown || (is_made && nobody_heard))
    }
}

/// What the worker has said of calls, until those who wait have been told.
pub(crate) type Delivery = Mutex<Vec<(Waiting, Result<Answer, CallError>)>>;

/// Answers of others, which are told when it is dropped, by the thread that drops it.
pub(crate) struct Others {
    shared: Arc<Shared>,
    delivery: Arc<Delivery>,
}

impl Drop for Others {
    fn drop(&mut self) {
        self.shared.deliver(&self.delivery);
    }
}

pub(crate) struct State {
    pub phase: Phase,
    pub sending: Sending,
    pub waiting: HashMap<u64, Waiting>,
    next_call: u64,
    /// What callers have been asked to tell each other; what they have not told after a while is told without them.
    pub handed_over: Vec<Arc<Delivery>>,
    /// Objects that may have been made, and of which nobody has heard.
    pub doubtful: Vec<KeyRef>,
    pub worker: Option<u32>,
    /// Why the present worker is at its end.
    pub ended: Option<String>,
    pub stop: bool,
    pub reload: bool,
}

impl State {
    /// Takes calls that have been answered from those that wait. Told without the lock.
    ///
    /// # Errors
    /// An answer to a call that waits for none, or for another one: the worker's memory is not what it was. What was answered
    /// before is in the delivery.
    pub fn answered(
        &mut self,
        answers: impl Iterator<Item = (u64, Result<Answer, Failure>)>,
        delivery: &Arc<Delivery>,
    ) -> Result<(), &'static str> {
        self.handed_over.push(Arc::clone(delivery));
        let mut delivery = delivery.lock().unwrap_or_else(PoisonError::into_inner);
        for (call, result) in answers {
            let waiting = self.waiting.get(&call).ok_or("an answer that nobody waits for")?;
            if result.as_ref().is_ok_and(|answer| !waiting.expected.fits(answer)) {
                return Err("an answer to another question");
            }
            if let Some(waiting) = self.waiting.remove(&call) {
                delivery.push((waiting, result.map_err(CallError::Failed)));
            }
        }
        Ok(())
    }
}

/// What all workers of a token go by.
pub(crate) struct Token {
    pub settings: Settings,
    pub launch: Launch,
    known: Mutex<Known>,
    /// Something is known that was not.
    pub learned: Condvar,
    /// Held by a worker that starts: a PIN is tried by one of them, and no other tries it before that one has heard.
    pub starting: Mutex<()>,
    /// Calls that had no worker, since it was last looked at.
    pub refused: AtomicU64,
}

pub(crate) struct Known {
    pub facts: Option<TokenFacts>,
    pub serial: Option<String>,
    /// Whether the PIN may be tried although the last one that somebody tried is wrong: an operator has just named it, or the
    /// token has taken it from a worker before.
    pub may_try_pin: bool,
    /// Whether an operator has just said that the PIN be tried, whatever its source remembers of it.
    pub is_pin_asked_for: bool,
    /// Workers that are up.
    pub up: u16,
    /// Since when none is, if somebody has been told.
    pub outage: Option<Instant>,
    /// What the token has said of the PIN, until an operator says that it is another one.
    pub refused: Option<Refusal>,
    pub stop: bool,
}

impl Token {
    pub fn new(settings: Settings, launch: Launch) -> Self {
        let serial = settings.token_serial.clone();
        let known = Known {
            facts: None,
            serial,
            may_try_pin: true,
            is_pin_asked_for: false,
            up: 0,
            outage: None,
            refused: None,
            stop: false,
        };
        Self {
            settings,
            launch,
            known: Mutex::new(known),
            learned: Condvar::new(),
            starting: Mutex::new(()),
            refused: AtomicU64::new(0),
        }
    }

    /// Not while waiting for a worker's state: that lock is taken first.
    pub fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether none is up, and nobody has been told.
    pub fn begins_outage(&self) -> bool {
        let mut known = self.known();
        let begins = known.up == 0 && known.outage.is_none();
        if begins {
            known.outage = Some(Instant::now());
            self.refused.store(0, Ordering::Relaxed);
        }
        begins
    }

    /// Why a call has no worker.
    pub fn refuse(&self, reason: &str) -> CallError {
        self.refused.fetch_add(1, Ordering::Relaxed);
        CallError::Down(reason.to_owned())
    }

    /// How many workers there are: each has a session at least.
    pub fn workers(&self) -> u16 {
        self.settings.workers.min(self.settings.sessions).max(1)
    }

    /// Sessions of each.
    pub fn sessions_of_each(&self) -> u16 {
        self.settings.sessions.div_ceil(self.workers())
    }
}

/// The load of a worker that takes no calls.
pub(crate) const DOWN: usize = usize::MAX;

pub(crate) struct Shared {
    pub token: Arc<Token>,
    /// Whether it is the one that finds the token; the others begin when it has.
    pub is_first: bool,
    state: Mutex<State>,
    /// Calls that wait, or [`DOWN`]: by this a call chooses its worker without the lock.
    load: AtomicUsize,
    /// Something is to be sent.
    pub to_send: Condvar,
    /// Something has happened to the worker, or is wanted of the supervisor.
    pub changed: Condvar,
    pub restarts: AtomicU64,
    pub calls: AtomicU64,
    pub errors: AtomicU64,
    pub busy_micros: AtomicU64,
}

impl Shared {
    pub fn new(token: Arc<Token>, is_first: bool) -> Self {
        let state = State {
            phase: Phase::Starting,
            sending: Sending::default(),
            waiting: HashMap::new(),
            next_call: 0,
            handed_over: Vec::new(),
            doubtful: Vec::new(),
            worker: None,
            ended: None,
            stop: false,
            reload: false,
        };
        Self {
            token,
            is_first,
            state: Mutex::new(state),
            load: AtomicUsize::new(DOWN),
            to_send: Condvar::new(),
            changed: Condvar::new(),
            restarts: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            busy_micros: AtomicU64::new(0),
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls that wait, or [`DOWN`].
    pub fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Takes no calls from now on.
    pub fn leave(&self, state: &mut State, phase: Phase) {
        if std::mem::replace(&mut state.phase, phase) == Phase::Up {
            let mut known = self.token.known();
            known.up = known.up.saturating_sub(1);
        }
        self.publish(state);
    }

    /// Says anew what the load is.
    pub fn publish(&self, state: &State) {
        let load = if state.phase == Phase::Up { state.waiting.len() } else { DOWN };
        self.load.store(load, Ordering::Relaxed);
    }

    /// Tells those who wait, unless they have been told. Not with the lock.
    pub fn deliver(&self, delivery: &Delivery) {
        let answers = std::mem::take(&mut *delivery.lock().unwrap_or_else(PoisonError::into_inner));
        self.tell(answers.into_iter().map(|(waiting, result)| (waiting, result, None)));
    }

    /// Has all of them told by the last one of them. To wake a task from outside its executor's threads costs as much as a short
    /// operation of a module, and lets that thread run before the next task is woken; that the tasks wake each other is cheap.
    pub fn hand_over(self: &Arc<Self>, delivery: Arc<Delivery>) {
        let last = delivery.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some((waiting, result)) = last {
            let others = Others { shared: Arc::clone(self), delivery };
            self.tell([(waiting, result, Some(others))]);
        }
    }

    fn tell(&self, answers: impl IntoIterator<Item = (Waiting, Result<Answer, CallError>, Option<Others>)>) {
        let now = Instant::now();
        let mut doubtful = Vec::new();
        for (waiting, result, others) in answers {
            self.count(&waiting, now, result.is_err());
            doubtful.extend(waiting.deliver(result, others));
        }
        if !doubtful.is_empty() {
            let mut state = self.lock();
            state.doubtful.append(&mut doubtful);
            self.destroy_doubtful(&mut state);
        }
    }

    fn count(&self, waiting: &Waiting, now: Instant, is_error: bool) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if is_error {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(now.saturating_duration_since(waiting.began).as_micros()).unwrap_or(u64::MAX);
        self.busy_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Fails every call that waits.
    pub fn fail_all(&self, state: &mut State, why: &str) {
        state.sending = Sending::default();
        let now = Instant::now();
        for (_, waiting) in std::mem::take(&mut state.waiting) {
            self.count(&waiting, now, true);
            state.doubtful.extend(waiting.deliver(Err(CallError::Down(why.to_owned())), None));
        }
    }

    /// Destroys what may have been made for nobody, if there is a worker.
    pub fn destroy_doubtful(&self, state: &mut State) {
        if state.phase != Phase::Up {
            return;
        }
        for key in std::mem::take(&mut state.doubtful) {
            let (answer, _nobody_waits) = oneshot::channel();
            let _tried_again_by_nobody = self.enqueue(state, &Request::Destroy { key }, answer, None);
        }
        self.leave_to_thread(&mut state.sending);
    }

    pub fn enqueue(
        &self,
        state: &mut State,
        request: &Request,
        answer: oneshot::Sender<Reply>,
        makes: Option<KeyRef>,
    ) -> Result<(), CallError> {
        if let Phase::Down { reason, .. } = &state.phase {
            return Err(self.token.refuse(reason));
        }
        if state.phase == Phase::Starting {
            return Err(self.token.refuse("it is being started"));
        }
        if state.waiting.len() >= CALLS_MAX / usize::from(self.token.workers()) {
            return Err(CallError::Crowded);
        }
        state.next_call += 1;
        let call = state.next_call;
        state.sending.batch.push(call, request).map_err(|_| CallError::Message)?;
        let began = Instant::now();
        let factor = if makes.is_some() { MAKING_FACTOR } else { 1 };
        let deadline = began + self.token.settings.timeout * factor;
        let expected = Expected::of(request);
        state.waiting.insert(call, Waiting { deadline, began, answer, expected, makes });
        self.publish(state);
        Ok(())
    }
}

/// Gives its turn to the other tasks that are ready, once.
pub(crate) async fn let_others() {
    let mut is_again = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut is_again, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
