//! Messages between the service and the worker process of a token: `wire::Frames` and `wire::decode`.
//!
//! Input: a stream, as either side may get it. What can be read is written as it was; a frame that is too long is refused
//! before it is held.

#![no_main]

use jomae_hsm::wire::{self, BODY_BYTES_MAX, Frames, FromWorker, Message, Request, Start};
use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;

/// Read again, it is the same message.
fn round_trip<T: Message + DeserializeOwned>(body: &[u8]) {
    let Ok(message) = wire::decode::<T>(body) else { return };
    // Texts of a module may be longer than the client ever writes.
    let Ok(frame) = wire::encode(7, &message) else { return };
    let (call, again) = Frames::new(&frame[..]).read_next().expect("a frame").expect("a whole one");
    assert_eq!(call, 7);
    let message = wire::decode::<T>(&again).expect("what was written can be read");
    assert_eq!(*wire::encode(7, &message).expect("once more"), *frame);
}

fuzz_target!(|data: &[u8]| {
    let mut frames = Frames::new(data);
    while let Ok(Some((_, body))) = frames.read_next() {
        assert!(body.len() <= BODY_BYTES_MAX);
        round_trip::<FromWorker>(&body);
        round_trip::<Request>(&body);
        round_trip::<Start>(&body);
    }
    round_trip::<FromWorker>(data);
    round_trip::<Request>(data);
});
