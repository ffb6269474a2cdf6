"""Promises of calbot.rules: for every event and every rule, who is invited, or why nobody is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from calbot.actions import Invite, Skip
from calbot.identity import present, stamp_with, was_invited
from calbot.kinds import Fate
from calbot.matching import why_not
from calbot.model import CalendarKey, Event, Guest
from calbot.policy import Case, Match, Policy, Rule
from calbot.rules import judge, matched_rules, obvious_rules, weigh
from tests.household import ANNA, BOB, CAROL, FAMILY, NOON, dinner

OUR = CalendarKey(ANNA, "primary")
AWAY = {"organised_by_us": False, "organiser": CAROL, "my_response": "accepted"}
DAY = {"start": "2026-12-01", "end": "2026-12-02"}
WEEKLY = {
    "start": "2026-11-03T19:00:00+01:00",
    "recurrence": ("RRULE:FREQ=WEEKLY",),
    "end": "2026-11-03T20:00:00+01:00",
}
STAMPED = stamp_with("", [BOB])


def case(*rules: Rule, calendar: CalendarKey = OUR, parent: Event | None = None, **parts: object) -> Case:
    """These rules on Anna's calendar at NOON. `fates` and `parent` are the case's; the rest is the policy's."""
    fates: dict[str, Fate] = parts.pop("fates", {})  # type: ignore[assignment]
    policy = replace(Policy(rules=rules, time_zone="Europe/Berlin"), **parts)
    return Case(calendar=calendar, policy=policy, now=NOON, fates=fates, parent=parent)


def rule(name: str = "family", *invite: str, **parts: object) -> Rule:
    """Invites Bob unless it names others. `skip`, `goes_on` and `send_updates` are its own, the rest matches."""
    own = {key: parts.pop(key) for key in ("skip", "goes_on", "send_updates") if key in parts}
    return Rule(name, invite or (BOB,), match=Match(**parts), **own)  # type: ignore[arg-type]


def when(**match: object) -> Case:
    """One rule, which invites Bob to what is like this."""
    return case(rule("family", BOB, **match))


def idle(name: str, **parts: bool) -> Rule:
    """A rule that invites nobody."""
    return replace(rule(name, **parts), invite=())


ANY = case(rule())
THERE = "already_invited: Everybody to invite is on it already."
NO_MATCH = "no_rule: No rule matches it."
NOT_OURS = "not_organiser: Somebody else organises it."
PRIVATE = "private: It is private."
REMOVED = "removed_by_hand: bob was invited before and somebody took them off again."

SPECIFICATION: list[tuple[str, Event, Case, str]] = [
    # Who is there already.
    ("a guest is missing", dinner(), ANY, "invite bob"),
    ("another guest is there", dinner(CAROL), ANY, "invite bob"),
    ("the guest is there", dinner("BOB@example.COM"), ANY, THERE),
    ("the guest organises it", dinner(organiser=BOB), ANY, THERE),
    ("the guest made it", dinner(creator=BOB), ANY, THERE),
    ("one of two is there", dinner(BOB), case(rule("family", BOB, CAROL)), "invite carol"),
    ("two are missing", dinner(), case(rule("family", BOB, CAROL)), "invite bob and carol"),
    ("named in another way", dinner(), case(rule("family", "Bob@Example.com")), "invite bob"),
    ("named twice, in two ways", dinner(), case(rule("family", "Bob@Example.com", BOB)), "invite bob"),
    # Whatever the rules say.
    ("our copy", dinner(copy_of="x"), ANY, "own_copy: It is a copy that Calbot made."),
    ("a birthday", dinner(kind="birthday"), ANY, "event_type: Events of the type birthday take no guests."),
    (
        "focus",
        dinner(kind="focusTime"),
        when(event_types=("focusTime",)),
        "event_type: Events of the type focusTime take no guests.",
    ),
    ("absence", dinner(kind="outOfOffice"), ANY, "event_type: Events of the type outOfOffice take no guests."),
    (
        "a workplace",
        dinner(kind="workingLocation"),
        ANY,
        "event_type: Events of the type workingLocation take no guests.",
    ),
    ("over", dinner(end="2026-11-01T00:00:00Z"), ANY, "past: It is over."),
    ("declined", dinner(my_response="declined"), when(my_rsvp=("declined",)), "declined: It was declined."),
    ("locked", dinner(locked=True), ANY, "no_write_access: Google does not let it be changed (it is locked)."),
    (
        "a hidden guest list",
        dinner(guests_hidden=True),
        ANY,
        "no_write_access: Google hides its guest list, so nobody can be added without harm.",
    ),
    ("a copy before a birthday", dinner(copy_of="x", kind="birthday"), ANY, "own_copy: It is a copy that Calbot made."),
    ("over before declined", dinner(end="2026-11-01", my_response="declined"), ANY, "past: It is over."),
    ("these before the rules", dinner(copy_of="x"), case(), "own_copy: It is a copy that Calbot made."),
    ("these before skip", dinner(my_response="declined"), case(rule(skip=True)), "declined: It was declined."),
    # Rules in order.
    ("no rules at all", dinner(), case(), "no_rule: No rule says whom to invite."),
    ("nobody's address", dinner(), case(*obvious_rules(())), "no_rule: No rule says whom to invite."),
    ("the obvious rule", dinner(), case(*obvious_rules((BOB, CAROL))), "invite bob and carol by invite_emails"),
    ("none matches", dinner(), when(title="School"), NO_MATCH),
    ("none matches what is another's", dinner(**AWAY), when(title="School"), NO_MATCH),
    (
        "the first that matches",
        dinner(),
        case(rule("a", title="x"), rule("b", BOB), rule("c", CAROL)),
        "invite bob by b",
    ),
    ("and it alone", dinner(BOB), case(rule("b"), rule("c", CAROL)), THERE),
    ("unless it goes on", dinner(), case(rule("b", goes_on=True), rule("c", CAROL)), "invite bob and carol by b, c"),
    ("only who is missing counts", dinner(BOB), case(rule("b", goes_on=True), rule("c", CAROL)), "invite carol by c"),
    ("two name the same guest", dinner(), case(rule("b", goes_on=True), rule("c")), "invite bob by b, c"),
    ("going on to nothing", dinner(), case(rule("b", goes_on=True), rule("c", title="x")), "invite bob by b"),
    ("a rule for nobody", dinner(), case(idle("copies")), "no_rule: The rule copies invites nobody."),
    (
        "two rules for nobody",
        dinner(),
        case(idle("copies", goes_on=True), idle("more")),
        "no_rule: The rules copies and more invite nobody.",
    ),
    ("it hides what follows", dinner(), case(idle("copies"), rule()), "no_rule: The rule copies invites nobody."),
    ("unless it goes on as well", dinner(), case(idle("copies", goes_on=True), rule()), "invite bob by family"),
    # Skip.
    ("skip", dinner(), case(rule("calm", skip=True)), "rule_skip: The rule calm says to leave it alone."),
    (
        "skip what is another's",
        dinner(**AWAY),
        case(idle("calm", skip=True)),
        "rule_skip: The rule calm says to leave it alone.",
    ),
    ("skip does not match", dinner(), case(rule("calm", skip=True, title="x"), rule()), "invite bob by family"),
    ("skip comes too late", dinner(), case(rule(), rule("calm", skip=True)), "invite bob by family"),
    (
        "skip undoes what went on",
        dinner(),
        case(rule(goes_on=True), rule("calm", skip=True)),
        "rule_skip: The rule calm says to leave it alone.",
    ),
    (
        "skip never goes on",
        dinner(),
        case(rule("calm", skip=True, goes_on=True), rule()),
        "rule_skip: The rule calm says to leave it alone.",
    ),
    # What others organise.
    ("another's", dinner(**AWAY), ANY, NOT_OURS),
    ("another's, wherever", dinner(**AWAY), when(organiser_is_me=True), NO_MATCH),
    ("another's, by the rule", dinner(**AWAY), when(organiser_is_me=False), "invite bob"),
    ("our own is not another's", dinner(), when(organiser_is_me=False), NO_MATCH),
    ("our own, by the rule", dinner(), when(organiser_is_me=True), "invite bob"),
    (
        "another's who forbids it",
        dinner(**AWAY, guests_may_invite=False),
        when(organiser_is_me=False),
        "not_organiser: Somebody else organises it and lets nobody else invite.",
    ),
    ("our own, guests may not", dinner(guests_may_invite=False), ANY, "invite bob"),
    ("another's, only some rules", dinner(**AWAY), case(rule("a", goes_on=True), rule("b", CAROL)), NOT_OURS),
    (
        "each rule for its own guests",
        dinner(**{**AWAY, "organiser": "dora@example.com"}),
        case(rule("a", goes_on=True), rule("b", CAROL, organiser_is_me=False)),
        "invite carol by b",
    ),
    # Private events and types.
    ("private", dinner(visibility="private"), ANY, PRIVATE),
    ("confidential", dinner(visibility="confidential"), ANY, PRIVATE),
    ("private, by the rule", dinner(visibility="private"), when(visibility=("private",)), "invite bob"),
    ("confidential is private", dinner(visibility="confidential"), when(visibility=("private",)), "invite bob"),
    ("confidential, by the rule", dinner(visibility="confidential"), when(visibility=("confidential",)), "invite bob"),
    ("public", dinner(visibility="public"), ANY, "invite bob"),
    ("private and another's", dinner(**AWAY, visibility="private"), ANY, NOT_OURS),
    (
        "a private one for one rule only",
        dinner(visibility="private"),
        case(rule("a", goes_on=True), rule("b", CAROL, visibility=("private", "default"))),
        "invite carol by b",
    ),
    (
        "the first refusal counts",
        dinner(**AWAY, visibility="private"),
        case(rule("a", organiser_is_me=False, goes_on=True), rule("b")),
        PRIVATE,
    ),
    ("from a mail", dinner(kind="fromGmail"), ANY, "event_type: Its type is fromGmail, which the rule does not name."),
    ("from a mail, by the rule", dinner(kind="fromGmail"), when(event_types=("fromGmail",)), "invite bob"),
    ("an unheard-of type", dinner(kind="tea"), ANY, "event_type: Its type is tea, which the rule does not name."),
    # Whom nobody asks again.
    ("our stamp, the guest absent", dinner(stamp=STAMPED), ANY, REMOVED),
    ("the stamp of another guest", dinner(stamp=stamp_with("", [CAROL])), ANY, "invite bob"),
    ("our stamp, and one more", dinner(stamp=STAMPED), case(rule("family", BOB, CAROL)), "invite carol"),
    ("put there and absent", dinner(), case(rule(), fates={BOB: "invited"}), REMOVED),
    ("put there and there", dinner(BOB), case(rule(), fates={BOB: "invited"}), THERE),
    ("taken off", dinner(), case(rule(), fates={BOB: "removed"}), REMOVED),
    (
        "undone",
        dinner(stamp=STAMPED),
        case(rule(), fates={BOB: "undone"}),
        "removed_by_hand: bob was invited before and that was undone.",
    ),
    (
        "discarded",
        dinner(),
        case(rule(), fates={BOB: "discarded"}),
        "removed_by_hand: bob was to be invited before and that was discarded.",
    ),
    (
        "refused",
        dinner(),
        case(rule(), fates={BOB: "refused"}),
        "no_write_access: bob was refused by Google before.",
    ),
    ("another's fate", dinner(), case(rule(), fates={CAROL: "undone"}), "invite bob"),
    (
        "fates and another rule's guest",
        dinner(),
        case(rule("b", goes_on=True), rule("c", CAROL), fates={BOB: "removed"}),
        "invite carol by c",
    ),
    ("fates and one more", dinner(), case(rule("family", BOB, CAROL), fates={BOB: "refused"}), "invite carol"),
    (
        "two fates",
        dinner(),
        case(rule("family", BOB, CAROL), fates={BOB: "refused", CAROL: "discarded"}),
        "removed_by_hand: carol was to be invited before and that was discarded. bob was refused by Google before.",
    ),
    (
        "the same fate twice",
        dinner(),
        case(rule("family", BOB, CAROL), fates={BOB: "undone", CAROL: "undone"}),
        "removed_by_hand: bob and carol were invited before and that was undone.",
    ),
    # Series and their single dates.
    ("a series", dinner(**WEEKLY), ANY, "invite bob"),
    (
        "a series that is over",
        dinner(**{**WEEKLY, "recurrence": ("RRULE:FREQ=WEEKLY;COUNT=2",)}),
        ANY,
        "past: It is over.",
    ),
    ("a single date", dinner(series="x"), case(rule(), parent=dinner(**WEEKLY)), "invite bob"),
    ("a date of an invited series", dinner(series="x"), case(rule(), parent=dinner(BOB, stamp=STAMPED)), "invite bob"),
    ("taken off the whole series", dinner(series="x"), case(rule(), parent=dinner(stamp=STAMPED)), REMOVED),
    (
        "taken off this date",
        dinner(series="x", stamp=STAMPED),
        case(rule(), parent=dinner(BOB, stamp=STAMPED)),
        REMOVED,
    ),
    ("back on this date", dinner(BOB, series="x"), case(rule(), parent=dinner(stamp=STAMPED)), THERE),
    # Switches.
    (
        "switched off",
        dinner(),
        case(rule(), auto_invite=False),
        "auto_invite_off: Auto-invite is off; bob was not invited.",
    ),
    ("dry run", dinner(), case(rule(), dry_run=True), "dry_run: Dry run: bob would be invited."),
    (
        "both",
        dinner(),
        case(rule(), dry_run=True, auto_invite=False),
        "auto_invite_off: Auto-invite is off; bob was not invited.",
    ),
    ("off, nobody missing", dinner(BOB), case(rule(), auto_invite=False), THERE),
    ("off, taken off before", dinner(stamp=STAMPED), case(rule(), auto_invite=False), REMOVED),
    ("off, the rule says no", dinner(visibility="private"), case(rule(), auto_invite=False), PRIVATE),
    # Every matcher, holding and not.
    ("account", dinner(), when(accounts=(CAROL, "Anna@Example.com")), "invite bob"),
    ("another account", dinner(), when(accounts=(CAROL,)), NO_MATCH),
    ("calendar", dinner(), when(calendars=(ANNA,)), "invite bob"),
    ("another calendar", dinner(), when(calendars=(FAMILY,)), NO_MATCH),
    ("title", dinner(title="Back to school"), when(title="(?i)SCHOOL"), "invite bob"),
    ("another title", dinner(title="Dinner"), when(title="(?i)school"), NO_MATCH),
    ("description", dinner(description="Bring cake"), when(description="cake$"), "invite bob"),
    ("another description", dinner(title="cake"), when(description="cake"), NO_MATCH),
    ("location", dinner(location="Room 7"), when(location=r"Room \d"), "invite bob"),
    ("another location", dinner(description="Room 7"), when(location="Room"), NO_MATCH),
    ("type", dinner(), when(event_types=("fromGmail", "default")), "invite bob"),
    ("another type", dinner(), when(event_types=("fromGmail",)), NO_MATCH),
    ("all day", dinner(**DAY), when(all_day=True), "invite bob"),
    ("not all day", dinner(), when(all_day=True), NO_MATCH),
    ("timed", dinner(), when(all_day=False), "invite bob"),
    ("not timed", dinner(**DAY), when(all_day=False), NO_MATCH),
    ("busy", dinner(), when(busy=True), "invite bob"),
    ("not busy", dinner(busy=False), when(busy=True), NO_MATCH),
    ("free", dinner(busy=False), when(busy=False), "invite bob"),
    ("not free", dinner(), when(busy=False), NO_MATCH),
    ("our answer", dinner(my_response="tentative"), when(my_rsvp=("accepted", "tentative")), "invite bob"),
    ("another answer", dinner(my_response="needsAction"), when(my_rsvp=("accepted",)), NO_MATCH),
    ("guest", dinner(CAROL), when(has_guest=(BOB, "Carol@example.com")), "invite bob"),
    ("another guest", dinner("dora@example.com"), when(has_guest=(CAROL,)), NO_MATCH),
    ("weekday", dinner(), when(weekdays=(1,)), "invite bob"),
    ("another weekday", dinner(), when(weekdays=(0, 2, 3, 4, 5, 6)), NO_MATCH),
    ("hours", dinner(), when(hours=(18 * 60, 20 * 60)), "invite bob"),
    ("other hours", dinner(), when(hours=(8 * 60, 12 * 60)), NO_MATCH),
    ("within days", dinner(), when(within_days=12), "invite bob"),
    ("not within days", dinner(), when(within_days=11), NO_MATCH),
    ("visibility", dinner(visibility="public"), when(visibility=("public",)), "invite bob"),
    ("another visibility", dinner(), when(visibility=("public",)), NO_MATCH),
    ("colour", dinner(colour="5"), when(colours=("4", "5")), "invite bob"),
    ("another colour", dinner(colour="6"), when(colours=("4", "5")), NO_MATCH),
    ("everything has to hold", dinner(title="Dinner"), when(title="Din", busy=False), NO_MATCH),
    ("and may", dinner(title="Dinner", busy=False), when(title="Din", busy=False), "invite bob"),
]


def said(event: Event, given: Case) -> str:
    """The decision in a line; addresses without their domain."""
    action = judge(event, given)
    if isinstance(action, Invite):
        text = f"invite {' and '.join(action.guests)} by {action.rule}"
    else:
        assert isinstance(action, Skip)
        text = f"{action.reason}: {action.text}"
    return text.replace("@example.com", "")


@pytest.mark.parametrize(
    ("event", "given", "expected"), [row[1:] for row in SPECIFICATION], ids=[row[0] for row in SPECIFICATION]
)
def test_who_is_invited_or_why_nobody_is(event: Event, given: Case, expected: str) -> None:
    """An invitation's rule is `family` where the table does not say."""
    if expected.startswith("invite") and " by " not in expected:
        expected += " by family"

    assert said(event, given) == expected


def test_a_decision_names_the_rules_it_comes_from() -> None:
    """A refusal its own, a skip the rule that says so, and what holds whatever the rules say names none."""
    first, second = rule("a", goes_on=True), rule("b", CAROL)
    names = {
        "private": judge(dinner(visibility="private"), case(first, second)),
        "own copy": judge(dinner(copy_of="x"), case(first, second)),
        "skip": judge(dinner(), case(first, rule("c", skip=True))),
        "nobody": judge(dinner(), case(idle("d", goes_on=True), idle("e"))),
        "there": judge(dinner(BOB, CAROL), case(first, second)),
        "removed": judge(dinner(BOB), case(first, second, fates={CAROL: "removed"})),
        "off": judge(dinner(BOB), case(first, second, auto_invite=False)),
        "dry": judge(dinner(), case(first, second, dry_run=True)),
    }

    assert {what: action.rule for what, action in names.items() if isinstance(action, Skip)} == {
        "private": "a",
        "own copy": None,
        "skip": "c",
        "nobody": "d, e",
        "there": "a, b",
        "removed": "b",
        "off": "b",
        "dry": "a, b",
    }


def test_mail_is_sent_as_the_loudest_rule_with_a_guest_in_it_says() -> None:
    """One write has one answer, and nobody shall miss an invitation. A rule whose guests are all there has no say."""
    rules = rule("a", send_updates="none", goes_on=True), rule("b", CAROL, send_updates="externalOnly")

    both, one = judge(dinner(), case(*rules)), judge(dinner(BOB), case(*rules))

    assert isinstance(both, Invite) and both.send_updates == "externalOnly"
    assert isinstance(one, Invite) and one.send_updates == "externalOnly"


@pytest.mark.parametrize("event", [dinner(), dinner(copy_of="x"), dinner(visibility="private")])
def test_every_rule_that_was_tried_is_told(event: Event) -> None:
    """With why it matches or not, in order, up to the one with the last word; also where nobody may be invited."""
    given = case(rule("a", title="x"), rule("b", goes_on=True), rule("c", busy=False), rule("d"), rule("e"))

    tried = weigh(event, given).tried

    assert [(one.rule, one.matched, one.why) for one in tried] == [
        ("a", False, "its title does not match x"),
        ("b", True, "it matches"),
        ("c", False, "it is shown as busy"),
        ("d", True, "it matches"),
    ]
    assert matched_rules(event, given) == ("b", "d")


def test_the_rules_that_apply_end_with_a_skip() -> None:
    """Its name is among them."""
    assert matched_rules(dinner(), case(rule("a", goes_on=True), rule("b", skip=True), rule("c"))) == ("a", "b")
    assert matched_rules(dinner(), case()) == ()


PEOPLE = st.sampled_from([ANNA, BOB, CAROL, "dora@example.com"])
WRITTEN = st.sampled_from([BOB, CAROL, "Dora@Example.com", "ANNA@example.com"])
STAMPS = st.lists(PEOPLE, max_size=3).map(lambda people: stamp_with("", people))
STARTS = st.sampled_from(
    [
        "2026-12-01T19:00:00+01:00",
        "2026-12-01",
        "2026-11-20T11:00:00Z",
        "soon",
        "",
        "9999-12-31T23:59:59Z",
        "0001-01-01",
    ]
)


def some(*values: object) -> st.SearchStrategy[tuple[object, ...]]:
    """None, one or several of these."""
    return st.lists(st.sampled_from(values), max_size=2).map(tuple)


events = st.builds(
    Event,
    id=st.just("x"),
    etag=st.just("1"),
    kind=st.sampled_from(["default", "default", "default", "fromGmail", "birthday", "tea"]),
    title=st.text(max_size=20) | st.just("School"),
    start=STARTS,
    end=STARTS,
    recurrence=some("RRULE:FREQ=WEEKLY", "RRULE:FREQ=DAILY;COUNT=3"),
    series=st.sampled_from([None, "parent"]),
    organiser=PEOPLE,
    creator=PEOPLE,
    organised_by_us=st.sampled_from([True, True, False]),
    my_response=st.sampled_from([None, "", "accepted", "tentative", "needsAction", "declined"]),
    guests=st.lists(PEOPLE.map(lambda email: Guest(email, "{}")), max_size=2).map(tuple),
    guests_hidden=st.sampled_from([False, False, False, True]),
    visibility=st.sampled_from(["default", "default", "public", "private", "confidential"]),
    busy=st.booleans(),
    guests_may_invite=st.booleans(),
    time_zone=st.sampled_from(["", "Europe/Berlin", "Nowhere/Land", "../x", "America/New_York"]),
    colour=st.sampled_from(["", "5"]),
    stamp=STAMPS,
    copy_of=st.sampled_from(["", "", "", "y"]),
)
matches = st.just(Match()) | st.builds(
    Match,
    accounts=some(ANNA, BOB),
    calendars=some("primary", ANNA, FAMILY),
    title=st.sampled_from([None, None, "(?i)school", "^$", "(a+)+$"]),
    organiser_is_me=st.sampled_from([None, None, True, False]),
    event_types=some("default", "fromGmail", "tea"),
    all_day=st.sampled_from([None, None, True, False]),
    my_rsvp=some("accepted", "needsAction"),
    has_guest=some(BOB, CAROL),
    weekdays=some(0, 1, 2, 3, 4, 5, 6),
    hours=st.none() | st.tuples(st.integers(0, 1440), st.integers(0, 1440)),
    within_days=st.none() | st.integers(0, 10**400),
    visibility=some("default", "public", "private", "confidential"),
    colours=some("5", "6"),
)
rules = st.builds(
    Rule,
    name=st.just(""),
    invite=st.lists(WRITTEN, max_size=3).map(tuple),
    send_updates=st.sampled_from(["all", "externalOnly", "none"]),
    match=matches,
    skip=st.sampled_from([False, False, False, True]),
    goes_on=st.booleans(),
)
policies = st.builds(
    Policy,
    rules=st.lists(rules, max_size=4).map(
        lambda found: tuple(replace(one, name=str(place)) for place, one in enumerate(found))
    ),
    auto_invite=st.sampled_from([True, True, True, False]),
    dry_run=st.sampled_from([False, False, False, True]),
    time_zone=st.sampled_from(["Europe/Berlin", "Nowhere/Land"]),
)
cases = st.builds(
    Case,
    calendar=st.sampled_from([OUR, CalendarKey(ANNA, FAMILY)]),
    policy=policies,
    now=st.just(NOON),
    fates=st.dictionaries(
        PEOPLE, st.sampled_from(["invited", "removed", "undone", "discarded", "refused"]), max_size=2
    ),
    parent=st.none() | events,
)


@settings(max_examples=600, deadline=None)
@given(events, cases)
def test_every_event_and_all_rules_keep_the_promises(event: Event, given: Case) -> None:
    """Whoever is invited is absent, was never asked before, and is named by a rule that matches and may."""
    decision = weigh(event, given)
    action = decision.action

    assert decision == weigh(event, given) and action == judge(event, given)
    matching = [one for one in given.policy.rules if one.name in matched_rules(event, given)]
    assert [why_not(one.match, event, given) for one in matching] == [None] * len(matching)
    if isinstance(action, Skip):
        assert action.text and not action.text.endswith(("..", " "))
        return
    assert isinstance(action, Invite) and given.policy.auto_invite and not given.policy.dry_run
    assert action.guests and len(action.guests) == len(set(action.guests))
    assert not any(one.skip for one in matching)
    for guest in action.guests:
        assert guest == guest.lower() and not present(event, guest)
        assert guest not in given.fates and not was_invited(event.stamp, guest)
        assert given.parent is None or present(given.parent, guest) or not was_invited(given.parent.stamp, guest)
        naming = [one for one in matching if guest in map(str.lower, one.invite)]
        assert naming and any(may(one, event) for one in naming)
    assert set(action.rule.split(", ")) <= {one.name for one in matching}


def may(one: Rule, event: Event) -> bool:
    """Whether the rule may invite to this event, told the other way round."""
    theirs = event.organised_by_us or (one.match.organiser_is_me is False and event.guests_may_invite)
    kind = event.kind == "default" or event.kind in one.match.event_types
    return theirs and kind and (event.visibility in {"default", "public"} or bool(one.match.visibility))


@settings(max_examples=200, deadline=None)
@given(events, cases)
def test_a_skip_before_all_rules_lets_nobody_in(event: Event, given: Case) -> None:
    """Whatever follows it."""
    policy = replace(given.policy, rules=(Rule("calm", skip=True), *given.policy.rules))

    decision = weigh(event, replace(given, policy=policy))
    action, tried = decision.action, decision.tried

    assert isinstance(action, Skip) and len(tried) == 1
