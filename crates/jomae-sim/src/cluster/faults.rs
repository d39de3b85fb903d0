//! What goes wrong in a simulated world.

use super::{
    process::SECOND,
    store::At,
    world::{Event, HEALED_AT, Purpose, World, seconds},
};

#[derive(Clone, Copy)]
pub enum Fault {
    Pause,
    Mute,
    Deaf,
    CutOff,
    Standing,
    Late,
    Broken,
    Crash,
    Leave,
    Clock,
    Rival,
    StoreDown,
}

pub const FAULTS: [Fault; 12] = [
    Fault::Pause,
    Fault::Mute,
    Fault::Deaf,
    Fault::CutOff,
    Fault::Standing,
    Fault::Late,
    Fault::Broken,
    Fault::Crash,
    Fault::Leave,
    Fault::Clock,
    Fault::Rival,
    Fault::StoreDown,
];

impl World {
    /// Something goes wrong somewhere, for a while.
    pub fn fault(&mut self) {
        if self.is_healed() {
            return;
        }
        self.after(self.time, (300, 4000), Event::Fault);
        let Some(fault) = self.dice.pick(&self.mood).copied() else { return };
        let rival = self.hosts.len() - 1;
        let host = usize::try_from(self.dice.below(self.hosts.len() as u64)).unwrap_or(0);
        let length = [(50, 3000), (3000, 20_000), (10_000, 40_000)][self.dice.below(3).min(2) as usize];
        let until = (self.time + self.some_millis(length)).min(HEALED_AT);
        let start = self.hosts[host].starts;
        let it = &mut self.hosts[host];
        match fault {
            Fault::Pause => it.paused_until = it.paused_until.max(until),
            Fault::Mute => it.mute_until = it.mute_until.max(until),
            Fault::Deaf => it.deaf_until = it.deaf_until.max(until),
            Fault::CutOff => {
                it.mute_until = it.mute_until.max(until);
                it.deaf_until = it.deaf_until.max(until);
            }
            Fault::Standing => it.stands_until = it.stands_until.max(until),
            Fault::Late => it.late_until = it.late_until.max(until),
            Fault::Broken => {
                if let Some(node) = &mut it.node {
                    node.is_broken = true;
                    self.at(until, Event::Snapshot(host, start, None));
                }
            }
            Fault::Crash => {
                self.crash(host);
                if host != rival {
                    self.at(until, Event::Boot(host));
                }
            }
            Fault::Leave => self.leave(host, until),
            Fault::Clock => {
                it.wall_changed_at = self.time;
                it.wall_ahead_secs = if it.wall_ahead_secs == 0 { [3600, -3600, 70][host % 3] } else { 0 };
            }
            Fault::Rival => {
                self.happened.rivals += 1;
                self.at(self.time, Event::Boot(rival));
            }
            Fault::StoreDown => {
                self.store_down_until = until;
                self.hosts.iter_mut().for_each(|host| host.ill_at = host.ill_at.max(until));
            }
        }
        if !matches!(fault, Fault::StoreDown | Fault::Rival | Fault::Clock) {
            self.hosts[host].ill_at = self.hosts[host].ill_at.max(until);
        }
        self.tell(|| format!("{} until {:.4} s: host {host}", fault.name(), seconds(until)));
        // What was held up comes after it.
        self.at(until, Event::Show(host, start, u64::MAX));
        let late = if self.hosts[host].late_until == until { 8 * SECOND } else { 0 };
        self.hosts[host].ill_at += late;
    }

    /// A process that stands still has often just looked whether it may go on.
    pub fn stop_at_a_bad_moment(&mut self, host: usize) {
        let has_pauses = self.mood.iter().any(|fault| matches!(fault, Fault::Pause));
        if has_pauses && !self.is_healed() && self.dice.permille(100) {
            let until = (self.time + self.some_millis((9000, 18_000))).min(HEALED_AT);
            self.tell(|| format!("paused until {:.4} s: host {host}", seconds(until)));
            self.hosts[host].paused_until = until;
            self.hosts[host].ill_at = self.hosts[host].ill_at.max(until);
        }
    }

    fn leave(&mut self, host: usize, until: u64) {
        let start = self.hosts[host].starts;
        let Some(node) = self.node(host, start) else { return };
        node.is_leaving = true;
        if let Some(step) = node.machine.leave() {
            let (mut commit, _) = self.commit_of(host, step);
            if commit.expect.is_empty() {
                commit.expect = vec![(At::Node(self.hosts[host].name), None)];
            }
            self.send(host, commit, Purpose::Leave);
        }
        let gone = self.time + self.some_millis((0, 2000));
        self.at(gone, Event::Crash(host, start));
        self.at(until.max(gone + 1), Event::Boot(host));
    }

    pub fn heal(&mut self) {
        let rival = self.hosts.len() - 1;
        self.tell(|| "all is well from now on".to_owned());
        if self.dice.permille(500) {
            self.crash(rival);
        }
        for host in 0..self.hosts.len() {
            self.hosts[host].wall_ahead_secs = 0;
            self.hosts[host].wall_changed_at = self.time;
            if host != rival {
                self.at(self.time + 3 * SECOND, Event::Boot(host));
            }
        }
        self.upgrade_all();
    }
}

impl Fault {
    const fn name(self) -> &'static str {
        match self {
            Self::Pause => "paused",
            Self::Mute => "mute",
            Self::Deaf => "deaf",
            Self::CutOff => "cut off",
            Self::Standing => "the watch stands",
            Self::Late => "the watch is late",
            Self::Broken => "the watch breaks",
            Self::Crash => "crash",
            Self::Leave => "leaves",
            Self::Clock => "wall clock",
            Self::Rival => "rival",
            Self::StoreDown => "store down",
        }
    }
}
