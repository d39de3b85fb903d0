//! `ListEntitiesForPolicy`: who has a policy.

use crate::actions::{
    prelude::*,
    ram::policies::params::{POLICY_NAME, POLICY_TYPE, PolicyRef},
};

request! {
    pub struct ListEntitiesForPolicy {
        policy: PolicyRef = required POLICY_TYPE and required POLICY_NAME => PolicyRef::parse,
    }
}

answer! {
    pub struct Output {
        /// Users with the policy.
        users: List<UserRow> => "Users",
        /// Groups with the policy.
        groups: List<GroupRow> => "Groups",
        /// Roles with the policy.
        roles: List<RoleRow> => "Roles",
    }

    pub struct UserRow as "User" {
        /// ID of the user.
        user_id: String => "UserId",
        /// Name of the user.
        user_name: String => "UserName",
        /// The name for people.
        display_name: String => "DisplayName",
        /// When the policy was attached.
        attach_date: Timestamp => "AttachDate",
    }

    pub struct GroupRow as "Group" {
        /// Name of the group.
        group_name: String => "GroupName",
        /// Notes.
        comments: String => "Comments",
        /// When the policy was attached.
        attach_date: Timestamp => "AttachDate",
    }

    pub struct RoleRow as "Role" {
        /// ID of the role: 18 digits, which no other role ever has.
        role_id: String => "RoleId",
        /// Name of the role.
        role_name: String => "RoleName",
        /// Full name of the role, with its name as it was given.
        arn: String => "Arn",
        /// What it is for.
        description: String => "Description",
        /// When the policy was attached.
        attach_date: Timestamp => "AttachDate",
    }
}

impl Action for ListEntitiesForPolicy {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ListEntitiesForPolicy",
        errors: &[Refusal::PolicyNotFound],
        doc: "Lists the users, groups and roles that a policy is attached to.",
        example: &[("PolicyType", "Custom"), ("PolicyName", "encrypt-only")],
        ..ActionSpec::read(Group::Policies)
    };

    fn access(&self) -> Access<'_> {
        Self::on(self.policy.target())
    }
}
