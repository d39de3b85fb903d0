use jomae_api::actions::trail::{
    Token,
    lookup_events::{Event, LookupEvents, Output},
};

use crate::{audit::lookup::Query, prelude::*};

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
            after: token.map(|token| token.after),
        };
        let page = self.audit.lookup(&query).await.map_err(Fault::unavailable)?;
        let event = |line: &String| {
            Event::new(line, call.format).ok_or_else(|| Fault::internal("a recorded event is no JSON text"))
        };
        Ok(Output {
            start_time: from,
            end_time: to,
            next_token: page.next.map(|after| Token { after, range: (from, to), fingerprint }.to_wire()),
            events: page.events.iter().map(event).collect::<Result<_, _>>()?,
        })
    }
}
