//! `GetCallerIdentity`: who am I?

use crate::actions::prelude::*;

request! {
    pub struct GetCallerIdentity {}
}

answer! {
    pub struct Output {
        /// The account of the caller.
        account_id: String => "AccountId",
        /// Of a RAM user.
        user_id: Option<String> => "UserId",
        /// Of a role session.
        role_id: Option<String> => "RoleId",
        /// `acs:ram::<account>:root`, `…:user/<name>` or `…:assumed-role/<role>/<session>`.
        arn: String => "Arn",
        /// `Account`, `RAMUser` or `AssumedRoleUser`.
        identity_type: &'static str => "IdentityType",
        /// The account, the user's ID, or `<role-id>:<session>`.
        principal_id: String => "PrincipalId",
    }
}

impl Action for GetCallerIdentity {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "GetCallerIdentity",
        doc: "Tells who the caller is. Needs a valid signature and no permission.",
        ..ActionSpec::read(Group::Sts)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::SignatureOnly)
    }
}
