//! A chart of calls, drawn by the server, with the same numbers as a table beside it.

use std::fmt::Write as _;

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
    chart_with_links(frame, name, bars, None)
}

/// The same; each bar with calls leads to where `link` says, in the drawing and in the table. A link in a drawing has its
/// number of calls as its name.
pub(super) fn chart_with_links(
    frame: &Frame<'_>,
    name: &str,
    bars: &[Bar],
    link: Option<&dyn Fn(usize) -> String>,
) -> Markup {
    let most = bars.iter().map(|bar| bar.allowed + bar.refused).max().unwrap_or_default().max(1);
    let height = |count: u64| count * HEIGHT / most;
    let view = format!("0 0 {} {HEIGHT}", bars.len() * STEP);
    let rows: Vec<Vec<Markup>> = bars
        .iter()
        .enumerate()
        .filter(|(_, bar)| bar.allowed + bar.refused > 0)
        .map(|(index, bar)| {
            let from = match link {
                Some(link) => html! { a href=(link(index)) { (time(&bar.from)) } },
                None => time(&bar.from),
            };
            vec![from, html! { (bar.allowed) }, html! { (bar.refused) }]
        })
        .collect();
    let drawn = |index: usize, bar: &Bar| {
        let (good, bad) = (height(bar.allowed), height(bar.refused));
        html! {
            rect.bar-good x=(index * STEP + 2) y=(HEIGHT - good) width=(STEP - 4) height=(good) {}
            rect.bar-bad x=(index * STEP + 2) y=(HEIGHT - good - bad) width=(STEP - 4) height=(bad) {}
        }
    };
    let named = |bar: &Bar| {
        let (allowed, refused) = (bar.allowed.to_string(), bar.refused.to_string());
        frame.t_with("bar-label", &[("from", &bar.from), ("allowed", &allowed), ("refused", &refused)])
    };
    // A drawing is one picture, a drawing with links is not.
    let role = if link.is_some() { "group" } else { "img" };
    html! {
        svg.chart viewBox=(view) preserveAspectRatio="none" role=(role) aria-label=(frame.t(name)) {
            @for (index, bar) in bars.iter().enumerate() {
                @match link.filter(|_| bar.allowed + bar.refused > 0) {
                    Some(link) => a href=(link(index)) aria-label=(named(bar)) {
                        // As high as the drawing, so that a small bar is met as well.
                        rect.bar-whole x=(index * STEP) y="0" width=(STEP) height=(HEIGHT) {}
                        (drawn(index, bar))
                    },
                    None => (drawn(index, bar)),
                }
            }
        }
        (legend(frame))
        @if rows.is_empty() { p { (frame.t("chart-none")) } }
        @else {
            details {
                summary { (frame.t("chart-table")) }
                (frame.table(name, &["chart-from", "event-done", "event-refused"], &rows))
            }
        }
    }
}

/// Calls of one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerMinute {
    pub allowed: u64,
    pub refused: u64,
}

/// The calls of each minute of some hours, the last of which may have begun only.
pub struct Minutes {
    /// When the first hour begins, and each that follows, as the API writes times.
    pub hours: Vec<String>,
    /// From the first hour on, to now.
    pub minutes: Vec<PerMinute>,
}

const MINUTES_OF_HOUR: usize = 60;
/// Minutes that are drawn as one: the busiest of them, so that no peak is lost.
const DRAWN_TOGETHER: usize = 5;

/// A chart of calls per minute, with the hours as a table beside it.
pub(super) fn minutes(frame: &Frame<'_>, name: &str, of: &Minutes) -> Markup {
    let total = |minute: &PerMinute| minute.allowed + minute.refused;
    let most = of.minutes.iter().map(total).max().unwrap_or_default();
    let drawn: Vec<PerMinute> =
        of.minutes.chunks(DRAWN_TOGETHER).filter_map(|some| some.iter().copied().max_by_key(total)).collect();
    let drawn_max = of.hours.len() * MINUTES_OF_HOUR / DRAWN_TOGETHER;
    let outline = |height: &dyn Fn(&PerMinute) -> u64| {
        let mut path = format!("M0 {HEIGHT}");
        for (at, minute) in drawn.iter().enumerate() {
            let from_top = HEIGHT - height(minute) * HEIGHT / most.max(1);
            let _ = write!(path, "V{from_top}H{}", at + 1);
        }
        path + &format!("V{HEIGHT}Z")
    };
    let rows = of.hours.iter().zip(of.minutes.chunks(MINUTES_OF_HOUR)).filter_map(|(hour, minutes)| {
        let (allowed, refused): (u64, u64) =
            minutes.iter().fold((0, 0), |(allowed, refused), of| (allowed + of.allowed, refused + of.refused));
        let most = minutes.iter().map(total).max().unwrap_or_default();
        (most > 0).then(|| vec![time(hour), html! { (allowed) }, html! { (refused) }, html! { (most) }])
    });
    let rows: Vec<Vec<Markup>> = rows.collect();
    html! {
        svg.chart viewBox={ "0 0 " (drawn_max) " " (HEIGHT) } preserveAspectRatio="none" role="img"
            aria-label=(frame.t(name)) {
            // The refusals stand on top, so they are what is left of the whole.
            path.bar-bad d=(outline(&total)) {}
            path.bar-good d=(outline(&|minute| minute.allowed)) {}
        }
        (legend(frame))
        p id="busiest" { (frame.t_with("minutes-most", &[("count", &most.to_string())])) }
        @if rows.is_empty() { p { (frame.t("chart-none")) } }
        @else {
            details {
                summary { (frame.t("minutes-table")) }
                (frame.table(name, &["chart-from", "event-done", "event-refused", "minutes-busiest"], &rows))
            }
        }
    }
}

fn legend(frame: &Frame<'_>) -> Markup {
    html! {
        p.legend {
            span.key-good aria-hidden="true" {} (frame.t("event-done")) " "
            span.key-bad aria-hidden="true" {} (frame.t("event-refused"))
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

    #[test]
    fn the_busiest_minute_of_five_is_drawn_and_the_hours_add_up() {
        let texts = crate::Texts::of(crate::Lang::English);
        let frame = Frame { texts, visitor: None, path: "/", calls: &[], done: None, refusal: None };
        let of = |allowed, refused| PerMinute { allowed, refused };
        let mut all = vec![of(0, 0); 65];
        (all[1], all[3], all[64]) = (of(2, 1), of(10, 2), of(6, 0));
        let hours = ["2027-01-15T08:00:00Z", "2027-01-15T09:00:00Z"].map(str::to_owned).to_vec();
        let page = minutes(&frame, "overview-calls", &Minutes { hours, minutes: all }).into_string();
        // Of 12 calls in the busiest minute all 120 units, of 6 the half.
        assert!(page.contains(r#"d="M0 120V0H1V120H2"#) && page.contains("V60H13V120Z"), "{page}");
        assert!(page.contains(r#"d="M0 120V20H1V120H2"#), "{page}");
        assert!(page.contains("<td>12</td><td>3</td><td>12</td>") && page.contains("<td>6</td><td>0</td><td>6</td>"));
    }
}
