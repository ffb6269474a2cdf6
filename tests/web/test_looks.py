"""Promises of the pages that look: why an event is as it is, and what the rules would do, however many there are."""

import threading
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from addon.web.foreseen import MOST_INVITED, MOST_OF_A_REASON
from addon.web.frame import Sorry, Turn
from addon.web.past import event_view
from calbot.explaining import Explanation
from calbot.kinds import DeedState, Verb
from calbot.model import CalendarKey, EventKey
from calbot.policy import Match, Policy, Rule
from calbot.status import AccountStatus, CalendarStatus
from calbot.store.copyhistory import PastOfCopy
from calbot.store.history import Past
from tests.web.office import BOB, CAROL, Office, event
from tests.web.test_panel import read
from tests.web.world import ANNA, FAMILY, NOW, SNAPSHOT

DINNER = event("dinner")
CARL = "carl@example.com"
SCHOOL = Rule("school", (CAROL,), match=Match(title="(?i)school"))
KEY = {"account": ANNA, "calendar": FAMILY.key.calendar, "event": "dinner"}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A panel with Dinner on the calendar, and two rules."""
    with Office(tmp_path) as office:
        office.policy = Policy(rules=(SCHOOL, Rule("everything else", (BOB,))), time_zone="Europe/Berlin")
        office.knows(DINNER)
        yield office


def explained(**parts: object) -> Explanation:
    """An event's explanation, of which only these parts matter."""
    basis: dict[str, object] = {"key": EventKey(**KEY), "calendar_name": "Family", "event": DINNER, "action": None}
    basis |= {"tried": (), "links": (), "unmirrored": None, "history": ()}
    return Explanation(**{**basis, **parts})  # type: ignore[arg-type]


# An event


def test_an_event_says_which_rules_were_tried_and_what_would_be_done(office: Office) -> None:
    """Each rule with why (not), in their order, and the decision they come to."""
    page = read(office.get("event", **KEY).text).text

    assert "Would invite bob@example.com" in page and "Rule: everything else." in page
    assert page.index("does not match") < page.rindex("everything else") < page.rindex("matches")
    assert "(?i)school" in page


def test_an_event_tells_its_history_newest_first_with_undo(office: Office) -> None:
    """What was done can be taken back here too; what was only decided cannot."""
    office.left_alone(DINNER, "It was private then.")
    token = office.invited(DINNER)

    page = office.get("event", **KEY).text

    told = read(page).text
    assert told.index("Invited bob@example.com") < told.index("Left alone") < told.index("It was private then.")
    assert page.count('name="token"') == 1 and token in page and "rule guests" in told


def test_an_event_that_is_gone_has_its_history(office: Office) -> None:
    """The calendar forgets, the ledger does not."""
    office.invited(event("gone"))

    page = office.get("event", **{**KEY, "event": "gone"})

    assert page.status_code == 200 and "no longer" in page.text and "Invited bob@example.com" in page.text


@pytest.mark.parametrize("key", [{}, {**KEY, "event": "x"}, {**KEY, "calendar": "x"}, {**KEY, "account": CARL}])
def test_an_unknown_event_is_404_with_a_sentence(office: Office, key: dict[str, str]) -> None:
    """Also one of this name on another calendar."""
    answer = office.get("event", **key)

    assert answer.status_code == 404 and "Calbot does not know this event." in answer.text


@pytest.mark.parametrize("verb", get_args(Verb))
@pytest.mark.parametrize("state", get_args(DeedState))
def test_everything_that_can_have_happened_has_its_words(verb: Verb, state: DeedState) -> None:
    """Whom it was about is told, and the next try where there is one."""
    past = Past(
        at=NOW - 60,
        verb=verb,
        state=state,
        reason="network",
        text=None,
        rule="guests",
        guests=(BOB,),
        run_id="r",
        retry_at=NOW + 120,
        token=None,
    )
    of_copy = PastOfCopy(**msgspec.structs.asdict(past), target="Shared")
    again = msgspec.structs.replace(of_copy, again=True)

    lines = [event_view(explained(history=(one,)), NOW, UTC).history[0] for one in (past, of_copy, again)]

    assert BOB in lines[0].text or verb not in {"invite", "retract"} or (verb, state) == ("invite", "skipped")
    assert "Shared" in lines[1].text or verb not in {"mirror", "remove_copy"} or (verb, state) == ("mirror", "skipped")
    assert (lines[2].text == lines[1].text) == (verb != "mirror" or state in {"refused", "undone"})
    assert {"Next try in 2 minutes." in line.why for line in lines} == {state == "parked"}
    assert all("{" not in line.text and line.text[0].isupper() for line in lines)


# Finding


def test_an_event_is_found_by_its_title_or_link(office: Office) -> None:
    """Each leads to its page."""
    for text in ("dinn", "dinner", " DINNER "):
        page = office.get("find", text=text).text

        assert "event?account=" in page and "event=dinner" in page


def test_nothing_found_and_nothing_asked_are_told_apart(office: Office) -> None:
    """An empty page asks, it does not accuse."""
    assert "knows no event" in office.get("find", text="concert").text
    assert "knows no event" not in office.get("find").text


# The preview


def test_the_preview_counts_and_groups_by_decision(office: Office) -> None:
    """Invitations first, then by reason; nothing of it is done."""
    office.knows(
        event("play", "School play"),
        event("party", "Party", "2026-11-10T18:00:00+01:00"),
        event("doctor", "Doctor", visibility="private"),
        event("years", "Too far away", "2028-01-01T10:00:00+01:00"),
    )

    page = read(office.get("preview").text).text

    parts = ["Would be invited", "Dinner", "Over by now", "Party", "Private", "Doctor"]
    assert sorted(parts, key=page.index) == parts
    assert "carol@example.com (rule: school)" in page and "Too far away" not in page
    assert office.commands == [] and office.outcomes() == []


def test_the_preview_can_be_of_one_account(office: Office) -> None:
    """The others are left out; a stranger is not known."""
    key = CalendarKey(CARL, "primary")
    other = AccountStatus(email=CARL, aid="b", calendars=(CalendarStatus(key=key, name="Carl"),))
    office.snapshot = msgspec.structs.replace(SNAPSHOT, accounts=(*SNAPSHOT.accounts, other))
    office.knows(event("run", "School run"), key=key)

    pages = [read(office.get("preview", account=one).text).text for one in ("", ANNA, CARL)]

    assert [("Dinner" in page, "School run" in page) for page in pages] == [(True, True), (True, False), (False, True)]
    assert office.get("preview", account="x@example.com").status_code == 404


def test_a_calendar_that_is_no_longer_watched_is_not_previewed(office: Office) -> None:
    """What nobody looks at gets no invitations."""
    office.knows(event("old", "Old calendar"), key=CalendarKey(ANNA, "left@example.com"))

    assert "Old calendar" not in office.get("preview").text


@pytest.mark.parametrize(("mode", "said"), [("dry_run", "Dry run is on"), ("auto_invite", "Auto-invite is off")])
def test_the_preview_says_which_switch_holds_it_back(office: Office, mode: str, said: str) -> None:
    """It shows what would be done without it."""
    settings = msgspec.structs.replace(SNAPSHOT.settings, **{mode: mode == "dry_run"})
    office.snapshot = msgspec.structs.replace(SNAPSHOT, settings=settings)

    page = office.get("preview").text

    assert said in page and "Would be invited" in page


@pytest.mark.parametrize(
    ("chosen", "said"), [("ignore", "would have been invited then"), ("invite_future", "The button")]
)
def test_the_preview_says_what_the_first_sync_has_to_do_with_it(office: Office, chosen: str, said: str) -> None:
    """It is looked at before `invite_future` is chosen, or instead."""
    settings = msgspec.structs.replace(SNAPSHOT.settings, first_sync=chosen)
    office.snapshot = msgspec.structs.replace(SNAPSHOT, settings=settings)

    assert said in office.get("preview").text


def test_the_preview_of_thousands_is_bounded_and_says_so(office: Office) -> None:
    """All are counted, some hundred are shown."""
    office.knows(*[event(f"e{number}", f"Match {number}") for number in range(3000)])
    office.knows(*[event(f"p{number}", f"Secret {number}", visibility="private") for number in range(500)])

    page = office.get("preview").text

    assert page.count("<li>") == MOST_INVITED + MOST_OF_A_REASON
    assert f"and {3001 - MOST_INVITED} more" in page and f"and {500 - MOST_OF_A_REASON} more" in page
    assert "3001" in read(page).text and len(page) < 200_000


def test_an_empty_household_has_an_empty_preview(tmp_path: Path) -> None:
    """Nothing read yet is no error."""
    with Office(tmp_path) as empty:
        page = empty.get("preview").text

    assert "no events in these days" in page and "Invite them now" not in page


def test_what_takes_long_is_done_once_at_a_time() -> None:
    """A second page waits a little, then says so; the turn is free again afterwards."""
    turn, held, free = Turn(patience=0.01), threading.Event(), threading.Event()

    def hold() -> None:
        with turn.taken():
            held.set()
            free.wait(5)

    first = threading.Thread(target=hold)
    first.start()
    held.wait(5)
    with pytest.raises(Sorry), turn.taken():
        pass
    free.set()
    first.join(5)

    with turn.taken():
        assert not first.is_alive()
