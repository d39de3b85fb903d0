//! Every action's `parse`, on one request.
//!
//! Input: a query. An action may ask only for what it declares, and a refusal names only what it declares.

#![no_main]

use std::cell::RefCell;

use jomae_api::action::Action;
use jomae_api::param::Input;
use jomae_api::wire::Params;
use libfuzzer_sys::fuzz_target;

fn parse<A: Action>(params: &Params<'_>) {
    let declared = |name: &str| A::SPEC.params.iter().find(|used| used.param.name() == name);
    let asked = RefCell::new(Vec::new());
    let outcome = A::parse(Input::recording(params, &asked));
    for (name, required) in asked.take() {
        // An optional parameter may be required beside the value of another one; never the other way round.
        assert!(declared(name).is_some_and(|used| required || !used.required), "{} asks for {name}", A::SPEC.name);
    }
    match outcome {
        Ok(action) => {
            let needs = action.access().iter().count();
            assert!((1..=3).contains(&needs));
            for used in A::SPEC.params.iter().filter(|used| used.required) {
                assert!(params.get(used.param.name()).is_some(), "{} without {}", A::SPEC.name, used.param.name());
            }
        }
        Err(refusal) => {
            assert!(refusal.parameter().is_none_or(|name| declared(name).is_some()), "{}: {refusal:?}", A::SPEC.name);
            assert!((400..600).contains(&refusal.status()));
        }
    }
}

macro_rules! parse_all {
    ($($($part:ident)::+),* $(,)?) => {
        fuzz_target!(|query: &str| {
            let Ok(params) = Params::parse(query, None) else { return };
            $(parse::<jomae_api::actions::$($part)::+>(&params);)*
        });
    };
}
jomae_api::for_each_action!(parse_all);
