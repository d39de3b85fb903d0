//! `ListPoliciesForUser` is [`ListPolicies`](jomae_api::actions::ram::policies::attachments::ListPolicies), handled in `attachments.rs`.
