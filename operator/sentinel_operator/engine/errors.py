"""What a request to the API server can end in, sorted by what the caller has to do about it."""

# ruff: noqa: N818 - the names are those of the outcomes, as they stand in `except` clauses
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sentinel_operator.core.plan import Failure, ObjectRef


class ApiError(Exception):
    """An answer other than success; `code` is 0 where no answer came."""

    def __init__(self, message: str, *, code: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason or type(self).__name__
        self.message = message


class Terminal(ApiError):
    """The same request can never succeed: it is invalid (400, 413, 422) or not allowed (403)."""


class NotFound(ApiError):
    """The object, its namespace or its API is not there (404)."""


class Conflict(ApiError):
    """Somebody else was faster, owns the field, or the object exists already (409)."""


class Gone(ApiError):
    """The resourceVersion or the continue token is too old (410): list again."""


class Retry(ApiError):
    """It may work later: throttled, a server's fault, or no connection. `after` is what the server asked for."""

    def __init__(self, message: str, *, code: int = 0, reason: str = "", after: float | None = None) -> None:
        super().__init__(message, code=code, reason=reason)
        self.after = after


class TooLate(ApiError):
    """The write was not sent: the time within which it may be is over."""


class NotLeader(Exception):
    """The write was not sent: this process does not hold a valid lease."""


class SubjectGone(Exception):
    """The object that the pass is about does not exist any more, or is being deleted."""


class StepFailed(Exception):
    """A step of a plan did not happen; `cause` says why."""

    def __init__(self, ref: ObjectRef, cause: ApiError) -> None:
        super().__init__(f"{ref}: {cause}")
        self.ref, self.cause = ref, cause

    @property
    def failure(self) -> Failure:
        """Says it in the words of core."""
        cause = self.cause
        return Failure(self.ref, cause.code, cause.reason, cause.message, terminal=isinstance(cause, Terminal))


_BY_CODE: Mapping[int, type[ApiError]] = {404: NotFound, 409: Conflict, 410: Gone}
_TERMINAL = frozenset({400, 403, 405, 406, 413, 415, 422})
_LONGEST_RETRY_AFTER = 300.0


def api_error(code: int, status: Mapping[str, Any], retry_after: str | None) -> ApiError:
    """Maps a failed answer; `status` is the body, a `v1.Status` where the API server itself answered."""
    reason = str(status.get("reason") or "")
    message = str(status.get("message") or reason or f"HTTP {code}")
    if code in _TERMINAL:
        return Terminal(message, code=code, reason=reason)
    if code in _BY_CODE:
        return _BY_CODE[code](message, code=code, reason=reason)
    return Retry(message, code=code, reason=reason, after=seconds_to_wait(retry_after))


def seconds_to_wait(retry_after: str | None) -> float | None:
    """Reads a Retry-After header in seconds, bounded; a date, which the API server never sends, is ignored."""
    try:
        return min(_LONGEST_RETRY_AFTER, max(0.0, float(retry_after))) if retry_after else None
    except ValueError:
        return None
