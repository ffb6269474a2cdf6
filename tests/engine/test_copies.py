"""What is copied where, how much of it shows, and how copies follow the events that they are copies of."""

from typing import Any

import msgspec
import pytest

from calbot.identity import copy_id
from calbot.policy import Mask, Match, Rule
from calbot.settings import AccountChoice, Settings
from tests.engine.scenes import HOUR, LATER, SECOND, WEEKLY, Simulate, until, until_parked
from tests.google_server import recurrence
from tests.google_server.values import Doc
from tests.household import ANNA, BOB, CAROL, FAMILY
from tests.simulation.asked import is_ours
from tests.simulation.households import DAVE, WORK, furnish
from tests.simulation.machine import Crash
from tests.simulation.simulation import Simulation

CENTRAL = Settings(central_calendar=FAMILY, time_zone="Europe/Berlin")
DETAILS: Doc = {"summary": "Dinner", "description": "Bring wine", "location": "Home", "colorId": "5"}
NOON_TO_ONE: Doc = {
    "start": {"dateTime": "2026-12-02T12:00:00+01:00", "timeZone": "Europe/Berlin"},
    "end": {"dateTime": "2026-12-02T13:00:00+01:00", "timeZone": "Europe/Berlin"},
}
ALL_DAY: Doc = {
    "start": {"date": "2026-12-03", "dateTime": None, "timeZone": None},
    "end": {"date": "2026-12-04", "dateTime": None, "timeZone": None},
}


def ruled(*rules: Rule, **parts: Any) -> Settings:
    """The options with these rules."""
    return Settings(rules=rules, time_zone="Europe/Berlin", **parts)


def begun(simulate: Simulate, settings: Settings = CENTRAL, **parts: Any) -> Simulation:
    """A simulation with the shared calendars that knows its empty calendars."""
    simulation = simulate(settings=settings, **parts)
    furnish(simulation.world)
    simulation.until_quiet()
    return simulation


def copies(simulation: Simulation, target: str = FAMILY) -> list[Doc]:
    """The live copies on a calendar, without the single dates of series."""
    rows = simulation.world.calendars[target].ordered
    return [row.doc for row in rows if is_ours(row.doc["id"]) and not row.deleted and "_" not in row.doc["id"]]


def the_copy(simulation: Simulation, target: str = FAMILY) -> Doc:
    """The only copy there is."""
    (copy,) = copies(simulation, target)
    return copy


def dates(simulation: Simulation, copy: Doc, target: str = FAMILY) -> dict[str, Doc]:
    """The dates that people see of a copied series, by their places in it."""
    rows = simulation.world.calendars[target].rows
    found = [recurrence.instance(copy, original) for original in recurrence.occurrences(copy)]
    shown = [rows[one["id"]].doc if one["id"] in rows else one for one in found]
    return {one["id"].rpartition("_")[2]: one for one in shown if one["status"] != "cancelled"}


def edit(simulation: Simulation, event: str, calendar: str = ANNA, **changes: object) -> None:
    """A person changes an event, and everything follows."""
    simulation.google.edit_event(calendar, event, changes)
    simulation.until_quiet()


# What is copied


def test_a_copy_shows_everything_but_the_guests(simulate: Simulate) -> None:
    """Title, description, place, times, colour: all that a reader needs, and nobody is invited to it."""
    simulation = begun(simulate)

    event = simulation.create(attendees=[{"email": BOB}], **DETAILS)
    simulation.until_quiet()

    copy, source = the_copy(simulation), simulation.document(event)
    assert {key: copy[key] for key in DETAILS} == DETAILS
    assert (copy["start"], copy["end"]) == (source["start"], source["end"])
    assert "attendees" not in copy
    assert [o.copy_id for o in simulation.outcomes("mirrored")] == [copy["id"]]


def test_nobody_is_mailed_by_a_copy(simulate: Simulate) -> None:
    """Neither when it is made, nor when it changes or goes."""
    simulation = begun(simulate)
    event = simulation.create()
    simulation.until_quiet()
    edit(simulation, event, summary="Supper")
    simulation.google.delete_event(ANNA, event)

    simulation.until_quiet()

    assert copies(simulation) == []
    assert simulation.world.mails == []
    writes = [call for call in simulation.world.calls if call.method != "GET" and call.calendar == FAMILY]
    assert {tuple(call.query["sendUpdates"]) for call in writes} == {("none",)}


def test_the_obvious_rule_copies_what_nobody_can_be_invited_to(simulate: Simulate) -> None:
    """Our own event gets its guests; what somebody else organises gets a copy."""
    simulation = begun(simulate, Settings(invite_emails=(DAVE,), central_calendar=FAMILY))

    ours = simulation.create(summary="Ours")
    simulation.google.invite_from_outside(ANNA, "zoe@example.net", {"summary": "Theirs"})
    simulation.until_quiet()

    assert simulation.guests(ours) == [DAVE]
    assert the_copy(simulation)["summary"] == "Theirs"


def test_special_types_are_copied_as_ordinary_events(simulate: Simulate) -> None:
    """Also birthdays, which Google makes private and free, and what Gmail has found in mails."""
    simulation = begun(simulate, Settings(invite_emails=(DAVE,), central_calendar=FAMILY))
    birthday: Doc = {"start": {"date": "2026-12-24"}, "end": {"date": "2026-12-25"}, "eventType": "birthday"}
    birthday |= {"visibility": "private", "transparency": "transparent", "recurrence": ["RRULE:FREQ=YEARLY"]}
    simulation.create(summary="Carol is born", **birthday)
    simulation.create(summary="Deep work", eventType="focusTime")
    simulation.google.put_raw(ANNA, {"summary": "Flight to Rome", "eventType": "fromGmail"})

    simulation.until_quiet()

    found = {copy["summary"]: copy for copy in copies(simulation)}
    assert found.keys() == {"Carol is born", "Deep work", "Flight to Rome"}
    assert {copy["eventType"] for copy in found.values()} == {"default"}
    assert found["Carol is born"]["recurrence"] == ["RRULE:FREQ=YEARLY"]


@pytest.mark.parametrize(
    ("mask", "title", "description"),
    [
        (Mask("title"), "Dinner", None),
        (Mask("busy"), "Busy", None),
        (Mask("template", "{title} of {account}", "At {location}"), f"Dinner of {ANNA}", "At Home"),
    ],
)
def test_a_mask_shows_what_it_says_and_no_more(
    simulate: Simulate, mask: Mask, title: str, description: str | None
) -> None:
    """Nothing else of the source is anywhere in the copy, and no link leads to it."""
    simulation = begun(simulate, ruled(Rule("all", mirror=FAMILY, mask=mask)))

    event = simulation.create(**DETAILS)
    simulation.until_quiet()

    copy = the_copy(simulation)
    assert (copy["summary"], copy.get("description"), copy.get("location")) == (title, description, None)
    assert copy["start"] == simulation.document(event)["start"]
    assert "wine" not in repr(copy) and "source" not in copy and "colorId" not in copy


def test_private_events_are_copied_only_by_a_rule_that_names_them(simulate: Simulate) -> None:
    """A rule for everything leaves them alone, unless its copies say no more than busy."""
    named = Rule("private", match=Match(visibility=("private",), title="Diary"), mirror=FAMILY)
    busy = Rule("busy", match=Match(title="Doctor"), mirror=FAMILY, mask=Mask("busy"))
    simulation = begun(simulate, ruled(named, busy, Rule("all", mirror=FAMILY)))

    for title in ("Diary", "Doctor", "Secret"):
        simulation.create(summary=title, visibility="private")
    simulation.until_quiet()

    assert sorted(copy["summary"] for copy in copies(simulation)) == ["Busy", "Diary"]
    assert [outcome.reason for outcome in simulation.outcomes("skipped")] == ["private"]


def test_past_and_declined_events_get_no_copy(simulate: Simulate) -> None:
    """Nobody needs to be told of what is over, or of what they do not go to."""
    simulation = begun(simulate)
    simulation.create(start={"dateTime": "2026-11-01T10:00:00Z"}, end={"dateTime": "2026-11-01T11:00:00Z"})
    invited = simulation.google.invite_from_outside(ANNA, "zoe@example.net")["id"]
    simulation.google.rsvp(ANNA, invited, "declined")

    simulation.until_quiet()

    assert copies(simulation) == []


def test_a_copy_goes_when_its_event_is_declined(simulate: Simulate) -> None:
    """And comes back when somebody thinks better of it."""
    simulation = begun(simulate)
    event = simulation.google.invite_from_outside(ANNA, "zoe@example.net")["id"]
    simulation.until_quiet()
    assert len(copies(simulation)) == 1

    simulation.google.rsvp(ANNA, event, "declined")
    simulation.until_quiet()
    assert copies(simulation) == []
    simulation.google.rsvp(ANNA, event, "accepted")
    simulation.until_quiet()

    assert len(copies(simulation)) == 1


def test_one_event_may_have_copies_on_two_calendars(simulate: Simulate) -> None:
    """With `continue` the next rule has its say too, and each copy shows what its own rule lets it."""
    busy = Rule("busy", mirror=WORK, mask=Mask("busy"), goes_on=True)
    simulation = begun(simulate, ruled(busy, Rule("all", mirror=FAMILY)))

    event = simulation.create()
    simulation.until_quiet()
    edit(simulation, event, summary="Supper")

    assert [the_copy(simulation, target)["summary"] for target in (FAMILY, WORK)] == ["Supper", "Busy"]


def test_a_rule_that_skips_leaves_an_event_without_copies(simulate: Simulate) -> None:
    """Whatever the rules before it asked for."""
    first = Rule("busy", mirror=WORK, mask=Mask("busy"), goes_on=True)
    rules = ruled(first, Rule("never", skip=True, match=Match(title="Secret")), Rule("all", mirror=FAMILY))
    simulation = begun(simulate, rules)

    simulation.create(summary="Secret")
    simulation.create(summary="Plain")
    simulation.until_quiet()

    assert the_copy(simulation)["summary"] == "Plain"
    assert len(copies(simulation, WORK)) == 1


def test_another_account_writes_where_the_first_may_only_read(simulate: Simulate) -> None:
    """Bob reads the family's calendar; Carol writes there for him."""
    rules = ruled(Rule("of Bob", match=Match(accounts=(BOB,)), mirror=FAMILY))
    simulation = begun(simulate, rules, signed_in=(BOB, CAROL))

    simulation.create(BOB)
    simulation.until_quiet()

    assert the_copy(simulation)["creator"]["email"] == CAROL


# How copies follow


def test_edits_and_moves_reach_the_copy(simulate: Simulate) -> None:
    """In place: it stays the same event on its calendar."""
    simulation = begun(simulate)
    event = simulation.create(**DETAILS)
    simulation.until_quiet()
    before = the_copy(simulation)

    edit(simulation, event, summary="Supper", location=None, **NOON_TO_ONE)

    copy = the_copy(simulation)
    assert (copy["id"], copy["summary"], copy.get("location")) == (before["id"], "Supper", None)
    assert copy["start"]["dateTime"] == "2026-12-02T12:00:00+01:00"


def test_a_cancelled_event_takes_its_copy_along(simulate: Simulate) -> None:
    """And it is told."""
    simulation = begun(simulate)
    event = simulation.create()
    simulation.until_quiet()

    simulation.google.delete_event(ANNA, event)
    simulation.until_quiet()

    assert copies(simulation) == []
    assert [outcome.event_type for outcome in simulation.outcomes("copy_removed")] == ["copy_removed"]


def test_a_copy_becomes_all_day_and_timed_again_with_its_event(simulate: Simulate) -> None:
    """Either way nothing is left of the other kind."""
    simulation = begun(simulate)
    event = simulation.create()
    simulation.until_quiet()

    edit(simulation, event, **ALL_DAY)
    assert the_copy(simulation)["start"] == {"date": "2026-12-03"}
    timed = {side: {**NOON_TO_ONE[side], "date": None} for side in ("start", "end")}
    simulation.google.edit_event(ANNA, event, timed)
    simulation.until_quiet()

    assert the_copy(simulation)["start"] == NOON_TO_ONE["start"]


def test_a_series_keeps_its_hour_over_the_change_of_the_clocks(simulate: Simulate) -> None:
    """In its own zone, also on a calendar that lives in another one."""
    simulation = begun(simulate, ruled(Rule("all", mirror=WORK)))
    march: Doc = {"dateTime": "2027-03-23T19:00:00+01:00", "timeZone": "Europe/Berlin"}
    until_nine = {**march, "dateTime": "2027-03-23T21:00:00+01:00"}

    simulation.create(start=march, end=until_nine, recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"])
    simulation.until_quiet()

    shown = dates(simulation, the_copy(simulation, WORK), WORK)
    assert list(shown) == ["20270323T180000Z", "20270330T170000Z", "20270406T170000Z"]


def test_single_dates_that_move_or_are_cancelled_do_so_in_the_copy(simulate: Simulate) -> None:
    """The series itself is one copy; each date goes its own way there."""
    simulation = begun(simulate)
    event = simulation.create(**WEEKLY)
    simulation.until_quiet()
    third = f"{event}_20261215T180000Z"

    simulation.google.edit_event(ANNA, f"{event}_{SECOND}", {"summary": "Choir, late", **LATER})
    simulation.google.delete_event(ANNA, third)
    simulation.until_quiet()

    shown = dates(simulation, the_copy(simulation))
    assert len(shown) == 8 and "20261215T180000Z" not in shown
    assert shown[SECOND]["summary"] == "Choir, late"
    assert shown[SECOND]["start"] == LATER["start"]


def test_a_date_that_was_changed_and_then_cancelled_is_gone_from_the_copy(simulate: Simulate) -> None:
    """Whatever it was before."""
    simulation = begun(simulate)
    event = simulation.create(**WEEKLY)
    simulation.until_quiet()
    edit(simulation, f"{event}_{SECOND}", summary="Choir, late")

    simulation.google.delete_event(ANNA, f"{event}_{SECOND}")
    simulation.until_quiet()

    assert SECOND not in dates(simulation, the_copy(simulation))


def test_a_date_changed_before_its_series_was_copied_shows_in_the_copy(simulate: Simulate) -> None:
    """Series and changed dates come in one listing, in any order."""
    simulation = begun(simulate)
    event = simulation.create(**WEEKLY)
    simulation.google.edit_event(ANNA, f"{event}_{SECOND}", {"summary": "Choir, late"})
    simulation.google.delete_event(ANNA, f"{event}_20261215T180000Z")

    simulation.until_quiet()

    shown = dates(simulation, the_copy(simulation))
    assert shown[SECOND]["summary"] == "Choir, late"
    assert "20261215T180000Z" not in shown


def test_a_series_cut_in_two_is_two_copies(simulate: Simulate) -> None:
    """This and following: the old one ends, the new one begins, and no date is there twice."""
    simulation = begun(simulate)
    event = simulation.create(**WEEKLY)
    simulation.until_quiet()

    simulation.google.edit_event(ANNA, event, {"recurrence": ["RRULE:FREQ=WEEKLY;UNTIL=20261208T180000Z"]})
    second: Doc = {"id": f"{event}_R20261215T180000", "iCalUID": f"{event}_R20261215T180000@google.com"}
    start = {"dateTime": "2026-12-15T20:00:00+01:00", "timeZone": "Europe/Berlin"}
    second |= {"start": start, "end": {**start, "dateTime": "2026-12-15T22:00:00+01:00"}, "summary": "Choir, later"}
    simulation.google.put_raw(ANNA, {**second, "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=7"]})
    simulation.until_quiet()

    first, rest = (dates(simulation, copy) for copy in copies(simulation))
    assert list(first) == ["20261201T180000Z", "20261208T180000Z"]
    assert len(rest) == 7 and {date["summary"] for date in rest.values()} == {"Choir, later"}


def test_the_second_half_of_a_series_gets_no_copy_that_no_rule_asks_for(simulate: Simulate) -> None:
    """The copy of the whole was deleted by hand, and the rule is gone since."""
    simulation = begun(simulate, ruled(Rule("work", mirror=WORK)))
    event = simulation.create(**WEEKLY)
    simulation.until_quiet()
    simulation.google.delete_event(WORK, the_copy(simulation, WORK)["id"])
    simulation.until_quiet()
    simulation.restart(ruled(Rule("parties", match=Match(title="Party"), mirror=FAMILY)))
    simulation.until_quiet()

    simulation.google.edit_event(ANNA, event, {"recurrence": ["RRULE:FREQ=WEEKLY;UNTIL=20261208T180000Z"]})
    second: Doc = {"id": f"{event}_R20261215T180000", "iCalUID": f"{event}_R20261215T180000@google.com"}
    start = {"dateTime": "2026-12-15T20:00:00+01:00", "timeZone": "Europe/Berlin"}
    second |= {"start": start, "end": {**start, "dateTime": "2026-12-15T22:00:00+01:00"}, "summary": "Choir, later"}
    simulation.google.put_raw(ANNA, {**second, "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=7"]})
    simulation.until_quiet()

    assert copies(simulation, WORK) == []


# One copy of one meeting


def test_a_date_with_a_copy_of_its_own_joins_the_copy_of_its_series(simulate: Simulate) -> None:
    """The series was there before Calbot; later it changes and is copied too."""
    simulation = simulate(settings=CENTRAL)
    furnish(simulation.world)
    event = simulation.create(**WEEKLY)
    simulation.until_quiet()
    edit(simulation, f"{event}_{SECOND}", summary="Choir, late")
    assert the_copy(simulation)["summary"] == "Choir, late"

    edit(simulation, event, summary="Choir again")

    copy = the_copy(simulation)
    assert dates(simulation, copy)[SECOND]["summary"] == "Choir, late"


def test_who_is_invited_to_one_date_makes_no_second_copy_of_it(simulate: Simulate) -> None:
    """Carol sees only one date of Anna's series."""
    simulation = begun(simulate, signed_in=(ANNA, CAROL))
    event = simulation.create(**WEEKLY)
    simulation.until_quiet()
    simulation.google.add_guest(ANNA, f"{event}_{SECOND}", CAROL)
    simulation.until_quiet()

    assert len(copies(simulation)) == 1


@pytest.mark.parametrize("kind", ["closeAfter", "closeBefore", "errorAfter", "truncated", "hang"])
def test_a_lost_answer_never_makes_a_second_copy(simulate: Simulate, kind: str) -> None:
    """The copy's id is computed, so asking again finds what is there."""
    simulation = begun(simulate)
    simulation.google.add_fault(kind, operation="events.insert", count=2)

    simulation.create()
    simulation.until_quiet()

    assert len(copies(simulation)) == 1
    assert len(simulation.outcomes("mirrored")) == 1


def test_a_copy_whose_answer_was_lost_goes_with_its_event(simulate: Simulate) -> None:
    """The insert had arrived; before Calbot could ask again, a person cancelled the event."""
    simulation = begun(simulate)
    simulation.google.add_fault("closeAfter", operation="events.insert")
    simulation.google.add_fault("internalError", operation="events.insert", count=None)
    event = simulation.create()
    until_parked(simulation)
    simulation.run(130)
    assert len(copies(simulation)) == 1

    simulation.google.delete_event(ANNA, event)
    simulation.run(30)
    simulation.google.clear_faults()
    simulation.until_quiet()
    simulation.run(HOUR)

    assert copies(simulation) == []


def test_a_crash_never_makes_a_second_copy(simulate: Simulate) -> None:
    """Killed after the write and before its answer, the next life finds the copy."""
    simulation = begun(simulate)
    simulation.seams.crash_next = "after a write, before its answer"
    simulation.create()

    simulation.live()

    assert simulation.lives == 2
    assert len(copies(simulation)) == 1
    assert len(simulation.outcomes("mirrored")) == 1


def test_a_meeting_that_several_accounts_see_is_one_copy(simulate: Simulate) -> None:
    """Its id says of which meeting it is a copy, not whose."""
    simulation = begun(simulate, signed_in=(ANNA, BOB, CAROL))

    event = simulation.create(BOB, attendees=[{"email": ANNA}, {"email": CAROL}])
    simulation.until_quiet()

    uid = simulation.document(event, BOB)["iCalUID"]
    assert the_copy(simulation)["id"] == copy_id(uid, "", FAMILY, 0)


def test_the_strictest_mask_of_all_accounts_wins(simulate: Simulate) -> None:
    """Who wants less shown is heard, however the others see it."""
    shy = Rule("shy", match=Match(accounts=(CAROL,)), mirror=FAMILY, mask=Mask("busy"))
    simulation = begun(simulate, ruled(shy, Rule("all", mirror=FAMILY)), signed_in=(ANNA, CAROL))

    simulation.create(ANNA, attendees=[{"email": CAROL}])
    simulation.until_quiet()

    assert the_copy(simulation)["summary"] == "Busy"


def test_a_copy_stays_until_the_last_account_has_lost_the_meeting(simulate: Simulate) -> None:
    """Carol leaves it: it is still Anna's. Then Anna cancels."""
    simulation = begun(simulate, signed_in=(ANNA, CAROL))
    event = simulation.create(ANNA, attendees=[{"email": CAROL}])
    simulation.until_quiet()

    simulation.google.delete_event(CAROL, event)
    simulation.until_quiet()
    assert len(copies(simulation)) == 1
    simulation.google.delete_event(ANNA, event)
    simulation.until_quiet()

    assert copies(simulation) == []


def test_what_is_on_the_target_anyway_is_not_copied_there(simulate: Simulate) -> None:
    """Made there, organised there, or with it among the guests."""
    rules = ruled(Rule("to Carol", match=Match(accounts=(ANNA,)), mirror=CAROL))
    simulation = begun(simulate, rules, signed_in=(ANNA, CAROL))

    simulation.create(CAROL, attendees=[{"email": ANNA}])
    simulation.create(ANNA, attendees=[{"email": CAROL}])
    simulation.until_quiet()

    assert copies(simulation, CAROL) == []


def test_copies_in_both_directions_are_never_copied_back(simulate: Simulate) -> None:
    """Each calendar has the other's events once, and there it ends."""
    rules = [Rule(f"of {a}", match=Match(accounts=(a,)), mirror=b) for a, b in ((ANNA, CAROL), (CAROL, ANNA))]
    simulation = begun(simulate, ruled(*rules), signed_in=(ANNA, CAROL))

    simulation.create(ANNA, summary="Anna's")
    simulation.create(CAROL, summary="Carol's", recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"])
    simulation.until_quiet()
    simulation.google.edit_event(
        ANNA, f"{the_copy(simulation, ANNA)['id']}_{SECOND}", {"summary": "A date of the copy"}
    )
    simulation.run(HOUR)
    simulation.until_quiet()

    assert the_copy(simulation, CAROL)["summary"] == "Anna's"
    assert the_copy(simulation, ANNA)["summary"] == "Carol's"


def test_three_calendars_in_a_ring_have_two_copies_of_three_events(simulate: Simulate) -> None:
    """One for each rule, and none goes round."""
    ring = ((ANNA, BOB), (BOB, CAROL), (CAROL, ANNA))
    rules = [Rule(f"of {a}", match=Match(accounts=(a,)), mirror=b) for a, b in ring]
    simulation = begun(simulate, ruled(*rules), signed_in=(ANNA, BOB, CAROL))

    for host, _ in ring:
        simulation.create(host, summary=host)
    simulation.until_quiet()
    simulation.run(HOUR)
    simulation.until_quiet()

    assert {b: [copy["summary"] for copy in copies(simulation, b)] for _, b in ring} == {b: [a] for a, b in ring}


def test_a_date_that_was_shared_before_its_series_is_there_once(simulate: Simulate) -> None:
    """Anna had the series before Calbot; Carol is invited to one date, and later to all of it."""
    simulation = simulate(settings=CENTRAL, signed_in=(ANNA, CAROL))
    furnish(simulation.world)
    event = simulation.create(**WEEKLY)
    simulation.until_quiet()
    edit(simulation, f"{event}_{SECOND}", summary="Choir, late")
    simulation.google.add_guest(ANNA, f"{event}_20261215T180000Z", CAROL)
    simulation.until_quiet()
    assert len(copies(simulation)) == 2

    simulation.google.add_guest(ANNA, event, CAROL)
    simulation.until_quiet()

    assert len(dates(simulation, the_copy(simulation))) == 9


@pytest.mark.parametrize("again", [False, True])
def test_a_changed_date_leaves_an_old_target_with_its_series(simulate: Simulate, again: bool) -> None:
    """Other rules are in force; when the series changes, its copy moves, and no date of it stays behind."""
    simulation = begun(simulate, ruled(Rule("work", mirror=WORK)))
    event = simulation.create(**WEEKLY)
    simulation.until_quiet()
    edit(simulation, f"{event}_{SECOND}", summary="Choir, late")
    simulation.restart(ruled(Rule("all", mirror=FAMILY)))
    simulation.until_quiet()
    if again:
        edit(simulation, f"{event}_{SECOND}", summary="Choir, later")

    edit(simulation, event, summary="Choir again")

    assert copies(simulation, WORK) == []
    assert len(dates(simulation, the_copy(simulation))) == 9


def test_a_series_that_another_account_has_copied_takes_in_single_dates(simulate: Simulate) -> None:
    """Anna had the series before Calbot, and one changed date of it was copied; then Carol is invited to all of it."""
    simulation = simulate(settings=CENTRAL, signed_in=(ANNA, CAROL))
    furnish(simulation.world)
    event = simulation.create(**WEEKLY)
    simulation.until_quiet()
    edit(simulation, f"{event}_{SECOND}", summary="Choir, late")
    assert the_copy(simulation)["summary"] == "Choir, late"

    simulation.google.add_guest(ANNA, event, CAROL)
    simulation.until_quiet()

    copy = the_copy(simulation)
    assert len(dates(simulation, copy)) == 9


# What people do to copies


def test_a_copy_deleted_by_hand_stays_deleted(simulate: Simulate) -> None:
    """Neither a change of its event nor a restart brings it back, and the reason is told."""
    simulation = begun(simulate)
    event = simulation.create()
    simulation.until_quiet()

    simulation.google.delete_event(FAMILY, the_copy(simulation)["id"])
    edit(simulation, event, summary="Supper")
    simulation.restart()
    edit(simulation, event, summary="Dinner after all")

    assert copies(simulation) == []
    assert "copy_deleted_by_hand" in {outcome.reason for outcome in simulation.outcomes()}


def test_a_copy_deleted_by_hand_stays_deleted_with_an_old_store(simulate: Simulate) -> None:
    """A backup that knows nothing of the copy finds that its id is taken by a deleted event."""
    simulation = begun(simulate)
    simulation.run(70)
    backup = simulation.back_up()
    event = simulation.create()
    simulation.until_quiet()
    simulation.google.delete_event(FAMILY, the_copy(simulation)["id"])
    simulation.until_quiet()

    simulation.restore(backup)
    simulation.until_quiet()
    edit(simulation, event, summary="Supper")

    assert copies(simulation) == []


def test_a_date_deleted_by_hand_from_a_copy_stays_deleted(simulate: Simulate) -> None:
    """Also when that very date moves, and when its series changes."""
    simulation = begun(simulate)
    event = simulation.create(**WEEKLY)
    simulation.until_quiet()

    simulation.google.delete_event(FAMILY, f"{the_copy(simulation)['id']}_{SECOND}")
    simulation.until_quiet()
    simulation.google.edit_event(ANNA, f"{event}_{SECOND}", dict(LATER))
    edit(simulation, event, summary="Choir again")

    shown = dates(simulation, the_copy(simulation))
    assert SECOND not in shown and len(shown) == 8


def test_a_recoloured_copy_keeps_its_colour(simulate: Simulate) -> None:
    """Whatever happens to its event, its colour included."""
    simulation = begun(simulate)
    event = simulation.create(colorId="5")
    simulation.until_quiet()

    simulation.google.edit_event(FAMILY, the_copy(simulation)["id"], {"colorId": "9"})
    edit(simulation, event, summary="Supper", colorId="6")
    simulation.restart()
    edit(simulation, event, summary="Dinner")

    assert (the_copy(simulation)["summary"], the_copy(simulation)["colorId"]) == ("Dinner", "9")


@pytest.mark.parametrize("revive", ["allow", "refuse"])
def test_a_copy_that_we_took_away_comes_back_with_its_event(simulate: Simulate, revive: str) -> None:
    """The same event where Google lets us revive it, else one with a new id."""
    simulation = begun(simulate)
    event = simulation.create()
    simulation.until_quiet()
    before = the_copy(simulation)["id"]
    simulation.google.delete_event(ANNA, event)
    simulation.until_quiet()

    edit(simulation, event, status="confirmed")
    simulation.google.delete_event(ANNA, event)
    simulation.until_quiet()
    simulation.google.edit_event(ANNA, event, {"status": "confirmed"})
    simulation.google.set(revive=revive)
    simulation.until_quiet()

    assert (the_copy(simulation)["id"] == before) == (revive == "allow")


# Rules, switches and the brake


def test_a_new_rule_acts_on_what_changes_from_then_on(simulate: Simulate) -> None:
    """What was there before it keeps the copy that it has, or none."""
    simulation = begun(simulate, ruled(Rule("parties", match=Match(title="Party"), mirror=FAMILY)))
    simulation.create(summary="Party")
    plain = simulation.create(summary="Plain")
    simulation.until_quiet()

    simulation.restart(ruled(Rule("all", mirror=FAMILY, mask=Mask("title"))))
    simulation.run(HOUR)
    simulation.until_quiet()
    assert [copy["summary"] for copy in copies(simulation)] == ["Party"]
    edit(simulation, plain, summary="Plain, changed")

    assert sorted(copy["summary"] for copy in copies(simulation)) == ["Party", "Plain, changed"]


def test_removing_a_rule_removes_no_copy(simulate: Simulate) -> None:
    """Nor does switching copies off, or starting again."""
    simulation = begun(simulate)
    simulation.create()
    simulation.until_quiet()

    simulation.restart(Settings(time_zone="Europe/Berlin"))
    simulation.run(HOUR)
    simulation.until_quiet()

    assert len(copies(simulation)) == 1


def test_an_event_that_its_rule_matches_no_longer_loses_its_copy(simulate: Simulate) -> None:
    """Copies are what the rules say of their events now."""
    simulation = begun(simulate, ruled(Rule("parties", match=Match(title="Party"), mirror=FAMILY)))
    event = simulation.create(summary="Party")
    simulation.until_quiet()

    edit(simulation, event, summary="Called off")

    assert copies(simulation) == []


@pytest.mark.parametrize(
    ("key", "off", "reason"), [("mirroring", False, "mirroring_off"), ("dry_run", True, "dry_run")]
)
def test_while_copies_are_off_nothing_is_written_and_later_they_catch_up(
    simulate: Simulate, key: str, off: bool, reason: str
) -> None:
    """New events are remembered as skipped until they change; copies that are there follow when it is on again."""
    simulation = begun(simulate)
    event = simulation.create(summary="Before")
    simulation.until_quiet()
    simulation.ask("set", key=key, value=off)

    simulation.google.edit_event(ANNA, event, {"summary": "Meanwhile"})
    new = simulation.create(summary="New")
    simulation.run(HOUR)
    assert [copy["summary"] for copy in copies(simulation)] == ["Before"]
    assert reason in {outcome.reason for outcome in simulation.outcomes("skipped")}
    simulation.ask("set", key=key, value=not off)
    simulation.until_quiet()
    assert [copy["summary"] for copy in copies(simulation)] == ["Meanwhile"]
    edit(simulation, new, summary="New, changed")

    assert sorted(copy["summary"] for copy in copies(simulation)) == ["Meanwhile", "New, changed"]


@pytest.mark.parametrize(("answer", "left"), [("approve", 0), ("discard", 4)])
def test_many_removals_at_once_wait_for_a_person(simulate: Simulate, answer: str, left: int) -> None:
    """Nobody loses a calendar because another one was emptied; who discards keeps the copies."""
    simulation = begun(simulate, msgspec.structs.replace(CENTRAL, removals_per_pass=2))
    events = [simulation.create(summary=f"Dinner {number}") for number in range(4)]
    simulation.until_quiet()

    for event in events:
        simulation.google.delete_event(ANNA, event)
    simulation.until_quiet()
    assert len(copies(simulation)) == 4
    assert len(simulation.notices("brake_on")) == 1
    simulation.ask(answer)
    simulation.until_quiet()
    simulation.run(HOUR)

    assert len(copies(simulation)) == left


def test_a_listing_that_lacks_everything_takes_no_copy_away(simulate: Simulate) -> None:
    """What Google no longer names is looked up before its copy goes."""
    simulation = begun(simulate)
    for number in range(6):
        simulation.create(summary=f"Dinner {number}")
    simulation.until_quiet()

    simulation.wire.amend = lambda request, answer: _emptied(answer) if "/events" in request.path else None
    simulation.google.expire_sync_tokens()
    simulation.run(2 * HOUR)

    assert len(copies(simulation)) == 6


def _emptied(answer: Any) -> None:
    document = msgspec.json.decode(answer.body)
    if "items" in document:
        answer.body = msgspec.json.encode({**document, "items": []})


def test_an_idle_hour_is_one_call_for_each_calendar_and_poll(simulate: Simulate) -> None:
    """Whatever the number of copies, and nothing is written."""
    simulation = begun(simulate)
    for number in range(20):
        simulation.create(summary=f"Dinner {number}", recurrence=["RRULE:FREQ=WEEKLY;COUNT=9"])
    simulation.until_quiet()
    simulation.run(120)
    began = len(simulation.world.calls)

    simulation.run(HOUR)

    calls = [(call.operation, call.calendar) for call in simulation.world.calls[began:]]
    assert {operation for operation, _ in calls} - {"oauth.token"} == {"events.list"}
    assert all(calls.count(("events.list", calendar)) <= 70 for calendar in (ANNA, FAMILY))


def test_a_sudden_end_at_any_seam_leaves_one_copy_that_is_right(simulate: Simulate) -> None:
    """Of a new event, of a changed one, and of one date."""
    simulation = begun(simulate)
    for place in ("before a commit", "after a commit", "before a call", "after a write, before its answer"):
        event = simulation.create(summary=place, recurrence=["RRULE:FREQ=WEEKLY;COUNT=9"])
        simulation.seams.crash_next = place
        simulation.live()
        simulation.google.edit_event(ANNA, event, {"summary": f"{place}!"})
        simulation.google.edit_event(ANNA, f"{event}_{SECOND}", {"summary": f"{place}, late"})
        simulation.seams.crash_next = place
        simulation.live()

        copy = next(copy for copy in copies(simulation) if copy["summary"] == f"{place}!")
        assert dates(simulation, copy)[SECOND]["summary"] == f"{place}, late"

    assert len(copies(simulation)) == 4
    assert issubclass(Crash, BaseException)


@pytest.mark.parametrize("place", ["before a call", "after a write, before its answer", "after a call"])
def test_what_was_under_way_at_a_crash_is_not_written_while_copies_are_off(simulate: Simulate, place: str) -> None:
    """Somebody switched them off before Calbot started again."""
    simulation = begun(simulate)
    event = simulation.create()
    simulation.until_quiet()
    simulation.google.edit_event(ANNA, event, {"summary": "Supper"})
    until(simulation, lambda: any(row[2] == "started" for row in simulation.open_rows()))
    simulation.seams.crash_next = place
    with pytest.raises(Crash):
        simulation.until_quiet()
    before = [call for call in simulation.world.calls if call.method == "PATCH"]

    simulation.restart(msgspec.structs.replace(CENTRAL, mirroring=False))
    simulation.run(HOUR)

    assert [call for call in simulation.world.calls if call.method == "PATCH"] == before


def test_two_installations_keep_one_copy(simulate: Simulate, tmp_path: Any) -> None:
    """Each computes the same id, and neither takes the other's copy for a person's deed."""
    simulation = begun(simulate)
    second = Simulation(tmp_path, settings=CENTRAL, beside=simulation, seed=2).start()
    second.until_quiet()

    event = simulation.create()
    for one in (simulation, second):
        one.until_quiet()
    simulation.google.edit_event(ANNA, event, {"summary": "Supper"})
    for one in (simulation, second, simulation):
        one.until_quiet()

    assert the_copy(simulation)["summary"] == "Supper"
    second.die()


def test_accounts_and_calendars_of_the_options_are_sources_of_copies(simulate: Simulate) -> None:
    """Two shared calendars copied to each other: each event is on both, once."""
    chosen = (AccountChoice(ANNA, (FAMILY, WORK)),)
    pairs = ((FAMILY, WORK), (WORK, FAMILY))
    rules = [Rule(f"on {a}", match=Match(calendars=(a,)), mirror=b) for a, b in pairs]
    simulation = simulate(settings=ruled(*rules, accounts=chosen))
    furnish(simulation.world)
    simulation.until_quiet()

    simulation.create(FAMILY, summary="Family's")
    simulation.create(WORK, summary="Work's")
    simulation.until_quiet()
    simulation.run(HOUR)

    assert the_copy(simulation, WORK)["summary"] == "Family's"
    assert the_copy(simulation, FAMILY)["summary"] == "Work's"


def test_until_the_end_of_a_pause_nothing_is_copied(simulate: Simulate) -> None:
    """On resume everything that waits is planned afresh."""
    simulation = begun(simulate)
    simulation.ask("pause")
    event = simulation.create(summary="First")
    simulation.run(HOUR)
    assert copies(simulation) == []
    simulation.google.edit_event(ANNA, event, {"summary": "Second"})

    simulation.ask("resume")
    until(simulation, lambda: bool(copies(simulation)))
    simulation.until_quiet()

    assert the_copy(simulation)["summary"] == "Second"


def test_what_was_asked_for_last_holds_when_copies_are_on_again(simulate: Simulate) -> None:
    """While they were off no rule wanted the copy for a while; then one did again."""
    simulation = begun(simulate, ruled(Rule("parties", match=Match(title="Party"), mirror=FAMILY)))
    event = simulation.create(summary="Party")
    simulation.until_quiet()
    simulation.ask("set", key="mirroring", value=False)

    edit(simulation, event, summary="Funeral")
    edit(simulation, event, summary="Party, after all")
    simulation.ask("set", key="mirroring", value=True)
    simulation.until_quiet()

    assert the_copy(simulation)["summary"] == "Party, after all"
