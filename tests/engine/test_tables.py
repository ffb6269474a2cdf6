"""The pure parts, as tables: what goes in, what comes out."""

from datetime import UTC, datetime

import msgspec
import pytest

from calbot.actions import Deed, Invite, LookUp, Skip
from calbot.google.wire import change
from calbot.health import assess
from calbot.identity import changed_parts, present, stamp_with, ulid, was_invited
from calbot.kinds import DeedState
from calbot.model import CalendarKey, Event, EventKey, Gone
from calbot.moments import instant, is_past
from calbot.planner import in_order, is_remembered, looks_emptied, plan
from calbot.policy import Case, Policy
from calbot.rules import judge, obvious_rules
from calbot.schedule import (
    BACKOFF_CAP,
    BACKOFF_FIRST,
    BURST,
    ECHO_LIMIT,
    ECHO_SECONDS,
    PUSH_BACKSTOP,
    REFILL_SECONDS,
    Timing,
    backoff,
    due_at,
    interval,
    spent,
)
from calbot.status import AccountStatus, CalendarStatus, Effective, Snapshot
from tests.household import ANNA, BOB, CAROL, NOON, dinner

KEY = EventKey(ANNA, "primary", "dinner")
POLICY = Policy(rules=obvious_rules((BOB,)), time_zone="Europe/Berlin")
BERLIN = "Europe/Berlin"


def case(policy: Policy = POLICY) -> Case:
    """What a decision is made from besides the event, on Anna's calendar at noon."""
    return Case(calendar=CalendarKey(ANNA, "primary"), policy=policy, now=NOON)


def epoch(text: str) -> float:
    """The instant of an RFC 3339 time."""
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()


PAST: list[tuple[str, dict[str, object], str, bool]] = [
    ("a timed event, a second before its end", {}, "2026-12-01T20:59:59+01:00", False),
    ("a timed event, at its end", {}, "2026-12-01T21:00:00+01:00", True),
    (
        "a day ends at midnight of the household",
        {"start": "2026-12-01", "end": "2026-12-02"},
        "2026-12-01T23:59:59+01:00",
        False,
    ),
    ("a day that is over", {"start": "2026-12-01", "end": "2026-12-02"}, "2026-12-02T00:00:00+01:00", True),
    ("a time without an offset is the household's", {"end": "2026-12-01T21:00:00"}, "2026-12-01T20:30:00+00:00", True),
    ("no end", {"end": ""}, "2026-12-01T19:00:00+01:00", True),
    ("nothing that can be read", {"start": "soon", "end": "later"}, "2027-01-01T00:00:00+00:00", False),
    ("a series for ever", {"recurrence": ("RRULE:FREQ=DAILY",)}, "2036-01-01T00:00:00+00:00", False),
    ("a counted series under way", {"recurrence": ("RRULE:FREQ=DAILY;COUNT=5",)}, "2026-12-04T00:00:00+00:00", False),
    ("a counted series that is over", {"recurrence": ("RRULE:FREQ=DAILY;COUNT=5",)}, "2026-12-08T00:00:00+00:00", True),
    (
        "every second week",
        {"recurrence": ("RRULE:FREQ=WEEKLY;COUNT=3;INTERVAL=2",)},
        "2026-12-28T00:00:00+00:00",
        False,
    ),
    ("until a day", {"recurrence": ("RRULE:FREQ=DAILY;UNTIL=20261205",)}, "2026-12-05T10:00:00+00:00", False),
    ("until a day, over", {"recurrence": ("RRULE:FREQ=DAILY;UNTIL=20261205",)}, "2026-12-06T10:00:00+00:00", True),
    ("until midnight", {"recurrence": ("RRULE:FREQ=DAILY;UNTIL=20261204T000000Z",)}, "2026-12-05T10:00:00+00:00", True),
    ("an end nobody can read", {"recurrence": ("RRULE:FREQ=DAILY;UNTIL=soon",)}, "2036-01-01T00:00:00+00:00", False),
    (
        "a count of many digits",
        {"recurrence": (f"RRULE:FREQ=DAILY;COUNT={'9' * 5000}",)},
        "2036-01-01T00:00:00+00:00",
        False,
    ),
    ("extra dates", {"recurrence": ("RRULE:FREQ=DAILY;COUNT=2", "RDATE:20270601")}, "2027-01-01T00:00:00+00:00", False),
    (
        "left out dates",
        {"recurrence": ("EXDATE:20261202", "RRULE:FREQ=DAILY;COUNT=2")},
        "2027-01-01T00:00:00+00:00",
        True,
    ),
    ("by the hour", {"recurrence": ("RRULE:FREQ=HOURLY;COUNT=2",)}, "2036-01-01T00:00:00+00:00", False),
]


@pytest.mark.parametrize(("parts", "now", "past"), [row[1:] for row in PAST], ids=[row[0] for row in PAST])
def test_an_event_is_past_when_its_last_repetition_has_ended(parts: dict[str, object], now: str, past: bool) -> None:
    """What cannot be told is not past: a person may have to decide, but is not forgotten."""
    assert is_past(dinner(**parts), BERLIN, epoch(now)) is past


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "9999-12-31T23:59:59-23:59", "0001-01-01"])
def test_an_odd_time_is_no_surprise(text: str) -> None:
    """It is no instant, or some instant, and nothing is raised."""
    assert isinstance(instant(text, "Nowhere/Land"), float | None)


def test_an_instant_is_that_of_its_own_offset() -> None:
    """Or of the household's zone, when it brings none."""
    assert instant("2026-12-01T19:00:00+01:00", "America/New_York") == epoch("2026-12-01T18:00:00+00:00")
    assert instant("2026-07-01", BERLIN) == epoch("2026-06-30T22:00:00+00:00")


DUE: list[tuple[str, Timing, float, float]] = [
    ("at first", Timing(), 60, 100),
    ("asked for, whatever else", Timing(asked=True, synced_at=99, retry_at=500), 60, 100),
    ("a poll interval after the last", Timing(asked=False, synced_at=90), 60, 150),
    ("not before a retry", Timing(asked=False, synced_at=90, retry_at=400, pushed_at=99), 60, 400),
    ("pushed, at once", Timing(asked=False, synced_at=90, pushed_at=100), 60, 100),
    (
        "pushed, with no allowance left",
        Timing(asked=False, synced_at=90, pushed_at=100, tokens=0, tokens_at=100),
        60,
        100 + REFILL_SECONDS,
    ),
    ("pushed while we write", Timing(asked=False, synced_at=90, pushed_at=100, busy=True), 60, 100 + ECHO_LIMIT),
    ("pushed after we wrote", Timing(asked=False, synced_at=90, pushed_at=100, wrote_at=100), 60, 100 + ECHO_SECONDS),
    ("pushed long after a write", Timing(asked=False, synced_at=90, pushed_at=100, wrote_at=95), 60, 100),
    ("a poll is not put off by a push", Timing(asked=False, synced_at=41, pushed_at=100, busy=True), 60, 101),
]


@pytest.mark.parametrize(("timing", "every", "at"), [row[1:] for row in DUE], ids=[row[0] for row in DUE])
def test_a_calendar_is_due(timing: Timing, every: float, at: float) -> None:
    """Now is 100; a time before now means now."""
    assert max(100.0, due_at(timing, every, 100.0)) == pytest.approx(max(100.0, at))


def test_push_lengthens_the_interval() -> None:
    """A quarter of an hour with healthy push, unless the household wants it longer still."""
    assert interval(60, push_healthy=False) == 60
    assert interval(60, push_healthy=True) == PUSH_BACKSTOP == 900
    assert interval(3600, push_healthy=True) == 3600


def test_the_allowance_of_pushes_runs_out_and_refills() -> None:
    """A burst at once, then one for each refill time."""
    timing = Timing(tokens_at=100.0)
    for _ in range(BURST):
        tokens, at = spent(timing, 100.0)
        timing = msgspec.structs.replace(timing, tokens=tokens, tokens_at=at)
    empty = timing.tokens
    full, _ = spent(timing, 100.0 + 1000 * REFILL_SECONDS)

    assert empty == 0
    assert full == BURST - 1


@pytest.mark.parametrize("failures", [0, 1, 5, 50, 100_000])
def test_backoff_has_bounds(failures: int) -> None:
    """Ten seconds at least, half an hour at most, and never less than Google asked for."""
    assert backoff(failures, 0.0) == BACKOFF_FIRST
    assert BACKOFF_FIRST <= backoff(failures, 1.0) <= BACKOFF_CAP
    assert backoff(failures, 0.5, 4000.0) == 4000.0
    assert backoff(failures, 0.5, 1e12) == 86400.0
    assert backoff(0, 1.0) <= backoff(3, 1.0) <= backoff(9, 1.0) == BACKOFF_CAP


JUDGED: list[tuple[str, Event, Policy, str]] = [
    ("a guest is missing", dinner(), POLICY, "invite"),
    ("another is there", dinner(CAROL), POLICY, "invite"),
    ("the guest is there", dinner("BOB@example.COM"), POLICY, "already_invited"),
    ("the guest organises it", dinner(organiser=BOB), POLICY, "already_invited"),
    ("our stamp, the guest absent", dinner(stamp=stamp_with("", [BOB])), POLICY, "removed_by_hand"),
    ("no rule", dinner(), Policy(rules=()), "no_rule"),
    ("switched off", dinner(), msgspec.structs.replace(POLICY, auto_invite=False), "auto_invite_off"),
    ("dry run", dinner(), msgspec.structs.replace(POLICY, dry_run=True), "dry_run"),
    ("our copy", dinner(copy_of="x"), POLICY, "own_copy"),
    ("a birthday", dinner(kind="birthday"), POLICY, "event_type"),
    ("an unheard-of type", dinner(kind="holographic"), POLICY, "event_type"),
    ("somebody else's", dinner(organised_by_us=False), POLICY, "not_organiser"),
    ("declined", dinner(my_response="declined"), POLICY, "declined"),
    ("accepted", dinner(my_response="accepted"), POLICY, "invite"),
    ("private", dinner(visibility="private"), POLICY, "private"),
    ("public", dinner(visibility="public"), POLICY, "invite"),
    ("locked", dinner(locked=True), POLICY, "no_write_access"),
    ("a hidden guest list", dinner(guests_hidden=True), POLICY, "no_write_access"),
    ("over", dinner(end="2026-11-01T00:00:00Z"), POLICY, "past"),
]


@pytest.mark.parametrize(("event", "policy", "what"), [row[1:] for row in JUDGED], ids=[row[0] for row in JUDGED])
def test_an_event_is_judged(event: Event, policy: Policy, what: str) -> None:
    """Invite, or the one reason not to."""
    action = judge(event, case(policy))

    assert (action.reason if isinstance(action, Skip) else "invite") == what
    assert is_remembered(action) == (what != "already_invited")


def deed(state: DeedState, *, uncertain: bool = False) -> Deed:
    """An invitation of the ledger."""
    action = Invite(dinner(), (BOB,), "invite_emails")
    return Deed(id=7, key=KEY, verb="invite", state=state, action=action, uncertain=uncertain)


def test_a_new_event_is_told_and_invited_to() -> None:
    """Both in one verdict."""
    verdict = plan(dinner(), None, None, case())

    assert verdict.said is not None and verdict.said.event_type == "event_created"
    assert isinstance(verdict.action, Invite)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"title": "Supper"}, "updated"),
        ({"start": "2026-12-01T18:00:00+01:00"}, "moved"),
        ({"title": "Supper", "end": "2026-12-01T23:00:00+01:00"}, "moved"),
        ({}, None),
        ({"stamp": "abc"}, None),
    ],
)
def test_a_change_is_told_as_what_it_is(parts: dict[str, object], told: str | None) -> None:
    """New times are a move; guests, answers and stamps are no content; only content is judged again."""
    verdict = plan(dinner(etag='"2"', **parts), dinner(), None, case())

    assert (verdict.said.event_type if verdict.said else None) == told
    assert (verdict.action is not None) == (told is not None)


def test_the_version_that_is_known_means_nothing() -> None:
    """An event listed twice is one event."""
    verdict = plan(dinner(), dinner(), None, case())

    assert (verdict.said, verdict.action, verdict.overtakes) == (None, None, None)


@pytest.mark.parametrize(
    ("waiting", "replaced"),
    [
        (deed("planned"), True),
        (deed("parked"), True),
        (deed("parked", uncertain=True), False),
        (deed("started"), False),
        (deed("held"), False),
    ],
)
def test_a_row_that_may_have_reached_google_is_never_replaced(waiting: Deed, replaced: bool) -> None:
    """Only a look at the event settles it."""
    verdict = plan(dinner(etag='"2"', title="Supper"), dinner(), waiting, case())

    assert (verdict.overtakes == waiting) == replaced
    assert isinstance(verdict.action, Invite) == replaced


def test_a_change_that_shows_a_held_invitation_landed_has_it_looked_at() -> None:
    """The guest is there: what was in doubt can be decided."""
    verdict = plan(dinner(BOB, etag='"2"'), dinner(), deed("held"), case())

    assert verdict.recheck == deed("held")


def test_a_deletion_is_told_with_what_is_known() -> None:
    """And nothing is told of what nobody knew."""
    known = plan(Gone("dinner"), dinner(), deed("planned"), case())
    unknown = plan(Gone("dinner"), None, None, case())

    assert known.said is not None and known.said.event_type == "cancelled" and known.said.event == dinner()
    assert known.overtakes == deed("planned")
    assert unknown.said is None


def test_parents_come_before_their_exceptions() -> None:
    """Whatever order a page has."""
    exception, parent = dinner(id="x_1", series="x"), dinner(id="x")

    assert in_order([exception, parent]) == [parent, exception]


@pytest.mark.parametrize(
    ("known", "seen", "emptied"), [(3, 0, False), (4, 1, True), (4, 2, False), (100, 49, True), (100, 50, False)]
)
def test_a_listing_that_lacks_most_of_what_was_known_is_doubted(known: int, seen: int, emptied: bool) -> None:
    """From four events on, and below half."""
    assert looks_emptied(known, seen) is emptied


def test_a_look_up_is_remembered() -> None:
    """It is work, so it has a row."""
    assert is_remembered(LookUp("dinner"))


def test_the_stamp_tells_whom_we_invited_and_nothing_else() -> None:
    """It knows addresses in any case, keeps earlier ones, names nobody in clear, and fits Google's limit."""
    stamp = stamp_with(stamp_with("", ["Bob@Example.com"]), [CAROL, BOB])
    full = stamp_with("", [f"guest{number}@example.com" for number in range(200)])

    assert was_invited(stamp, BOB) and was_invited(stamp, CAROL) and not was_invited(stamp, ANNA)
    assert stamp.count(",") == 1
    assert "@" not in stamp and "bob" not in stamp
    assert len(full) <= 1024 and was_invited(full, "guest199@example.com")
    assert not was_invited("", "")


def test_guests_and_answers_are_no_content() -> None:
    """Only what people would call a change of the event counts as one."""
    assert changed_parts(dinner(), dinner(BOB, etag='"9"', stamp="x")) == ()
    assert changed_parts(dinner(), dinner(title="Supper", busy=False)) == ("title", "busy")
    assert present(dinner("BOB@example.com"), "Bob@Example.COM")


def test_ids_sort_by_time() -> None:
    """Of two, the later one is the greater; chance never turns that."""
    early, late = ulid(NOON, b"\xff" * 10), ulid(NOON + 0.001, b"\x00" * 10)

    assert len(early) == 26 and early < late


SETTINGS = Effective(
    auto_invite=True,
    dry_run=False,
    poll_interval=60,
    invites_per_hour=50,
    removals_per_pass=5,
    first_sync="ignore",
    invite_emails=(BOB,),
)
CALENDAR = CalendarStatus(key=CalendarKey(ANNA, "primary"), last_success=NOON + 1000)
FAILING: dict[str, object] = {"failures": 3, "problem": "network", "problem_text": "Google cannot be reached."}


def house(calendar: CalendarStatus = CALENDAR, **parts: object) -> Snapshot:
    """A household whose one calendar is like this."""
    account = AccountStatus(email=ANNA, aid="abcd", calendars=(calendar,))
    account = msgspec.structs.replace(account, **{k: v for k, v in parts.items() if hasattr(account, k)})
    rest = {key: value for key, value in parts.items() if not hasattr(account, key)}
    basis: dict[str, object] = {"started_at": NOON, "settings": SETTINGS, "accounts": (account,)}
    return Snapshot(**{**basis, **rest})  # type: ignore[arg-type]


def calendar(**parts: object) -> CalendarStatus:
    """The calendar, with these parts otherwise."""
    return msgspec.structs.replace(CALENDAR, **parts)


HEALTH: list[tuple[str, Snapshot, float, str, str]] = [
    ("read a minute ago", house(), 1060, "ok", ""),
    ("not read for long", house(), 3000, "problem", "stale"),
    ("never read, just started", house(calendar(last_success=None)), 60, "ok", ""),
    ("never read, started long ago", house(calendar(last_success=None)), 600, "problem", "stale"),
    ("read before a long stop, just started", house(calendar(last_success=NOON - 90_000)), 60, "ok", ""),
    ("a blip", house(calendar(**{**FAILING, "failures": 1})), 1060, "ok", ""),
    ("failing three times", house(calendar(**FAILING)), 1060, "degraded", "network"),
    ("failing for an hour", house(calendar(**FAILING)), 4700, "problem", "network"),
    ("not shared any more", house(calendar(**{**FAILING, "problem": "forbidden"})), 1060, "problem", "forbidden"),
    ("push does not work", house(calendar(push="failed")), 1060, "degraded", "push"),
    ("signed out", house(signed_in=False), 1060, "problem", "sign_in_needed"),
    ("held", house(held=2), 1060, "degraded", "held"),
    ("the disk is full", house(disk_problem="No room."), 1060, "problem", "store"),
    ("options nobody understands", house(option_problem="rules: no."), 1060, "problem", "options"),
    ("nobody signed in", house(accounts=()), 1060, "setup", "no_account"),
    ("nobody to invite", house(settings=msgspec.structs.replace(SETTINGS, invite_emails=())), 1060, "setup", "no_rule"),
    ("paused", house(settings=msgspec.structs.replace(SETTINGS, paused_until=1e11)), 1060, "paused", "paused"),
    ("a pause that is over", house(settings=msgspec.structs.replace(SETTINGS, paused_until=NOON)), 1060, "ok", ""),
]


@pytest.mark.parametrize(("how", "later", "level", "code"), [row[1:] for row in HEALTH], ids=[row[0] for row in HEALTH])
def test_health_is_the_worst_of_what_is_wrong(how: Snapshot, later: float, level: str, code: str) -> None:
    """Nothing says ok when nothing works, and each trouble has its word and, where people can help, a remedy."""
    verdict = assess(how, NOON + later)

    assert verdict.level == level
    assert ({reason.code for reason in verdict.reasons} or {""}) == {code}
    assert all(reason.text for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("start", "rule", "past"),
    [
        ("2025-08-31", "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=12", False),
        ("2025-08-31", "FREQ=MONTHLY;COUNT=12", False),
        ("2020-02-29", "FREQ=YEARLY;COUNT=5", False),
        ("2025-01-06", "FREQ=DAILY;BYMONTH=1;COUNT=60", False),
        ("2025-01-06", "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=10", True),
        ("2025-01-15", "FREQ=MONTHLY;COUNT=12", True),
        ("2025-01-15", "FREQ=DAILY;COUNT=12", True),
    ],
)
def test_a_series_is_over_only_when_that_can_be_told(start: str, rule: str, past: bool) -> None:
    """Where some periods have no repetition, so many of them may take years longer."""
    series = dinner(start=start, end=start, recurrence=(f"RRULE:{rule}",))

    assert is_past(series, BERLIN, epoch("2026-11-20T12:00:00+01:00")) is past


def test_who_made_an_event_is_on_it() -> None:
    """The creator of a shared calendar's event is not invited to it."""
    made = change(b'{"id": "dinner", "etag": "1", "creator": {"email": "Bob@example.com"}}')

    assert isinstance(made, Event)
    assert present(made, BOB)
    assert not present(made, CAROL)


def test_advice_about_the_broker_is_no_fault_of_ours() -> None:
    """It is told, and everything is well."""
    settings = Effective(
        auto_invite=True,
        dry_run=False,
        poll_interval=60,
        invites_per_hour=50,
        removals_per_pass=5,
        first_sync="ignore",
        invite_emails=(BOB,),
    )
    account = AccountStatus(
        email=ANNA, aid="a", calendars=(CalendarStatus(key=CalendarKey(ANNA, "primary"), last_success=NOON),)
    )
    snapshot = Snapshot(started_at=NOON, settings=settings, accounts=(account,), broker_advice="Nobody listens.")

    verdict = assess(snapshot, NOON)

    assert verdict.level == "ok"
    assert [(reason.code, reason.text) for reason in verdict.reasons] == [("not_listening", "Nobody listens.")]
