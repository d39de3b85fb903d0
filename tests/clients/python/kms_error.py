"""The one exception that every adapter raises."""


class KmsError(Exception):
    """A refused call, with what the official client reported of it."""

    def __init__(self, code, status, request_id, message):
        super().__init__(f"{code} ({status}): {message} [{request_id}]")
        self.code = code
        self.status = status
        self.request_id = request_id
        self.message = message
