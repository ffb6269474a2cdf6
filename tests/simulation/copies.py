"""What people did to events and copies, kept apart from Calbot: says when a write, or the end, is not as it must be."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import product

from calbot.identity import copy_id, was_restored
from calbot.policy import FULL, Mask
from tests.google_server.state import Calendar, Row
from tests.google_server.values import Doc
from tests.household import NOON, told
from tests.simulation.asked import Era, asked, dates, is_ours, moved, signature, strictest, unlike
from tests.simulation.machine import Change
from tests.simulation.town import Town

HOUR = 3600.0
MOST_DELETIONS = 10
GENERATIONS = 4
Meeting = tuple[str, str, str]
"""A meeting's iCalUID, the place of a single date of it or an empty one, and the calendar of its copy."""
Place = tuple[str, str]
"""A calendar and an event."""
Wanted = tuple[Doc, Mask] | None
"""What a copy shows, and how much of it; None for no copy."""


@dataclass
class Known:
    """An event as it last changed. `eras` are those that may have decided about it; None is: it was there before us.

    `had` are, where copies were off, the calendars that had its copy by then; None where nobody can tell.
    """

    signature: tuple[str, ...]
    eras: list[Era | None]
    order: int
    had: dict[str, bool | None] = field(default_factory=dict)
    settled: bool = False
    versions: list[Doc] = field(default_factory=list)
    """What it was like since then: a guest who comes or goes is no reason to decide anew."""


@dataclass
class Moved:
    """An original that we deleted: at which call, and the copies that stand for it now."""

    call: int
    copies: dict[str, Doc]


class Copies:
    """Hears of every write of ours at once (`changed`) and is told of people's deeds (`look`, `by_hand`).

    `watched` are the calendars that each account watches, in the order of the options.
    """

    def __init__(self, town: Town, watched: dict[str, tuple[str, ...]], era: Era) -> None:
        self.world = town.world
        self.town = town
        self.watched = watched
        self.era = era
        self.wrong: list[str] = []
        self.known: dict[Place, Known] = {}
        self.meetings: dict[str, Meeting] = {}
        """By the ids of their copies, of every generation."""
        self.barred: set[Meeting] = set()
        """A person deleted the copy, or this date of it."""
        self.by_person: dict[Place, int] = {}
        """Copies that a person changed or deleted, and after which call."""
        self.free: set[Place] = set()
        """Nobody can say what these copies should be: a person brought them back, or wanted them to stay."""
        self.dirty: set[Place] = set()
        self.colours: dict[Place, str] = {}
        self.retired: set[Place] = set()
        self.moved: dict[Place, Moved] = {}
        self.ever_moved: set[Place] = set()
        self.born: dict[Place, float] = {}
        self.made: Counter[str] = Counter()
        self.deletions: list[float] = []
        self.count: Counter[str] = Counter()
        self.on_their_way: set[str] = set()
        self.until_now: Era | None = None
        """While somebody switches: what may still be in force."""
        self._held: set[Place] = set()
        self._read: dict[str, int] = {}
        self._order = 0
        for simulation in town.simulations:
            simulation.wire.changed = self.changed

    # What people do

    def look(self, *, before_us: bool = False) -> None:
        """Note what has changed on all calendars since the last time."""
        for calendar in self.world.calendars.values():
            changed = calendar.log[self._read.get(calendar.id, 0) :]
            self._read[calendar.id] = len(calendar.log)
            for row in dict.fromkeys(changed):
                if not is_ours(row.doc["id"]):
                    self._note(calendar, row, before_us=before_us)

    def _note(self, calendar: Calendar, row: Row, *, before_us: bool) -> None:
        place, sign = (calendar.id, str(row.doc["id"])), signature(row.doc)
        uid, start = _uid(row.doc), _start(row.doc)
        for target in self.world.calendars:
            for generation in range(GENERATIONS):
                self.meetings.setdefault(copy_id(uid, start, target, generation), (uid, start, target))
        known, era = self.known.get(place), None if before_us else self.era
        if place in self.moved and not row.deleted:
            del self.moved[place]
        eras = list(dict.fromkeys([era, *([self.until_now] if self.until_now and era else [])]))
        if known is not None and known.signature == sign:
            known.eras += [one for one in eras if one not in known.eras]
            known.versions.append(row.doc)
            return
        self._order += 1
        sure = (known is None or known.settled) and self.until_now is None
        had = {}
        if any(one is not None and not one.on for one in eras):
            for target in self.world.calendars:
                live = self._live((uid, start, target)) or (start and self._live((uid, "", target)))
                had[target] = bool(live) if sure and (not live or self._was_asked(place, row.doc, target)) else None
        self.known[place] = Known(sign, eras, self._order, had, versions=[row.doc])

    def _was_asked(self, place: Place, doc: Doc, target: str) -> bool:
        """Whether a copy was asked for before the event changed just now, for sure."""
        accounts = [account for account, calendars in self.watched.items() if place[0] in calendars]
        return place in self.known and any(None not in self._links(one, place[0], doc, target) for one in accounts)

    def begin_era(self, era: Era) -> None:
        """Somebody is about to switch something: until `new_era` either may hold."""
        self.until_now, self.era = self.era, era

    def new_era(self, era: Era) -> None:
        """The options changed: what was not looked at before may be decided by these or by those."""
        for simulation in self.town.simulations:
            if not era.on and simulation.lives_now:
                self.on_their_way |= {
                    task.deed.key.event for slots in simulation._slots for task, _, _ in slots.waiting
                }
        for known in self.known.values():
            if known.settled:
                continue
            known.eras += [era] if era not in known.eras else []
            if not era.on:
                known.had = dict.fromkeys(self.world.calendars)
        self.until_now, self.era = None, era

    def by_hand(self, calendar: str, event: str, what: str, colour: str = "") -> None:
        """A person deleted, changed, recoloured or brought back a copy, or a date of one."""
        place = calendar, event
        self.by_person[place] = len(self.world.calls)
        root, _, date = event.partition("_")
        uid, start, target = self.meetings[root]
        self.count[f"{what} by hand"] += 1
        match what:
            case "deleted":
                self.barred.add((uid, date or start, target))
            case "brought back":
                self.free.add((calendar, root))
            case "recoloured":
                self.colours[place] = colour
            case _:
                self.dirty.add(place)

    def settle(self) -> None:
        """Everything has been looked at."""
        self.on_their_way.clear()
        for known in self.known.values():
            known.settled = True

    # What we do

    def changed(self, change: Change) -> None:
        """Judge a write at the moment it is made."""
        known = self.known.get((change.calendar, change.event))
        eras = list(known.eras) if known is not None else []
        self.look()
        about = f"{change.operation} of {change.event} on {change.calendar} at {change.time:.2f} (call {change.number})"
        wrong = self._of_copy(change) if is_ours(change.event) else self._of_original(change, eras)
        self.wrong += [f"{about}: {one}" for one in wrong]

    def _of_copy(self, change: Change) -> list[str]:
        place, wrong = (change.calendar, change.event), list[str]()
        root, _, date = change.event.partition("_")
        meeting = self.meetings.get(root)
        if meeting is None:
            return ["a copy of something that is no meeting of people's"]
        uid, start, target = meeting
        if target != change.calendar:
            wrong.append(f"it belongs to {target}")
        if change.mails or change.query.get("sendUpdates") != ["none"]:
            wrong.append(f"somebody is told: {change.query}, {change.mails} mails")
        off = not self.era.on and (self.until_now is None or not self.until_now.on)
        if off and root not in self.on_their_way and change.event not in self.on_their_way:
            wrong.append(f"copies are switched off; {self._history(uid, target)}")
        live = change.after is not None and change.after["status"] != "cancelled"
        was = change.before is not None and change.before["status"] != "cancelled"
        if live and change.after is not None and change.after.get("attendees"):
            wrong.append("the copy has guests")
        barred = (uid, date or start, target) in self.barred and (change.calendar, root) not in self.free
        if live and not was:
            if barred:
                wrong.append("a person had deleted it")
            if not date and [row for row in self._live(meeting) if row.doc["id"] != root]:
                wrong.append("there is one already")
            if change.before is not None and place not in self.retired and not barred:
                wrong.append("it was not us who took it away")
            self.born[place] = change.time
            self.made[change.event] += 1
            self.count["made" if change.before is None else "revived"] += 1
            self.count["series made"] += bool(change.after and change.after.get("recurrence"))
        elif live:
            self.count["date updated" if date else "updated"] += 1
        elif was:
            if any(moved.copies.keys() & {target} and self._is_of(key, uid) for key, moved in self.moved.items()):
                wrong.append("it is all that is left of its original")
            self.retired.add(place)
            self.count["date removed" if date else "removed"] += 1
        self.dirty.discard(place)
        return wrong

    def _of_original(self, change: Change, eras: list[Era | None]) -> list[str]:
        place = change.calendar, change.event
        before, after = change.before or {}, change.after or {}
        if change.operation == "events.delete" and before.get("status") != "cancelled":
            return self._of_deletion(change, before, eras)
        if before.get("status") == "cancelled" and after.get("status") != "cancelled":
            self.count["restored"] += 1
            told_anybody = [f"{change.mails} mails"] if change.mails else []
            return told_anybody if place in self.ever_moved else ["we brought back what a person deleted"]
        if change.operation == "events.insert" and was_restored(change.event):
            self.count["made anew"] += 1
            return [f"{change.mails} mails"] if change.mails else []
        kept = {"attendees", "extendedProperties", "etag", "updated"}
        touched = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key) and key not in kept]
        return [f"we changed {touched}"] if touched or change.operation != "events.patch" else []

    def _of_deletion(self, change: Change, before: Doc, eras: list[Era | None]) -> list[str]:
        """An original goes only when a rule says so, after the grace, and while an equal copy is there."""
        place = change.calendar, change.event
        self.ever_moved.add(place)
        self.count["original deleted"] += 1
        wrong = (
            [f"somebody is told: {change.query}"] if change.mails or change.query.get("sendUpdates") != ["none"] else []
        )
        targets = {
            target
            for account, calendars in self.watched.items()
            if change.calendar in calendars
            for era in eras
            if era is not None and self.era.deletes
            for target in moved(before, change.calendar, account, era)
        }
        if not targets:
            wrong.append("no rule in force deletes it")
        copies = {target: rows[0].doc for target in targets if (rows := self._live((_uid(before), "", target)))}
        equal = {target: copy for target, copy in copies.items() if not self._unlike(target, before, FULL, copy)}
        ids = {(target, id_): target for id_, (uid, start, target) in self.meetings.items() if uid == _uid(before)}
        touched = [where for where in ids if self._touched_since_look(where)]
        if not equal and not touched:
            wrong.append(f"no equal copy is there: {copies}")
        born = [self.born.get((target, str(copy["id"])), 0.0) for target, copy in copies.items()]
        if born and change.time - min(born) < self.era.grace:
            wrong.append(f"only {change.time - min(born):.0f} s after its copy was made")
        self.deletions.append(change.time)
        if sum(change.time - time < HOUR for time in self.deletions) > MOST_DELETIONS:
            wrong.append("too many in an hour")
        self.moved[place] = Moved(change.number, equal or copies)
        return wrong

    def _touched_since_look(self, place: Place) -> bool:
        """Whether a person did something to a copy after we last saw it alive."""
        hand = self.by_person.get(place)
        return hand is not None and not self._looked(place, hand, len(self.world.calls))

    def _looked(self, place: Place, after: int, until: int) -> bool:
        """Whether we looked at a copy in one of these calls."""
        return any(
            call.operation == "events.get" and call.event == place[1] and call.status == 200
            for call in self.world.calls[after:until]
        )

    # The end

    def complaints(self) -> list[str]:
        """What is not as it must be once all is quiet."""
        self.look()
        found = list(self.wrong)
        for simulation in self.town.simulations:
            found += [f"surprise: {trouble}" for trouble in simulation.trouble]
            found += [f"open: {row}" for row in simulation.open_rows()]
        found += [f"surprise of Google's: {trouble}" for trouble in self.world.surprises]
        self._take_from_stores()
        uids = {_uid(self._doc(place)) for place in self.known}
        for target in self.world.calendars:
            for uid in sorted(uids):
                found += self._of_meeting(uid, target)
        found += self._lost_originals()
        found += self._told()
        return found

    def _take_from_stores(self) -> None:
        """What is held may go either way, and what a person did not let us remove may stay."""
        self._held.clear()
        for simulation in self.town.simulations:
            question = "SELECT calendar, event, state FROM deed WHERE verb IN ('remove_copy', 'mirror') AND state = ?"
            reader = simulation.database.read()
            self._held |= {(row[0], row[1]) for row in reader.execute(question, ("held",))}
            self.free |= {(row[0], row[1].partition("_")[0]) for row in reader.execute(question, ("discarded",))}
            question = "SELECT event FROM deed WHERE verb = 'look_up' AND state IN ('held', 'discarded')"
            doubted = {row[0] for row in reader.execute(question)}
            uids = {_uid(self._doc(place)) for place in self.known if place[1] in doubted}
            self._held |= {(meeting[2], id_) for id_, meeting in self.meetings.items() if meeting[0] in uids}

    def _of_meeting(self, uid: str, target: str) -> list[str]:
        """How the copies of one meeting on one calendar are not as they must be."""
        rows = [row for row in self.world.calendars[target].ordered if not row.deleted and "_" not in row.doc["id"]]
        live: dict[str, list[Doc]] = {}
        for row in rows:
            meeting = self.meetings.get(row.doc["id"])
            if is_ours(row.doc["id"]) and meeting is not None and meeting[0] == uid:
                live.setdefault(meeting[1], []).append(row.doc)
        about = f"{uid} on {target}"
        found = [f"{about}: {len(docs)} copies" for docs in live.values() if len(docs) > 1]
        if not self.era.on:
            return found
        copy = live.pop("", [None])[0]
        starts = {start for _, _, start, _ in self._views(uid)} - {""}
        tries = [self._against(uid, target, wanted, copy) for wanted in self._options(uid, "", target)]
        best = min(tries, key=len, default=[])
        found += [f"{about}: {one}; {self._history(uid, target)}" for one in best]
        shown = self._shown(target, copy)
        for start in sorted(starts | live.keys()):
            alone = live.get(start, [None])[0]
            if alone is not None and start in shown:
                found.append(f"{about}: the date {start} is there twice")
            tries = [
                self._alone(uid, start, target, wanted, alone, shown) for wanted in self._options(uid, start, target)
            ]
            found += [f"{about}: {one}" for one in min(tries, key=len, default=[])]
        return found

    def _views(self, uid: str) -> list[tuple[str, str, str, Doc]]:
        """Each event of a meeting as each account sees it: account, calendar, the place of its date, itself."""
        return [
            (account, calendar, _start(row.doc), row.doc)
            for account, calendars in self.watched.items()
            for calendar in calendars
            for row in self.world.calendars[calendar].ordered
            if not is_ours(row.doc["id"]) and _uid(row.doc) == uid
        ]

    def _links(self, account: str, calendar: str, doc: Doc, target: str) -> list[Mask | None]:
        """How much a copy may have to show for the sake of this event alone."""
        known = self.known[calendar, str(doc["id"])]
        found: list[Mask | None] = []
        for era, version in product(known.eras, known.versions):
            link = asked(version, calendar, account, era).get(target) if era is not None else None
            had = True if era is None or era.on else known.had.get(target)
            found += [link] if had else [None] if had is False else [link, None]
        return list(dict.fromkeys(found))

    def _options(self, uid: str, start: str, target: str) -> list[Wanted]:
        """Everything that a copy on this calendar may rightly be."""
        views = []
        for account, calendar, own, doc in self._views(uid):
            if own == start:
                views.append(
                    [self._ranked(account, calendar, doc, link) for link in self._links(account, calendar, doc, target)]
                )
        found = _chosen(views)
        whole = uid.partition("_R")[0] + "@google.com"
        excused = was_restored(uid.partition("@")[0]) or ("_R" in uid and (whole, "", target) in self.barred)
        return [*found, None] if excused else found

    def _of_date(self, uid: str, start: str, target: str) -> list[Wanted]:
        """Everything that one date of a copied series may rightly be: its own story, or that of its series."""
        everything, views = self._views(uid), []
        for account, calendar, own, series in everything:
            if own:
                continue
            links = self._links(account, calendar, series, target)
            exception = next((one[3] for one in everything if one[:3] == (account, calendar, start)), None)
            plain = dates(series).get(start) if series.get("recurrence") and series["status"] != "cancelled" else None
            if exception is None:
                views.append([self._ranked(account, calendar, plain, link if plain else None) for link in links])
            elif exception["status"] == "cancelled":
                views.append([self._ranked(account, calendar, None, None)])
            else:
                its = self._links(account, calendar, exception, target)
                own_eras, series_order = self.known[calendar, exception["id"]], self.known[calendar, series["id"]].order
                stays = any(era is None or target not in asked(series, calendar, account, era) for era in own_eras.eras)
                its += [link for link in links if stays or series_order > own_eras.order or None in links]
                views.append([self._ranked(account, calendar, exception, link) for link in dict.fromkeys(its)])
        return _chosen(views)

    def _ranked(
        self, account: str, calendar: str, doc: Doc | None, link: Mask | None
    ) -> tuple[tuple[object, ...], Wanted]:
        place = list(self.watched).index(account)
        organised = bool((doc or {}).get("organizer", {}).get("self"))
        return (not organised, place, calendar), None if doc is None or link is None else (doc, link)

    def _against(self, uid: str, target: str, wanted: Wanted, copy: Doc | None) -> list[str]:
        """What speaks against the copy being what is wanted."""
        id_ = str(copy["id"]) if copy is not None else ""
        back = any(self._is_of(key, uid) for key in self.ever_moved - self.moved.keys())
        if (
            back
            or (target, id_) in self.free
            or any((target, one) in self._held for one in self._ids((uid, "", target)))
        ):
            return []
        stays = [
            moved.copies[target]
            for key, moved in self.moved.items()
            if self._is_of(key, uid) and target in moved.copies
        ]
        if (uid, "", target) in self.barred:
            return [] if copy is None else ["the copy that a person deleted is there"]
        if wanted is None and stays:
            return ["the copy is gone, and so is its original"] if copy is None else []
        if wanted is None and any(self._is_of(key, uid) for key in self.moved):
            return []
        if wanted is None:
            return [] if copy is None else ["there is a copy that nothing asks for"]
        source, mask = wanted
        if copy is None:
            return [f"there is no copy; {mask.shows} was asked for"]
        found = self._unlike(target, source, mask, copy)
        if bool(source.get("recurrence")) != bool(copy.get("recurrence")):
            return [*found, f"it repeats: {copy.get('recurrence')}, not {source.get('recurrence')}"]
        return [*found, *self._dates_against(uid, target, source, mask, copy)] if copy.get("recurrence") else found

    def _dates_against(self, uid: str, target: str, source: Doc, mask: Mask, copy: Doc) -> list[str]:
        """What is amiss in the single dates of a copied series."""
        shown, plain, found = self._shown(target, copy), dates(source), list[str]()
        changed = {start for _, _, start, _ in self._views(uid)}
        for start in sorted(plain.keys() | shown.keys()):
            if (uid, start, target) in self.barred:
                found += [f"the date {start} that a person deleted is there"] if start in shown else []
                continue
            options = (
                self._of_date(uid, start, target)
                if start in changed
                else [(plain[start], mask)]
                if start in plain
                else [None]
            )
            place = target, f"{copy['id']}_{start}"
            if place in self.dirty or place in self._held:
                continue
            tries = [self._date(target, wanted, shown.get(start), copy) for wanted in options]
            found += [f"date {start}: {one}" for one in min(tries, key=len, default=[])]
        return found

    def _date(self, target: str, wanted: Wanted, there: Doc | None, copy: Doc) -> list[str]:
        if wanted is None or there is None:
            return [] if wanted is None and there is None else ["it is there"] if wanted is None else ["it is missing"]
        colour = "any" if (target, str(copy["id"])) in self.colours else self.colours.get((target, str(there["id"])))
        stored = there["id"] in self.world.calendars[target].rows
        return unlike(*wanted, there, colour=colour) if stored or (target, str(copy["id"])) not in self.dirty else []

    def _alone(
        self, uid: str, start: str, target: str, wanted: Wanted, copy: Doc | None, shown: dict[str, Doc]
    ) -> list[str]:
        """What speaks against a single date having, or not having, a copy by itself."""
        if (uid, start, target) in self.barred:
            return [] if copy is None else [f"the copy of {start} that a person deleted is there"]
        if any((target, one) in self._held | self.free for one in self._ids((uid, start, target))):
            return []
        if wanted is None:
            return [] if copy is None else [f"there is a copy of {start} that nothing asks for"]
        if copy is None:
            excused = start in shown or (uid, "", target) in self.barred or self._is_older(uid, start)
            excused = excused or any((target, one) in self._held | self.free for one in self._ids((uid, "", target)))
            return [] if excused else [f"there is no copy of {start}"]
        return self._unlike(target, *wanted, copy)

    def _is_older(self, uid: str, start: str) -> bool:
        """Whether a series changed after its date: what became of it may have taken the date along."""
        orders = {own: self.known[calendar, str(doc["id"])].order for _, calendar, own, doc in self._views(uid)}
        return orders.get("", 0) > orders.get(start, 0)

    def _unlike(self, target: str, source: Doc, mask: Mask, copy: Doc) -> list[str]:
        place = target, str(copy["id"])
        return [] if place in self.dirty else unlike(source, mask, copy, colour=self.colours.get(place))

    def _shown(self, target: str, copy: Doc | None) -> dict[str, Doc]:
        """The dates that people see of a copied series."""
        if copy is None or not copy.get("recurrence"):
            return {}
        rows = self.world.calendars[target].rows
        stored = {start: rows[one["id"]].doc if one["id"] in rows else one for start, one in dates(copy).items()}
        return {start: doc for start, doc in stored.items() if doc["status"] != "cancelled"}

    def _lost_originals(self) -> list[str]:
        """An original whose copy a person removed before our last look at it has to be back."""
        found = []
        for (calendar, event), original in self.moved.items():
            title = self._doc((calendar, event)).get("summary")
            anew = [row.doc for row in self.world.calendars[calendar].ordered if was_restored(row.doc["id"])]
            if any(doc.get("summary") == title and doc["status"] != "cancelled" for doc in anew):
                continue
            if any(
                self._live((_uid(self._doc((calendar, event))), "", target))
                for target in original.copies or self.world.calendars
            ):
                continue
            removals = [
                (self.by_person[target, str(copy["id"])], (target, str(copy["id"])))
                for target, copy in original.copies.items()
                if (target, str(copy["id"])) in self.by_person
            ]
            if not any(self._looked(place, original.call, hand) for hand, place in removals):
                history = self._history(_uid(self._doc((calendar, event))), "")
                found.append(f"{event} on {calendar} is gone, and so is its copy; {history}")
        return found

    def _told(self) -> list[str]:
        """Every copy that was made is told, and no more often than it was made."""
        if len(self.town.simulations) > 1:
            return []
        outcomes = told(self.town.simulations[0].database)
        mirrored = Counter(one.copy_id or "" for one in outcomes if one.event_type == "mirrored")
        found = [
            f"{id_}: told {mirrored[id_]} times, made {self.made[id_]} times"
            for id_ in mirrored
            if mirrored[id_] > self.made[id_]
        ]
        live = [id_ for id_, meeting in self.meetings.items() if self.made[id_] and self._live(meeting)]
        found += [f"{id_}: made, and not told" for id_ in live if not mirrored[id_]]
        found = [one for one in found if not any(id_ in one for _, id_ in self.free)]
        return found + [f"internal: {one.reason_text}" for one in outcomes if one.reason == "internal"]

    # Small questions

    def _doc(self, place: Place) -> Doc:
        return self.world.calendars[place[0]].rows[place[1]].doc

    def _is_of(self, place: Place, uid: str) -> bool:
        return _uid(self._doc(place)) == uid

    def _ids(self, meeting: Meeting) -> list[str]:
        return [copy_id(*meeting, generation) for generation in range(GENERATIONS)]

    def _live(self, meeting: Meeting) -> list[Row]:
        """The live copies of a meeting."""
        rows = self.world.calendars[meeting[2]].rows
        return [rows[id_] for id_ in self._ids(meeting) if id_ in rows and not rows[id_].deleted]

    def _history(self, uid: str, target: str) -> list[tuple[object, ...]]:
        """What the ledgers say of a meeting's copies."""
        ids = {id_ for id_, meeting in self.meetings.items() if meeting[0] == uid and target in {"", meeting[2]}}
        question = "SELECT event, verb, state, reason FROM deed ORDER BY id"
        found: list[tuple[object, ...]] = [
            (
                place[1],
                [(era.number, era.on, [rule.name for rule in era.rules]) for era in known.eras if era],
                known.had,
            )
            for place, known in self.known.items()
            if self._is_of(place, uid)
        ]
        for number, one in enumerate(self.town.simulations):
            rows = [row for row in one.database.read().execute(question) if row[1] != "invite"]
            found += [(number, *row) for row in rows if row[0].partition("_")[0] in ids or uid.startswith(row[0])]
        return [*found, *self._calls(ids | {uid.partition("@")[0]})]

    def _calls(self, ids: set[str]) -> list[tuple[object, ...]]:
        """What was called about these events."""
        return [
            (round(call.time - NOON, 1), call.operation.removeprefix("events."), call.event, call.status, call.fault)
            for call in self.world.calls
            if call.event.partition("_")[0] in ids
        ]


def _chosen(views: list[list[tuple[tuple[object, ...], Wanted]]]) -> list[Wanted]:
    """What comes of the views of several accounts: the first's content, and the strictest mask of all."""
    found: list[Wanted] = []
    for some in product(*views):
        wanting = sorted(((rank, one) for rank, one in some if one is not None), key=lambda pair: repr(pair[0]))
        found.append((wanting[0][1][0], strictest(one[1] for _, one in wanting)) if wanting else None)
    return found or [None]


def _uid(doc: Doc) -> str:
    return str(doc.get("iCalUID") or doc["id"])


def _start(doc: Doc) -> str:
    """The place of a single date in its series; empty for everything else."""
    return str(doc["id"]).rpartition("_")[2] if "recurringEventId" in doc else ""
