"""What every behaviour test needs: a call, an expected refusal, a new key."""

import base64
import uuid

import pytest

from kms_error import KmsError

ABSENT_KEY = "00000000-0000-4000-8000-000000000000"


class Kms:
    def __init__(self, client_name, server, make_client):
        self.client_name = client_name
        self.server = server
        self.make_client = make_client
        self.client = make_client(client_name, server)

    def __call__(self, action, **parameters):
        """Calls the action; the answer always carries its request id."""
        answer = self.client.call(action, parameters)
        assert uuid.UUID(answer["RequestId"])
        assert "Code" not in answer, "a member Code makes one client take a success for an error"
        return answer

    def refused(self, action, code, status, /, **parameters):
        """Calls the action and checks that it is refused with this code and HTTP status."""
        return self.expect_refusal(code, status, lambda: self.client.call(action, parameters))

    def expect_refusal(self, code, status, call):
        with pytest.raises(KmsError) as caught:
            call()
        error = caught.value
        assert (error.code, error.status) == (code, status), str(error)
        assert uuid.UUID(error.request_id)
        return error

    def with_credentials(self, key_id=None, key_secret=None):
        """The same client under other credentials."""
        return Kms(
            self.client_name,
            self.server,
            lambda name, server: self.make_client(name, server, key_id, key_secret),
        )

    def create_key(self, **parameters):
        return self("CreateKey", **parameters)["KeyMetadata"]["KeyId"]

    def describe(self, key):
        return self("DescribeKey", KeyId=key)["KeyMetadata"]

    def encrypt(self, key, data, **parameters):
        return self("Encrypt", KeyId=key, Plaintext=b64(data), **parameters)["CiphertextBlob"]

    def decrypt(self, blob, **parameters):
        return unb64(self("Decrypt", CiphertextBlob=blob, **parameters)["Plaintext"])

    def all_rows(self, action, plural, singular, /, **parameters):
        """Every row of a paged list, page by page, checking the counters of each page."""
        rows, page = [], 1
        while True:
            answer = self(action, PageNumber=page, PageSize=100, **parameters)
            assert (answer["PageNumber"], answer["PageSize"]) == (page, 100)
            part = answer[plural][singular]
            rows += part
            if len(rows) >= answer["TotalCount"] or not part:
                assert len(rows) == answer["TotalCount"]
                return rows
            page += 1


def b64(data):
    return base64.b64encode(data).decode()


def unb64(text):
    return base64.b64decode(text, validate=True)


def new_alias():
    return f"alias/test/{uuid.uuid4().hex}"
