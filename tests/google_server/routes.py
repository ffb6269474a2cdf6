"""Which operation a path means, and which OAuth scopes open it."""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from tests.google_server import calls
from tests.google_server.calls import Operation

_LIST_READ = frozenset({"calendar", "calendar.calendarlist", "calendar.calendarlist.readonly", "calendar.readonly"})
_EVENTS_WRITE = frozenset({"calendar", "calendar.app.created", "calendar.events", "calendar.events.owned"})
_EVENTS_READ = _EVENTS_WRITE | {
    "calendar.events.freebusy",
    "calendar.events.owned.readonly",
    "calendar.events.public.readonly",
    "calendar.events.readonly",
    "calendar.readonly",
}
_CALENDARS_WRITE = frozenset({"calendar", "calendar.app.created", "calendar.calendars"})
_CALENDARS_READ = _CALENDARS_WRITE | {"calendar.calendars.readonly", "calendar.readonly"}
_STOP = _EVENTS_READ | _LIST_READ | {"calendar.acls", "calendar.acls.readonly", "calendar.settings"}
GMAIL_SEND = frozenset({"gmail.send", "gmail.compose", "gmail.modify", "https://mail.google.com/"})


@dataclass(frozen=True, slots=True)
class Route:
    """Where a call goes."""

    operation: str
    run: Operation
    scopes: frozenset[str]
    calendar: str = ""
    event: str = ""


@lru_cache(maxsize=65_536)
def route(method: str, path: str) -> Route | None:
    """The route of a path below the service path (`calendars/primary/events`), or None when there is none."""
    match (method, *(unquote(part) for part in path.split("/"))):
        case "GET", "calendars", str(cal), "events":
            return Route("events.list", calls.events_list, _EVENTS_READ, cal)
        case "POST", "calendars", str(cal), "events":
            return Route("events.insert", calls.events_insert, _EVENTS_WRITE, cal)
        case "POST", "calendars", str(cal), "events", "import":
            return Route("events.import", calls.events_import, _EVENTS_WRITE, cal)
        case "POST", "calendars", str(cal), "events", "watch":
            return Route("events.watch", calls.events_watch, _EVENTS_READ, cal)
        case "GET", "calendars", str(cal), "events", str(event):
            return Route("events.get", calls.events_get, _EVENTS_READ, cal, event)
        case "PATCH", "calendars", str(cal), "events", str(event):
            return Route("events.patch", calls.events_patch, _EVENTS_WRITE, cal, event)
        case "PUT", "calendars", str(cal), "events", str(event):
            return Route("events.update", calls.events_update, _EVENTS_WRITE, cal, event)
        case "DELETE", "calendars", str(cal), "events", str(event):
            return Route("events.delete", calls.events_delete, _EVENTS_WRITE, cal, event)
        case "POST", "calendars", str(cal), "events", str(event), "move":
            return Route("events.move", calls.events_move, _EVENTS_WRITE - {"calendar.app.created"}, cal, event)
        case "GET", "calendars", str(cal), "events", str(event), "instances":
            return Route("events.instances", calls.events_instances, _EVENTS_READ, cal, event)
        case "GET", "calendars", str(cal):
            return Route("calendars.get", calls.calendars_get, _CALENDARS_READ, cal)
        case "POST", "calendars":
            return Route("calendars.insert", calls.calendars_insert, _CALENDARS_WRITE)
        case "DELETE", "calendars", str(cal):
            return Route("calendars.delete", calls.calendars_delete, _CALENDARS_WRITE, cal)
        case "GET", "users", "me", "calendarList":
            return Route("calendarList.list", calls.calendar_list, _LIST_READ)
        case "POST", "users", "me", "calendarList", "watch":
            return Route("calendarList.watch", calls.calendar_list_watch, _LIST_READ)
        case "GET", "users", "me", "calendarList", str(cal):
            return Route("calendarList.get", calls.calendar_list_get, _LIST_READ, cal)
        case "POST", "channels", "stop":
            return Route("channels.stop", calls.channels_stop, _STOP)
        case "GET", "colors":
            return Route("colors.get", calls.colors, _EVENTS_READ | _LIST_READ)
        case _:
            return None
