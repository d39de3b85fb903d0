use jomae_api::{
    actions::ram::policies::{
        decode_diagnostic_message::{
            AuthCondition, AuthPrincipal, DecodeDiagnosticMessage, Decoded, MatchedEffect, MatchedPolicy, Output,
        },
        params::{PolicyType, version_id},
    },
    denied::NoPermissionType,
};

use crate::{access::diagnosis, error::DenyingPolicy, prelude::*};

impl Handle<DecodeDiagnosticMessage> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        _: &mut Tx<'_>,
        granted: &Authorized<'_, DecodeDiagnosticMessage>,
    ) -> Result<Output> {
        let account = call.caller.account();
        let message = granted.action().message.as_deref();
        let diagnosis = message
            .and_then(|message| diagnosis::open(self.vault.keyring(), account, message))
            .ok_or(Refusal::DiagnosticMessageNotFound)?;
        if call.now.0 > diagnosis.expires() {
            return Err(Refusal::DiagnosticMessageExpired.into());
        }
        let condition = |condition_key, value| AuthCondition { condition_key, condition_values: Box::new([value]) };
        let auth_conditions = vec![
            condition("acs:CurrentTime", Timestamp(diagnosis.decided).to_string()),
            condition("acs:SecureTransport", "true".to_owned()),
            condition("acs:SourceIp", diagnosis.source_ip),
        ];
        let disclosed = diagnosis.disclosed;
        let decoded_diagnostic_message = Decoded {
            auth_action: diagnosis.permission,
            auth_resource: disclosed.resource,
            auth_principal: AuthPrincipal {
                auth_principal_type: diagnosis.principal_type,
                auth_principal_owner_id: account.to_string(),
                auth_principal_display_name: diagnosis.principal_name,
            },
            auth_conditions,
            explicit_deny: disclosed.how == NoPermissionType::Explicit,
            no_permission_policy_type: disclosed.by,
            matched_policies: disclosed.policy.into_iter().map(matched).collect(),
        };
        Ok(Output { decoded_diagnostic_message })
    }
}

fn matched(policy: DenyingPolicy) -> MatchedPolicy {
    MatchedPolicy {
        effect: MatchedEffect::Deny,
        policy_identifier: policy.name,
        policy_type: if policy.version.is_some() { PolicyType::Custom } else { PolicyType::System },
        policy_version: policy.version.map(version_id),
        attached_entity_type: policy.attached_to,
        attached_scope: "Account",
    }
}
