//! Moments and spans as people type them: `2026-11-27`, `2026-11-27T08:00:00Z`, Unix seconds, `90d`, `1h30m`.

use jiff::{Span, SpanRelativeTo, civil::Date, tz::Offset};
use jomae_api::time::Timestamp;
use jomae_server::gateway;

use crate::{args::Range, output::Failure};

/// What every help text of a time refers to.
const FORMS: &str = "a time is now, a date (2026-11-27), a moment (2026-11-27T08:00:00Z, or with an offset), Unix seconds, or a \
                     span such as 90d, 12h or 1h30m";

/// A moment that is past if it is given as a span: `1h` is an hour ago.
pub fn past(text: &str) -> Result<Timestamp, Failure> {
    moment(text, gateway::now(), -1)
}

/// A moment to come if it is given as a span: `90d` is in 90 days.
pub fn ahead(text: &str) -> Result<Timestamp, Failure> {
    moment(text, gateway::now(), 1)
}

/// The ends of a range, as far as they are given.
pub fn range(range: &Range) -> Result<(Option<Timestamp>, Option<Timestamp>), Failure> {
    let end = |text: &Option<String>| text.as_deref().map(past).transpose();
    Ok((end(&range.from)?, end(&range.until)?))
}

/// The length of a span in seconds.
pub fn seconds(text: &str) -> Result<i64, Failure> {
    let seconds = text.parse::<i64>().ok().or_else(|| span(text));
    seconds.filter(|seconds| *seconds >= 0).ok_or_else(|| {
        Failure::Usage(format!("{text:?} is no span of time: write seconds, or such as 90d, 12h or 1h30m"))
    })
}

fn moment(text: &str, now: Timestamp, direction: i64) -> Result<Timestamp, Failure> {
    let unix = || text.parse::<i64>().ok().filter(|seconds| *seconds >= 0);
    let instant = || text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
    // In UTC, as everything that the service shows.
    let day = || Some(Offset::UTC.to_timestamp(text.parse::<Date>().ok()?.at(0, 0, 0, 0)).ok()?.as_second());
    let relative = || now.0.checked_add(direction.checked_mul(span(text)?)?);
    (text == "now")
        .then_some(now.0)
        .or_else(unix)
        .or_else(instant)
        .or_else(day)
        .or_else(relative)
        .map(Timestamp)
        .ok_or_else(|| Failure::Usage(format!("{text:?} is no time: {FORMS}")))
}

fn span(text: &str) -> Option<i64> {
    let span: Span = text.parse().ok()?;
    Some(span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?.as_secs()).filter(|secs| *secs >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let now = Timestamp(1_800_000_000);
        let at = |text: &str, direction: i64| moment(text, now, direction).ok().map(|moment| moment.0 - now.0);
        for (text, secs) in [("1h", 3600), ("365d", 31_536_000), ("1h30m", 5400), ("2w", 1_209_600), ("0s", 0)] {
            assert_eq!((at(text, -1), at(text, 1)), (Some(-secs), Some(secs)), "{text}");
        }
        for text in ["2027-01-15", "2027-01-15T00:00:00Z", "2027-01-15T08:00:00+08:00", "1799971200"] {
            assert_eq!(at(text, -1), Some(-28_800), "{text}");
        }
        assert_eq!(at("now", -1), Some(0));
        for text in ["", "yesterday", "2026-13-01", "-1", "-1h", "1 year", "2026-11-27 8"] {
            assert_eq!(at(text, -1), None, "{text}");
        }
        assert_eq!(
            (seconds("90").ok(), seconds("1h").ok(), seconds("1 day").ok()),
            (Some(90), Some(3600), Some(86_400))
        );
        assert!(seconds("-1h").is_err() && seconds("soon").is_err());
    }
}
