//! What the programs of the bench share: measuring a process, counting latencies, making keys.

pub mod histogram;
pub mod keys;
pub mod process;
