"""One thin adapter for each official client: call(action, parameters) -> dict, or KmsError.

Parameters and answers carry wire names (`KeyId`), so that one table of behaviour runs through every client.
"""

# Name, module, options of the adapter. The 2.x client lives in an environment of its own.
CLIENTS = {
    "core-v1": ("clients.core", {}),
    "tea3-acs3": ("clients.tea", {}),
    "tea3-acs3-sm3": ("clients.tea", {"signature_algorithm": "ACS3-HMAC-SM3"}),
    "tea3-rpc-v1": ("clients.tea", {"signature_algorithm": "v2"}),
    "tea3-acs4": ("clients.tea", {"signature_version": "v4"}),
    "tea3-acs4-sm3": ("clients.tea", {"signature_version": "v4", "signature_algorithm": "ACS4-HMAC-SM3"}),
    "tea2-acs3": ("clients.tea", {}),
}
