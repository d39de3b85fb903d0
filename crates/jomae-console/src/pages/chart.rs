//! A chart of calls, drawn by the server, with the same numbers as a table beside it.

use maud::{Markup, html};

use crate::{Frame, frame::time};

/// Calls of one hour or day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// When it begins, as the API writes times.
    pub from: String,
    pub allowed: u64,
    pub refused: u64,
}

impl Bar {
    /// Bars that begin at these moments, in ascending order, with the calls that were made from each until the next. A
    /// call is its time and whether it was refused; one from before the first bar is left out.
    pub fn of<'a>(starts: Vec<String>, calls: impl Iterator<Item = (&'a str, bool)>) -> Vec<Self> {
        let mut bars: Vec<Self> = starts.into_iter().map(|from| Self { from, allowed: 0, refused: 0 }).collect();
        for (at, refused) in calls {
            // Texts of this form are in the order of their moments.
            let after = bars.partition_point(|bar| bar.from.as_str() <= at);
            if let Some(bar) = after.checked_sub(1).and_then(|index| bars.get_mut(index)) {
                if refused {
                    bar.refused += 1;
                } else {
                    bar.allowed += 1;
                }
            }
        }
        bars
    }
}

/// Height of the drawing, in its own units; each bar is [`STEP`] wide with its gap.
const HEIGHT: u64 = 120;
const STEP: usize = 20;

pub(super) fn chart(frame: &Frame<'_>, name: &str, bars: &[Bar]) -> Markup {
    let most = bars.iter().map(|bar| bar.allowed + bar.refused).max().unwrap_or_default().max(1);
    let height = |count: u64| count * HEIGHT / most;
    let view = format!("0 0 {} {HEIGHT}", bars.len() * STEP);
    let rows: Vec<Vec<Markup>> = bars
        .iter()
        .filter(|bar| bar.allowed + bar.refused > 0)
        .map(|bar| vec![time(&bar.from), html! { (bar.allowed) }, html! { (bar.refused) }])
        .collect();
    html! {
        svg.chart viewBox=(view) preserveAspectRatio="none" role="img" aria-label=(frame.t(name)) {
            @for (index, bar) in bars.iter().enumerate() {
                @let (good, bad) = (height(bar.allowed), height(bar.refused));
                rect.bar-good x=(index * STEP + 2) y=(HEIGHT - good) width=(STEP - 4) height=(good) {}
                rect.bar-bad x=(index * STEP + 2) y=(HEIGHT - good - bad) width=(STEP - 4) height=(bad) {}
            }
        }
        p.legend {
            span.key-good aria-hidden="true" {} (frame.t("event-done")) " "
            span.key-bad aria-hidden="true" {} (frame.t("event-refused"))
        }
        @if rows.is_empty() { p { (frame.t("chart-none")) } }
        @else {
            details {
                summary { (frame.t("chart-table")) }
                (frame.table(name, &["chart-from", "event-done", "event-refused"], &rows))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_fall_into_the_bar_that_has_begun() {
        let starts = ["2027-01-15T08:00:00Z", "2027-01-15T09:00:00Z"].map(str::to_owned).to_vec();
        let calls = [
            ("2027-01-15T07:59:59Z", false),
            ("2027-01-15T08:00:00Z", false),
            ("2027-01-15T08:59:59Z", true),
            ("2027-01-15T09:00:00Z", false),
            ("2027-01-16T00:00:00Z", false),
        ];
        let bars = Bar::of(starts, calls.into_iter());
        let counts: Vec<_> = bars.iter().map(|bar| (bar.allowed, bar.refused)).collect();
        assert_eq!(counts, [(1, 1), (2, 0)]);
    }
}
