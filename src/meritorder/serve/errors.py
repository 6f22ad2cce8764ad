"""What a client is told when the gateway itself can't give it an answer."""

from __future__ import annotations

import orjson

# HTTP status -> (OpenAI's error type, Anthropic's error type)
_TYPES = {
    400: ("invalid_request_error", "invalid_request_error"),
    401: ("authentication_error", "authentication_error"),
    402: ("insufficient_quota", "billing_error"),
    403: ("permission_error", "permission_error"),
    404: ("not_found_error", "not_found_error"),
    405: ("invalid_request_error", "invalid_request_error"),
    408: ("timeout_error", "timeout_error"),
    413: ("invalid_request_error", "request_too_large"),
    415: ("invalid_request_error", "invalid_request_error"),
    429: ("rate_limit_error", "rate_limit_error"),
    431: ("invalid_request_error", "request_too_large"),
    500: ("server_error", "api_error"),
    502: ("server_error", "api_error"),
    503: ("server_error", "overloaded_error"),
    504: ("timeout_error", "timeout_error"),
}


class Refused(Exception):
    """A request that the gateway answers itself: HTTP status, a code for programs, words for people.

    `retry_after_s`: when it may be tried again; sent as Retry-After in whole seconds, rounded up.
    """

    def __init__(self, status: int, code: str, message: str, *, param: str | None = None, retry_after_s: float = 0.0):
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s

    def body(self, request_id: str, *, anthropic: bool = False) -> bytes:
        """The error as OpenAI's API would write it, or Anthropic's."""
        ours, theirs = _TYPES[self.status]
        if anthropic:
            error = {"type": theirs, "message": self.message}
            return orjson.dumps({"type": "error", "error": error, "request_id": request_id})
        return orjson.dumps(
            {
                "error": {
                    "message": self.message,
                    "type": ours,
                    "param": self.param,
                    "code": self.code,
                    "request_id": request_id,
                }
            }
        )
