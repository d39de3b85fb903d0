//! The pages about the service itself, for those whom the configuration names.

use jomae_api::time::Timestamp;
use jomae_console::pages::{self, Age, NoServer};
use jomae_core::error::Fault;
use serde_json::Value;

use super::{Visit, ask::Asker, reply::Page, sessions::Session};

const MINUTE_SECS: i64 = 60;
const HOUR_SECS: i64 = 3600;
const DAY_SECS: i64 = 86_400;

/// How long ago something was, in the largest unit of which there are two at least. What is to come is now: clocks differ.
fn age(made: Timestamp, now: Timestamp) -> Age {
    match now.0.saturating_sub(made.0).max(0) {
        secs if secs < 2 * HOUR_SECS => Age::Minutes(secs / MINUTE_SECS),
        secs if secs < 2 * DAY_SECS => Age::Hours(secs / HOUR_SECS),
        secs => Age::Days(secs / DAY_SECS),
    }
}

impl Visit<'_> {
    /// One of the pages: `settings`, `cluster` or `backups`.
    pub(super) async fn server(&self, session: &Session, asker: &mut Asker<'_>, which: &str) -> Page {
        let answer = match asker.ask("DescribeServer", Vec::new()).await {
            Ok(answer) => answer,
            Err(refusal) => {
                let is_other = refusal.code == jomae_api::error::Refusal::NotOperator.code();
                let why = if is_other { NoServer::OtherAccount } else { NoServer::Refused };
                return self.shown(session, asker, Some(&refusal), |frame| pages::no_server(frame, &why));
            }
        };
        self.shown(session, asker, None, |frame| match which {
            "cluster" => pages::cluster(frame, &answer),
            "backups" => {
                let made = answer.pointer("/Backup/Last/CreateTime").and_then(Value::as_str);
                let age = made.and_then(Timestamp::parse).map(|made| age(made, self.now));
                pages::backups(frame, &answer, age.as_ref())
            }
            _ => pages::settings(frame, &answer),
        })
    }

    /// Whether the pages are shown to the account of the session, if its policies let them be.
    pub(super) fn is_of_operator(&self, session: &Session) -> Result<bool, Fault> {
        let kms = &self.console.service.kms;
        let operators = kms.hosting.get().map(|hosting| &hosting.operators);
        operators.map_or(Ok(false), |operators| operators.include(&kms.vault.reading(), &session.caller.account))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_a_unit_that_fits() {
        let told = |secs: i64| match age(Timestamp(1_000_000_000), Timestamp(1_000_000_000 + secs)) {
            Age::Minutes(count) => (count, 'm'),
            Age::Hours(count) => (count, 'h'),
            Age::Days(count) => (count, 'd'),
        };
        for (secs, expected) in [
            (-5, (0, 'm')),
            (59, (0, 'm')),
            (7199, (119, 'm')),
            (7200, (2, 'h')),
            (2 * DAY_SECS - 1, (47, 'h')),
            (2 * DAY_SECS, (2, 'd')),
        ] {
            assert_eq!(told(secs), expected, "{secs}");
        }
    }
}
