"""Requests written by hand: RPC signature v1 and plain HTTP/1.1, to send what no official client would."""

import base64
import datetime
import hashlib
import hmac
import http.client
import json
import ssl
import urllib.parse
import uuid


def escape(text):
    """Percent-encoding of the signature: only letters, digits and - _ . ~ stay."""
    return urllib.parse.quote(text, safe="-_.~")


def now_text(offset_seconds=0):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset_seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Reply:
    """Status, headers and body of one answer."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def refused(self, code, status):
        """Checks that this is the JSON error `code` with this status, and a request id in body and header."""
        assert (self.status, self.json().get("Code")) == (status, code), self.body
        assert self.headers["Content-Type"].startswith("application/json")
        self.check_request_id()
        return self.json()

    def ok(self):
        assert self.status == 200, self.body
        assert self.headers["Content-Type"].lower().replace(" ", "") == "application/json;charset=utf-8"
        self.check_request_id()
        return self.json()

    def check_request_id(self):
        assert uuid.UUID(self.json()["RequestId"])
        assert self.headers["x-acs-request-id"] == self.json()["RequestId"]


class Rpc:
    """One signer with one endpoint; every request opens its own connection."""

    def __init__(self, server):
        self.server = server
        self.tls = ssl.create_default_context(cafile=server.ca_file)

    def parameters(self, action, **more):
        """The common parameters and those of the action; None takes one away."""
        parameters = {
            "Format": "JSON",
            "Version": "2016-01-20",
            "AccessKeyId": self.server.key_id,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": uuid.uuid4().hex,
            "Timestamp": now_text(),
            "Action": action,
        } | more
        return {name: value for name, value in parameters.items() if value is not None}

    def signed(self, method, parameters):
        """The parameters with their Signature."""
        canonical = "&".join(f"{escape(name)}={escape(parameters[name])}" for name in sorted(parameters))
        text = f"{method}&%2F&{escape(canonical)}"
        mac = hmac.new(f"{self.server.key_secret}&".encode(), text.encode(), hashlib.sha1)
        return parameters | {"Signature": base64.b64encode(mac.digest()).decode()}

    def send(self, method, target, body=None, headers=None, *, chunked=False, host=None):
        """Sends bytes as given and reads one answer."""
        address, _, port = self.server.endpoint.rpartition(":")
        connection = http.client.HTTPSConnection(address, int(port), timeout=30, context=self.tls)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", host or self.server.endpoint)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if chunked:
                connection.putheader("Transfer-Encoding", "chunked")
            elif body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body, encode_chunked=chunked)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def get(self, action, **parameters):
        return self.send("GET", "/?" + form(self.signed("GET", self.parameters(action, **parameters))))

    def post_query(self, action, **parameters):
        """Everything in the query of a POST without a body, as most clients do."""
        return self.send("POST", "/?" + form(self.signed("POST", self.parameters(action, **parameters))), b"")

    def post_form(self, action, **parameters):
        """Everything in the form body."""
        body = form(self.signed("POST", self.parameters(action, **parameters)))
        return self.send("POST", "/", body.encode(), FORM)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def form(parameters, *, blank="%20"):
    """name=value joined by &, blanks as asked."""
    return "&".join(f"{escape(name)}={escape(value)}" for name, value in parameters.items()).replace("%20", blank)
