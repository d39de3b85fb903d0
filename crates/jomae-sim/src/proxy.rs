//! A connection between a client and a server that a test can hold up or cut.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// How soon a change of mind takes effect.
const TICK: Duration = Duration::from_millis(5);

/// Passes bytes on between a port of its own and another of the loopback.
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    hold_requests: AtomicBool,
    hold_answers: AtomicBool,
    down: AtomicBool,
    cuts: AtomicU64,
    ended: AtomicBool,
}

impl Proxy {
    pub fn to(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let state = Arc::new(State::default());
        let accepting = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.ended.load(Ordering::SeqCst) {
                    return;
                }
                if accepting.down.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                for (from, to, requests) in [(&client, &server, true), (&server, &client, false)] {
                    let _ = from.set_nodelay(true);
                    let (from, to) = (from.try_clone().expect("cloned"), to.try_clone().expect("cloned"));
                    let state = Arc::clone(&accepting);
                    thread::spawn(move || pass(from, to, requests, &state));
                }
            }
        });
        Self { port, state }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Keeps back what clients send, until told otherwise; it arrives then.
    pub fn hold_requests(&self, hold: bool) {
        self.state.hold_requests.store(hold, Ordering::SeqCst);
    }

    /// Keeps back what the server sends, until told otherwise; it arrives then.
    pub fn hold_answers(&self, hold: bool) {
        self.state.hold_answers.store(hold, Ordering::SeqCst);
    }

    /// Down, every connection ends and no new one is of use.
    pub fn set_down(&self, down: bool) {
        self.state.down.store(down, Ordering::SeqCst);
        self.state.cuts.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        self.set_down(true);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, requests: bool, state: &State) {
    let cuts = state.cuts.load(Ordering::SeqCst);
    let hold = if requests { &state.hold_requests } else { &state.hold_answers };
    let _ = from.set_read_timeout(Some(TICK));
    let mut buffer = [0; 16 * 1024];
    while state.cuts.load(Ordering::SeqCst) == cuts {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                while hold.load(Ordering::SeqCst) && state.cuts.load(Ordering::SeqCst) == cuts {
                    thread::sleep(TICK);
                }
                if state.cuts.load(Ordering::SeqCst) != cuts || to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
