//! Many networks without a socket.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::HttpFailure;
use super::super::budget::Hold;
use super::*;

fn network(number: u32) -> Network {
    Network::of(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number)))
}

fn peers(places: usize) -> Arc<Peers> {
    Peers::new(&Limits { connections_max: places, ..Limits::default() }, Arc::default())
}

/// Whether the connection was told to go.
fn is_told_to_go(seat: &Seat) -> bool {
    let mut told = Box::pin(seat.told_to_go());
    told.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
}

fn open(peers: &Arc<Peers>) -> usize {
    peers.table().open
}

#[test]
fn a_network_is_an_ipv4_address_or_64_bits_of_ipv6() {
    let v6 = |text: &str| Network::of(IpAddr::V6(text.parse::<Ipv6Addr>().unwrap()));
    assert_eq!(v6("2001:db8::1"), v6("2001:db8::ffff:ffff:ffff:2"));
    assert_ne!(v6("2001:db8::1"), v6("2001:db8:0:1::1"));
    assert_eq!(v6("::ffff:10.0.0.1"), network(1));
}

#[test]
fn one_network_of_strangers_holds_a_quarter_and_sends_its_own_away() {
    let (peers, now) = (peers(1000), Instant::now());
    let other = peers.admit(network(2), false, now).unwrap();
    let mut seats: Vec<Seat> = Vec::new();
    for n in 0..1000 {
        seats.push(peers.admit(network(1), false, now).unwrap());
        assert!(open(&peers) <= 251);
        if n >= 250 {
            assert!(is_told_to_go(&seats[0]), "the oldest");
            assert!(!is_told_to_go(&seats[1]));
            seats.remove(0);
        }
    }
    assert!(!is_told_to_go(&other));
    assert_eq!(peers.stats.strangers_closed.get(), 750);
    drop(seats);
    assert_eq!((open(&peers), peers.table().leaving), (1, 0));
}

#[test]
fn when_places_are_short_the_largest_crowd_makes_room() {
    let (peers, now) = (peers(80), Instant::now());
    let quiet = peers.admit(network(9), false, now).unwrap();
    let mut crowd: Vec<Seat> = Vec::new();
    for n in 0..69 {
        crowd.push(peers.admit(network(1 + n % 4), false, now).unwrap());
    }
    assert_eq!(open(&peers), 70, "an eighth is kept for known networks");
    let newcomer = peers.admit(network(10), false, now).unwrap();
    assert!(!is_told_to_go(&quiet) && !is_told_to_go(&newcomer));
    let gone: Vec<_> = crowd.iter().filter(|seat| is_told_to_go(seat)).map(Seat::network).collect();
    assert_eq!(gone, [network(1)], "18 of them came from there");
    assert_eq!(open(&peers), 70);
}

#[test]
fn known_callers_keep_their_places_and_their_networks_get_the_reserve() {
    let (peers, start) = (peers(80), Instant::now());
    let known_before = peers.admit(network(1), false, start).unwrap();
    known_before.make_known();
    drop(known_before);
    let mut seats = Vec::new();
    for n in 0..70 {
        let seat = peers.admit(network(100 + n), false, start).unwrap();
        seat.make_known();
        assert!(seat.is_known());
        seats.push(seat);
    }
    assert!(peers.admit(network(2), false, start).is_none(), "nobody is sent away for a stranger");
    for _ in 0..10 {
        seats.push(peers.admit(network(1), false, start).expect("the reserve"));
    }
    seats.push(peers.admit(network(1), false, start).expect("in place of its own stranger"));
    assert!(is_told_to_go(&seats[70]) && seats[..70].iter().all(|seat| !is_told_to_go(seat)));
    seats.push(peers.admit(network(2), false, start).expect("in place of a stranger of the largest crowd"));
    assert_eq!(open(&peers), 80);
}

#[test]
fn a_network_is_known_for_an_hour() {
    let (peers, start) = (peers(80), Instant::now());
    let seat = peers.admit(network(1), false, start).unwrap();
    seat.make_known();
    drop(seat);
    let known = |after| {
        let seat = peers.admit(network(1), false, start + after).unwrap();
        seat.crowd.known.load(Ordering::Relaxed)
    };
    assert!(known(Duration::from_mins(59)));
    assert!(!known(KNOWN_FOR + Duration::from_mins(1)));
}

#[test]
fn one_network_cannot_take_every_place_even_if_it_is_known() {
    let (peers, now) = (peers(80), Instant::now());
    let mut seats = Vec::new();
    while let Some(seat) = peers.admit(network(1), false, now) {
        seat.make_known();
        seats.push(seat);
    }
    assert_eq!(seats.len(), 70);
    let mut behind = Vec::new();
    while let Some(seat) = peers.admit(network(2), true, now) {
        seat.make_known();
        behind.push(seat);
    }
    assert_eq!(behind.len(), 10, "a trusted proxy gets the reserve");
}

#[test]
fn who_was_told_to_go_is_not_known_any_more_and_few_are_on_their_way() {
    let (peers, now) = (peers(1000), Instant::now());
    let seats: Vec<Seat> = (0..250 + LEAVING_MAX).map(|_| peers.admit(network(1), false, now).unwrap()).collect();
    seats[0].make_known();
    assert!(!seats[0].is_known());
    assert!(peers.admit(network(1), false, now).is_none(), "enough are on their way out");
    drop(seats);
    assert_eq!((open(&peers), peers.table().leaving), (0, 0));
    assert!(peers.table().crowds.is_empty());
}

#[test]
fn whom_a_proxy_stands_for_is_who_counts() {
    let (peers, now) = (peers(64), Instant::now());
    let (mut seats, mut bells) = (Vec::new(), Vec::new());
    for n in 0..40 {
        let mut seat = peers.admit(network(1), true, now).unwrap();
        let mut told = Box::pin(seat.told_to_go());
        assert!(seat.move_to(network(2), now));
        assert!(told.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending());
        bells.push(told);
        assert_eq!(open(&peers), (n + 1).min(16));
        seats.push(seat);
    }
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let gone = bells.iter_mut().filter_map(|told| told.as_mut().poll(&mut context).is_ready().then_some(())).count();
    assert_eq!(gone, 24, "who has waited since before the move is told");
    drop(seats);
    assert_eq!((open(&peers), peers.table().leaving), (0, 0));
}

#[test]
fn handshakes_of_a_network_come_at_a_rate_and_wait() {
    let (peers, now) = (peers(1000), Instant::now());
    let waits: Vec<_> = std::iter::from_fn(|| peers.handshake_wait(network(1), false, now)).collect();
    // 400 at once, then 200 a second for 5 seconds.
    assert_eq!(waits.len(), 1400);
    assert_eq!((waits[399], waits[400]), (Duration::ZERO, Duration::from_millis(5)));
    assert_eq!(waits.last(), Some(&HANDSHAKE_WAIT_MAX));
    assert_eq!((peers.stats.handshakes_refused.get(), peers.stats.handshakes_delayed.get()), (1, 1000));
    assert_eq!(peers.handshake_wait(network(2), false, now), Some(Duration::ZERO), "others do not wait");
    assert_eq!(peers.handshake_wait(network(1), true, now), Some(Duration::ZERO), "behind a proxy stand many");
    assert_eq!(peers.handshake_wait(network(1), false, now + Duration::from_mins(1)), Some(Duration::ZERO));
    let seat = peers.admit(network(3), false, now).unwrap();
    seat.make_known();
    let waits = std::iter::from_fn(|| peers.handshake_wait(network(3), false, now)).take(10_000).count();
    assert_eq!(waits, 7000, "a known network gets more");
}

#[test]
fn networks_in_memory_are_bounded_and_known_ones_outlive_strangers() {
    let (peers, now) = (peers(1000), Instant::now());
    let seat = peers.admit(network(0), false, now).unwrap();
    seat.make_known();
    drop(seat);
    for n in 1..40_000 {
        drop(peers.admit(network(n), false, now).unwrap());
    }
    assert_eq!(peers.networks(), IDLE_UNKNOWN_MAX + 1);
    assert!(peers.table().networks.contains_key(&network(0)));
}

const KIB: usize = 1024;

fn strange(peers: &Arc<Peers>, number: u32) -> Hold {
    Hold::new(Arc::new(peers.admit(network(number), false, Instant::now()).unwrap()))
}

#[test]
fn a_stranger_a_network_and_all_strangers_hold_their_share_of_bytes() {
    let peers = peers(10_000);
    let mut one = strange(&peers, 1);
    one.grow(512 * KIB).unwrap();
    assert_eq!(one.grow(1), Err(HttpFailure::TooManyBytes), "a connection");
    let mut holds = vec![one];
    for _ in 0..31 {
        let mut hold = strange(&peers, 1);
        hold.grow(512 * KIB).unwrap();
        holds.push(hold);
    }
    assert_eq!(strange(&peers, 1).grow(1), Err(HttpFailure::TooManyBytes), "a network: 16 MiB");
    for number in 2..=4 {
        for _ in 0..32 {
            let mut hold = strange(&peers, number);
            hold.grow(512 * KIB).unwrap();
            holds.push(hold);
        }
    }
    assert_eq!(strange(&peers, 5).grow(1), Err(HttpFailure::TooManyBytes), "all of them: 64 MiB");
    assert_eq!(peers.stats.stranger_bytes(), 64 << 20);
    let seat = Arc::new(peers.admit(network(5), false, Instant::now()).unwrap());
    seat.make_known();
    let mut known = Hold::new(seat);
    known.grow(192 << 20).unwrap();
    assert_eq!(known.grow(1), Err(HttpFailure::TooManyBytes), "the total");
    drop(holds);
    assert_eq!((peers.stats.request_bytes(), peers.stats.stranger_bytes()), (192 << 20, 0));
    drop(known);
    assert_eq!(peers.stats.request_bytes(), 0);
}

#[test]
fn what_was_vouched_for_does_not_count_as_a_strangers() {
    let peers = peers(100);
    let mut hold = strange(&peers, 1);
    hold.cover(500 * KIB).unwrap();
    hold.vouched();
    assert_eq!((peers.stats.request_bytes(), peers.stats.stranger_bytes()), (500 << 10, 0));
    hold.cover(2000 * KIB).unwrap();
    hold.cover(0).unwrap();
    hold.renew();
    assert!(hold.cover(513 * KIB).is_err(), "the next one is a stranger's again");
    hold.cover(512 * KIB).unwrap();
    assert_eq!(peers.stats.stranger_bytes(), 512 << 10);
    hold.cover(KIB).unwrap();
    assert_eq!((peers.stats.request_bytes(), peers.stats.stranger_bytes()), (1 << 10, 1 << 10));
}
