//! `AttachPolicyToRole` is [`Attach`](jomae_api::actions::ram::policies::attachments::Attach), handled in `attachments.rs`.
