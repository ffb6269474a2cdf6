"""`calbot mirror verify` and `calbot mirror purge`: silent when all is well, and every planted fault is named."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest

from calbot.identity import copy_id
from calbot.model import CalendarKey
from calbot.owing import meeting_mark
from calbot.policy import Mask, Match, Rule
from calbot.settings import AccountChoice, Settings
from calbot.sides import Verified, verified
from tests.cli.terminal import Terminal, alone, beside
from tests.cli.test_looking import DANGEROUS, HOSTILE
from tests.engine.scenes import LATER, SECOND, WEEKLY
from tests.google_server.control import Control
from tests.google_server.values import Request, Response
from tests.household import ANNA, BOB, FAMILY, at
from tests.simulation.machine import VirtualClock
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]
BERLIN = "Europe/Berlin"
COPY_ALL = Settings(rules=(Rule("all", mirror=FAMILY),), time_zone=BERLIN)
ALL_RULE = [{"name": "all", "match": {}, "do": {"mirror": FAMILY}}]
BOB_RULE = [{"name": "bob", "match": {}, "do": {"invite": [BOB]}}]
THIRD = "20261215T180000Z"


def begun(simulate: Simulate, settings: Settings = COPY_ALL, **parts: Any) -> Simulation:
    """A household whose events are copied to the family's calendar."""
    simulation = simulate(settings=msgspec.structs.replace(settings, rules=()), **parts)
    simulation.google.add_calendar(ANNA, FAMILY, "Family")
    simulation.restart(settings)
    simulation.until_quiet()
    return simulation


def made(simulation: Simulation, title: str = "Dentist", calendar: str = ANNA, **body: Any) -> str:
    """A new event, and its copy; the event's id."""
    event = simulation.create(calendar, **{"summary": title, **body})
    simulation.until_quiet()
    return event


def copy_of(simulation: Simulation, title: str, calendar: str = FAMILY) -> str:
    """The id of the copy with this title."""
    (found,) = [
        doc["id"] for doc in simulation.google.events(calendar) if doc.get("summary") == title and "_" not in doc["id"]
    ]
    return str(found)


def settle(simulation: Simulation) -> None:
    """Let what people did be seen, on the target too."""
    simulation.run(200)
    simulation.until_quiet()


def look(simulation: Simulation) -> Verified:
    """What verify finds, with the accounts of the simulation."""
    workers = simulation.engine.workers.values()
    watched = {CalendarKey(worker.email, calendar) for worker in workers for calendar in worker.reading.sources}
    rules = [rule for worker in workers for rule in simulation.engine.orders(worker.email).policy.rules]
    targets = {rule.mirror for rule in rules if rule.mirror is not None}
    return verified(simulation.database, simulation.accounts.calendars, watched, targets, lambda: None)


def found(simulation: Simulation) -> list[tuple[str, str, tuple[str, ...]]]:
    """Kind, date and parts of each difference."""
    seen = look(simulation)
    assert seen.problems == ()
    return [(one.kind, one.date, one.parts) for one in seen.compared.differences]


def copied(simulation: Simulation) -> list[str]:
    """The titles on the family's calendar."""
    return [str(doc.get("summary")) for doc in simulation.google.events(FAMILY)]


# Verify: silent while all is well


def test_nothing_differs_whatever_happened(simulate: Simulate) -> None:
    """Made, edited, moved, given back its dates, recoloured, deleted by hand, read again from the start, purged."""
    simulation = begun(simulate)
    google = simulation.google
    event = made(simulation)
    days = made(simulation, "Holidays", start={"date": "2026-12-20"}, end={"date": "2026-12-24"})
    seen = [found(simulation)]
    google.edit_event(ANNA, event, {"summary": "Doctor", "description": "<b>Bring</b> the card ", "colorId": "3"})
    google.edit_event(ANNA, days, {"end": {"date": "2026-12-26"}})
    settle(simulation)
    seen.append(found(simulation))
    google.edit_event(ANNA, event, {"start": LATER["start"], "end": LATER["end"], "transparency": "transparent"})
    settle(simulation)
    seen.append(found(simulation))
    google.edit_event(FAMILY, copy_of(simulation, "Doctor"), {"colorId": "5"})
    settle(simulation)
    google.edit_event(ANNA, event, {"summary": "Doctor again", "colorId": "7"})
    settle(simulation)
    seen.append(found(simulation))
    google.expire_sync_tokens()
    settle(simulation)
    seen.append(found(simulation))
    google.delete_event(FAMILY, copy_of(simulation, "Doctor again"))
    settle(simulation)
    by_hand = look(simulation).compared
    google.delete_event(ANNA, days)
    settle(simulation)

    assert seen == [[]] * 5
    assert (by_hand.copies, by_hand.by_hand, by_hand.differences) == (1, 1, ())
    assert found(simulation) == []


def test_series_with_moved_and_cancelled_dates_are_as_they_should_be(simulate: Simulate) -> None:
    """Over every change of the series and its dates, also where the copy came after them, and in summer time."""
    simulation = begun(simulate)
    google = simulation.google
    choir = made(simulation, "Choir", recurrence=["RRULE:FREQ=WEEKLY;COUNT=30"])
    google.edit_event(ANNA, f"{choir}_{SECOND}", LATER)
    google.delete_event(ANNA, f"{choir}_{THIRD}")
    settle(simulation)
    seen = [found(simulation)]
    google.edit_event(ANNA, choir, {"location": "Church"})
    settle(simulation)
    seen.append(found(simulation))
    google.edit_event(FAMILY, f"{copy_of(simulation, 'Choir')}_20261222T180000Z", {"status": "cancelled"})
    google.edit_event(FAMILY, copy_of(simulation, "Choir"), {"colorId": "5"})
    settle(simulation)
    seen.append(found(simulation))
    google.edit_event(ANNA, f"{choir}_20270406T170000Z", {"summary": "Concert"})
    settle(simulation)
    seen.append(found(simulation))
    google.edit_event(
        ANNA,
        choir,
        {
            side: {"dateTime": f"2026-12-01T{hour}:00:00+01:00", "timeZone": BERLIN}
            for side, hour in (("start", 18), ("end", 20))
        },
    )
    settle(simulation)
    seen.append(found(simulation))
    google.edit_event(ANNA, choir, {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]})
    settle(simulation)
    seen.append(found(simulation))

    assert seen == [[]] * 6, seen


def test_a_series_copied_with_its_past_is_as_it_should_be(simulate: Simulate) -> None:
    """Its dates were changed before any rule asked for it."""
    simulation = begun(simulate, Settings(rules=(Rule("bob", (BOB,)),), time_zone=BERLIN))
    choir = made(simulation, **WEEKLY)
    simulation.google.edit_event(ANNA, f"{choir}_{SECOND}", LATER)
    simulation.google.delete_event(ANNA, f"{choir}_{THIRD}")
    settle(simulation)
    simulation.restart(COPY_ALL)
    simulation.google.edit_event(ANNA, choir, {"location": "Church"})
    settle(simulation)

    assert look(simulation).compared.copies == 1
    assert found(simulation) == []


@pytest.mark.parametrize(
    "mask",
    [Mask("title"), Mask("busy"), Mask("template", "{title} ({calendar})", "{location} {link}")],
    ids=["title", "busy", "template"],
)
def test_masks_are_known(simulate: Simulate, mask: Mask) -> None:
    """What the mask hides is no difference; nor is that several accounts see the meeting."""
    chosen = (AccountChoice(ANNA), AccountChoice(BOB))
    rules = (Rule("anna", match=Match(accounts=(ANNA,)), mirror=FAMILY, mask=mask), Rule("rest", mirror=FAMILY))
    simulation = begun(simulate, Settings(rules=rules, accounts=chosen, time_zone=BERLIN), signed_in=(ANNA, BOB))
    made(simulation, description="Secret", location="Home", attendees=[{"email": BOB}])
    made(simulation, **WEEKLY, attendees=[{"email": BOB}])
    settle(simulation)

    assert (look(simulation).compared.copies, found(simulation)) == (2, [])


# Verify: every kind of difference, planted


def test_what_somebody_changed_on_a_copy_is_named(simulate: Simulate) -> None:
    """Each part by its name."""
    simulation = begun(simulate)
    made(simulation)
    copy = copy_of(simulation, "Dentist")
    simulation.google.edit_event(FAMILY, copy, {"summary": "Hairdresser", "location": "Town", **LATER, "colorId": "4"})

    assert found(simulation) == [("differs", "", ("title", "location", "start", "end", "colour"))]


def test_a_copy_that_is_gone_and_one_that_is_left_are_named(simulate: Simulate) -> None:
    """While Calbot does not run: a copy disappears, and an original."""
    simulation = begun(simulate)
    event = made(simulation)
    made(simulation, "Dinner")
    simulation.google.delete_event(FAMILY, copy_of(simulation, "Dinner"))
    simulation.google.delete_event(ANNA, event)

    assert sorted(found(simulation)) == [("left_behind", "", ()), ("missing", "", ())]


def test_two_copies_of_one_meeting_and_copies_of_copies_are_named(simulate: Simulate) -> None:
    """And what has our mark and is not known; what another Calbot made is counted."""
    simulation = begun(simulate)
    event = made(simulation)
    doc = simulation.google.event(FAMILY, copy_of(simulation, "Dentist"))
    iid, mark = doc["extendedProperties"]["private"]["calbot"].split(" ")
    plant(simulation, copy_id(event, "", FAMILY, 1), f"{iid} {mark}")
    double = found(simulation)
    plant(simulation, copy_id("other", "", FAMILY, 0), f"{iid} zebra")
    plant(simulation, copy_id("neighbour", "", FAMILY, 0), "neighbour tiger")
    unknown = found(simulation)

    assert double == [("double", "", ())]
    assert sorted(unknown) == [("double", "", ()), ("unknown", "", ())]
    assert look(simulation).compared.others == 1


def plant(simulation: Simulation, event: str, stamp: str, **body: Any) -> None:
    """An event with our mark that our engine has not made."""
    private = {"extendedProperties": {"private": {"calbot": stamp}}}
    simulation.google.create_event(FAMILY, {"id": event, "summary": "Planted", **private, **body})


def test_a_copy_of_a_copy_is_named(simulate: Simulate) -> None:
    """By its mark, which is that of a copy's own meeting."""
    simulation = begun(simulate)
    made(simulation)
    doc = simulation.google.event(FAMILY, copy_of(simulation, "Dentist"))
    plant(simulation, copy_id(doc["iCalUID"], "", FAMILY, 0), f"iid {meeting_mark(doc['iCalUID'], '')}")

    assert found(simulation) == [("copy_of_copy", "", ())]


@pytest.mark.parametrize("what", ["moved", "cancelled", "only on the copy", "moved on the copy"])
def test_a_date_that_is_otherwise_in_the_original_is_named(simulate: Simulate, what: str) -> None:
    """Moved or cancelled there and not here, or moved here and not there."""
    simulation = begun(simulate)
    choir = made(simulation, **WEEKLY)
    date, copy = f"{choir}_{SECOND}", f"{copy_of(simulation, 'Choir')}_{SECOND}"
    simulation.die()
    google = simulation.google
    match what:
        case "moved":
            google.edit_event(ANNA, date, LATER)
        case "cancelled":
            google.delete_event(ANNA, date)
        case "only on the copy":
            google.edit_event(ANNA, choir, {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=9", f"EXDATE:{SECOND}"]})
            google.edit_event(FAMILY, copy, {"summary": "Choir here"})
        case _:
            google.edit_event(FAMILY, copy, LATER)
    seen = [one for one in while_down(simulation) if one[1]]

    expected = {
        "moved": ("differs", SECOND, ("start", "end")),
        "cancelled": ("left_behind", SECOND, ()),
        "only on the copy": ("left_behind", SECOND, ()),
        "moved on the copy": ("differs", SECOND, ("start", "end")),
    }
    assert seen == [expected[what]]


def while_down(simulation: Simulation) -> list[tuple[str, str, tuple[str, ...]]]:
    """What verify finds before a restarted engine has done anything."""
    simulation.start()
    return found(simulation)


def test_what_waits_and_what_stands_by_itself_is_counted(simulate: Simulate) -> None:
    """Held or parked work is no difference; neither is a copy that has taken its original's place."""
    moves = Rule("moves", match=Match(title="Move"), mirror=FAMILY, delete_original=True)
    rules = (moves, Rule("rest", mirror=FAMILY))
    simulation = begun(simulate, msgspec.structs.replace(COPY_ALL, rules=rules, delete_original=True, grace=300))
    events = [made(simulation, f"Event {number}") for number in range(3)]
    simulation.create(summary="Move me")
    simulation.until_quiet()
    simulation.run(4000)
    simulation.until_quiet()
    for event in events:
        simulation.google.delete_event(ANNA, event)
    simulation.run(200)
    compared = look(simulation).compared

    assert "Move me" not in [doc.get("summary") for doc in simulation.google.events(ANNA)]
    assert (compared.differences, compared.kept) == ((), 1)
    assert compared.waiting + compared.copies >= 1


def test_a_calendar_that_cannot_be_read_is_a_problem_and_no_difference(simulate: Simulate) -> None:
    """Nothing is said of copies whose originals, or which themselves, could not be looked at."""
    simulation = begun(simulate)
    made(simulation)
    simulation.google.remove_calendar(FAMILY)
    seen = look(simulation)

    assert seen.compared.differences == ()
    assert (len(seen.problems), FAMILY in seen.problems[0], seen.compared.unread) == (1, True, 1)


def test_what_cannot_be_understood_is_not_compared(simulate: Simulate) -> None:
    """Neither a copy nor an original that Google gives in a form that nobody knows is missing."""
    simulation = begun(simulate)
    made(simulation)
    made(simulation, "Dinner")

    def spoil(request: Request, answer: Response) -> None:
        """Anna's “Dentist”, and the family's “Dinner”."""
        title = "Dinner" if FAMILY in unquote(request.path) else "Dentist"
        answer.body = re.sub(rb'("summary":\s*)("%s")' % title.encode(), rb"\1[\2]", answer.body)

    simulation.wire.amend = spoil
    compared = look(simulation).compared

    assert (compared.copies, compared.unread, compared.differences) == (0, 2, ())


# On the command line


def household(google: Control) -> None:
    """Anna's family calendar."""
    google.add_calendar(ANNA, FAMILY, "Family")


def tomorrow(google: Control, title: str) -> str:
    """Anna makes an event for tomorrow; its id."""
    begin = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    return str(google.create_event(ANNA, {**at(begin), "summary": title})["id"])


def on_family(google: Control) -> list[str]:
    """The titles on the family's calendar."""
    return sorted(str(doc.get("summary")) for doc in google.events(FAMILY))


def test_verify_says_that_all_is_well_or_what_is_not(data: Path) -> None:
    """In a line each and a sum, for programs as JSON; exit 0 or 5. Nothing at Google is changed by it."""
    with alone(data, rules=ALL_RULE, invite_emails=[]) as (terminal, google):
        household(google)
        terminal.run("sync")
        none = terminal.run("mirror", "verify")
        event = tomorrow(google, "Dentist")
        tomorrow(google, HOSTILE)
        terminal.run("sync")
        well = terminal.run("mirror", "verify")
        google.reset_calls()
        google.edit_event(ANNA, event, {"summary": "Doctor"})
        google.delete_event(FAMILY, next(doc["id"] for doc in google.events(FAMILY) if doc["summary"] != "Dentist"))
        wrong = terminal.run("mirror", "verify")
        told: Any = terminal.json("mirror", "verify")
        writes = [call for call in google.calls() if call["method"] != "GET" and "token" not in call["operation"]]

    assert (none.exit_code, none.stdout) == (0, "There are no copies.\n")
    assert (well.exit_code, well.stdout) == (0, "2 copies on 1 calendar: all as they should be.\n"), well.output
    assert wrong.exit_code == 5
    lines = wrong.stdout.splitlines()
    assert lines[-1] == "2 copies on 1 calendar: 2 differences."
    assert any(f'"Dentist"  {FAMILY}: It differs in title.' in line for line in lines[:-1])
    assert any("There is no copy." in line for line in lines[:-1])
    assert not DANGEROUS & set(wrong.output)
    assert sorted(one["kind"] for one in told["differences"]) == ["differs", "missing"]
    assert (told["copies"], told["problems"], writes) == (2, [], [])


def test_without_a_sign_in_verify_says_so(simulate: Simulate) -> None:
    """Beside a service that waits for the first one, with exit 3."""
    simulation = begun(simulate)
    made(simulation)

    ended = beside(simulation, rules=ALL_RULE).run("mirror", "verify")

    assert (ended.exit_code, "calbot login" in ended.stderr) == (3, True)


def test_what_cannot_be_read_is_exit_1_and_a_dead_sign_in_exit_3(data: Path) -> None:
    """With a sentence that names the calendar, or the account."""
    with alone(data, rules=ALL_RULE, invite_emails=[]) as (terminal, google):
        household(google)
        terminal.run("sync")
        tomorrow(google, "Dentist")
        terminal.run("sync")
        google.remove_calendar(FAMILY)
        unreadable = terminal.run("mirror", "verify")
        google.revoke(ANNA)
        google.expire_access_tokens()
        signed_out = terminal.run("mirror", "verify")

    assert unreadable.exit_code == 1
    assert FAMILY in unreadable.stderr
    assert "1 could not be compared" in unreadable.stdout and "as they should be" not in unreadable.stdout
    assert (signed_out.exit_code, ANNA in signed_out.stderr) == (3, True), signed_out.output


def test_purge_shows_first_and_takes_away_with_yes(data: Path) -> None:
    """What it lists is what goes; verify agrees before and after."""
    with alone(data, rules=ALL_RULE, invite_emails=[]) as (terminal, google):
        household(google)
        terminal.run("sync")
        tomorrow(google, "Dentist")
        terminal.run("sync")
        nothing = terminal.run("mirror", "purge")
        terminal.set_options(rules=BOB_RULE)
        listed, told = terminal.run("mirror", "purge"), terminal.json("mirror", "purge")
        before = on_family(google)
        done = terminal.run("mirror", "purge", "--yes")
        after = on_family(google)
        verified_after = terminal.run("mirror", "verify")
        again: Any = terminal.json("mirror", "purge", "--yes")

    assert (nothing.exit_code, nothing.stdout) == (0, "There is nothing to take away.\n")
    first, last = listed.stdout.splitlines()
    assert first.endswith('"Dentist"  Family: No rule asks for it.')
    assert last == "1 copy would be taken away: calbot mirror purge --yes"
    assert [(one["title"], one["target"]) for one in told] == [("Dentist", FAMILY)]  # type: ignore[attr-defined]
    assert (before, after) == (["Dentist"], [])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "1 copy taken away."
    assert done.stdout.startswith('copy_removed  "Dentist"')
    assert (verified_after.exit_code, verified_after.stdout) == (0, "There are no copies.\n")
    assert (again["status"], again["data"]["removed"]) == ("ok", 0)


def test_a_purge_by_an_account_that_is_signed_out_waits(data: Path) -> None:
    """Exit 3, with what to do; once somebody signed in again it is done."""
    with alone(data, rules=ALL_RULE, invite_emails=[]) as (terminal, google):
        household(google)
        terminal.run("sync")
        tomorrow(google, "Dentist")
        terminal.run("sync")
        google.revoke(ANNA)
        google.expire_access_tokens()
        ended = terminal.run("mirror", "purge", "--all", "--yes")
        (data / "tokens" / f"{ANNA}.json").write_text(json.dumps(google.token_document(ANNA)))
        before = on_family(google)
        synced = terminal.run("sync")
        after = on_family(google)

    assert (ended.exit_code, ANNA in ended.stderr) == (3, True), ended.output
    assert (before, after) == (["Dentist"], []), synced.output


def test_many_at_once_need_a_second_yes(simulate: Simulate) -> None:
    """Beside the service: the command that confirms is printed, and does it; the exit code is 2 until then."""
    simulation = begun(simulate)
    for number in range(4):
        made(simulation, f"Event {number}")
    terminal = beside(simulation, rules=ALL_RULE)

    shown = terminal.run("mirror", "purge", "--all")
    asked = terminal.run("mirror", "purge", "--all", "--yes")
    untouched = len(simulation.google.events(FAMILY))
    words = asked.stderr.splitlines()[-1].split()
    wrong = terminal.run(*words[1:-1], "zebra")
    done = terminal.run(*words[1:])
    simulation.until_quiet()

    assert shown.stdout.splitlines()[-1] == "4 copies would be taken away: calbot mirror purge --all --yes"
    assert words[:-1] == ["calbot", "mirror", "purge", "--all", "--yes", "--confirm"]
    assert (asked.exit_code, untouched, wrong.exit_code) == (2, 4, 2)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "4 copies taken away."
    assert copied(simulation) == []


def test_a_calendar_without_copies_is_exit_4(simulate: Simulate) -> None:
    """Shown or done; nothing is taken away anywhere."""
    simulation = begun(simulate)
    made(simulation)
    terminal = beside(simulation, rules=ALL_RULE)

    ended = [terminal.run("mirror", "purge", "--target", "zebra@example.com", "--all", *yes) for yes in ([], ["--yes"])]

    assert [one.exit_code for one in ended] == [4, 4]
    assert all("zebra@example.com" in one.stderr for one in ended)
    assert copied(simulation) == ["Dentist"]


def test_the_list_says_what_keeps_it_from_happening(simulate: Simulate) -> None:
    """A dry run, mirroring that is off, a pause; a dry run is exit 2, what waits exit 5."""
    simulation = begun(simulate)
    made(simulation)
    terminal = beside(simulation, rules=ALL_RULE)
    simulation.command("set", key="dry_run", value=True)
    dry, refused = terminal.run("mirror", "purge", "--all"), terminal.run("mirror", "purge", "--all", "--yes")
    simulation.command("set", key="dry_run", value=False)
    simulation.command("set", key="mirroring", value=False)
    simulation.command("pause")
    off = terminal.run("mirror", "purge", "--all")
    simulation.command("resume")
    waits = terminal.run("mirror", "purge", "--all", "--yes")

    assert "But dry_run is on" in dry.stdout
    assert (refused.exit_code, "dry run" in refused.stderr) == (2, True)
    assert "But mirroring is off" in off.stdout and "But Calbot is paused" in off.stdout
    assert (waits.exit_code, copied(simulation)) == (5, ["Dentist"])
    assert "1 copy not taken away yet: Mirroring is off." in waits.stdout


def test_no_store_is_a_sentence(data: Path) -> None:
    """Before Calbot ever ran there is nothing to look at."""
    terminal = Terminal(data, VirtualClock(0.0), rules=ALL_RULE)

    ended = terminal.run("mirror", "purge")

    assert (ended.exit_code, "Start Calbot once" in ended.stderr) == (1, True)
