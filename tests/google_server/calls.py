"""The calendar operations: one function each, from a call to the body of its answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.google_server import channels, errors, listing, render, views, writing
from tests.google_server.guests import Write
from tests.google_server.state import Row
from tests.google_server.tokens import Access
from tests.google_server.values import Doc, Request
from tests.google_server.views import View

if TYPE_CHECKING:
    from tests.google_server.world import World


@dataclass(slots=True)
class Incoming:
    """A call of a known account; `calendar` and `event` as they stand in its path."""

    world: World
    request: Request
    access: Access
    calendar: str = ""
    event: str = ""

    @property
    def account(self) -> str:
        return self.access.account

    def body(self) -> Doc:
        return body_of(self.request)

    def write(self) -> Write:
        """Who writes and how, by the parameters of the call."""
        request = self.request
        updates = request.one("sendUpdates")
        if updates not in {None, "all", "externalOnly", "none"}:
            raise errors.bad_value("sendUpdates", updates or "")
        legacy = "all" if request.flag("sendNotifications") else "none"
        return Write(
            self.account,
            updates or legacy,
            request.headers.get("if-match", ""),
            request.flag("supportsAttachments"),
            request.one("conferenceDataVersion") == "1",
        )


@dataclass(slots=True)
class Answer:
    """What a call comes to: the body's text (None: 204), its etag; `created` is the id of a new event."""

    text: str | None = None
    etag: str = ""
    created: str = ""
    pushes_first: bool = False


Operation = Callable[[Incoming], Answer]


def body_of(request: Request) -> Doc:
    """The JSON object in a request; an empty body is an empty object."""
    try:
        document = json.loads(request.body) if request.body else {}
    except ValueError as error:
        raise errors.parse_error() from error
    if not isinstance(document, dict):
        raise errors.parse_error()
    return document


def events_list(call: Incoming) -> Answer:
    world = call.world
    calendar, role = world.calendar_for(call.account, call.calendar)
    view = View.of(call.request, role, call.account)
    envelope = views.events_envelope(calendar, role)
    if not envelope["description"]:
        del envelope["description"]
    return _page(call, view, envelope, listing.events_page(world, calendar, call.request))


def events_instances(call: Incoming) -> Answer:
    calendar, role = call.world.calendar_for(call.account, call.calendar)
    parent = writing.find(call.world, calendar, call.event)
    if not parent.doc.get("recurrence"):
        raise errors.Refusal(400, "notRecurring", "Event is not recurring.", domain="calendar")
    page = listing.instances_page(call.world, calendar, parent, call.request)
    envelope = views.events_envelope(calendar, role)
    del envelope["description"]
    return _page(call, View.of(call.request, role, call.account), envelope, page)


def _page(call: Incoming, view: View, envelope: Doc, page: listing.Page) -> Answer:
    if page.next_page:
        envelope["nextPageToken"] = page.next_page
    elif page.next_sync:
        envelope["nextSyncToken"] = page.next_sync
    call.world.check("Events", envelope)
    inner = view.below("items")
    items = None
    if inner is not None:
        items = views.event_texts(call.world, page.rows, inner, listed=True)
    shown = envelope if view.tree is None else {key: one for key, one in envelope.items() if view.below(key)}
    return Answer(render.page(shown, items, is_pretty=view.is_pretty), envelope["etag"])


def _event(call: Incoming, row: Row, role: str = "") -> Answer:
    view = View.of(call.request, role, call.account)
    text = views.event_texts(call.world, [row], view, listed=False)[0]
    return Answer(text + "\n" if view.is_pretty else text, row.doc["etag"])


def events_get(call: Incoming) -> Answer:
    calendar, role = call.world.calendar_for(call.account, call.calendar)
    return _event(call, writing.find(call.world, calendar, call.event), role)


def events_insert(call: Incoming) -> Answer:
    calendar, _ = call.world.calendar_for(call.account, call.calendar, write=True)
    row = writing.insert(call.world, calendar, call.body(), call.write())
    answer = _event(call, row)
    answer.created = row.doc["id"]
    return answer


def events_import(call: Incoming) -> Answer:
    calendar, _ = call.world.calendar_for(call.account, call.calendar, write=True)
    return _event(call, writing.imported(call.world, calendar, call.body(), call.write()))


def events_patch(call: Incoming) -> Answer:
    calendar, _ = call.world.calendar_for(call.account, call.calendar, write=True)
    return _event(call, writing.patch(call.world, calendar, call.event, call.body(), call.write()))


def events_update(call: Incoming) -> Answer:
    calendar, _ = call.world.calendar_for(call.account, call.calendar, write=True)
    return _event(call, writing.update(call.world, calendar, call.event, call.body(), call.write()))


def events_delete(call: Incoming) -> Answer:
    calendar, _ = call.world.calendar_for(call.account, call.calendar, write=True)
    writing.delete(call.world, calendar, call.event, call.write())
    return Answer()


def events_move(call: Incoming) -> Answer:
    destination = call.request.one("destination")
    if not destination:
        raise errors.required("Required parameter: destination")
    source, _ = call.world.calendar_for(call.account, call.calendar, write=True)
    target, _ = call.world.calendar_for(call.account, destination, write=True)
    return _event(call, writing.move(call.world, source, target, call.event, call.write()))


def events_watch(call: Incoming) -> Answer:
    calendar, _ = call.world.calendar_for(call.account, call.calendar)
    if not calendar.pushable:
        raise errors.push_not_supported()
    return _watch(call, *channels.events_resource(calendar.id))


def calendar_list_watch(call: Incoming) -> Answer:
    return _watch(call, *channels.list_resource(call.account))


def _watch(call: Incoming, resource: str, path: str) -> Answer:
    world = call.world
    document = world.channels.watch(call.account, call.access.client, resource, path, call.body())
    world.check("Channel", document)
    return Answer(View.of(call.request).text(document), pushes_first=world.switches.sync_before_answer)


def channels_stop(call: Incoming) -> Answer:
    call.world.channels.stop(call.account, call.access.client, call.body())
    return Answer()


def calendar_list(call: Incoming) -> Answer:
    world, request = call.world, call.request
    account = world.account(call.account)
    size = listing.wanted_size(world, request, usual=100, most=250)
    sync, page = request.one("syncToken"), request.one("pageToken")
    since, position = 0, 0
    if sync is not None:
        for name in ("minAccessRole", "showOwnOrganizationOnly"):
            if request.one(name) is not None:
                raise errors.invalid(f"Sync token cannot be used with other query restrictions: {name}.", name)
        owner, since, generation = listing.decoded("list", sync, "syncToken")
        if owner != account.email:
            raise errors.invalid("Invalid sync token value.", "syncToken")
        if generation != account.list_generation:
            raise errors.full_sync_required()
    head = account.list_seq
    if page is not None:
        owner, token, position, head = listing.decoded("listpage", page, "pageToken")
        if owner != account.email or token != (sync or ""):
            raise errors.invalid("Invalid page token value.", "pageToken")
    entries = sorted(account.entries.values(), key=lambda entry: entry.number)
    shown = [
        entry
        for entry in entries
        if entry.seq > since and (sync is not None or not entry.deleted or request.flag("showDeleted"))
    ]
    documents = [views.entry_document(world, account, entry) for entry in shown[position : position + size]]
    if minimum := request.one("minAccessRole"):
        roles = ["freeBusyReader", "reader", "writer", "owner"]
        documents = [
            one for one in documents if roles.index(one.get("accessRole", "freeBusyReader")) >= roles.index(minimum)
        ]
    answer: Doc = {"kind": "calendar#calendarList", "etag": f'"p{head}.list"'}
    if position + size < len(shown):
        parts: list[str | int | None] = [account.email, sync or "", position + size, head]
        answer["nextPageToken"] = listing.encoded("listpage", parts)
        listing.turn_page(world)
    else:
        answer["nextSyncToken"] = listing.encoded("list", [account.email, head, account.list_generation])
    answer["items"] = documents
    world.check("CalendarList", answer)
    return Answer(View.of(request).text(answer), answer["etag"])


def calendar_list_get(call: Incoming) -> Answer:
    account = call.world.account(call.account)
    name = account.email if call.calendar == "primary" else call.calendar
    entry = account.entries.get(name)
    if entry is None or entry.deleted:
        raise errors.not_found()
    document = views.entry_document(call.world, account, entry)
    call.world.check("CalendarListEntry", document)
    return Answer(View.of(call.request).text(document), entry.etag)


def calendars_get(call: Incoming) -> Answer:
    calendar, _ = call.world.calendar_for(call.account, call.calendar)
    return _calendar(call, views.calendar_document(calendar))


def calendars_insert(call: Incoming) -> Answer:
    body = call.body()
    if not body.get("summary"):
        raise errors.required("Missing title.")
    calendar = call.world.add_calendar(
        call.account, summary=str(body["summary"]), time_zone=str(body.get("timeZone") or "")
    )
    calendar.details.update({key: body[key] for key in ("description", "location") if body.get(key)})
    return _calendar(call, views.calendar_document(calendar))


def calendars_delete(call: Incoming) -> Answer:
    calendar, role = call.world.calendar_for(call.account, call.calendar)
    if role != "owner" or calendar.primary:
        raise errors.forbidden()
    call.world.remove_calendar(calendar.id)
    return Answer()


def _calendar(call: Incoming, document: Doc) -> Answer:
    call.world.check("Calendar", document)
    return Answer(View.of(call.request).text(document), document["etag"])


def colors(call: Incoming) -> Answer:
    palette = {str(number): {"background": "#a4bdfc", "foreground": "#1d1d1d"} for number in range(1, 12)}
    document: Doc = {
        "kind": "calendar#colors",
        "updated": "2012-02-14T00:00:00.000Z",
        "calendar": palette,
        "event": palette,
    }
    call.world.check("Colors", document)
    return Answer(View.of(call.request).text(document))
