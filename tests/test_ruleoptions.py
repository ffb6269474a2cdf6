"""Promises of calbot.ruleoptions: a rule means what was written, or a sentence says what to write instead."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from calbot.content import NAMES
from calbot.errors import BadOptions
from calbot.policy import FULL, Mask, Match, Rule
from calbot.ruleactions import ACTIONS
from calbot.ruleoptions import _MATCHERS, MOST_RULES, Around, parse_rules

BOB, CAROL = "bob@example.com", "carol@example.com"
FAMILY = "family@group.calendar.google.com"
INVITE = {"invite": [BOB]}


def rules_of(*written: object, central: str | None = None) -> tuple[Rule, ...]:
    """The rules, where none of them is remarkable."""
    rules, notes = parse_rules(list(written), Around(central=central))
    assert notes == ()
    return rules


def match_of(**written: object) -> Match:
    """The match of one rule that invites somebody."""
    return rules_of({"match": written, "do": INVITE})[0].match


def notes_of(*written: object, around: Around | None = None, **watched: tuple[str, ...]) -> tuple[str, ...]:
    """What is remarked about these rules; `anna=("primary",)` watches anna@example.com."""
    accounts = {f"{name}@example.com": calendars for name, calendars in watched.items()}
    return parse_rules(list(written), around or Around(watched=accounts))[1]


def complaint(rules: object) -> str:
    """The sentence that refuses these rules."""
    with pytest.raises(BadOptions) as caught:
        parse_rules(rules, Around())
    return str(caught.value)


def test_a_rule_has_its_name_its_match_and_what_it_does() -> None:
    """The example of the documentation, whole."""
    written = {"name": "school", "match": {"title": "(?i)school"}, "do": {"invite": ["Carol@example.com"]}}

    assert rules_of(written) == (Rule("school", (CAROL,), match=Match(title="(?i)school")),)


def test_rules_without_a_name_are_numbered_by_their_place() -> None:
    """What a form left blank is no rule, and the number is the place that people see."""
    rules = rules_of({"do": INVITE, "match": {"busy": True}}, None, {"name": " ", "do": {"skip": True}})

    assert [rule.name for rule in rules] == ["rule 1", "rule 3"]


def test_what_the_form_leaves_blank_is_not_asked_for() -> None:
    """null, "", [] and {} are no values; a switch that is off is no action."""
    do = {"invite": ["", BOB], "skip": False, "mirror": False, "mask": "", "delete_original": None, "send_updates": ""}
    blanks: tuple[object, ...] = (None, "", " ", [], {})

    for blank in blanks:
        match = {**dict.fromkeys(_MATCHERS, blank), "weekdays": [blank], "account": ["", blank]}
        written = {"name": None, "match": match, "do": do, "continue": blank}
        assert rules_of(written) == (Rule("rule 1", (BOB,)),)
    assert rules_of({"name": "", "match": None, "do": {"skip": "yes"}}) == (Rule("rule 1", skip=True),)


@pytest.mark.parametrize(
    ("key", "value", "meant"),
    [
        ("account", "Anna@Example.com", Match(accounts=("anna@example.com",))),
        ("account", ["anna@example.com", BOB, BOB], Match(accounts=("anna@example.com", BOB))),
        ("calendar", "primary", Match(calendars=("primary",))),
        ("calendar", [FAMILY, " primary "], Match(calendars=(FAMILY, "primary"))),
        ("title", "🤫|👨‍👩‍👧", Match(title="🤫|👨‍👩‍👧")),
        ("description", "two\nlines", Match(description="two\nlines")),
        ("location", r"Room \d+", Match(location=r"Room \d+")),
        ("organiser_is_me", False, Match(organiser_is_me=False)),
        ("organiser_is_me", "no", Match(organiser_is_me=False)),
        ("all_day", "True", Match(all_day=True)),
        ("busy", True, Match(busy=True)),
        ("event_type", "out_of_office", Match(event_types=("outOfOffice",))),
        ("event_type", ["FOCUSTIME", "from gmail"], Match(event_types=("focusTime", "fromGmail"))),
        ("my_rsvp", "needs_action", Match(my_rsvp=("needsAction",))),
        ("my_rsvp", ["needsAction", "Accepted", "tentative", "declined"],
         Match(my_rsvp=("needsAction", "accepted", "tentative", "declined"))),
        ("has_guest", ["Carol@example.com"], Match(has_guest=(CAROL,))),
        ("weekdays", "Monday", Match(weekdays=(0,))),
        ("weekdays", ["SAT", "sun", "saturday"], Match(weekdays=(5, 6))),
        ("hours", "08:00-17:00", Match(hours=(480, 1020))),
        ("hours", "22-6", Match(hours=(1320, 360))),
        ("hours", " 7:30 – 24 ", Match(hours=(450, 1440))),
        ("within_days", 14, Match(within_days=14)),
        ("within_days", 14.0, Match(within_days=14)),
        ("visibility", ["Private", "confidential"], Match(visibility=("private", "confidential"))),
        ("colour", "Lavender", Match(colours=("1",))),
        ("colour", ["tomato", 5, "5", "9"], Match(colours=("11", "5", "9"))),
    ],
)  # fmt: skip
def test_each_matcher_means_what_it_says(key: str, value: object, meant: Match) -> None:
    """One value or several, in any case, in the words of people and of Google."""
    assert match_of(**{key: value}) == meant


def test_no_match_is_every_event() -> None:
    """Left out, null and an empty group are the same."""
    nothing: tuple[dict[str, object], ...] = ({}, {"match": None}, {"match": {}})
    for match in nothing:
        assert rules_of({**match, "do": INVITE})[0].match == Match()


@pytest.mark.parametrize(
    ("value", "guests"),
    [
        (True, (BOB, CAROL)),
        ("True", (BOB, CAROL)),
        ("invite_emails", (BOB, CAROL)),
        (["Invite_Emails"], (BOB, CAROL)),
        ([True, "dave@example.com", CAROL], (BOB, CAROL, "dave@example.com")),
        ("Dave@example.com", ("dave@example.com",)),
        (["dave@example.com", None, ""], ("dave@example.com",)),
    ],
)
def test_invite_names_guests_or_the_option(value: object, guests: tuple[str, ...]) -> None:
    """`true` and its own name stand for invite_emails; every guest is there once."""
    rules, _ = parse_rules([{"do": {"invite": value}}], Around(guests=(BOB, CAROL)))

    assert rules[0].invite == guests


def test_the_other_actions_and_continue() -> None:
    """A rule that leaves alone, who gets Google's e-mail, and the next rule's say."""
    rules = rules_of(
        {"match": {"visibility": "private"}, "do": {"skip": True}},
        {"do": {"invite": BOB, "send_updates": "none"}, "continue": True},
        {"do": {"invite": CAROL, "send_updates": "externalOnly"}, "continue": "false"},
    )

    assert rules == (
        Rule("rule 1", match=Match(visibility=("private",)), skip=True),
        Rule("rule 2", (BOB,), "none", goes_on=True),
        Rule("rule 3", (CAROL,), "externalOnly"),
    )


@pytest.mark.parametrize(
    ("value", "target"),
    [
        (True, FAMILY),
        (" True ", FAMILY),
        ("yes", FAMILY),
        ("Central_Calendar", FAMILY),
        ("Other@Group.Calendar.google.com", "other@group.calendar.google.com"),
        (" anna@example.com", "anna@example.com"),
        (False, None),
        ("off", None),
    ],
)
def test_mirror_names_a_calendar_or_the_option(value: object, target: str | None) -> None:
    """`true` and its own name stand for central_calendar; ids are in lower case, as they are compared."""
    rules, _ = parse_rules([{"do": {"invite": BOB, "mirror": value}}], Around(central=FAMILY))

    assert rules == (Rule("rule 1", (BOB,), mirror=target),)


@pytest.mark.parametrize(
    ("value", "mask"),
    [
        (None, FULL),
        ("", FULL),
        ({}, FULL),
        ("full", FULL),
        (" Title", Mask("title")),
        ("busy", Mask("busy")),
        ("{title} ({calendar})", Mask("template", "{title} ({calendar})")),
        ({"title": " Anna: {title} "}, Mask("template", "Anna: {title}")),
        ({"title": "Anna", "description": None}, Mask("template", "Anna")),
        ({"title": "Busy", "description": "{location}\n\n{link}\n"}, Mask("template", "Busy", "{location}\n\n{link}")),
    ],
)
def test_mask_is_a_word_or_a_template(value: object, mask: Mask) -> None:
    """The form has one text: a word, or a title with names in braces; calbot.yaml may have a group of both parts."""
    assert rules_of({"do": {"mirror": FAMILY, "mask": value}}) == (Rule("rule 1", mirror=FAMILY, mask=mask),)


def test_every_name_of_a_part_may_stand_in_a_template() -> None:
    """What the complaint offers is taken."""
    words = " ".join(f"{{{name}}}" for name in NAMES)

    assert rules_of({"do": {"mirror": FAMILY, "mask": words}})[0].mask == Mask("template", words)


def test_originals_are_deleted_where_a_rule_and_the_option_say_so() -> None:
    """A rule alone does nothing, which is said; and so is where its guests go."""
    move = {"name": "move", "match": {"busy": True}, "do": {"mirror": True, "mask": "full", "delete_original": "yes"}}
    invite = {"name": "invite", "do": {"invite": BOB, "mirror": True, "delete_original": True}}
    on, off = Around(central=FAMILY, deletes=True), Around(central=FAMILY)

    assert parse_rules([move, invite], on)[0] == (
        Rule("move", match=Match(busy=True), mirror=FAMILY, delete_original=True),
        Rule("invite", (BOB,), mirror=FAMILY, delete_original=True),
    )
    assert notes_of(move, invite, around=off) == (
        "rules, move: do.delete_original: does nothing while delete_original.enabled is off.",
        "rules, invite: do.delete_original: does nothing while delete_original.enabled is off.",
    )
    assert notes_of(move, invite, around=on) == (
        "rules, invite: do.invite: its guests are invited to the copy, because the original is deleted.",
    )


def test_a_copy_beside_its_original_is_noted() -> None:
    """A rule for one calendar alone that copies to that same calendar copies nothing."""
    family = {"match": {"calendar": [FAMILY.upper()]}, "do": {"mirror": FAMILY}}
    both = {"match": {"calendar": [FAMILY, "primary"]}, "do": {"mirror": FAMILY}}
    anna = {"match": {"calendar": "primary"}, "do": {"mirror": "anna@example.com"}}
    annas = {"match": {"account": "anna@example.com", "calendar": "primary"}, "do": {"mirror": "anna@example.com"}}
    note = "rules, rule 1: do.mirror: these events are on that calendar already; nothing is copied."

    assert notes_of(family) == notes_of(anna, anna=("primary",)) == notes_of(annas) == (note,)
    assert notes_of(both) == notes_of(anna) == notes_of(anna, anna=("primary",), bob=("primary",)) == ()


def test_rules_that_can_do_nothing_are_noted() -> None:
    """They are no reason not to start, but nobody should search for long."""
    account = {"match": {"account": ["anna@example.com", "carl@example.com"]}, "do": INVITE}
    calendar = {"match": {"calendar": ["Primary", FAMILY, "anna@example.com"]}, "do": INVITE}
    hours = {"match": {"hours": "8-17", "all_day": True}, "do": INVITE}
    blank = {"match": {"title": "school "}, "do": INVITE}
    everything = {"do": {"skip": True}, "continue": True}

    assert notes_of(account) == notes_of(calendar) == ()
    assert notes_of(account, calendar, anna=("primary",)) == (
        "rules, rule 1: match.account: carl@example.com is not among the accounts; nothing is matched there.",
        f"rules, rule 2: match.calendar: {FAMILY} is not among the accounts' calendars; nothing is matched there.",
    )
    assert notes_of(calendar, anna=("primary", FAMILY)) == ()
    assert notes_of(hours) == (
        "rules, rule 1: match.hours: events that last all day begin at no hour; nothing is matched.",
    )
    assert notes_of(blank) == ("rules, rule 1: match.title: the blank at its beginning or end counts; is it meant?",)
    assert notes_of(everything, {"name": "late", "do": INVITE}) == (
        "rules, late: never reached, because rule 1 before it takes every event; change their order.",
    )
    assert notes_of({"do": INVITE, "continue": True}, {"do": INVITE}) == ()


def test_guests_whom_rules_forget_are_noted() -> None:
    """Who adds a first rule may not know that invite_emails is then invited by rules only."""
    skip = {"match": {"visibility": "private"}, "do": {"skip": True}}

    both = Around(guests=(BOB, CAROL))

    assert notes_of(skip, around=both) == (
        f"rules: none of them invites {BOB} of invite_emails, and where there are rules only they act.",
    )
    assert notes_of(skip, {"do": {"invite": True}}, around=both) == ()
    assert notes_of({"do": {"invite": BOB}, "continue": True}, {"do": {"invite": CAROL}}, around=both) == ()
    assert notes_of(around=both) == ()


def test_a_calendar_that_rules_forget_is_noted() -> None:
    """As with guests: central_calendar alone mirrors nothing where there are rules."""
    central, other = Around(central=FAMILY), {"do": {"mirror": "other@group.calendar.google.com"}}

    assert (
        notes_of({"do": INVITE}, around=central)
        == notes_of(other, around=central)
        == ("rules: none of them mirrors to central_calendar, and where there are rules only they act.",)
    )
    assert notes_of({"do": {"mirror": True}}, around=central) == notes_of(around=central) == ()


COMPLAINTS: list[tuple[object, str]] = [
    (5, "rules: 5 is not a list; write [{name: school, match: {title: school}, do: {invite: [bob@example.com]}}]."),
    ({"name": "school"}, "rules: a group is not a list; write ["),
    ([{"do": INVITE}] * 101, "rules: 101 rules are too many; 100 are allowed."),
    (["school"], "rules, rule 1: 'school' is not a group; write [{name: school"),
    ([[]] * 2 + [[[]]], "rules, rule 3: a list is not a group; write ["),
    (
        [{}],
        "rules, rule 1: do: says nothing to do; write invite, mirror or skip, like do: {invite: [bob@example.com]}.",
    ),
    ([{"name": "school", "do": {"invite": False}}], "rules, school: do: says nothing to do; write invite, mi"),
    ([{"name": "school", "do": {"send_updates": "all"}}], "rules, school: do: says nothing to do; write invite"),
    ([{"name": "school", "do": {"mask": "busy"}}], "rules, school: do: says nothing to do; write invite"),
    ([{"name": "school", "do": "skip"}], "rules, school: do: 'skip' is not a group; it may hold invite and mirror"),
    ([{"name": "school", "match": 7, "do": INVITE}], "rules, school: match: 7 is not a group; it may hold account"),
    ([{"name": "school", "then": 1}], "rules, school: then: unknown option; remove it; the documentation has"),
    ([{"name": "school", "mach": {}}], "rules, school: mach: unknown option; did you mean match?"),
    ([{"match": {"organizer_is_me": 1}}], "rules, rule 1: match.organizer_is_me: unknown option; did you mean organis"),
    ([{"match": {"color": 1}}], "rules, rule 1: match.color: unknown option; did you mean colour?"),
    ([{"do": {"invites": 1}}], "rules, rule 1: do.invites: unknown option; did you mean invite?"),
    ([{True: 1}], "rules, rule 1: true: unknown option; "),
    ([{"name": 5, "do": INVITE}], "rules, rule 1: name: 5 is not text; write it in quotes."),
    (
        [{"name": "a\nb", "do": INVITE}],
        "rules, rule 1: name: 'a\\nb' holds an invisible character; write it in quotes.",
    ),
    ([{"name": "n" * 61, "do": INVITE}], f"rules, rule 1: name: '{'n' * 57}...' is too long; 60 letters are allowed."),
    (
        [{"name": "School", "do": INVITE}, {"name": "school ", "do": INVITE}],
        "rules, school: name: is there twice; give each rule a name of its own.",
    ),
    (
        [{"name": "rule 2", "do": INVITE}, {"do": INVITE}],
        "rules, rule 2: name: is there twice; give each rule a name of its own.",
    ),
    ([{"continue": "perhaps", "do": INVITE}], "rules, rule 1: continue: 'perhaps' is neither on nor off; write true"),
    (
        [{"do": {"skip": True, "invite": BOB}}],
        "rules, rule 1: do.skip: the event cannot be left alone and have invite done too; keep one of the two.",
    ),
    ([{"do": {"skip": True, "mirror": FAMILY}}], "rules, rule 1: do.skip: the event cannot be left alone and have mir"),
    ([{"do": {"skip": 1}}], "rules, rule 1: do.skip: 1 is neither on nor off; write true or false."),
    (
        [{"do": {"invite": True}}],
        "rules, rule 1: do.invite: invite_emails is empty; fill it in, or write addresses here.",
    ),
    ([{"do": {"invite": "bob"}}], "rules, rule 1: do.invite: 'bob' is not an e-mail address; write it like bob@exa"),
    ([{"do": {"invite": [[BOB]]}}], "rules, rule 1: do.invite: a list is not text; write it like bob@example.com."),
    (
        [{"do": {"invite": {"to": BOB}}}],
        "rules, rule 1: do.invite: a group is not text; write it like bob@example.com.",
    ),
    (
        [{"do": {"invite": [f"g{n}@example.com" for n in range(201)]}}],
        "rules, rule 1: do.invite: 201 addresses are too many; Google allows 200.",
    ),
    ([{"do": {**INVITE, "send_updates": "nobody"}}], "rules, rule 1: do.send_updates: 'nobody' is not one of the ch"),
    (
        [{"do": {"mirror": True}}],
        "rules, rule 1: do.mirror: central_calendar is empty; fill it in, or write a calendar's id here.",
    ),
    (
        [{"do": {"mirror": "Our family"}}],
        (
            "rules, rule 1: do.mirror: 'our family' is not a calendar's id; "
            "write true for central_calendar, or a calendar's id like family@group.calendar.google.com."
        ),
    ),
    ([{"do": {"mirror": [FAMILY]}}], "rules, rule 1: do.mirror: a list is not text; write true for"),
    ([{"do": {"mirror": "primary"}}], "rules, rule 1: do.mirror: primary is another calendar in each account; write"),
    (
        [{"do": {"mirror": FAMILY, "mask": "hide"}}],
        (
            "rules, rule 1: do.mask: 'hide' is not one of the choices; "
            "write full or title or busy, or a title with names in braces, like {title} ({calendar})."
        ),
    ),
    ([{"do": {"mirror": FAMILY, "mask": {"titel": "x"}}}], "rules, rule 1: do.mask.titel: unknown option; did you mea"),
    ([{"do": {"mirror": FAMILY, "mask": {"title": 5}}}], "rules, rule 1: do.mask.title: 5 is not text; write it in"),
    (
        [{"do": {"mirror": FAMILY, "mask": {"title": {"title": None}}}}],
        'rules, rule 1: do.mask.title: a group is not text; write it in quotes, like "{title} ({calendar})".',
    ),
    (
        [{"do": {"mirror": FAMILY, "mask": {"description": "{link}"}}}],
        'rules, rule 1: do.mask.title: is empty; write it in quotes, like "{title} ({calendar})".',
    ),
    ([{"do": {"mirror": FAMILY, "mask": {"title": "a\nb"}}}], "rules, rule 1: do.mask.title: 'a\\nb' has several lin"),
    ([{"do": {"mirror": FAMILY, "mask": {"title": "a\0"}}}], "rules, rule 1: do.mask.title: 'a\\x00' holds an invis"),
    ([{"do": {"mirror": FAMILY, "mask": {"title": "x" * 1001}}}], "rules, rule 1: do.mask.title: 'xxx"),
    (
        [{"do": {"mirror": FAMILY, "mask": {"title": "{titel} {x}"}}}],
        "rules, rule 1: do.mask.title: 'titel' is no name of a part; these are: {title}, {",
    ),
    ([{"do": {"mirror": FAMILY, "mask": "{tite}"}}], "rules, rule 1: do.mask: 'tite' is no name of a part; these are"),
    (
        [{"do": {"mirror": FAMILY, "mask": "{title} ({calendar"}}],
        "rules, rule 1: do.mask: '{title} ({calendar' has a brace without its other half; write names like {title}.",
    ),
    (
        [{"do": {**INVITE, "mask": "busy"}}],
        "rules, rule 1: do.mask: the rule makes no copy that it could mask; add mirror: true, or take mask away.",
    ),
    (
        [{"do": {"skip": True, "delete_original": True}}],
        "rules, rule 1: do.skip: the event cannot be left alone and have delete_original done too; keep one of the two",
    ),
    (
        [{"do": {**INVITE, "delete_original": True}}],
        "rules, rule 1: do.delete_original: no copy would stay; add mirror: true, or take it away.",
    ),
    (
        [{"do": {"mirror": FAMILY, "mask": "busy", "delete_original": True}}],
        "rules, rule 1: do.delete_original: a copy with a mask lacks what the original says; take mask away.",
    ),
    ([{"do": {"delete_original": "x"}}], "rules, rule 1: do.delete_original: 'x' is neither on nor off; write true"),
]


@pytest.mark.parametrize(("rules", "sentence"), COMPLAINTS, ids=[sentence[:50] for _, sentence in COMPLAINTS])
def test_a_bad_rule_is_named_with_its_key_and_the_remedy(rules: object, sentence: str) -> None:
    """By its name, or by its place where it has none that can be shown."""
    assert complaint(rules).startswith(sentence)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("account", "anna", "'anna' is not an e-mail address; write it like bob@example.com."),
        ("account", 7, "7 is not text; write it like bob@example.com."),
        ("account", [[], ["anna"]], "a list is not text; write it like bob@example.com."),
        ("calendar", "Our family", "'Our family' is not a calendar's id; write primary, or an id from"),
        ("title", 2026, "2026 is not text; write it in quotes."),
        ("title", ["school"], "a list is not text; write it in quotes."),
        ("title", "s" * 1001, f"'{'s' * 57}...' is too long; 1000 letters are allowed."),
        ("title", "(school", "'(school' is not a pattern that RE2 understands (missing ): (school); write plain words"),
        ("description", "(?=x)", "'(?=x)' is not a pattern that RE2 understands ("),
        ("location", "\ud800", "'\\ud800' is not a pattern that RE2 understands ("),
        ("location", "((a{100}){100}){100}", "'((a{100}){100}){100}' is not a pattern that RE2 understands ("),
        ("organiser_is_me", 1, "1 is neither on nor off; write true or false."),
        ("all_day", "perhaps", "'perhaps' is neither on nor off; write true or false."),
        ("busy", [True], "a list is neither on nor off; write true or false."),
        ("event_type", "party", "'party' is not one of the choices; write default or birthday or focusTime"),
        ("my_rsvp", ["accepted", True], "true is not one of the choices; write accepted or tentative or needsAction"),
        ("has_guest", True, "true is not text; write it like bob@example.com."),
        ("weekdays", "mon-fri", "'mon-fri' is not a day of the week; write it like mon or [sat, sun]."),
        ("weekdays", [0], "0 is not a day of the week; write it like mon or [sat, sun]."),
        ("hours", "8 to 5", "'8 to 5' is not a span of hours; write it like 08:00-17:00."),
        ("hours", 800, "800 is not a span of hours; write it like 08:00-17:00."),
        ("hours", "24-6", "'24-6' is not a span of hours; write it like 08:00-17:00."),
        ("hours", "8-24:30", "'8-24:30' is not a span of hours; write it like 08:00-17:00."),
        ("hours", "8:60-9", "'8:60-9' is not a span of hours; write it like 08:00-17:00."),
        ("hours", "8-8:00", "'8-8:00' is not a span of hours; write it like 08:00-17:00."),
        ("hours", "٨-٩", "'٨-٩' is not a span of hours; write it like 08:00-17:00."),
        ("hours", ["8-17"], "a list is not a span of hours; write it like 08:00-17:00."),
        ("within_days", 0, "0 is too small; write a whole number from 1 to 3650 (days)."),
        ("within_days", "7", "'7' is text; write the number 7 without quotes."),
        ("within_days", [7], "a list is not a whole number; write a whole number from 1 to 3650 (days)."),
        ("visibility", "secret", "'secret' is not one of the choices; write default or public or private"),
        ("colour", "green", "'green' is not a colour of Google's; write lavender or sage"),
        ("colour", 12, "12 is not a colour of Google's; write lavender or sage"),
        ("colour", True, "true is not a colour of Google's; write lavender or sage"),
        ("colour", ["1"] * 201, "201 values are too many; 200 are allowed."),
    ],
)
def test_a_bad_matcher_is_named(key: str, value: object, sentence: str) -> None:
    """A matcher that cannot be understood never just matches nothing, or everything."""
    rules = [{"name": "school", "match": {key: value}, "do": INVITE}]

    assert complaint(rules).startswith(f"rules, school: match.{key}: {sentence}")


_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5) | st.dates()
    | st.sampled_from(["true", BOB, "invite_emails", "mon", "8-17", "private", "primary", "all", "(", "x" * 999])
    | st.sampled_from(["busy", FAMILY, "{title}"])
)  # fmt: skip
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_groups = {
    "name": _values,
    "match": _values | st.dictionaries(st.sampled_from([*_MATCHERS]) | st.text(max_size=8), _values, max_size=4),
    "do": _values | st.dictionaries(st.sampled_from(ACTIONS) | st.text(max_size=8), _values, max_size=4),
    "continue": _values,
}
_rule = _values | st.fixed_dictionaries({}, optional=_groups)


_around = st.sampled_from([Around(), Around(guests=(BOB,), central=FAMILY), Around(central=FAMILY, deletes=True)])


@given(_values | st.lists(_rule, max_size=4), _around)
@example([{"name": "\ud800"}], Around())
@example([{"name": "a", "match": {"title": "\x00"}, "do": INVITE}], Around())
def test_whatever_is_written_is_a_rule_or_refused(written: object, around: Around) -> None:
    """Any value ends in rules or in one printable sentence; guests and calendars are only those that were written."""
    try:
        rules, notes = parse_rules(written, around)
    except BadOptions as refusal:
        said = str(refusal)
        assert said.isprintable() and said.startswith(("rules: ", "rules, "))
    else:
        assert len(rules) <= MOST_RULES and len({rule.name for rule in rules}) == len(rules)
        assert {guest for rule in rules for guest in rule.invite} <= _texts(written) | {*around.guests}
        assert {rule.mirror for rule in rules} <= _texts(written) | {around.central, None}
        assert all(rule.mirror and rule.mask == FULL for rule in rules if rule.delete_original)
        assert all(note.isprintable() for note in notes)


@pytest.mark.parametrize("place", ["rules", "rule", "match", "do", "title", "invite", "mask"])
def test_depth_does_no_harm(place: str) -> None:
    """However deep something is nested, it is refused as what it is."""
    deep: object = "x"
    for _ in range(50_000):
        deep = [deep]
    rule: dict[str, object] = {"name": "deep", "do": INVITE}
    written = {
        "rules": deep,
        "rule": [deep],
        "match": [rule | {"match": deep}],
        "do": [rule | {"do": deep}],
        "title": [rule | {"match": {"title": deep}}],
        "invite": [rule | {"do": {"invite": deep}}],
        "mask": [rule | {"do": {"mirror": FAMILY, "mask": deep}}],
    }

    assert " a list " in complaint(written[place])


def _texts(value: object) -> set[str]:
    if isinstance(value, str):
        return {value.strip().lower()}
    if isinstance(value, dict):
        return set().union(*(_texts(inner) for inner in value.values()))
    return set().union(*(_texts(inner) for inner in value)) if isinstance(value, list) else set()
