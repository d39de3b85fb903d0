//! What the load generator and the bare server share: measuring a process and counting latencies.

pub mod histogram;
pub mod process;
