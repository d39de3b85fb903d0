//! Every limit of the API, by name. Source: the pages of the actions, unless said otherwise.

use std::ops::RangeInclusive;

/// How far the caller's clock may be from ours (skew), in seconds, either way: 15 minutes.
pub const SKEW_SECS_MAX: u64 = 900;
/// Longest access key id, in bytes.
pub const ACCESS_KEY_ID_BYTES_MAX: usize = 128;
/// Longest nonce, in bytes; clients send 32 or 36.
pub const NONCE_BYTES_MAX: usize = 128;
/// Largest plaintext of Encrypt, in bytes (page "Encrypt": 6 KB).
pub const PLAINTEXT_BYTES_MAX: usize = jomae_crypto::envelope::PLAINTEXT_BYTES_MAX;
/// Largest ciphertext blob that Decrypt takes, in bytes: a full plaintext and generous room for the header.
pub const CIPHERTEXT_BYTES_MAX: usize = 8192;
/// Largest `EncryptionContext`, in characters of its JSON text (page "`EncryptionContext`").
pub const ENCRYPTION_CONTEXT_CHARS_MAX: usize = 8192;
/// Longest description, in characters (page "`CreateKey`").
pub const DESCRIPTION_CHARS_MAX: usize = 8192;
/// Days between `ScheduleKeyDeletion` and the destruction of the key.
pub const PENDING_WINDOW_DAYS: RangeInclusive<u32> = 7..=366;
/// Largest message that GenerateMac and the message-signing algorithms take, in bytes. No public source has a limit.
pub const MESSAGE_BYTES_MAX: usize = 6144;
/// Largest signature or public key that is looked at, in bytes.
pub const SIGNATURE_BYTES_MAX: usize = 8192;
/// Versions of one asymmetric key (page "CreateKeyVersion").
pub const ASYMMETRIC_VERSIONS_MAX: u32 = 50;
/// Largest key policy, in bytes.
pub const POLICY_BYTES_MAX: usize = 32_768;
/// Largest policy of an account, in bytes. The public service had 2048 for all but key policies in 2021 and has more now;
/// how much is not public, so that this and that of trust policies are our choice.
pub const RAM_POLICY_BYTES_MAX: usize = 6144;
/// Largest policy of one session, in bytes.
pub const SESSION_POLICY_BYTES_MAX: usize = 2048;
/// Largest trust policy of a role, in bytes.
pub const TRUST_POLICY_BYTES_MAX: usize = 4096;
/// What the policies that speak for one principal may cost to ask, in steps ([`crate::policy::Cost`]): of the user and
/// its groups, or of the role and the session. Checked when one is written or attached. Our choice, as the next two.
pub const POLICY_STEPS_MAX: u64 = 800_000;
/// What a key policy may cost, or the trust policy of a role.
pub const KEY_POLICY_STEPS_MAX: u64 = 200_000;
/// What one decision may cost, whatever was written: beyond it the answer is no. About a millisecond.
pub const DECISION_STEPS_MAX: u64 = POLICY_STEPS_MAX + KEY_POLICY_STEPS_MAX;
/// Keys named by one call of the tag actions.
pub const TAG_RESOURCES_MAX: usize = 50;
/// Rows of a page of ListTagResources.
pub const TAG_ROWS: usize = 200;
/// Seconds that an import token is valid.
pub const IMPORT_TOKEN_SECS: i64 = 86_400;
/// Largest wrapped key material, in bytes: a wrapped RSA-4096 private key with room.
pub const WRAPPED_MATERIAL_BYTES_MAX: usize = 8192;
/// Largest import token, in bytes.
pub const IMPORT_TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Seconds for which a ClientToken is remembered.
pub const CLIENT_TOKEN_SECS: i64 = 86_400;
/// Longest ClientToken, in characters.
pub const CLIENT_TOKEN_CHARS_MAX: usize = 64;
/// Length of a data key in bytes (`NumberOfBytes`).
pub const DATA_KEY_BYTES: RangeInclusive<u32> = 1..=1024;
/// Length of a data key when neither `KeySpec` nor `NumberOfBytes` is given.
pub const DATA_KEY_BYTES_DEFAULT: u32 = 32;
/// Rows of a page (one original rule: greater than 0 and less than 101).
pub const PAGE_SIZE: RangeInclusive<u32> = 1..=100;
/// Rows of a page if `PageSize` is not given.
pub const PAGE_SIZE_DEFAULT: u32 = 10;
/// Largest page number: beyond it no list can have rows.
pub const PAGE_NUMBER_MAX: u32 = 100_000_000;
/// Longest alias after `alias/`, in characters (the 2018 page; the current one counts the prefix in).
pub const ALIAS_CHARS: RangeInclusive<usize> = 1..=255;
/// Most entries of `Filters`.
pub const FILTERS_MAX: usize = 10;
/// Most values of one filter.
pub const FILTER_VALUES_MAX: usize = 10;
/// Characters of a text that keys are searched for.
pub const SEARCH_TEXT_CHARS: RangeInclusive<usize> = 1..=128;
/// Aliases of a key that a list with details shows.
pub const LISTED_ALIASES_MAX: usize = 5;
/// Most tags of one key (page "`CreateKey`").
pub const TAGS_MAX: usize = 20;
/// Length of the key of a tag, in characters.
pub const TAG_KEY_CHARS: RangeInclusive<usize> = 1..=128;
/// Longest value of a tag, in characters.
pub const TAG_VALUE_CHARS_MAX: usize = 128;
/// Automatic rotation interval in seconds: 7 to 730 days (page "`UpdateRotationPolicy`").
pub const ROTATION_INTERVAL_SECS: RangeInclusive<i64> = 7 * 86_400..=730 * 86_400;

/// Keys of an account, unless the operator says otherwise. Not documented for this API: ours.
pub const KEYS_PER_ACCOUNT: u32 = 100_000;
/// Aliases of an account, unless the operator says otherwise. Not documented for this API: ours.
pub const ALIASES_PER_ACCOUNT: u32 = 100_000;
/// Users of an account (page "Limitations" of RAM, as all RAM limits), unless the operator says otherwise.
pub const RAM_USERS_MAX: u32 = 5000;
/// Groups of an account, unless the operator says otherwise.
pub const RAM_GROUPS_MAX: u32 = 300;
/// Groups that one user is in.
pub const RAM_GROUPS_OF_USER_MAX: usize = 10;
/// Access keys of a user.
pub const RAM_ACCESS_KEYS_MAX: usize = 2;
/// Longest name of a user, group or role, in characters.
pub const RAM_NAME_CHARS: RangeInclusive<usize> = 1..=64;
/// Longest display name of a user, in characters.
pub const DISPLAY_NAME_CHARS: RangeInclusive<usize> = 1..=128;
/// Longest comments on a user or a group, in characters.
pub const COMMENTS_CHARS_MAX: usize = 128;
/// Longest mobile phone number, in digits with the hyphen after the country's.
pub const MOBILE_PHONE_CHARS: RangeInclusive<usize> = 3..=32;
/// Longest mail address, in bytes.
pub const EMAIL_BYTES_MAX: usize = 254;
/// Rows of a page of a RAM list.
pub const MAX_ITEMS: RangeInclusive<u32> = 1..=1000;
/// Rows of a page of a RAM list if `MaxItems` is not given.
pub const MAX_ITEMS_DEFAULT: u32 = 100;
/// Policies that an account can have beside those of the service (page "Limitations" of RAM), unless the operator says otherwise.
pub const RAM_POLICIES_MAX: u32 = 1500;
/// Length of the name of a policy, in characters (the same page).
pub const RAM_POLICY_NAME_CHARS: RangeInclusive<usize> = 1..=128;
/// Versions of one policy (the same page).
pub const RAM_POLICY_VERSIONS_MAX: usize = 5;
/// Policies of the service attached to one user, group or role (the same page).
pub const RAM_SYSTEM_POLICIES_ATTACHED_MAX: usize = 20;
/// Policies of the account attached to one user, group or role (the same page).
pub const RAM_CUSTOM_POLICIES_ATTACHED_MAX: usize = 10;
/// Roles of an account (the same page), unless the operator says otherwise.
pub const RAM_ROLES_MAX: u32 = 1000;
/// Longest description of a policy or role, in characters (pages "CreatePolicy", "CreateRole").
pub const RAM_DESCRIPTION_CHARS_MAX: usize = 1024;
/// Longest session of a role, in seconds (page "CreateRole").
pub const RAM_SESSION_SECS: RangeInclusive<u32> = 3600..=43_200;
/// Longest password of a user, in characters. The documentation names 32 at most; longer ones are better.
pub const PASSWORD_CHARS_MAX: usize = 128;
/// What an account may ask for as the shortest password, in characters (pages "SetPasswordPolicy", "Error messages" of RAM).
pub const PASSWORD_LENGTH: RangeInclusive<u32> = 8..=32;
/// Oldest password that an account may allow, in days (page "SetPasswordPolicy").
pub const PASSWORD_AGE_DAYS_MAX: u32 = 1095;
/// Passwords of a user that are remembered at most (the same page).
pub const PASSWORD_HISTORY_MAX: u32 = 24;
/// Wrong passwords within an hour that an account may allow at most (the same page).
pub const LOGIN_ATTEMPTS_MAX: u32 = 32;
/// Virtual MFA devices of an account (page "Limitations" of RAM).
pub const MFA_DEVICES_MAX: u32 = 1000;
/// Digits of a code of an MFA device.
pub const MFA_CODE_DIGITS: usize = 6;
/// Passkeys of a user.
pub const PASSKEYS_MAX: usize = 10;
/// Longest challenge of CreatePasskey, in characters: the sealed text with an origin of 270 characters.
pub const PASSKEY_CHALLENGE_CHARS_MAX: usize = 768;
/// Longest `clientDataJSON` that is read, in bytes.
pub const PASSKEY_CLIENT_DATA_BYTES_MAX: usize = 2048;
/// Longest attestation object that is read, in bytes. Without an attestation, one with an RSA key of 4096 bits and the
/// longest credential id has less than 2000.
pub const PASSKEY_ATTESTATION_BYTES_MAX: usize = 8192;
/// Longest name of an account, in characters.
pub const ACCOUNT_NAME_CHARS_MAX: usize = 64;
/// Session of a role, in seconds, whatever the role allows.
pub const STS_SESSION_SECS: RangeInclusive<u32> = 900..=43_200;
/// Length of a session unless another is asked for, in seconds.
pub const STS_SESSION_SECS_DEFAULT: u32 = 3600;
/// Name of a session, in characters.
pub const ROLE_SESSION_NAME_CHARS: RangeInclusive<usize> = 2..=64;
/// `ExternalId`, in characters.
pub const EXTERNAL_ID_CHARS: RangeInclusive<usize> = 2..=1224;
/// `SourceIdentity`, in characters.
pub const SOURCE_IDENTITY_CHARS: RangeInclusive<usize> = 2..=64;
/// Token of an identity provider, in characters (page "AssumeRoleWithOIDC").
pub const OIDC_TOKEN_CHARS: RangeInclusive<usize> = 4..=20_000;
/// Seconds that a look-up of events without a time range goes back.
pub const LOOKUP_RANGE_SECS_DEFAULT: i64 = 7 * 86_400;
/// Attributes of a look-up that count; more are ignored.
pub const LOOKUP_ATTRIBUTES_MAX: usize = 2;
/// Longest value of an attribute, in bytes: no recorded name is longer.
pub const LOOKUP_VALUE_BYTES_MAX: usize = 1024;
/// Events of a page: 0 stands for the default.
pub const LOOKUP_RESULTS: RangeInclusive<u32> = 0..=50;
/// Events of a page if `MaxResults` is not given.
pub const LOOKUP_RESULTS_DEFAULT: u32 = 20;

/// Longest `EncodedDiagnosticMessage`, in characters.
pub const DIAGNOSTIC_MESSAGE_CHARS_MAX: usize = 4096;
/// How long an `EncodedDiagnosticMessage` opens, in seconds.
pub const DIAGNOSTIC_MESSAGE_SECS: i64 = 24 * 60 * 60;
