//! What a process has used, as Linux tells it (proc(5)).

use std::{fs, io};

/// Unit of the CPU times in `/proc/PID/stat`, fixed in the Linux ABI of every platform Rust runs on: 1/100 s.
const TICK_US: u64 = 10_000;
/// Places of `utime` and `stime` behind the command name, which may hold blanks itself.
const UTIME: usize = 11;
const STIME: usize = 12;

/// CPU time and memory of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// User and system time of all its threads since it started, in microseconds, in steps of 10 ms.
    pub cpu_us: u64,
    /// Resident now, in KiB.
    pub rss_kib: u64,
    /// The most that was ever resident, in KiB.
    pub peak_kib: u64,
}

impl Usage {
    /// Reads it. An error if there is no such process.
    pub fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        Self::parse(&stat, &status).ok_or_else(|| io::Error::other(format!("/proc/{pid} is in no known form")))
    }

    fn parse(stat: &str, status: &str) -> Option<Self> {
        let (_, behind_name) = stat.rsplit_once(')')?;
        let fields: Vec<_> = behind_name.split_ascii_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.parse().ok()
        };
        Some(Self {
            cpu_us: (ticks(UTIME)? + ticks(STIME)?) * TICK_US,
            rss_kib: kib("VmRSS:")?,
            peak_kib: kib("VmHWM:")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 90 0 0 0 250 50 9 9 20 0 3 0 100 0 0";
        let status = "Name:\ta) b (c\nVmPeak:\t  99 kB\nVmHWM:\t    4321 kB\nVmRSS:\t    1234 kB\n";
        let usage = Usage { cpu_us: 3_000_000, rss_kib: 1234, peak_kib: 4321 };
        assert_eq!(Usage::parse(stat, status), Some(usage));
        assert_eq!(Usage::parse(stat, ""), None);
        assert_eq!(Usage::parse("", status), None);
    }

    #[test]
    fn this_process() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.rss_kib > 0 && usage.peak_kib >= usage.rss_kib);
    }
}
