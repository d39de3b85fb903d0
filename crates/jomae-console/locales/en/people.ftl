### Texts of the console in English.

## People
people-about = RAM users of this account: one for each person or program.
users = RAM users
users-none = There are no users yet.
create-user = Create user
user-title = User { $name }
user-name = User name
user-name-about = Letters, digits and . _ - .
user-display-name = Display name
user-comments = Comments
user-created = Created
user-events = Events of this user
access-keys = AccessKey pairs
access-keys-none = The user has no AccessKey pair.
access-key-id = AccessKey ID
access-key-secret = AccessKey Secret
access-key-status = Status
access-key-created = Created
access-key-active = Active
access-key-inactive = Inactive
access-key-new = New AccessKey pair
access-key-new-about = The secret is shown this once. Hand it over by a safe way.
create-access-key = Create AccessKey pair
policies = Policies
policies-none = The user has no policy, and so may do nothing.
policies-about = To give a right on a key, open the key.
detach = Take away
command-line = From the command line
command-line-about = With an AccessKey pair, the user decrypts like this.

## Parts of the area
people-nav = People and rights
list-start = Start of the list
yes = Yes
no = No
attach = Attach policy

## Users
access-key-age = Age
access-key-last-used = Last use
access-key-never-used = Never used
access-key-change = Switch on, switch off, delete
access-keys-about = Replace an AccessKey pair before it grows old: create a second one, switch to it, switch the first one off, and delete it when nothing misses it.
login = Sign-in with a password
login-none = The user cannot sign in with a password.
login-unknown = You may not see whether the user has a password.
login-since = Since
login-password = Password
login-password-about = At least 8 characters, or what the rules of the account ask for. It is kept as a hash and shown nowhere.
login-reset = Has to choose another password at the next sign-in
login-mfa = Has to bind an MFA device
login-set = Set a password
login-change = Set another password
login-remove = Remove the password
user-groups-none = The user is in no group.
group-join = Put into group
group-leave = Take out of group
delete-user = Delete user
delete-user-about = Policies, groups, AccessKey pairs and the password have to be taken away first. A deleted user cannot be brought back.
simulate-this = What may it do?

## Groups
groups = Groups
groups-about = The policies of a group hold for every user in it.
groups-none = There are no groups yet.
group-title = Group { $name }
group-name = Group name
group-name-about = Letters, digits and . _ - .
create-group = Create group
delete-group = Delete group
delete-group-about = Members and policies have to be taken away first.
group-policies-none = The group has no policy, and so gives no rights.
members = Members
members-none = The group has no members.
members-more = There are more members. The command line lists them all.
member-since = Member since
member-add = Add member
member-remove = Remove

## Roles
roles = Roles
roles-about = A role has no credential of its own: whoever its trust policy accepts can assume it for a time.
roles-none = There are no roles yet.
role-title = Role { $name }
role-name = Role name
role-name-about = Letters, digits and - .
role-description = Description
role-duration = Longest session, in seconds
role-duration-about = 3600 to 43200.
role-arn = Full name (ARN)
role-trust = Who may assume it
role-trust-about = The trust policy decides. A change counts at once, for sessions that have begun too.
role-policies-none = The role has no policy, and so may do nothing.
trust-policy = Trust policy
trust-save = Save trust policy
create-role = Create role
delete-role = Delete role
delete-role-about = Policies have to be taken away first. Its sessions end at once.

## What was done to them
done-access-key-enabled = The AccessKey pair is active again.
done-access-key-disabled = The AccessKey pair is switched off. Calls signed with it are refused from now on.
done-access-key-deleted = The AccessKey pair was deleted.
done-attached = The policy was attached.
done-login-set = The user can sign in with this password. Hand it over by a safe way.
done-login-changed = The password was changed. The sessions of the user have ended.
done-login-removed = The password was removed.
done-user-deleted = The user was deleted.
done-group-created = The group was created.
done-group-deleted = The group was deleted.
done-member-added = The user is in the group.
done-member-removed = The user is no longer in the group.
done-role-created = The role was created.
done-role-deleted = The role was deleted.
done-trust-saved = The trust policy is saved and in force.

## Refusals
error-EntityNotExist-Group = There is no such group.
error-EntityNotExist-Role = There is no such role.
error-EntityNotExist-User-AccessKey = There is no such AccessKey pair.
error-EntityNotExist-User-Group = The user is not in this group.
error-EntityNotExist-User-LoginProfile = The user has no password.
error-EntityAlreadyExists-Group = There is a group of this name already.
error-EntityAlreadyExists-Role = There is a role of this name already.
error-EntityAlreadyExists-User-Group = The user is in this group already.
error-EntityAlreadyExists-User-LoginProfile = The user has a password already. Set another one.
error-DeleteConflict-User-Group = The user is still in a group. Take it out first.
error-DeleteConflict-User-AccessKey = The user still has an AccessKey pair. Delete it first.
error-DeleteConflict-User-Policy = The user still has a policy. Take it away first.
error-DeleteConflict-User-LoginProfile = The user still has a password. Remove it first.
error-DeleteConflict-User-MFADevice = The user still has an MFA device. Unbind it first.
error-DeleteConflict-Group-User = The group still has members. Take them out first.
error-DeleteConflict-Group-Policy = The group still has a policy. Take it away first.
error-DeleteConflict-Role-Policy = The role still has a policy. Take it away first.
error-InvalidParameter-UserName-InvalidChars = The user name has a character that it may not have. Use letters, digits and . _ - .
error-InvalidParameter-UserName-Length = The user name is too long.
error-InvalidParameter-DisplayName-InvalidChars = The display name has a character that it may not have. Use letters, digits, blanks and . @ _ - .
error-InvalidParameter-DisplayName-Length = The display name is too long.
error-InvalidParameter-Comments-Length = The comments are too long.
error-InvalidParameter-GroupName-InvalidChars = The group name has a character that it may not have. Use letters, digits and . _ - .
error-InvalidParameter-GroupName-Length = The group name is too long.
error-InvalidParameter-RoleName-InvalidChars = The role name has a character that it may not have. Use letters, digits and - .
error-InvalidParameter-RoleName-Length = The role name is too long.
error-InvalidParameter-Description-Length = The description is too long.
error-InvalidParameter-Password-TooWeak = The password does not keep the rules of the account. Take a longer one, or more kinds of characters.
error-LimitExceeded-User = The account has as many users as it may.
error-LimitExceeded-Group = The account has as many groups as it may.
error-LimitExceeded-Role = The account has as many roles as it may.
error-LimitExceeded-User-Group = The user is in as many groups as it may.
error-LimitExceeded-User-AccessKey = The user has two AccessKey pairs. Delete one first.
