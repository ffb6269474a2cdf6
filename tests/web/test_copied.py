"""Promises of the panel about copies: what an event has and would get, what waits, what was done, and the way back."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from addon.web import undoing
from addon.web.copied import copy_lines, shows
from addon.web.timeline import entries
from calbot.actions import LookUp, Mirror, RemoveCopy, Skip
from calbot.kinds import OutcomeType
from calbot.model import CalendarKey, Content, Copy, EventKey, Outcome
from calbot.policy import Link, Mask, Match, Policy, Rule
from calbot.settings import Settings
from calbot.store import copies, history, ledger, outbox, sourcing, targets
from calbot.store.copyhistory import Standing
from calbot.store.ledger import Stay
from tests.household import BOB, Household, wait
from tests.web.office import Office, event
from tests.web.test_deeds_at_work import Panel
from tests.web.test_panel import PAYLOADS, read
from tests.web.test_views import BERLIN, page, with_settings
from tests.web.world import ANNA, FAMILY, NOW, SNAPSHOT, sent

SHARED = "shared@group.calendar.google.com"
NAMES = {SHARED: "Shared"}
DINNER = event("dinner")
BIRTHDAY = event("birthday", "Grandma", "2026-11-29", kind="birthday")
COPYING = Rule("copies", mirror=SHARED, mask=Mask("busy"), match=Match(title="(?i)dinner"), goes_on=True)
KEY = {"account": ANNA, "calendar": FAMILY.key.calendar, "event": "dinner"}
OUTCOME = Outcome(
    event_type="mirrored",
    key=EventKey(ANNA, FAMILY.key.calendar, "dinner"),
    calendar_name="Family",
    event=DINNER,
    target_calendar="Shared",
    copy_id="calbot1",
)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A panel with Dinner on the calendar, and a rule that copies it to a calendar called Shared."""
    with Office(tmp_path) as office:
        office.policy = Policy(rules=(COPYING, Rule("guests", (BOB,))), time_zone="Europe/Berlin")
        office.knows(DINNER)
        name(office, "Shared")
        yield office


def name(office: Office, called: str) -> None:
    """Let the target calendar be called so."""
    office.knows(key=CalendarKey(ANNA, SHARED))
    with office.database.write() as tx:
        tx.execute("UPDATE calendar SET name = ? WHERE calendar = ?", (called, SHARED))
        targets.claim(tx, SHARED, ANNA, NOW)


def a_copy(office: Office, one: str = "dinner") -> Copy:
    """The copy of an event, behind which that stands; it is written."""
    with office.database.write() as tx:
        copy = copies.of_meeting(tx, f"{one}@google.com", SHARED, NOW)
        sourcing.link(tx, office.key(one), copy.id, Link(SHARED, Mask("busy"), "copies"), 0)
        return copy


def copied(office: Office) -> None:
    """Dinner was copied, as the ledger has it."""
    copy = a_copy(office)
    mirror = Mirror(copy, DINNER, office.key("dinner"), Content(title="Busy"), "copies", "stamp")
    key = EventKey(ANNA, SHARED, copy.event_id)
    with office.database.write() as tx:
        deed = ledger.add(tx, key, mirror, "started", NOW - 300, run_id="r-1", source="poll", seen_at=NOW)
        ledger.finish(tx, deed, "done", NOW - 300)
        copies.written(tx, copy, event(copy.event_id), Content(title="Busy"), NOW - 300)


def removals(office: Office, count: int, run_id: str = "r-1") -> None:
    """So many copies are to be taken away, which waits for a person."""
    for number in range(count):
        one = event(f"e{number}", f"Match {number}")
        copy = a_copy(office, one.id)
        action = RemoveCopy(copy, one, office.key(one.id))
        add(office, EventKey(ANNA, SHARED, copy.event_id), action, run_id)


def add(office: Office, key: EventKey, action: RemoveCopy | LookUp, run_id: str) -> None:
    """Write down what is held."""
    with office.database.write() as tx:
        origin = {"run_id": run_id, "source": "poll", "seen_at": NOW}
        ledger.add(tx, key, action, "held", NOW - 300, stay=Stay("brake", "More than 5."), **origin)  # type: ignore[arg-type]


# What happened


@pytest.mark.parametrize(
    ("kind", "parts", "tone", "text"),
    [
        ("mirrored", {}, "good", "Copied to Shared"),
        ("mirrored", {"target_calendar": SHARED}, "good", "Copied to Shared"),
        ("copy_removed", {}, "quiet", "Took the copy on Shared away"),
        (
            "copy_removed",
            {"reason": "copy_deleted_by_hand", "reason_text": "Somebody deleted the copy; it stays deleted."},
            "quiet",
            "Somebody deleted the copy on Shared; it stays deleted",
        ),
        (
            "copy_removed",
            {"reason_text": "It was declined."},
            "quiet",
            "Took the copy on Shared away: It was declined.",
        ),
        (
            "original_deleted",
            {},
            "quiet",
            "Deleted; the copy on Shared stays. It can be brought back until Sun 20 Dec, 17:19.",
        ),
        ("failed", {"reason_text": "Not now."}, "bad", "Not done, the copy on Shared: Not now."),
        ("held", {"reason_text": "7 of 9 copies."}, "warn", "Held back, the copy on Shared: 7 of 9 copies."),
        ("undone", {}, "quiet", "Taken back: the copy on Shared"),
        ("undone", {"reason_text": "The original is back."}, "quiet", "Taken back: The original is back."),
        (
            "skipped",
            {"target_calendar": None, "reason": "mirroring_off", "reason_text": f"There is no copy on {SHARED}."},
            "quiet",
            "Not copied: There is no copy on Shared.",
        ),
        (
            "skipped",
            {"target_calendar": None, "reason": "private", "reason_text": "It is private."},
            "quiet",
            "Left alone: It is private.",
        ),
    ],
)
def test_the_timeline_tells_of_copies(kind: OutcomeType, parts: dict[str, str | None], tone: str, text: str) -> None:
    """In words, with the calendar's name; a deletion says until when it can be brought back."""
    outcome = msgspec.structs.replace(OUTCOME, event_type=kind, **parts)

    (entry,) = entries(sent(outcome), NOW, BERLIN, names=NAMES)

    assert (entry.tone, entry.text) == (tone, text)


def test_an_original_that_is_kept_no_longer_is_not_promised() -> None:
    """After thirty days there is nothing to bring back."""
    outcome = msgspec.structs.replace(OUTCOME, event_type="original_deleted")

    (entry,) = entries(sent(outcome, age=31 * 86400.0), NOW, BERLIN)

    assert entry.text == "Deleted; the copy on Shared stays."


def test_mirroring_off_is_said_and_where_that_comes_from() -> None:
    """A line on the status page, and the row of the setting."""
    options = (("mirroring", "on", "calbot.yaml"), ("central_calendar", "none", "default"), *DELETING)

    shown = page(with_settings(mirroring=False), options=options)

    assert "Mirroring is off: no copy is made, changed or taken away." in shown.notes
    assert [(row.name, row.value, row.origin) for row in shown.settings] == [
        ("Copies", "off", "switched while running (calbot.yaml: on)"),
        ("Calendar for copies", "none", "default"),
        ("Deletes originals", "on", "options.json"),
        ("Originals stay for", "3600 s", "default"),
    ]


DELETING = (("delete_original.enabled", "on", "options.json"), ("delete_original.grace", "3600 s", "default"))


# What waits


def test_held_removals_say_what_they_are_and_what_each_button_does(office: Office) -> None:
    """They are no invitations; discard keeps the copies, and says so once more."""
    removals(office, 7)

    card = read(office.get("").text).text
    asking = read(office.get("discard", run="r-1").text).text
    office.post("approve", run="r-1")

    assert "7 copies would be taken away" in card and "Shared · anna@example.com" in card
    assert "invitations to" not in card
    assert "Match 0, Match 1" in card and "Approve takes these copies away. Discard keeps them" in card
    assert "The copies stay as they are" in asking and "Nobody is invited" not in asking
    assert [(one.name, one.args) for one in office.commands] == [("approve", {"token": "r-1"})]


def test_events_that_may_be_gone_are_named_by_their_titles(office: Office) -> None:
    """The deed knows only the id; the store knows the event."""
    add(office, office.key("dinner"), LookUp("dinner"), "r-2")

    card = read(office.get("").text).text
    asking = read(office.get("discard", run="r-2").text).text

    assert "1 event with copies may be gone" in card and "Dinner" in card and "Approve asks Google" in card
    assert "Google is not asked" in asking


def test_one_pass_can_hold_all_of_it(office: Office) -> None:
    """Each kind is counted for itself."""
    office.held(event("match", "Match"), run_id="r-3")
    add(office, office.key("dinner"), LookUp("dinner"), "r-3")

    card = read(office.get("").text).text
    asking = read(office.get("discard", run="r-3").text).text

    assert "2 invitations to 1 event, 1 event with copies may be gone" in card
    assert "Nobody is invited" in asking and "Google is not asked" in asking


# An event


def test_an_event_says_which_copies_it_would_get(office: Office) -> None:
    """Where, with what of it, and by which rule; beside whom it would invite."""
    told = read(office.get("event", **KEY).text).text

    assert "Would invite bob@example.com" in told and "Would be copied to Shared" in told
    assert "The copy shows “Busy” and its time. Rule: copies." in told


def test_an_event_tells_of_its_copy_and_has_the_way_back(office: Office) -> None:
    """The copy is there, the history says since when, and its button takes it away."""
    copied(office)

    page_ = office.get("event", **KEY).text
    token = re.findall(r'name="token" value="([^"]+)"', page_)
    office.post("undo", token=token[0])

    told = read(page_).text
    assert "Has a copy on Shared" in told and "Copied to Shared" in told and "rule copies" in told
    assert len(token) == 1 and [(one.name, one.args) for one in office.commands] == [("undo", {"token": token[0]})]


@pytest.mark.parametrize(
    ("links", "unmirrored", "standing", "lines"),
    [
        ((), None, (), []),
        ((), None, (Standing(SHARED, "retired"),), []),
        (
            (Link(SHARED, Mask(), "own", delete_original=True),),
            None,
            (Standing(SHARED, "planned"),),
            [
                (
                    "Is about to be copied to Shared",
                    "The copy shows all that it says. Rule: own. The event itself is deleted once its copy stands.",
                )
            ],
        ),
        (
            (),
            None,
            (Standing(SHARED, "kept"),),
            [("Has a copy on Shared that stands by itself", "No rule asks for it by now; the copy stays as it is.")],
        ),
        (
            (),
            Skip(DINNER, "copy_deleted_by_hand", f"Somebody deleted the copy on {SHARED}.", "own", "mirror"),
            (Standing(SHARED, "deleted"),),
            [("Not copied", "Somebody deleted the copy on Shared.")],
        ),
        (
            (),
            Skip(DINNER, "declined", "It was declined.", "own", "mirror"),
            (Standing(SHARED, "live"),),
            [("Has a copy on Shared", "It was declined.")],
        ),
    ],
)
def test_how_each_copy_stands_is_told(
    links: tuple[Link, ...],
    unmirrored: Skip | None,
    standing: tuple[Standing, ...],
    lines: list[tuple[str, str]],
) -> None:
    """And why there is none."""
    assert [(one.text, one.why) for one in copy_lines(links, unmirrored, standing, NAMES)] == lines


def test_each_mask_says_what_can_be_seen() -> None:
    """A template in its own words."""
    masks = (Mask("title"), Mask("template", "{title} (A)"), Mask("template", "", "{link}"), Mask("template", "A", "B"))

    assert [shows(mask) for mask in masks] == [
        "its title and time",
        "words of the rule’s own, “{title} (A)”",
        "words of the rule’s own, “{link}”",
        "words of the rule’s own, “A” and “B”",
    ]


# The preview


def test_the_preview_counts_copies_and_says_why_there_is_none(office: Office) -> None:
    """Those that would be made, those that are there, and those that are not."""
    own = Rule("own", mirror=SHARED, uninvitable_only=True, match=Match(title="Grandma|Outside"))
    office.policy = msgspec.structs.replace(office.policy, rules=(COPYING, own, Rule("guests", (BOB,))))
    office.knows(BIRTHDAY, event("out", "Outside", kind="outOfOffice", my_response="declined"))
    office.knows(event("over", "Grandma last week", "2026-11-10", kind="birthday"))

    page_ = office.get("preview").text

    told = read(page_).text
    parts = [
        "Would be invited",
        "copied to Shared",
        "Would be copied",
        "Grandma",
        "Over by now",
        "last week",
        "Outside",
    ]
    assert sorted(parts, key=told.index) == parts
    assert "with “Busy” and its time (rule: copies)" in told and "No copy: It was declined." in told
    assert "2copies would be made" in told.replace(" ", "", 1) or re.search(r"copies would be made\s*2", told)
    assert "Invite and copy them now…" in told


def test_a_calendar_of_copies_is_not_previewed_itself(office: Office) -> None:
    """Nothing on it is invited to: it is read for the sake of the copies."""
    status = msgspec.structs.replace(FAMILY, key=CalendarKey(ANNA, SHARED), name="Shared")
    account = msgspec.structs.replace(SNAPSHOT.accounts[0], calendars=(FAMILY, status))
    office.snapshot = msgspec.structs.replace(SNAPSHOT, accounts=(account,))
    with office.database.write() as tx:
        targets.claim(tx, SHARED, ANNA, NOW)
    with office.database.write() as tx:
        tx.execute("UPDATE calendar SET last_success = ?", (NOW,))
    office.knows(event("theirs", "Made on it"), key=CalendarKey(ANNA, SHARED))

    assert "Made on it" not in office.get("preview").text and "Dinner" in office.get("preview").text


def test_apply_says_how_many_copies_it_makes(office: Office) -> None:
    """With the invitations, or alone; a switch that is off takes away only what it is about."""
    office.policy = msgspec.structs.replace(office.policy, rules=(msgspec.structs.replace(COPYING, goes_on=False),))

    alone = read(office.get("apply").text)
    settings = msgspec.structs.replace(SNAPSHOT.settings, mirroring=False)
    office.snapshot = msgspec.structs.replace(SNAPSHOT, settings=settings)
    off = office.get("apply").text

    assert "Make 1 copy now?" in alone.text and "Copy them now" in alone.text and "invitation" not in alone.text
    assert "Mirroring is off" in off and "<form" not in off


# Undo, strangers, and the real engine


def test_copies_are_listed_for_undo(office: Office) -> None:
    """On the page of undo, and where they stand in the timeline; what was taken back is listed no more."""
    copied(office)
    with office.database.write() as tx:
        key = EventKey(*tx.execute("SELECT account, calendar, event FROM deed WHERE id = 1").fetchone())
        outcome = msgspec.structs.replace(OUTCOME, undo_token=history.undo_token(1, key), run_id="r-1")
        outbox.put(tx, [outcome], NOW - 300, office.random)

    told, status = read(office.get("undo").text).text, office.get("").text
    with office.database.write() as tx:
        tx.execute("UPDATE copy SET state = 'deleted'")

    assert "Dinner" in told and "copied to Shared" in told
    assert "Copied to Shared" in read(status).text and f'value="{outcome.undo_token}"' in status
    assert "Undo:" not in read(office.get("").text).text and "nothing of late" in office.get("undo").text


def test_a_pass_counts_its_changes_by_kind() -> None:
    """And so says what a whole pass would take back."""
    deleted = msgspec.structs.replace(OUTCOME, event_type="original_deleted", undo_token="u-3-abcd")
    rows = sent(*(msgspec.structs.replace(OUTCOME, undo_token=f"u-{n}-abcd") for n in (1, 2)), deleted)
    good = {f"u-{n}-abcd" for n in (1, 2, 3)}

    (run,) = undoing.runs(undoing.changes(rows, good), NOW, BERLIN, cut=False)
    (more,) = undoing.runs(undoing.changes(rows, good), NOW, BERLIN, cut=True)

    assert (
        run.headline == "1 deleted original and 2 copies" and more.headline == "1 deleted original and 2 or more copies"
    )
    assert [line.what for line in run.lines] == ["deleted; its copy stays", *["copied to Shared"] * 2]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_names_of_calendars_stay_text(office: Office, payload: str) -> None:
    """A stranger may call a calendar anything."""
    name(office, payload)
    copied(office)
    removals(office, 2)
    pages = [office.get(page_).text for page_ in ("", "preview", "discard", "undo")] + [office.get("event", **KEY).text]

    for shown in pages:
        for tag, values in read(shown).elements:
            assert tag not in {"script", "style", "iframe", "svg", "object"}
            assert tag != "img" or values["src"] == "static/calbot.svg"
            assert not any(key.startswith("on") or key == "style" for key in values), (tag, values)
        assert "\u202e" not in shown and "\x1b" not in shown


@contextlib.contextmanager
def household(directory: Path) -> Iterator[tuple[Household, Panel]]:
    """Anna's household, with a shared calendar for what nobody can be invited to, and its panel."""
    home = Household(directory, settings=Settings(invite_emails=(BOB,), central_calendar=SHARED))
    home.google.add_calendar(ANNA, SHARED, "Shared")
    with home:
        wait(lambda: home.has_read(ANNA), "Anna's calendar is read")
        yield home, Panel(home)


def test_undo_of_a_copy_takes_it_away_and_it_stays_away(tmp_path: Path) -> None:
    """From the timeline's line to an empty shared calendar; the event's page says why."""
    with household(tmp_path) as (home, page_):
        made = home.create(summary="Focus", eventType="focusTime")
        home.look()
        wait(lambda: "Copied to Shared" in page_.see(), "the copy is told")
        link = next(one for one in re.findall(r'href="(event\?[^"]+)"', page_.browser.get("/").text) if made in one)

        said = page_.press("", "undo")
        home.google.edit_event(ANNA, made, {"summary": "Focus, moved"})
        home.look()
        wait(lambda: "Focus, moved" in page_.see(), "the change is read")
        told = page_.see(link.replace("&amp;", "&"))

    assert "Taken back" in said
    assert "Somebody deleted the copy on Shared; it stays deleted." in told and "Took the copy on Shared away" in told
