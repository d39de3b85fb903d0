"""Service actions and the errors that stand before any action."""


def test_regions(kms):
    regions = kms("DescribeRegions")["Regions"]["Region"]
    assert {"RegionId": kms.server.region} in regions


def test_account_status(kms):
    assert kms("DescribeAccountKmsStatus")["AccountStatus"] == "Enabled"


def test_missing_parameters(kms, key):
    kms.refused("DescribeKey", "MissingParameter", 400)
    kms.refused("Encrypt", "MissingParameter", 400, KeyId=key)
    kms.refused("Encrypt", "MissingParameter", 400, Plaintext="AAAA")
    kms.refused("Decrypt", "MissingParameter", 400)
    error = kms.refused("CreateAlias", "MissingParameter", 400, KeyId=key)
    assert 'The parameter "AliasName" is needed but not provided.' in error.message


def test_wrong_secret(kms):
    # The core client sees that its own string to sign was echoed and says which of the two was wrong.
    code = "InvalidAccessKeySecret" if kms.client_name == "core-v1" else "SignatureDoesNotMatch"
    kms.with_credentials(key_secret="not-the-secret").refused("DescribeRegions", code, 400)


def test_unknown_access_key(kms):
    kms.with_credentials(key_id="LTAI0000000000000000").refused("DescribeRegions", "InvalidAccessKeyId.NotFound", 404)


def test_every_call_has_a_request_id_of_its_own(kms):
    assert kms("DescribeRegions")["RequestId"] != kms("DescribeRegions")["RequestId"]
