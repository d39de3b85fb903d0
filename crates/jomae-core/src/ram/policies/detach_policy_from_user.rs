//! `DetachPolicyFromUser` is [`Detach`](jomae_api::actions::ram::policies::attachments::Detach), handled in `attachments.rs`.
