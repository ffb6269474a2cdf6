"""What Google refused, in our words: its errors translated in one place."""

import msgspec
from googleapiclient.errors import HttpError

from calbot.errors import (
    AlreadyExists,
    CalbotError,
    ChangedMeanwhile,
    Deleted,
    NotFound,
    Refused,
    RetryLater,
    SignInNeeded,
    StaleSyncToken,
    Uncertain,
)
from calbot.google.transport import asked_to_wait
from calbot.kinds import FailureReason


class _ErrorItem(msgspec.Struct):
    reason: str = ""


class _ErrorBody(msgspec.Struct):
    status: str = ""
    errors: tuple[_ErrorItem, ...] = ()


class _ErrorAnswer(msgspec.Struct):
    error: _ErrorBody


_LIMITS: dict[str, FailureReason] = {
    "rateLimitExceeded": "rate_limited",
    "userRateLimitExceeded": "quota_user",
    "quotaExceeded": "calendar_limits",
    "calendarUsageLimitsExceeded": "calendar_limits",
    "dailyLimitExceeded": "quota_project",
}


def reason_of(error: HttpError) -> str:
    """Return Google's own word for what is wrong; empty when somebody on the way answered."""
    try:
        answer = msgspec.json.decode(error.content, type=_ErrorAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return answer.error.errors[0].reason if answer.error.errors else answer.error.status


def translated(error: HttpError, *, write: bool) -> CalbotError:
    """Say in our words what Google refused: `errors[0].reason` decides, never the message (errors guide)."""
    status, reason = int(error.resp.status), reason_of(error)
    text = f"Google answered {status} {reason}".rstrip() + "."
    if reason in _LIMITS or status == 429:
        return RetryLater(text, _LIMITS.get(reason, "rate_limited"), _retry_after(error))
    match status:
        case 401 if reason.startswith("push."):
            return Refused(text, "forbidden")
        case 401:
            # The token was renewed just before: a sign-in that is dead fails there, so this one passes.
            return RetryLater("Google does not accept a token that it has just given.", "auth_expired")
        case 403 if reason == "insufficientPermissions":
            return SignInNeeded("The sign-in lacks the permission to use calendars.", "auth_revoked")
        case 404:
            return NotFound(text, "not_found")
        case 410 if reason in {"fullSyncRequired", "updatedMinTooLongAgo"}:
            return StaleSyncToken(text, "conflict")
        case 410:
            return Deleted(text, "not_found")
        case 412:
            return ChangedMeanwhile(text, "conflict")
        case 409 if reason == "duplicate":
            return AlreadyExists(text, "conflict")
        case 409:
            return RetryLater(text, "conflict")
        case _ if status >= 500 or status == 408:
            unsure = Uncertain if write else RetryLater
            return unsure(text, "upstream_5xx", _retry_after(error))
        case _ if not reason:  # Somebody on the way answered: Google itself gives a reason.
            return RetryLater(text, "upstream_5xx", _retry_after(error))
        case 403:
            return Refused(text, "forbidden")
        case _:
            return Refused(text, "invalid_request")


def _retry_after(error: HttpError) -> float | None:
    return asked_to_wait(error.resp.get("retry-after"))
