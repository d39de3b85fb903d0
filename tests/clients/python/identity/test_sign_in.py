"""Login profiles, passwords and virtual MFA devices through the official SDKs."""

import base64
import hmac
import time
import uuid

import pytest

from kms_error import KmsError

PASSWORD = "a-Long-passphrase-9"


def refused(code, call, *words, **parameters):
    with pytest.raises(KmsError) as caught:
        call(*words, **parameters)
    assert caught.value.code == code, caught.value


def code(seed, step):
    """What an authenticator app shows (RFC 6238)."""
    mac = hmac.digest(base64.b32decode(seed), step.to_bytes(8, "big"), "sha1")
    number = int.from_bytes(mac[mac[-1] & 15 :][:4], "big") & 0x7FFFFFFF
    return f"{number % 10**6:06}"


@pytest.fixture(params=["root", "old"])
def ram(request, first):
    """The same through both generations of the SDK."""
    return getattr(first, request.param).ram


@pytest.fixture
def user(ram):
    name = f"person-{uuid.uuid4().hex[:12]}"
    ram("CreateUser", UserName=name)
    return name


def test_login_profiles(ram, user):
    refused("EntityNotExist.User.LoginProfile", ram, "GetLoginProfile", UserName=user)
    refused("InvalidParameter.Password.TooWeak", ram, "CreateLoginProfile", UserName=user, Password="weak")
    made = ram("CreateLoginProfile", UserName=user, Password=PASSWORD, PasswordResetRequired=True)["LoginProfile"]
    assert (made["UserName"], made["PasswordResetRequired"], made["MFABindRequired"]) == (user, True, False)
    # Terraform changes a profile that is there already.
    refused("EntityAlreadyExists.User.LoginProfile", ram, "CreateLoginProfile", UserName=user, Password=PASSWORD)
    ram("UpdateLoginProfile", UserName=user, Password=f"{PASSWORD}9", PasswordResetRequired=False)
    assert ram("GetLoginProfile", UserName=user)["LoginProfile"]["PasswordResetRequired"] is False
    refused("DeleteConflict.User.LoginProfile", ram, "DeleteUser", UserName=user)
    refused("NotSupport.Account", ram, "ChangePassword", OldPassword=PASSWORD, NewPassword=f"{PASSWORD}x")
    ram("DeleteLoginProfile", UserName=user)
    ram("DeleteUser", UserName=user)


def test_virtual_mfa_devices(ram, user):
    made = ram("CreateVirtualMFADevice", VirtualMFADeviceName=user)["VirtualMFADevice"]
    serial, seed = made["SerialNumber"], made["Base32StringSeed"]
    assert serial.startswith("acs:ram::") and serial.endswith(f":mfa/{user}")
    assert base64.b64decode(made["QRCodePNG"]).startswith(b"\x89PNG")
    step = int(time.time()) // 30
    codes = {"AuthenticationCode1": code(seed, step - 1), "AuthenticationCode2": code(seed, step)}
    wrong = {"AuthenticationCode1": code(seed, step - 9), "AuthenticationCode2": code(seed, step - 8)}
    device = {"SerialNumber": serial, "UserName": user}
    refused("CheckAuthenticationCodeFail", ram, "BindMFADevice", **device, **wrong)
    ram("BindMFADevice", **device, **codes)
    assert ram("GetUserMFAInfo", UserName=user)["MFADevice"] == {"SerialNumber": serial, "Type": "VMFA"}
    rows = ram("ListVirtualMFADevices")["VirtualMFADevices"]["VirtualMFADevice"]
    assert [row["User"]["UserName"] for row in rows if row["SerialNumber"] == serial] == [user]
    refused("DeleteConflict.VirtualMFADevice.User", ram, "DeleteVirtualMFADevice", SerialNumber=serial)
    ram("UnbindMFADevice", UserName=user)
    ram("DeleteVirtualMFADevice", SerialNumber=serial)
    ram("DeleteUser", UserName=user)
