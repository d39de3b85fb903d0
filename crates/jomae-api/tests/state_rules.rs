//! The state rules that actions declare, held against the table of key states.

use std::collections::BTreeMap;

use jomae_api::{
    action::{Api, StateRule},
    actions::ACTIONS,
    error::Refusal::{self, Disabled, PendingDeletion, PendingImport, StateModifiedFailed},
};

/// `keys.md`, "Key states": what Enabled, Disabled, `PendingDeletion` and `PendingImport` do to a call.
type Row = (&'static str, [Option<Refusal>; 4]);
const STATES: &[Row] = {
    const SMF: Option<Refusal> = Some(StateModifiedFailed);
    const RPD: Option<Refusal> = Some(PendingDeletion);
    const ANY: [Option<Refusal>; 4] = [None; 4];
    const CRYPTO: [Option<Refusal>; 4] = [None, Some(Disabled), RPD, Some(PendingImport)];
    &[
        ("Encrypt", CRYPTO),
        ("Decrypt", CRYPTO),
        ("GenerateDataKey", CRYPTO),
        ("GenerateDataKeyWithoutPlaintext", CRYPTO),
        ("CreateKeyVersion", CRYPTO),
        ("UpdateRotationPolicy", CRYPTO),
        ("DescribeKeyVersion", ANY),
        ("ListKeyVersions", ANY),
        ("ListResourceTags", ANY),
        ("TagResource", [None, None, RPD, None]),
        ("UntagResource", [None, None, RPD, None]),
        ("GetParametersForImport", ANY),
        ("ImportKeyMaterial", [None, None, SMF, None]),
        ("DeleteKeyMaterial", ANY),
        // Not in the published table: like their kin.
        ("ReEncrypt", CRYPTO),
        ("ExportDataKey", CRYPTO),
        ("GenerateAndExportDataKey", CRYPTO),
        ("AsymmetricEncrypt", CRYPTO),
        ("AsymmetricDecrypt", CRYPTO),
        ("AsymmetricSign", CRYPTO),
        ("AsymmetricVerify", CRYPTO),
        ("GenerateMac", CRYPTO),
        ("VerifyMac", CRYPTO),
        ("GetPublicKey", [None, None, None, Some(PendingImport)]),
        ("GetKeyPolicy", ANY),
        ("SetKeyPolicy", [None, None, RPD, None]),
        ("ListTagResources", ANY),
        ("TagResources", [None, None, RPD, None]),
        ("UntagResources", [None, None, RPD, None]),
        ("DescribeKey", ANY),
        ("ListKeys", ANY),
        ("ListAliases", ANY),
        ("ListAliasesByKeyId", ANY),
        ("DeleteAlias", ANY),
        ("UpdateKeyDescription", [None, None, RPD, None]),
        ("EnableKey", [None, None, SMF, SMF]),
        ("DisableKey", [None, None, SMF, SMF]),
        ("ScheduleKeyDeletion", [None, None, SMF, None]),
        ("CancelKeyDeletion", [SMF, SMF, None, SMF]),
        ("CreateAlias", [None, None, SMF, None]),
        ("UpdateAlias", [None, None, RPD, None]),
        ("SetDeletionProtection", [None, None, RPD, None]),
        // No key stands behind these.
        ("CreateKey", ANY),
        ("DescribeRegions", ANY),
        ("DescribeAccountKmsStatus", ANY),
        ("DescribeServer", ANY),
        ("OpenKmsService", ANY),
    ]
};

#[test]
fn state_rules_are_the_table() {
    let table: BTreeMap<_, _> = STATES.iter().copied().collect();
    assert_eq!(table.len(), STATES.len());
    for spec in ACTIONS {
        let StateRule { enabled, disabled, pending_deletion, pending_import } = spec.states;
        let rule = [enabled, disabled, pending_deletion, pending_import];
        if spec.api() != Api::Kms {
            assert_eq!(rule, [None; 4], "{}: only KMS has keys", spec.name);
            continue;
        }
        assert_eq!(Some(&rule), table.get(spec.name), "{}", spec.name);
    }
    assert_eq!(table.len(), ACTIONS.iter().filter(|spec| spec.api() == Api::Kms).count());
}
