use jomae_api::actions::trail::{
    Token,
    lookup_events::{Event, LookupEvents, Output, UnansweredNode},
};

use crate::{
    audit::lookup::{OtherLog, Query, Unanswered, merge},
    prelude::*,
};

impl Handle<LookupEvents> for Kms {
    async fn handle(&self, call: &Call<'_>, _: &mut Tx<'_>, granted: &Authorized<'_, LookupEvents>) -> Result<Output> {
        let wanted = granted.action();
        let account = call.caller.account();
        let fingerprint = wanted.fingerprint(account);
        let token = wanted.next_token.as_ref();
        if token.is_some_and(|token| token.fingerprint != fingerprint) {
            return Err(Refusal::ParameterInvalid("NextToken").into());
        }
        let given = token.map(|token| token.range).or(wanted.range);
        let (from, to) = given.unwrap_or((Timestamp(call.now.0 - limits::LOOKUP_RANGE_SECS_DEFAULT), call.now));
        let query = Query {
            account: account.clone(),
            from,
            to,
            attributes: wanted.attributes.clone(),
            direction: wanted.direction,
            limit: wanted.max_results as usize,
            after: None,
        };
        let before = token.map(|token| token.after.clone()).unwrap_or_default();
        let own_name = self.vault.cluster().map_or("", |cluster| cluster.name().as_str());
        let own_query = Query { after: before.of(own_name), ..query.clone() };
        let own = self.audit.lookup(&own_query).await.map_err(Fault::unavailable)?;
        let others = match &self.other_logs {
            Some(logs) => logs.lookup(&self.vault, &query, &before).await?,
            None => Vec::new(),
        };
        let (mut logs, mut unanswered) = (vec![(own_name.to_owned(), own)], Vec::new());
        for OtherLog { node, page } in others {
            match page {
                Ok(page) => logs.push((node.to_string(), page)),
                Err(Unanswered { events }) => unanswered.push(UnansweredNode { node: node.to_string(), events }),
            }
        }
        let (lines, after) = merge((query.direction, query.limit), &before, logs);
        let event = |line: &String| {
            Event::new(line, call.format).ok_or_else(|| Fault::internal("a recorded event is no JSON text"))
        };
        Ok(Output {
            start_time: from,
            end_time: to,
            next_token: after.map(|after| Token { after, range: (from, to), fingerprint }.to_wire()),
            events: lines.iter().map(event).collect::<Result<_, _>>()?,
            unanswered_nodes: Some(unanswered).filter(|nodes| !nodes.is_empty()),
        })
    }
}
