"""Google's refusals, word for word as its errors guide gives them."""

from tests.google_server.values import Doc


class Refusal(Exception):
    """A call that Google refuses, with all that its error body needs."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        domain: str = "global",
        location: str = "",
        location_type: str = "parameter",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.domain = domain
        self.location = location
        self.location_type = location_type
        self.headers = headers or {}

    def document(self) -> Doc:
        """The JSON body of this refusal."""
        detail: Doc = {"domain": self.domain, "reason": self.reason, "message": self.message}
        if self.location:
            detail["locationType"] = self.location_type
            detail["location"] = self.location
        return {"error": {"errors": [detail], "code": self.status, "message": self.message}}


def invalid(message: str, location: str = "") -> Refusal:
    return Refusal(400, "invalid", message, location=location)


def bad_value(name: str, value: str) -> Refusal:
    return Refusal(400, "invalidParameter", f"Invalid value '{value}'.", location=name)


def required(message: str) -> Refusal:
    return Refusal(400, "required", message)


def parse_error() -> Refusal:
    return Refusal(400, "parseError", "Parse Error")


def time_range_empty() -> Refusal:
    return Refusal(400, "timeRangeEmpty", "The specified time range is empty.", domain="calendar", location="timeMax")


def event_type_restriction(kind: str) -> Refusal:
    message = f"Attempt made to modify '{kind}' event in a way that is not valid for this event type."
    return Refusal(400, "eventTypeRestriction", message, domain="calendar")


def neither_organizer_nor_attendee() -> Refusal:
    message = "The owner of the calendar must either be the organizer or an attendee of an event that is imported."
    return Refusal(400, "participantIsNeitherOrganizerNorAttendee", message, domain="calendar")


def wrong_credentials() -> Refusal:
    return Refusal(
        401,
        "authError",
        "Invalid Credentials",
        location="Authorization",
        location_type="header",
        headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'},
    )


def login_required() -> Refusal:
    return Refusal(
        401,
        "required",
        "Login Required.",
        location="Authorization",
        location_type="header",
        headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"'},
    )


def insufficient_scope() -> Refusal:
    return Refusal(
        403,
        "insufficientPermissions",
        "Insufficient Permission",
        headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="insufficient_scope"'},
    )


def writer_needed() -> Refusal:
    message = "You need to have writer access to this calendar."
    return Refusal(403, "requiredAccessLevel", message, domain="calendar")


def forbidden() -> Refusal:
    return Refusal(403, "forbidden", "Forbidden")


def access_not_configured() -> Refusal:
    message = (
        "Google Calendar API has not been used in project 1234 before or it is disabled. Enable it by visiting "
        "https://console.developers.google.com/apis/api/calendar-json.googleapis.com/overview?project=1234 then retry."
    )
    return Refusal(403, "accessNotConfigured", message, domain="usageLimits")


def rate_limit(reason: str = "rateLimitExceeded", status: int = 403) -> Refusal:
    """Too many calls."""
    message = "User Rate Limit Exceeded" if reason == "userRateLimitExceeded" else "Rate Limit Exceeded"
    return Refusal(status, reason, message, domain="usageLimits")


def quota_exceeded() -> Refusal:
    return Refusal(403, "quotaExceeded", "Calendar usage limits exceeded.", domain="usageLimits")


def not_the_organizer() -> Refusal:
    message = "Shared properties can only be changed by the organizer of the event."
    return Refusal(403, "forbiddenForNonOrganizer", message, domain="calendar")


def not_found() -> Refusal:
    return Refusal(404, "notFound", "Not Found")


def duplicate() -> Refusal:
    return Refusal(409, "duplicate", "The requested identifier already exists.")


def conflict() -> Refusal:
    return Refusal(409, "conflict", "Conflict")


def full_sync_required() -> Refusal:
    message = "Sync token is no longer valid, a full sync is required."
    return Refusal(410, "fullSyncRequired", message, domain="calendar", location="syncToken")


def updated_min_too_long_ago() -> Refusal:
    message = "The requested minimum modification time lies too far in the past."
    return Refusal(410, "updatedMinTooLongAgo", message, domain="calendar", location="updatedMin")


def already_deleted() -> Refusal:
    return Refusal(410, "deleted", "Resource has been deleted")


def condition_not_met() -> Refusal:
    return Refusal(412, "conditionNotMet", "Precondition Failed", location="If-Match", location_type="header")


def precondition_check_failed() -> Refusal:
    return Refusal(412, "failedPrecondition", "Precondition check failed.")


def backend_error(status: int = 500) -> Refusal:
    message = "Backend Error" if status == 500 else "The service is currently unavailable."
    return Refusal(status, "backendError", message)


def webhook_not_https(address: str) -> Refusal:
    return Refusal(400, "push.webhookUrlNotHttps", f"WebHook callback must be HTTPS: {address}")


def webhook_unauthorized(address: str) -> Refusal:
    message = f"Unauthorized WebHook callback channel: {address}"
    return Refusal(401, "push.webhookUrlUnauthorized", message)


def channel_id_not_unique(channel: str) -> Refusal:
    return Refusal(400, "channelIdNotUnique", f"Channel id {channel} not unique")


def push_not_supported() -> Refusal:
    message = "Push notifications are not supported by this resource."
    return Refusal(400, "pushNotSupportedForRequestedResource", message)


def channel_not_found(channel: str, project: str) -> Refusal:
    return Refusal(404, "notFound", f"Channel '{channel}' not found for project '{project}'")
