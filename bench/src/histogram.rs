//! Latencies in fixed buckets.

/// Buckets per power of two: a value is known to within 1/64 of itself.
const STEPS: usize = 64;
const STEPS_LOG2: u32 = STEPS.trailing_zeros();
/// The largest exact value needs no more than this many powers of two: 2^40 ns is 18 minutes.
const POWERS: usize = 40;

/// Counts of values in nanoseconds, in buckets whose width grows with the value.
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; POWERS * STEPS], total: 0 }
    }
}

impl Histogram {
    /// Counts one value. Values above 18 minutes count as the largest bucket.
    pub fn record(&mut self, value_ns: u64) {
        let last = self.counts.len() - 1;
        if let Some(count) = self.counts.get_mut(bucket(value_ns).min(last)) {
            *count += 1;
            self.total += 1;
        }
    }

    /// Adds another histogram's counts.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
    }

    /// How many values were counted.
    pub fn len(&self) -> u64 {
        self.total
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The value in nanoseconds below or at which `per_mille` of 1000 values are; 0 if there are none.
    pub fn quantile_ns(&self, per_mille: u64) -> u64 {
        let rank = (self.total * per_mille).div_ceil(1000);
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank && *count > 0 {
                return upper_bound_ns(at);
            }
        }
        0
    }
}

/// Values below `STEPS` have a bucket each; above, each power of two has `STEPS` buckets.
fn bucket(value_ns: u64) -> usize {
    let power = (u64::BITS - value_ns.leading_zeros()).saturating_sub(STEPS_LOG2 + 1);
    let step = usize::try_from(value_ns >> power).unwrap_or(usize::MAX);
    (power as usize * STEPS).saturating_add(step)
}

/// The largest value that falls into a bucket.
fn upper_bound_ns(bucket: usize) -> u64 {
    let power = (bucket / STEPS).saturating_sub(1);
    let step = (bucket - power * STEPS) as u64;
    ((step + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_ends_where_the_next_begins() {
        for at in 0..(POWERS - 1) * STEPS {
            let end = upper_bound_ns(at);
            assert_eq!(bucket(end), at, "{end}");
            assert_eq!(bucket(end + 1), at + 1, "{end}");
        }
    }

    #[test]
    fn quantiles() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile_ns(500), 0);
        for value in 1..=1000 {
            histogram.record(value * 1000);
        }
        let mut twice = Histogram::default();
        twice.merge(&histogram);
        twice.merge(&histogram);
        assert_eq!(twice.len(), 2000);
        for (per_mille, exact) in [(1, 1000), (500, 500_000), (990, 990_000), (999, 999_000), (1000, 1_000_000)] {
            let value = twice.quantile_ns(per_mille);
            assert!((exact..=exact + exact / 64).contains(&value), "{per_mille}: {value}");
        }
        histogram.record(u64::MAX);
        assert_eq!(histogram.len(), 1001, "a value out of range is counted");
    }
}
