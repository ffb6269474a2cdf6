"""Google's JSON to our nouns. What cannot be read is named, never guessed."""

import msgspec

from calbot.errors import RetryLater
from calbot.identity import BACK_KEY, COPY_KEY, STAMP_KEY
from calbot.model import Change, Event, Gone, Guest, Page, Unreadable

LIST_FIELDS = (
    "nextPageToken,nextSyncToken,summary,timeZone,items(id,etag,status,iCalUID,eventType,summary,description,"
    "location,start,end,recurrence,recurringEventId,originalStartTime,creator,organizer,attendees,"
    "attendeesOmitted,visibility,transparency,locked,privateCopy,guestsCanInviteOthers,guestsCanModify,colorId,"
    "htmlLink,hangoutLink,conferenceData/entryPoints(entryPointType,uri),attachments/fileUrl,"
    "extendedProperties/private)"
)
HTTPS = "https://"
EVENT_FIELDS = LIST_FIELDS[LIST_FIELDS.index("(") + 1 : -1]


class _Wire(msgspec.Struct, rename="camel", gc=False):
    pass


class _Moment(_Wire):
    date: str | None = None
    date_time: str | None = None
    time_zone: str = ""

    def text(self) -> str:
        return self.date_time or self.date or ""


class _Person(_Wire):
    email: str = ""
    self: bool = False


class _Attendee(_Person):
    response_status: str = ""


class _Properties(_Wire):
    private: dict[str, str] = {}


class _EntryPoint(_Wire):
    entry_point_type: str = ""
    uri: str = ""


class _Conference(_Wire):
    entry_points: tuple[_EntryPoint, ...] = ()


class _Item(_Wire):
    id: str
    etag: str = ""
    status: str = "confirmed"
    i_cal_uid: str = msgspec.field(default="", name="iCalUID")
    event_type: str = "default"
    summary: str = ""
    description: str = ""
    location: str = ""
    start: _Moment | None = None
    end: _Moment | None = None
    recurrence: tuple[str, ...] = ()
    recurring_event_id: str | None = None
    original_start_time: _Moment | None = None
    creator: _Person | None = None
    organizer: _Person | None = None
    attendees: tuple[msgspec.Raw, ...] = ()
    attendees_omitted: bool = False
    visibility: str = "default"
    transparency: str = "opaque"
    locked: bool = False
    private_copy: bool = False
    guests_can_invite_others: bool = True
    guests_can_modify: bool = False
    color_id: str = ""
    html_link: str = ""
    hangout_link: str = ""
    conference_data: _Conference | None = None
    attachments: tuple[msgspec.Raw, ...] = ()
    extended_properties: _Properties | None = None


class _Listing(_Wire):
    items: tuple[msgspec.Raw, ...] = ()
    next_page_token: str | None = None
    next_sync_token: str | None = None
    summary: str = ""
    time_zone: str = ""
    access_role: str = ""


class _Named(_Wire):
    id: str = ""


_decode_listing = msgspec.json.Decoder(_Listing).decode
_decode_item = msgspec.json.Decoder(_Item).decode
_decode_attendee = msgspec.json.Decoder(_Attendee).decode
_decode_named = msgspec.json.Decoder(_Named).decode


def page(body: bytes) -> Page:
    """Read one page of `events.list`. Raises RetryLater when it is not one."""
    try:
        listing = _decode_listing(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RetryLater("Google's answer to a listing is not what it should be.", "upstream_5xx") from error
    if (listing.next_page_token is None) == (listing.next_sync_token is None):
        raise RetryLater("Google's listing came without its end or its next page.", "upstream_5xx")
    changes: list[Change] = []
    unreadable: list[Unreadable] = []
    for raw in listing.items:
        try:
            changes.append(_change(_decode_item(raw)))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            unreadable.append(Unreadable(_id_of(raw), str(error)))
    return Page(
        tuple(changes),
        listing.next_page_token,
        listing.next_sync_token,
        listing.summary,
        listing.time_zone,
        tuple(unreadable),
    )


def name(body: bytes) -> str:
    """Read a listing's own name. Raises RetryLater when it is not one."""
    try:
        return _decode_listing(body).summary
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RetryLater("Google's answer is not what it should be.", "upstream_5xx") from error


def role(body: bytes) -> str:
    """Read the asking account's role from a listing. Raises RetryLater when there is none in it."""
    try:
        found = _decode_listing(body).access_role
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RetryLater("Google's answer is not what it should be.", "upstream_5xx") from error
    if not found:
        raise RetryLater("Google's answer names no role.", "upstream_5xx")
    return found


def whole(body: bytes) -> tuple[str, Change]:
    """Read one event and keep its text. Raises RetryLater when it is not one."""
    try:
        return body.decode(), change(body)
    except UnicodeDecodeError as error:
        raise RetryLater("Google's answer about an event is not what it should be.", "upstream_5xx") from error


def change(body: bytes) -> Change:
    """Read one event. Raises RetryLater when it is not one."""
    try:
        return _change(_decode_item(body))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RetryLater("Google's answer about an event is not what it should be.", "upstream_5xx") from error


def _id_of(raw: msgspec.Raw) -> str:
    try:
        return _decode_named(raw).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _change(item: _Item) -> Change:
    original = item.original_start_time.text() if item.original_start_time else None
    if item.status == "cancelled":
        return Gone(item.id, item.recurring_event_id, original)
    private = item.extended_properties.private if item.extended_properties else {}
    attendees = [(_decode_attendee(raw), bytes(raw).decode()) for raw in item.attendees]
    organiser = item.organizer or _Person()
    return Event(
        id=item.id,
        etag=item.etag,
        ical_uid=item.i_cal_uid,
        kind=item.event_type,
        title=item.summary,
        description=item.description,
        location=item.location,
        start=item.start.text() if item.start else "",
        end=item.end.text() if item.end else "",
        recurrence=item.recurrence,
        series=item.recurring_event_id,
        original_start=original,
        organiser=organiser.email.lower(),
        creator=item.creator.email.lower() if item.creator else "",
        organised_by_us=organiser.self,
        my_response=next((who.response_status for who, _ in attendees if who.self), None),
        guests=tuple(Guest(who.email.lower(), entry) for who, entry in attendees),
        guests_hidden=item.attendees_omitted,
        visibility=item.visibility,
        busy=item.transparency != "transparent",
        locked=item.locked or item.private_copy,
        guests_may_invite=item.guests_can_invite_others or item.guests_can_modify,
        time_zone=item.start.time_zone if item.start else "",
        end_time_zone=item.end.time_zone if item.end else "",
        colour=item.color_id,
        link=item.html_link if item.html_link.startswith(HTTPS) else "",
        meeting=_meeting(item),
        attached=bool(item.attachments),
        stamp=private.get(STAMP_KEY, ""),
        copy_of=private.get(COPY_KEY, ""),
        brought_back=BACK_KEY in private,
    )


def _meeting(item: _Item) -> str:
    if item.hangout_link.startswith(HTTPS):
        return item.hangout_link
    entries = item.conference_data.entry_points if item.conference_data else ()
    videos = (entry.uri for entry in entries if entry.entry_point_type == "video")
    return next((uri for uri in videos if uri.startswith(HTTPS)), "")


class _Opened(_Wire):
    resource_id: str
    expiration: str = ""


class Opened(msgspec.Struct, frozen=True):
    """Google's answer to `watch`: the resource and when the channel runs out (epoch seconds)."""

    resource_id: str
    expires: float | None


def channel(body: bytes) -> Opened:
    """Read the answer to `events.watch`. Raises RetryLater when it is not one."""
    try:
        opened = msgspec.json.decode(body, type=_Opened)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RetryLater("Google's answer about a push channel is not what it should be.", "upstream_5xx") from error
    digits = opened.expiration
    return Opened(opened.resource_id, int(digits) / 1000 if digits.isdecimal() and len(digits) < 16 else None)
