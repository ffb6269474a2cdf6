"""The panel's pages that only look: why an event is as it is, events found by name, and what the rules would do."""

from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec
from flask import Blueprint, Response, request

from addon.web.foreseen import Forecast, forecast
from addon.web.frame import Frame, Sorry, Turn
from addon.web.links import event_link
from addon.web.past import event_view, when
from addon.web.words import clean, where
from calbot.explaining import explain
from calbot.house import Orders
from calbot.model import EventKey
from calbot.policy import Policy
from calbot.ports import Clock
from calbot.preview import AHEAD, BACK, preview
from calbot.status import Snapshot
from calbot.store import copyhistory, history
from calbot.store.database import Database, translated

LONGEST_TEXT = 300


class Watched(Protocol):
    """The part of the engine that these pages show."""

    @property
    def snapshot(self) -> Snapshot:
        """What is known now."""
        ...

    def orders(self, account: str) -> Orders:
        """What is in force for an account."""
        ...


class Looks:
    """The pages."""

    def __init__(
        self,
        engine: Watched,
        database: Database,
        *,
        clock: Clock,
        zone: ZoneInfo,
        frame: Frame,
    ) -> None:
        self._engine = engine
        self._database = database
        self._clock = clock
        self._zone = zone
        self._frame = frame
        self._turn = Turn()

    def add_to(self, routes: Blueprint) -> None:
        """Make them part of the panel."""
        routes.add_url_rule("/event", view_func=self.event, methods=["GET"])
        routes.add_url_rule("/find", view_func=self.find, methods=["GET"])
        routes.add_url_rule("/preview", view_func=self.preview, methods=["GET"])

    def event(self) -> Response:
        """Show what the rules say about an event, and what was done about it."""
        key = asked_key()
        reader, now = self._database.read(), self._clock.now()
        with self._turn.taken(), translated():
            found = explain(reader, key.event, self._orders, now)
            one = next((one for one in found if one.key == key), None)
            if one is None:
                text = (
                    "Calbot does not know this event. It may be older than what it remembers, or of another calendar."
                )
                raise Sorry("No such event", text, 404)
            past = copyhistory.with_copies(reader, key, one.history, now)
            one = msgspec.structs.replace(one, history=past)
            view = event_view(one, now, self._zone, copyhistory.standing(reader, key), copyhistory.names(reader))
        modes = self._engine.snapshot.settings
        return self._frame.show("event.html", event=view, key=key, modes=modes)

    def find(self) -> Response:
        """List the events that a title, id or link names."""
        text, now = request.args.get("text", "")[:LONGEST_TEXT].strip(), self._clock.now()
        with self._turn.taken(), translated():
            found = history.find_events(self._database.read(), text) if text else []
        rows = [
            {
                "title": (clean(one.event.title, 160) if one.event else "") or "Event without a title",
                "when": when(one.event, now, self._zone) if one.event else "no longer in the calendar",
                "where": where(one.calendar_name, one.key.account),
                "link": event_link(one.key),
            }
            for one in found
        ]
        return self._frame.show("find.html", rows=rows, text=clean(text, LONGEST_TEXT))

    def preview(self) -> Response:
        """Show what the rules would do, event by event."""
        account, settings = self.asked_account(), self._engine.snapshot.settings
        accounts = [one.email for one in self._engine.snapshot.accounts]
        return self._frame.show(
            "preview.html",
            forecast=self.forecast(account),
            account=account,
            accounts=accounts,
            settings=settings,
            days=AHEAD,
            back=BACK,
        )

    def forecast(self, account: str | None) -> Forecast:
        """Return what the rules would do. Raises Sorry, StoreError."""
        now = self._clock.now()
        watched = {calendar.key for one in self._engine.snapshot.accounts for calendar in one.calendars}
        with self._turn.taken():
            with translated():
                reader = self._database.read()
                watched -= copyhistory.only_targets(reader)
                found = preview(reader, self._orders, now, account=account, watched=watched)
                names = copyhistory.names(reader)
            return forecast(found, now, self._zone, names)

    def asked_account(self) -> str | None:
        """Return the account that the address names, None for all. Raises Sorry for one that there is not."""
        account = request.values.get("account") or None
        if account is not None and account not in {one.email for one in self._engine.snapshot.accounts}:
            raise Sorry("No such account", "Calbot does not watch this account.", 404)
        return account

    def _orders(self, account: str) -> Policy:
        return self._engine.orders(account).policy


def asked_key() -> EventKey:
    """Return the event that the address names."""
    account, calendar, event = (request.args.get(name, "") for name in ("account", "calendar", "event"))
    return EventKey(account, calendar, event)
