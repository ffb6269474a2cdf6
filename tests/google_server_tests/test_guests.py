"""Invitations: copies on the guests' calendars, answers, who may change what, and the mails that go out."""

from typing import Any

import pytest
from googleapiclient.errors import HttpError

from tests.google_server.http import GoogleServer
from tests.google_server.people import DINNER
from tests.google_server_tests.conftest import ANNA, BOB, CAROL, Client, listed, refusal

OUTSIDE = "grandma@mail.example.com"


def answers(event: dict[str, Any]) -> dict[str, str]:
    """Who answered what."""
    return {guest["email"]: guest["responseStatus"] for guest in event.get("attendees", [])}


def invited(client: Client, *emails: str, **body: Any) -> dict[str, Any]:
    """Anna's dinner with these guests."""
    guests = [{"email": email} for email in emails]
    wanted = {**DINNER, "attendees": guests, **body}
    made: dict[str, Any] = client().events().insert(calendarId="primary", body=wanted, sendUpdates="all").execute()
    return made


def test_a_guest_has_a_copy_with_the_same_id_and_an_etag_of_its_own(google: GoogleServer, client: Client) -> None:
    """organizer.self is false on the copy; the guest's own entry says self."""
    made = invited(client, BOB)

    copy = client(BOB).events().get(calendarId="primary", eventId=made["id"]).execute()

    assert copy["iCalUID"] == made["iCalUID"] and copy["etag"] != made["etag"]
    assert copy["organizer"] == {"email": ANNA}
    assert copy["attendees"] == [{"email": BOB, "responseStatus": "needsAction", "self": True}]


def test_an_answer_travels_back_to_the_organizer_and_on_to_the_others(google: GoogleServer, client: Client) -> None:
    """It is a change on every copy: new etag, next increment."""
    made = invited(client, BOB, CAROL)
    _, token, _ = listed(client(CAROL).events())
    copy = client(BOB).events().get(calendarId="primary", eventId=made["id"]).execute()
    for guest in copy["attendees"]:
        if guest.get("self"):
            guest["responseStatus"] = "accepted"

    body = {"attendees": copy["attendees"]}
    client(BOB).events().patch(calendarId="primary", eventId=made["id"], body=body).execute()
    at_anna = client().events().get(calendarId="primary", eventId=made["id"]).execute()
    at_carol, _, _ = listed(client(CAROL).events(), syncToken=token)

    assert answers(at_anna) == {BOB: "accepted", CAROL: "needsAction"}
    assert at_anna["etag"] != made["etag"]
    assert [answers(event) for event in at_carol] == [answers(at_anna)]


def test_a_patch_without_answers_resets_them(google: GoogleServer, client: Client) -> None:
    """The attendees array is taken whole: an entry with an address only is needsAction again, everywhere."""
    made = invited(client, BOB)
    google.control.rsvp(BOB, made["id"], "accepted")

    body = {"attendees": [{"email": BOB}, {"email": CAROL}]}
    after = client().events().patch(calendarId="primary", eventId=made["id"], body=body).execute()

    assert answers(after) == {BOB: "needsAction", CAROL: "needsAction"}
    assert answers(google.control.event(BOB, made["id"]))[BOB] == "needsAction"


def test_the_organizers_changes_reach_the_copies_but_not_their_private_parts(
    google: GoogleServer, client: Client
) -> None:
    """Title and times are shared; colour, reminders and private properties are each copy's own."""
    made = invited(client, BOB, colorId="3", extendedProperties={"private": {"calbot": "1"}, "shared": {"all": "2"}})
    google.control.edit_event(BOB, made["id"], {"colorId": "5"})

    google.control.edit_event(ANNA, made["id"], {"summary": "Late dinner"})
    copy = google.control.event(BOB, made["id"])

    assert copy["summary"] == "Late dinner"
    assert copy["colorId"] == "5"
    assert copy["extendedProperties"] == {"shared": {"all": "2"}}


@pytest.mark.parametrize("body", [{"summary": "Mine"}, {"attendees": []}, {"location": "Here"}])
def test_a_guest_cannot_change_what_is_shared(client: Client, body: dict[str, Any]) -> None:
    """403 forbiddenForNonOrganizer, also for throwing other guests out."""
    made = invited(client, BOB, CAROL)

    with pytest.raises(HttpError) as caught:
        client(BOB).events().patch(calendarId="primary", eventId=made["id"], body=body).execute()

    assert refusal(caught.value) == (403, "forbiddenForNonOrganizer")


def test_a_guest_may_invite_others_unless_the_organizer_forbids_it(google: GoogleServer, client: Client) -> None:
    """guestsCanInviteOthers is true by default; the new guest is on the organizer's copy, too."""
    made = invited(client, BOB)
    closed = invited(client, BOB, guestsCanInviteOthers=False)
    guests = {"attendees": [*made["attendees"], {"email": CAROL}]}

    client(BOB).events().patch(calendarId="primary", eventId=made["id"], body=guests).execute()
    with pytest.raises(HttpError) as caught:
        client(BOB).events().patch(calendarId="primary", eventId=closed["id"], body=guests).execute()

    assert CAROL in answers(google.control.event(ANNA, made["id"]))
    assert google.control.event(CAROL, made["id"])["summary"] == "Dinner"
    assert refusal(caught.value) == (403, "forbiddenForNonOrganizer")


def test_guests_who_can_modify_change_it_for_all(google: GoogleServer, client: Client) -> None:
    """guestsCanModify opens the shared properties."""
    made = invited(client, BOB, CAROL, guestsCanModify=True)

    after = client(BOB).events().patch(calendarId="primary", eventId=made["id"], body={"location": "Here"}).execute()

    assert after["location"] == "Here"
    assert {google.control.event(one, made["id"])["location"] for one in (ANNA, CAROL)} == {"Here"}


def test_by_switch_a_guests_change_is_local(google: GoogleServer, client: Client) -> None:
    """The other behaviour that people report: accepted, but on the own copy only."""
    google.control.set(non_organizer="local")
    made = invited(client, BOB)

    after = client(BOB).events().patch(calendarId="primary", eventId=made["id"], body={"location": "Here"}).execute()

    assert after["location"] == "Here"
    assert "location" not in google.control.event(ANNA, made["id"])


def test_a_put_by_a_guest_counts_absent_shared_fields_as_changes(client: Client) -> None:
    """403: a guest patches, or leaves it."""
    made = invited(client, BOB, location="Home")

    with pytest.raises(HttpError) as caught:
        client(BOB).events().update(calendarId="primary", eventId=made["id"], body=DINNER).execute()

    assert refusal(caught.value) == (403, "forbiddenForNonOrganizer")


def test_a_guest_who_deletes_declines_and_an_organizer_who_deletes_cancels_for_all(
    google: GoogleServer, client: Client
) -> None:
    """Each on the other side's calendar."""
    made = invited(client, BOB, CAROL)

    client(BOB).events().delete(calendarId="primary", eventId=made["id"]).execute()
    at_anna = google.control.event(ANNA, made["id"])
    client().events().delete(calendarId="primary", eventId=made["id"]).execute()

    assert answers(at_anna) == {BOB: "declined", CAROL: "needsAction"}
    assert google.control.event(CAROL, made["id"])["status"] == "cancelled"


def test_a_guest_taken_off_the_list_loses_the_copy(google: GoogleServer, client: Client) -> None:
    """It becomes a tombstone in the guest's calendar."""
    made = invited(client, BOB)
    _, token, _ = listed(client(BOB).events())

    google.control.remove_guest(ANNA, made["id"], BOB)
    items, _, _ = listed(client(BOB).events(), syncToken=token)

    assert [item["status"] for item in items] == ["cancelled"]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("all", [("update", BOB), ("invitation", OUTSIDE)]),
        ("externalOnly", [("invitation", OUTSIDE)]),
        ("none", []),
    ],
)
def test_mails_go_to_whom_send_updates_says(
    google: GoogleServer, client: Client, mode: str, expected: list[tuple[str, str]]
) -> None:
    """One invitation per new guest, an update for the others; `externalOnly` leaves Google users out."""
    made = invited(client, BOB)
    before = len(google.control.mails())
    guests = {"attendees": [*made["attendees"], {"email": OUTSIDE}]}

    events = client().events()
    events.patch(calendarId="primary", eventId=made["id"], body=guests, sendUpdates=mode).execute()

    mails = google.control.mails()[before:]
    assert [(mail["kind"], mail["to"]) for mail in mails] == expected
    assert google.control.mails()[0]["kind"] == "invitation"


def test_a_change_of_colour_mails_nobody(google: GoogleServer, client: Client) -> None:
    """Private properties are nobody else's business."""
    made = invited(client, BOB)
    before = len(google.control.mails())

    events = client().events()
    events.patch(calendarId="primary", eventId=made["id"], body={"colorId": "4"}, sendUpdates="all").execute()

    assert len(google.control.mails()) == before


def test_guests_can_be_left_out_of_an_answer(google: GoogleServer, client: Client) -> None:
    """attendeesOmitted, by maxAttendees or by switch: only one's own entry is there."""
    made = invited(client, BOB, CAROL)
    events = client(BOB).events()

    by_parameter = events.get(calendarId="primary", eventId=made["id"], maxAttendees=1).execute()
    google.control.set(omit_attendees=[made["id"]])
    by_switch, _, _ = listed(events)

    assert by_parameter["attendeesOmitted"] and list(answers(by_parameter)) == [BOB]
    assert by_switch[0]["attendeesOmitted"] and list(answers(by_switch[0])) == [BOB]


def test_an_invitation_from_outside_is_a_copy_without_a_simulated_organizer(
    google: GoogleServer, client: Client
) -> None:
    """Answering works; changing the title does not."""
    made = google.control.invite_from_outside(ANNA, "school@example.com")
    events = client().events()
    accepted = {"attendees": [{"email": ANNA, "responseStatus": "accepted"}]}

    after = events.patch(calendarId="primary", eventId=made["id"], body=accepted).execute()
    with pytest.raises(HttpError) as caught:
        events.patch(calendarId="primary", eventId=made["id"], body={"summary": "Mine"}).execute()

    assert after["organizer"] == {"email": "school@example.com"}
    assert answers(after) == {ANNA: "accepted"}
    assert refusal(caught.value) == (403, "forbiddenForNonOrganizer")


def test_an_event_on_a_shared_calendar_is_organized_by_that_calendar(google: GoogleServer, client: Client) -> None:
    """The organizer is the calendar's id, the creator the account."""
    family = google.control.add_calendar(ANNA, summary="Family")
    google.control.share_calendar(family, BOB, "writer")

    made = client(BOB).events().insert(calendarId=family, body=DINNER).execute()

    assert made["organizer"]["email"] == family and made["organizer"]["self"]
    assert made["creator"] == {"email": BOB}


def test_private_events_are_hidden_from_those_who_may_not_see_them(google: GoogleServer, client: Client) -> None:
    """A reader, or a writer without private access, gets the times of a private event and no details."""
    google.control.create_event(ANNA, {"visibility": "private", "location": "Home"})
    google.control.share_calendar(ANNA, BOB, "writerWithoutPrivateAccess")

    item = client(BOB).events().list(calendarId=ANNA).execute()["items"][0]

    assert item["visibility"] == "private" and item["start"]
    assert "summary" not in item and "location" not in item


def test_reviving_a_deleted_event_can_be_refused(google: GoogleServer, client: Client) -> None:
    """Allowed by default; by switch it answers 403, as some report."""
    made = invited(client, BOB)
    google.control.delete_event(ANNA, made["id"])
    google.control.set(revive="refuse")
    request = client().events().patch(calendarId="primary", eventId=made["id"], body={"status": "confirmed"})

    with pytest.raises(HttpError) as caught:
        request.execute()
    google.control.set(revive="allow")
    request.execute()

    assert refusal(caught.value) == (403, "forbidden")
    assert google.control.event(BOB, made["id"])["status"] == "confirmed"


def test_guests_of_a_series_have_its_exceptions(google: GoogleServer, client: Client) -> None:
    """A moved date is moved for them, a cancelled one cancelled, and they can answer for one date."""
    made = invited(client, BOB, recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"])
    first, second, third = (made["id"] + f"_202612{day}T180000Z" for day in ("01", "08", "15"))

    google.control.edit_event(ANNA, first, {"summary": "Late dinner"})
    google.control.delete_event(ANNA, second)
    google.control.rsvp(BOB, third, "declined")

    assert google.control.event(BOB, first)["summary"] == "Late dinner"
    assert google.control.event(BOB, second)["status"] == "cancelled"
    assert answers(google.control.event(ANNA, third)) == {BOB: "declined"}
    assert answers(google.control.event(ANNA, made["id"])) == {BOB: "needsAction"}
