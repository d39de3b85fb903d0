//! `GetCallerIdentity`: who am I?

use serde::Serialize;

use crate::{
    action::{Access, Action, ActionSpec, Class, Effect, Group, StateRule, Target},
    error::Refusal,
    param::Input,
};

pub struct GetCallerIdentity {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub account_id: String,
    /// Of a RAM user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Of a role session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_id: Option<String>,
    pub arn: String,
    /// `Account`, `RAMUser` or `AssumedRoleUser`.
    pub identity_type: &'static str,
    pub principal_id: String,
}

impl Action for GetCallerIdentity {
    type Output = Output;
    const SPEC: ActionSpec = ActionSpec {
        name: "GetCallerIdentity",
        group: Group::Sts,
        class: Class::Management,
        effect: Effect::Read,
        params: &[],
        output: &["AccountId", "UserId", "RoleId", "Arn", "IdentityType", "PrincipalId"],
        states: StateRule::ANY,
        errors: &[],
        doc: "Tells who the caller is. Needs a valid signature and no permission.",
        example: &[],
    };

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let _ = input;
        Ok(Self {})
    }

    fn access(&self) -> Access<'_> {
        Access::one("sts:GetCallerIdentity", Target::SignatureOnly)
    }
}
