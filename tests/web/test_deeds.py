"""Promises of the pages of work: what waits is decided, what was done is taken back, and only by our own forms."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from calbot.model import Answer, Command, Outcome
from calbot.store import commands, outbox
from tests.web.office import BOB, CAROL, PASS, SAME, Office, event
from tests.web.test_panel import PAYLOADS, read
from tests.web.test_sign_in import FOREIGN
from tests.web.world import ANNA, FAMILY, NOW, SNAPSHOT

DINNER = event("dinner")
FORMS = ["undo", "confirm", "approve", "discard", "apply"]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A panel with Dinner on the calendar."""
    with Office(tmp_path) as office:
        office.knows(DINNER)
        yield office


def asked(command: Command) -> tuple[str, dict[str, str | int | float | bool | None]]:
    """What a command is and wants."""
    return command.name, command.args


# What waits


def test_held_work_is_a_card_with_both_ways_out(office: Office) -> None:
    """How much, where, since when, why and the first titles; it stands above what happened."""
    office.held(*[event(f"match-{n}", f"Match {n}") for n in range(8)], text="8 at once are more than 5 an hour.")

    page = office.get("").text

    assert page.index("Waiting for you") < page.index("What happened")
    told = read(page).text
    for words in ("16 invitations to 8 events", "Family · anna@example.com", "5 minutes ago", "8 at once are more"):
        assert words in told
    assert "Match 0, Match 1, Match 2, Match 3, Match 4 and 3 more" in told and "Match 5" not in told
    assert f"discard?run={PASS}" in page


def test_nothing_held_is_no_block(office: Office) -> None:
    """A quiet household has a quiet page, without a form."""
    page = office.get("")

    assert "Waiting" not in page.text and "<form" not in page.text


def test_approve_is_one_press(office: Office) -> None:
    """The command is stored as the panel's, for this run alone, and its answer is shown."""
    office.held(DINNER)
    office.answer = lambda _: Answer(status="ok", message="2 invitations go out now.")

    page = office.post("approve", run=PASS)

    (command,) = office.commands
    assert asked(command) == ("approve", {"token": PASS})
    assert (command.source, command.received) == ("panel", NOW)
    assert commands.known(office.database.read(), command.id, NOW)[0]
    assert page.status_code == 200 and "Approved" in page.text and "2 invitations go out now." in page.text


def test_discard_asks_once_more(office: Office) -> None:
    """The page names what is dropped; only its button drops it."""
    office.held(DINNER)

    page = office.get("discard", run=PASS)
    before = list(office.commands)
    done = office.post("discard", run=PASS)

    assert "Dinner" in page.text and "2 invitations" in page.text and "Nobody is invited" in page.text
    assert before == [] and [asked(one) for one in office.commands] == [("discard", {"token": PASS})]
    assert "Discarded" in done.text


def test_what_waits_no_more_cannot_be_discarded(office: Office) -> None:
    """Somebody else may have decided it meanwhile."""
    office.held(DINNER)

    answer = office.get("discard", run="r-another")

    assert answer.status_code == 404 and "does not wait any more" in answer.text


def test_each_button_means_its_own_work(office: Office) -> None:
    """What is written on it is what its form carries."""
    office.held(DINNER, run_id="r-1")
    office.held(event("choir"), run_id="r-2")
    tokens = {office.invited(event(f"e{number}"), run_id="r-3") for number in range(2)}

    page, undo = office.get("").text, office.get("undo").text

    assert re.findall(r'name="run" value="([^"]*)"', page) == ["r-1", "r-2"]
    assert re.findall(r'href="discard\?run=([^"]*)"', page) == ["r-1", "r-2"]
    assert set(re.findall(r'name="token" value="([^"]*)"', page)) == tokens
    assert set(re.findall(r'name="token" value="([^"]*)"', undo)) == tokens
    assert re.findall(r'name="run_id" value="([^"]*)"', undo) == ["r-3"]


def test_work_in_doubt_says_what_approving_it_does(office: Office) -> None:
    """A lost answer is not sent again blindly."""
    office.held(DINNER, reason="conflict", text="")

    page = read(office.get("").text).text

    assert "cannot tell whether its last try arrived" in page and "looks at the event as it is now" in page


def test_many_held_runs_can_be_decided_at_once(office: Office) -> None:
    """Ten cards are shown; behind them is one pair of buttons for everything."""
    for number in range(12):
        office.held(event(f"e{number}"), run_id=f"r-{number}")

    page = office.get("").text
    office.post("approve", all="yes")
    asking = office.get("discard").text
    office.post("discard", all="yes")

    assert page.count('<li class="card warn">') == 10 and "2 more wait behind these." in read(page).text
    assert "And 2 more like these." in asking
    assert [asked(one) for one in office.commands] == [("approve", {}), ("discard", {})]


@pytest.mark.parametrize("page", ["approve", "discard", "undo"])
def test_a_form_that_names_nothing_does_nothing(office: Office, page: str) -> None:
    """An empty field is never taken for everything."""
    answer = office.post(page, run="", token="", minutes="")

    assert answer.status_code == 400 and "Nothing chosen" in answer.text and office.commands == []


def test_what_goes_on_by_itself_says_when(office: Office) -> None:
    """A single invitation over the limit, and an account over Google's quota."""
    account = msgspec.structs.replace(SNAPSHOT.accounts[0], waiting_until=NOW + 600, resting_until=NOW + 7200)
    office.snapshot = msgspec.structs.replace(SNAPSHOT, accounts=(account,))

    page = read(office.get("").text).text

    assert "waits for the hour to have room. It goes on at 17:30." in page
    assert "(its quota). They go on at 19:20" in page and "Waiting for you" not in page


def test_what_has_gone_on_is_said_no_more(office: Office) -> None:
    """A time that is over is no news."""
    account = msgspec.structs.replace(SNAPSHOT.accounts[0], waiting_until=NOW - 1, resting_until=NOW - 1)
    office.snapshot = msgspec.structs.replace(SNAPSHOT, accounts=(account,))

    assert "room" not in office.get("").text and "quota" not in office.get("").text


def test_browsers_name_our_page_as_the_origin_of_its_forms(office: Office) -> None:
    """Without https that is all the guard has to go by, and the panel's own header would have them hide it."""
    office.held(DINNER)

    for page in ("", "undo", "discard"):
        assert ("meta", {"name": "referrer", "content": "same-origin"}) in read(office.get(page).text).elements


# Undo


def test_each_invitation_of_the_timeline_can_be_undone_where_it_stands(office: Office) -> None:
    """The button carries its token, and the link leads to why."""
    token = office.invited(DINNER)

    page = office.get("").text
    done = office.post("undo", token=token)

    assert f'name="token" value="{token}"' in page and "event=dinner" in page
    assert asked(office.commands[0]) == ("undo", {"token": token}) and "Taken back" in done.text


def test_what_cannot_be_undone_any_more_has_no_button(office: Office) -> None:
    """The store knows which tokens are good, whatever the outcome once said."""
    good, gone = office.invited(DINNER), office.invited(event("choir", "Choir"))
    office.undone(gone)

    pages = office.get("").text + office.get("undo").text

    assert good in pages and gone not in pages


def test_what_was_taken_back_is_told(office: Office) -> None:
    """So are the brake and the quota."""
    undone = Outcome(event_type="undone", key=office.key("x"), event=DINNER, guests_removed=(BOB, CAROL))
    with office.database.write() as tx:
        outbox.put(tx, [undone], NOW, office.random)

    assert f"Taken back: {BOB} and {CAROL}" in office.get("").text


def test_the_page_of_undo_offers_the_last_change_a_pass_and_the_last_minutes(office: Office) -> None:
    """Newest first; each button says to the engine exactly what is written on it."""
    for number in range(12):
        office.invited(event(f"e{number}", f"Match {number}"), run_id="r-many", at=NOW - 3000)
    last = office.invited(DINNER, run_id="r-one", at=NOW - 60)

    page = read(office.get("undo").text).text
    office.post("undo", token=last)
    office.post("undo", run_id="r-many")
    office.post("undo", minutes="180")

    assert page.index("Dinner") < page.index("Match 11") and "12 invitations" in page and "and 2 more" in page
    assert [asked(one) for one in office.commands] == [
        ("undo", {"token": last}),
        ("undo", {"run_id": "r-many"}),
        ("undo", {"minutes": 180}),
    ]


def test_nothing_to_undo_is_said(office: Office) -> None:
    """Without a button that could not do anything."""
    page = office.get("undo").text

    assert "nothing of late" in page and "<form" not in page


@pytest.mark.parametrize("minutes", ["-5", "0", "61", "1e9", "nan", "60; DROP"])
def test_only_the_spans_on_the_page_are_taken(office: Office, minutes: str) -> None:
    """A made-up number reaches nobody."""
    assert office.post("undo", minutes=minutes).status_code == 400 and office.commands == []


def confirming(command: Command) -> Answer:
    """The engine's answer to much at once."""
    if "confirm" in command.args:
        return Answer(status="ok", message="3 were taken back.")
    data: dict[str, str | int | float | bool | None] = {"confirm_token": "c-9f", "count": 3}
    return Answer(status="error", code="confirm_required", message="3 invitations are taken back.", data=data)


def test_much_at_once_is_shown_and_confirmed(office: Office) -> None:
    """The page names the events; yes sends the same command again with the engine's token."""
    office.invited(event("old", "Long ago"), at=NOW - 4000)
    for number in range(3):
        office.invited(event(f"e{number}", f"Match {number}"), at=NOW - 600)
    office.answer = confirming

    asking = office.post("undo", minutes="60")
    done = office.post("confirm", command=office.commands[0].id)

    told = read(asking.text).text
    assert (
        "Take all of this back?" in told and "Yes, take it all back" in told and "3 invitations are taken back." in told
    )
    assert all(f"Match {number}" in told for number in range(3)) and "Long ago" not in told
    assert asked(office.commands[1]) == ("undo", {"minutes": 60, "confirm": "c-9f"})
    assert "3 were taken back." in done.text


def test_a_confirmation_tells_what_has_not_gone_out_yet(office: Office) -> None:
    """It would be dropped with the rest; what did go out comes first."""
    office.invited(event("sent", "Sent"))
    office.held(*[event(f"e{number}", f"Held {number}") for number in range(60)])
    office.answer = confirming

    page = read(office.post("undo", minutes="60").text).text

    assert page.index("Sent") < page.index("Held 59") < page.index("not sent yet, would be dropped")
    assert "and 11 more" in page


def test_a_confirmation_shows_its_own_pass_only(office: Office) -> None:
    """What another pass invited is not what would be taken back."""
    office.invited(event("mine", "Mine"), run_id="r-1")
    office.invited(event("other", "Other"), run_id="r-2")
    office.answer = confirming

    page = read(office.post("undo", run_id="r-1").text).text

    assert "Mine" in page and "Other" not in page


def test_a_confirmation_of_before_a_restart_is_too_late(tmp_path: Path) -> None:
    """What exactly was asked for is forgotten then; the sentence is not, and nothing is done."""
    with Office(tmp_path) as before:
        before.answer = confirming
        before.post("undo", minutes="60")

    with Office(tmp_path) as after:
        page = after.get("answer", command=before.commands[0].id)
        answer = after.post("confirm", command=before.commands[0].id)

    assert "3 invitations are taken back." in page.text and "<form" not in page.text
    assert answer.status_code == 409 and after.commands == []


def test_what_was_not_to_be_confirmed_is_not_sent_again(office: Office) -> None:
    """A finished command cannot be repeated by its id."""
    office.post("undo", minutes="60")

    answer = office.post("confirm", command=office.commands[0].id)

    assert answer.status_code == 409 and len(office.commands) == 1


def test_undo_on_an_events_page_leads_back_there(office: Office) -> None:
    """The link is made of the event's names, not of what a form says."""
    token = office.invited(DINNER)
    key = {"account": ANNA, "calendar": FAMILY.key.calendar, "event": "dinner"}

    page = office.post("undo", token=token, **key, **{"from": "https://evil.example/"})
    plain = office.post("undo", token=token, **{"from": "https://evil.example/"})

    assert "Back to the event" in page.text and "event=dinner" in page.text
    assert "evil.example" not in page.text + plain.text


# Answers


def test_the_answer_is_read_from_the_store_and_never_from_the_address(office: Office) -> None:
    """Nobody can have our page say something by a link."""
    office.post("undo", minutes="60")
    id_ = office.commands[0].id

    page = office.get("answer", command=id_, text="Send money", message="Send money", back="https://evil.example")

    assert "It is done." in page.text and "money" not in page.text and "evil" not in page.text


@pytest.mark.parametrize("id_", ["", "x", "panel-1", f"panel-{'0' * 32}", f"panel-{'0' * 32}\n", "' OR 1=1 --"])
def test_an_unknown_command_has_no_answer(office: Office, id_: str) -> None:
    """With a sentence, and the way back."""
    answer = office.get("answer", command=id_)

    assert answer.status_code == 404 and "Nothing to show" in answer.text and 'href="./"' in answer.text


def test_the_answers_of_others_are_not_shown(office: Office) -> None:
    """A command of MQTT chooses its own id; the panel shows the panel's."""
    command = Command(name="ping", id="mine", source="mqtt", received=NOW)
    with office.database.write() as tx:
        commands.add(tx, command)
        commands.finish(tx, "mine", Answer(status="ok", message="pong"), NOW)

    assert office.get("answer", command="mine").status_code == 404


def test_what_takes_longer_is_under_way_until_it_is_done(office: Office) -> None:
    """The page renews itself; the answer comes to the same address."""
    office.answer = lambda _: None

    page = office.post("undo", minutes="60")
    (command,) = office.commands
    office.finish(command, Answer(status="partial", message="2 of 3 were taken back."))
    later = office.get("answer", command=command.id)

    assert "Under way" in page.text and 'http-equiv="refresh"' in page.text
    assert "Partly done" in later.text and "2 of 3" in later.text and 'http-equiv="refresh"' not in later.text


def test_a_refusal_is_a_sentence(office: Office) -> None:
    """What the engine cannot do, it explains."""
    office.answer = lambda _: Answer(status="error", code="undo_expired", message="Carol removed bob herself.")

    page = office.post("undo", minutes="60")

    assert "Not done" in page.text and "Carol removed bob herself." in page.text


# Apply


def test_apply_says_how_many_before_it_does_anything(office: Office) -> None:
    """The number is that of the preview, the limit that in force."""
    office.knows(*[event(f"e{number}") for number in range(59)])

    page = read(office.get("apply").text).text
    before = list(office.commands)
    done = office.post("apply")

    assert "Send 60 invitations now?" in page and "more than 50 an hour" in page and "until you approve it" in page
    assert before == [] and [asked(one) for one in office.commands] == [("apply", {"days": 90})]
    assert done.status_code == 200


def test_apply_can_be_for_one_account(office: Office) -> None:
    """One that there is."""
    office.post("apply", account=ANNA)
    refused = office.post("apply", account="stranger@example.com")

    assert [asked(one) for one in office.commands] == [("apply", {"days": 90, "account": ANNA})]
    assert refused.status_code == 404


@pytest.mark.parametrize(("mode", "said"), [("dry_run", "Dry run is on"), ("auto_invite", "Auto-invite is off")])
def test_apply_has_no_button_while_nobody_is_invited(office: Office, mode: str, said: str) -> None:
    """It says what is off instead."""
    settings = msgspec.structs.replace(SNAPSHOT.settings, **{mode: mode == "dry_run"})
    office.snapshot = msgspec.structs.replace(SNAPSHOT, settings=settings)

    page = office.get("apply").text

    assert said in page and "<form" not in page


def test_nothing_to_apply_is_said(tmp_path: Path) -> None:
    """No button sends nothing."""
    with Office(tmp_path) as empty:
        page = empty.get("apply").text

    assert "Nobody to invite" in page and "<form" not in page


# Strangers, and trouble


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("page", FORMS)
def test_a_form_from_elsewhere_is_refused(office: Office, page: str, headers: dict[str, str]) -> None:
    """Even with the right session and proof."""
    fields = {"proof": office.proof(), "run": PASS, "minutes": "60", "command": "x"}

    answer = office.browser.post(f"/{page}", data=fields, headers=headers)

    assert answer.status_code == 403 and office.commands == []


@pytest.mark.parametrize("page", FORMS)
@pytest.mark.parametrize("proof", ["", "0" * 64, "ä"])
def test_a_form_without_its_proof_is_refused(office: Office, page: str, proof: str) -> None:
    """A cookie alone is not enough, nor is a form alone."""
    genuine = office.proof()
    fields = {"run": PASS, "minutes": "60", "all": "yes"}

    forged = office.browser.post(f"/{page}", data={**fields, "proof": proof}, headers=SAME)
    foreign = office.app.test_client().post(f"/{page}", data={**fields, "proof": genuine}, headers=SAME)

    assert (forged.status_code, foreign.status_code) == (403, 403) and office.commands == []


@pytest.mark.parametrize("page", ["approve", "confirm"])
def test_what_acts_is_post_only(office: Office, page: str) -> None:
    """A link or a picture can never act."""
    assert office.get(page).status_code == 405


@pytest.mark.parametrize("page", ["undo", "preview", "event", "find?text=x", "discard", "apply", "answer?command=x"])
def test_a_look_changes_nothing(office: Office, page: str) -> None:
    """Reading pages send no command."""
    office.browser.get(f"/{page}")

    assert office.commands == []


def test_every_address_on_the_pages_is_relative(office: Office) -> None:
    """Under ingress the panel lies below a path that it does not know; all its pages lie beside each other."""
    office.held(event("match", "Match"))
    office.invited(DINNER)
    office.answer = confirming
    pages = [office.get(name) for name in ("", "undo", "preview", "apply", "find?text=din", "discard")]
    pages += [office.post("undo", minutes="60"), office.get("event", account=ANNA, event="none")]

    for page in pages:
        for tag, values in read(page.text).elements:
            for name in ("href", "src", "action"):
                address = values.get(name)
                assert address is None or re.fullmatch(r"(\./|static/[\w.]+|[a-z-]+)(\?\S*)?", address), (tag, address)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_foreign_text_stays_text(office: Office, payload: str) -> None:
    """Titles, places, reasons, rules, calendars, answers and searches make no element, attribute or template."""
    strange = event("strange", payload, location=payload, link=payload, description=payload)
    office.knows(strange)
    office.rule(payload)
    office.held(event("held", payload), text=payload)
    office.left_alone(strange, payload)
    office.invited(strange, payload, calendar_name=payload, reason_text=payload)
    office.answer = lambda _: Answer(
        status="error", code="confirm_required", message=payload, data={"confirm_token": payload, "count": payload}
    )
    key = {"account": ANNA, "calendar": FAMILY.key.calendar, "event": "strange"}
    pages = [office.get(name).text for name in ("", "undo", "preview", "apply", "discard")]
    pages += [office.get("event", **key).text, office.get("find", text=payload).text, office.get("find", text="e").text]
    pages += [office.get("event", account=payload, event=payload).text, office.get("answer", command=payload).text]
    pages += [office.post("undo", minutes="60").text, office.get("preview", account=payload).text]

    for page in pages:
        for tag, values in read(page).elements:
            assert tag not in {"script", "style", "iframe", "svg", "object"}
            assert tag != "img" or values["src"] == "static/calbot.svg"
            assert not any(name.startswith("on") or name == "style" for name in values), (tag, values)
            assert not (values.get("href") or "").startswith("javascript:")
        assert "49" not in read(page).text.replace(payload, "") and "\u202e" not in page and "\x1b" not in page


def test_the_panel_works_when_the_store_cannot_be_read(office: Office) -> None:
    """Each page says what is wrong; the status page is there all the same."""
    proof = office.proof()
    office.lose_the_store()

    status = office.get("")
    pages = [office.get(name) for name in ("undo", "preview", "apply", "discard", "event?event=x", "find?text=x")]
    sent = office.browser.post("/approve", data={"proof": proof, "run": PASS}, headers=SAME)

    assert status.status_code == 200 and "cannot be shown just now" in status.text
    assert {(page.status_code, "cannot use its store" in page.text) for page in pages} == {(503, True)}
    assert sent.status_code == 503 and office.commands == []
