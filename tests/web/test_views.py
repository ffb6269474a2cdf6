"""Promises of the status page's words: each part says how it is and what to do, ages and dates read well."""

from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from addon.options import load
from addon.web import views
from addon.web.words import OPTION_NAMES, clean, day, moment, nearby, people, span
from calbot.kinds import NoticeType
from calbot.model import EventKey, Notice, Outcome, Outgoing
from calbot.status import AccountStatus, Effective, Health, Level, Reason, Snapshot
from tests.web.world import ANNA, FAMILY, FINE, INVITED, NOW, SETTINGS, SNAPSHOT, sent

BERLIN = ZoneInfo("Europe/Berlin")


def page(
    snapshot: Snapshot = SNAPSHOT,
    health: Health = FINE,
    mqtt_problem: str | None = None,
    outcomes: list[Outgoing] | None = None,
    options: tuple[tuple[str, str, str], ...] = (),
    undoable: frozenset[str] = frozenset(),
) -> views.Page:
    """Return the page of the example household."""
    return views.page(
        snapshot,
        health,
        mqtt_problem=mqtt_problem,
        outcomes=outcomes or [],
        options=options,
        now=NOW,
        zone=BERLIN,
        undoable=undoable,
    )


def with_calendar(**changes: object) -> Snapshot:
    """Return the household with its calendar changed."""
    return with_account(calendars=(msgspec.structs.replace(FAMILY, **changes),))


def with_account(**changes: object) -> Snapshot:
    """Return the household with its account changed."""
    account = msgspec.structs.replace(SNAPSHOT.accounts[0], **changes)
    return msgspec.structs.replace(SNAPSHOT, accounts=(account,))


def with_settings(**changes: object) -> Snapshot:
    """Return the household with other settings in force."""
    settings: Effective = msgspec.structs.replace(SETTINGS, **changes)
    return msgspec.structs.replace(SNAPSHOT, settings=settings)


def part(name: str, shown: views.Page) -> tuple[str, str, str]:
    """Return tone, state and detail of one part."""
    (found,) = [one for one in shown.parts if one.name == name]
    return found.tone, found.state, found.detail


@pytest.mark.parametrize(
    ("name", "snapshot", "said"),
    [
        ("Google", SNAPSHOT, ("good", "Signed in", ANNA)),
        (
            "Google",
            msgspec.structs.replace(SNAPSHOT, accounts=()),
            ("quiet", "No account yet", "Sign in a Google account to begin."),
        ),
        ("Google", with_account(signed_in=False), ("bad", "Sign-in needed", ANNA)),
        (
            "Google",
            msgspec.structs.replace(SNAPSHOT, token_problems=("tokens/x.json is empty.",)),
            ("bad", "A sign-in cannot be used", "tokens/x.json is empty."),
        ),
        (
            "Google",
            msgspec.structs.replace(SNAPSHOT, option_problem="limits: wrong."),
            ("quiet", "Not asked", "Calbot talks to Google once the options are right."),
        ),
        ("Sync", SNAPSHOT, ("good", "Up to date", "1 calendar, 20 seconds ago")),
        (
            "Sync",
            msgspec.structs.replace(SNAPSHOT, accounts=()),
            ("quiet", "Nothing to watch yet", "Calendars appear here after the first sign-in."),
        ),
        (
            "Sync",
            with_calendar(last_success=None),
            ("quiet", "First look under way", "This takes a minute for a large calendar."),
        ),
        (
            "Sync",
            with_calendar(failures=3, problem="network", problem_text="Google cannot be reached."),
            ("warn", "Not working", "Google cannot be reached."),
        ),
        (
            "Sync",
            with_account(calendars=(FAMILY, msgspec.structs.replace(FAMILY, failures=1))),
            ("warn", "1 of 2 calendars fails", "Calbot tries again by itself."),
        ),
        (
            "Sync",
            with_calendar(last_success=NOW - 1000),
            ("warn", "Late", "The oldest look was 17 minutes ago."),
        ),
        (
            "Sync",
            msgspec.structs.replace(SNAPSHOT, disk_problem="The disk is full; make room."),
            ("bad", "Stopped", "The disk is full; make room."),
        ),
        (
            "Push",
            SNAPSHOT,
            ("quiet", "Off", "Calbot asks Google every 60 seconds. Set push_url to hear at once."),
        ),
        (
            "Push",
            with_calendar(push="healthy"),
            ("good", "Working", "Google tells Calbot of changes at once."),
        ),
        (
            "Push",
            with_calendar(push="waiting"),
            ("quiet", "Waiting", "Google has not sent its first message yet."),
        ),
        (
            "Push",
            with_calendar(push="failed"),
            (
                "warn",
                "Not working",
                "Calbot asks every 60 seconds meanwhile. Check that push_url leads to the push door.",
            ),
        ),
    ],
)
def test_each_part_says_how_it_is_and_the_next_step(name: str, snapshot: Snapshot, said: tuple[str, str, str]) -> None:
    """In words that need no log."""
    assert part(name, page(snapshot)) == said


def test_mqtt_says_how_it_is() -> None:
    """Its trouble is never hidden by a good verdict about calendars."""
    assert part("MQTT", page()) == ("good", "Connected", "Home Assistant hears of everything.")
    assert part("MQTT", page(mqtt_problem="No broker.")) == ("warn", "Not connected", "No broker.")
    assert page(mqtt_problem="No broker.").tone == "warn"


@pytest.mark.parametrize(
    ("level", "tone", "headline"),
    [
        ("ok", "good", "Everything works"),
        ("setup", "quiet", "Almost there"),
        ("paused", "quiet", "Paused"),
        ("degraded", "warn", "Working, but something needs a look"),
        ("problem", "bad", "Calbot needs your help"),
    ],
)
def test_the_headline_is_the_verdict(level: Level, tone: str, headline: str) -> None:
    """Also when MQTT is down at the same time."""
    shown = page(health=Health(level, (), NOW, NOW), mqtt_problem=None if level == "ok" else "down")

    assert (shown.tone, shown.headline) == (tone, headline)


def test_advice_is_worst_first_and_only_what_wants_a_look() -> None:
    """A note about an option is no task, and stands with the notes."""
    levels: tuple[Level, ...] = ("ok", "setup", "degraded", "problem")
    reasons = tuple(Reason(code=level, text=f"It is {level}.", level=level) for level in levels)
    shown = page(msgspec.structs.replace(SNAPSHOT, notes=("It is ok.",)), Health("problem", reasons, NOW, NOW))

    assert [one.text for one in shown.advice] == ["It is problem.", "It is degraded.", "It is setup."]
    assert shown.notes == ("It is ok.",)


def test_a_pause_says_until_when() -> None:
    """For a while, or until somebody resumes."""
    assert page(with_settings(paused_until=NOW + 3600)).subline == "Until 18:20."
    assert page(with_settings(paused_until=float("inf"))).subline == "Until you resume."
    assert page(with_settings(paused_until=NOW - 1)).subline.startswith("Calbot last looked")


def test_modes_that_surprise_are_said() -> None:
    """Who wonders why nobody was invited finds it on the page."""
    notes = page(with_settings(dry_run=True, auto_invite=False)).notes

    assert notes == (
        "Dry run: everything is decided and shown, nothing is written.",
        "Auto-invite is off: nobody is invited to new events.",
    )


def test_a_failing_calendar_has_its_problem_and_remedy() -> None:
    """The table tells when it last worked, what is wrong, and what happens next."""
    shown = page(with_calendar(failures=2, problem="network", problem_text="Google is away.", retry_at=NOW + 120))

    (row,) = shown.accounts[0].calendars
    assert (row.tone, row.name, row.last_success) == ("warn", "Family", "20 seconds ago")
    assert (row.problem, row.remedy) == ("Google is away.", "Calbot tries again in 2 minutes.")


def test_accounts_are_told_apart() -> None:
    """One lost sign-in does not make the other look lost."""
    lost = AccountStatus(email="carl@example.com", aid="b", signed_in=False, sign_in_text="Sign in again, Carl.")
    shown = page(msgspec.structs.replace(SNAPSHOT, accounts=(*SNAPSHOT.accounts, lost)))

    assert [(card.tone, card.state, card.remedy) for card in shown.accounts] == [
        ("good", "Signed in", ""),
        ("bad", "Sign-in needed", "Sign in again, Carl."),
    ]


def test_the_newest_outcome_comes_first_whatever_the_order_given() -> None:
    """Both streams are woven by time, and the page stays short."""
    old = sent(*[INVITED] * 60, age=500)
    notice = Outgoing(1, "system", "n", Notice(event_type="sign_in_needed", text="Sign in again."), NOW - 10)

    timeline = page(outcomes=[*old, notice]).timeline

    assert len(timeline) == views.SHOWN
    assert (timeline[0].text, timeline[0].tone, timeline[0].age) == (
        "Sign in again.",
        "bad",
        "10 seconds ago",
    )


@pytest.mark.parametrize(
    ("changes", "tone", "text"),
    [
        ({}, "good", "Invited bob@example.com"),
        ({"dry_run": True}, "good", "Would invite bob@example.com"),
        ({"event_type": "event_created"}, "quiet", "New event"),
        ({"event_type": "updated", "changed": ("title", "start")}, "quiet", "Changed: title, start"),
        ({"event_type": "moved", "old_start": "2026-11-27"}, "quiet", "Moved from Fri 27 Nov"),
        ({"event_type": "moved"}, "quiet", "Moved"),
        ({"event_type": "cancelled"}, "quiet", "Cancelled"),
        ({"event_type": "skipped", "reason_text": "It is private."}, "quiet", "Left alone: It is private."),
        ({"event_type": "held", "reason": "uncertain"}, "warn", "Held back: uncertain"),
        ({"event_type": "undone", "guests_removed": ("bob@example.com",)}, "quiet", "Taken back: bob@example.com"),
        ({"event_type": "failed", "reason_text": "Forbidden."}, "bad", "Not done: Forbidden."),
        (
            {"event_type": "failed", "reason_text": "Busy.", "retryable": True, "retry_at": NOW + 60},
            "warn",
            "Not done: Busy. Next try in 60 seconds.",
        ),
    ],
)
def test_each_outcome_is_told_in_words(changes: dict[str, object], tone: str, text: str) -> None:
    """What happened, and why not."""
    outcome: Outcome = msgspec.structs.replace(INVITED, **changes)

    (entry,) = page(outcomes=sent(outcome)).timeline

    assert (entry.tone, entry.text, entry.title) == (tone, text, "Dinner")


@pytest.mark.parametrize(
    ("event_type", "tone"),
    [("brake_on", "warn"), ("brake_released", "quiet"), ("quota_exceeded", "warn"), ("quota_restored", "good")],
)
def test_the_brake_and_the_quota_are_told_in_their_tones(event_type: NoticeType, tone: str) -> None:
    """What wants a person stands out; what is over does not."""
    notice = Outgoing(1, "system", "n", Notice(event_type=event_type, text="60 invitations wait."), NOW - 10)

    (entry,) = page(outcomes=[notice]).timeline

    assert (entry.tone, entry.text, entry.why, entry.undo) == (tone, "60 invitations wait.", "", "")


def test_a_line_offers_undo_only_by_a_token_that_is_good() -> None:
    """Every line about an event leads to why; what is no longer to be undone says nothing of it."""
    outcome = msgspec.structs.replace(INVITED, undo_token="u-1-abcd")

    (can,) = page(outcomes=sent(outcome), undoable=frozenset({"u-1-abcd"})).timeline
    (cannot,) = page(outcomes=sent(outcome), undoable=frozenset({"u-2-abcd"})).timeline

    assert (can.undo, cannot.undo) == ("u-1-abcd", "")
    assert can.why == cannot.why == "event?account=anna%40example.com&calendar=primary&event=dinner"


def test_an_outcome_without_its_event_is_still_a_line() -> None:
    """What was deleted has no title any more."""
    outcome = Outcome(event_type="cancelled", key=EventKey(ANNA, "primary", "x"))

    (entry,) = page(outcomes=sent(outcome)).timeline

    assert (entry.title, entry.when, entry.where, entry.link) == ("Event without a title", "", ANNA, "")


def test_a_calendar_called_like_its_account_is_told_once() -> None:
    """Google names the primary calendar by the account's address."""
    named = msgspec.structs.replace(INVITED, calendar_name=ANNA)

    (own, family) = page(outcomes=sent(named, INVITED)).timeline[::-1]

    assert (own.where, family.where) == (ANNA, f"Family · {ANNA}")


def test_invitations_of_a_day_are_counted_and_rehearsals_are_not() -> None:
    """Guests, not events."""
    two = msgspec.structs.replace(INVITED, guests_added=("bob@example.com", "carol@example.com"))
    rehearsed = msgspec.structs.replace(INVITED, dry_run=True)
    rows = [*sent(two, rehearsed), *sent(INVITED, age=90_000)]

    assert dict(page(outcomes=rows).counts)["invitations in 24 hours"] == "2"


def test_each_setting_says_where_its_value_comes_from() -> None:
    """And one that was switched while running says what the option was."""
    options = (
        ("invite_emails", "bob@example.com", "INVITE_EMAIL"),
        ("auto_invite", "on", "options.json"),
        ("poll_interval", "60 s", "default"),
    )

    rows = page(with_settings(auto_invite=False), options=options).settings

    assert [(row.name, row.value, row.origin) for row in rows] == [
        ("Who is invited", "bob@example.com", "INVITE_EMAIL"),
        ("Auto-invite", "off", "switched while running (options.json: on)"),
        ("Asks Google every", "60 s", "default"),
    ]


def test_each_option_has_a_name_for_people(tmp_path: Path) -> None:
    """Also one that is added later."""
    shown = load({"CALBOT_DATA": str(tmp_path)}).shown()

    assert {key for key, _, _ in shown} == set(OPTION_NAMES)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (59, "59 seconds"),
        (90, "2 minutes"),
        (900, "15 minutes"),
        (5400, "2 hours"),
        (86400, "24 hours"),
        (200_000, "2 days"),
    ],
)
def test_spans_are_words(seconds: float, words: str) -> None:
    """Nobody counts 5400 seconds."""
    assert span(seconds) == words


def test_ages_look_both_ways() -> None:
    """Past, present, and what is to come."""
    assert nearby(NOW - 300, NOW) == "5 minutes ago"
    assert nearby(NOW + 1, NOW) == "just now"
    assert nearby(NOW + 7200, NOW) == "in 2 hours"


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("2026-11-28T18:00:00+01:00", "Sat 28 Nov, 18:00"),
        ("2026-11-28T18:00:00-05:00", "Sun 29 Nov, 00:00"),
        ("2026-11-28T18:00:00Z", "Sat 28 Nov, 19:00"),
        ("2027-01-01", "Fri 1 Jan 2027"),
        ("0001-01-01T00:00:00+23:59", ""),
        ("soon", ""),
        ("tomorrow!!", ""),
        ("", ""),
    ],
)
def test_events_are_told_in_the_households_zone(start: str, words: str) -> None:
    """With the year only when it is another, and nothing at all for nonsense."""
    assert day(start, NOW, BERLIN) == words


def test_a_moment_of_another_day_has_its_date() -> None:
    """A time alone would mislead; an impossible one does no harm."""
    assert moment(NOW, NOW, BERLIN) == "17:20"
    assert moment(NOW - 86400, NOW, BERLIN) == "Thu 19 Nov, 17:20"
    assert moment(1e30, NOW, BERLIN).startswith("Thu 1 Jan 1970")


def test_long_lists_of_people_are_short() -> None:
    """Two are named, the rest is counted."""
    assert people([]) == ""
    assert people(["a", "b"]) == "a and b"
    assert people(["a", "b", "c", "d"]) == "a, b and 2 more"


def test_foreign_text_is_one_harmless_line() -> None:
    """Line breaks, controls and signs that turn the text go; letters, emoji and their joiners stay."""
    assert clean(" a\n\tb\x00\x1b[1m ", 50) == "a b[1m"
    assert clean("\u202egnp.exe\u2069", 50) == "gnp.exe"
    assert clean("👩\u200d🚀 Ünïcødé سلام", 50) == "👩\u200d🚀 Ünïcødé سلام"
    assert clean("x" * 100, 10) == "x" * 9 + "…"
    assert clean("\ud800", 10) == ""


def test_a_calendar_without_a_name_shows_its_id() -> None:
    """Until the first page of a listing has told the name."""
    (row,) = page(with_calendar(name="", last_success=None)).accounts[0].calendars

    assert (row.name, row.last_success, row.tone) == ("family@group.calendar.google.com", "not yet", "quiet")


def test_mqtt_is_connected_only_when_it_is() -> None:
    """Before the broker answered nothing is claimed, and who does not listen is told how to."""
    before = msgspec.structs.replace(SNAPSHOT, broker_connected=False)
    deaf = msgspec.structs.replace(SNAPSHOT, broker_advice="Home Assistant is not listening: add MQTT.")

    assert part("MQTT", page(before))[:2] == ("quiet", "Connecting")
    assert part("MQTT", page(deaf)) == ("quiet", "Connected", "Home Assistant is not listening: add MQTT.")
    assert part("MQTT", page())[:2] == ("good", "Connected")
