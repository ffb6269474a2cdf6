"""Promises of calbot.settings: what is wrong is said in one sentence, and nothing unset invites anybody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calbot.errors import BadOptions
from calbot.policy import Match, Rule
from calbot.settings import AccountChoice, Settings, parse, parse_switch

COMPLAINTS: list[tuple[dict[str, object], str]] = [
    ({"invite_email": []}, "invite_email: unknown option; did you mean invite_emails?"),
    ({"zebra": 1}, "zebra: unknown option; remove it; the documentation has the known ones."),
    (
        {"limits": {"invites_per_hours": 3}},
        "limits.invites_per_hours: unknown option; did you mean invites_per_hour?",
    ),
    ({"limits": 5}, "limits: 5 is not a group; it may hold invites_per_hour and removals_per_pass."),
    (
        {"rules": [{"name": "school"}]},
        "rules, school: do: says nothing to do; write invite, mirror or skip, like do: {invite: [bob@example.com]}.",
    ),
    (
        {"invite_emails": "bob@example.com"},
        "invite_emails: 'bob@example.com' is not a list; write [bob@example.com].",
    ),
    (
        {"invite_emails": ["bob"]},
        "invite_emails: 'bob' is not an e-mail address; write it like bob@example.com.",
    ),
    ({"invite_emails": [7]}, "invite_emails: 7 is not text; write it like bob@example.com."),
    (
        {"invite_emails": ["bob@\nexample.com"]},
        "invite_emails: 'bob@\\nexample.com' holds an invisible character; write it like bob@example.com.",
    ),
    (
        {"invite_emails": [f"g{n}@example.com" for n in range(201)]},
        "invite_emails: 201 addresses are too many; Google allows 200.",
    ),
    ({"accounts": {}}, "accounts: a group is not a list; write [{email: anna@example.com}]."),
    ({"accounts": [3]}, "accounts: 3 is not a group; it may hold email and calendars."),
    ({"accounts": [{"mail": "x"}]}, "accounts.mail: unknown option; did you mean email?"),
    (
        {"accounts": [{"email": "anna"}]},
        "accounts: 'anna' is not an e-mail address; write it like bob@example.com.",
    ),
    (
        {"accounts": [{"calendars": ["primary"]}]},
        "accounts: '' is not an e-mail address; write it like bob@example.com.",
    ),
    (
        {"accounts": ["anna@example.com", {"email": "Anna@example.com"}]},
        "accounts: anna@example.com is there twice; put its calendars into one entry.",
    ),
    (
        {"accounts": [{"email": "anna@example.com", "calendars": "all"}]},
        ("accounts.calendars: 'all' is not a list; write [primary], or the ids from Google Calendar's settings."),
    ),
    (
        {"accounts": [{"email": "anna@example.com", "calendars": ["Family events"]}]},
        (
            "accounts.calendars: 'Family events' is not a calendar's id; "
            "write [primary], or the ids from Google Calendar's settings."
        ),
    ),
    (
        {"central_calendar": "https://calendar.google.com/calendar/ical/family/basic.ics"},
        (
            "central_calendar: 'https://calendar.google.com/calendar/ical/family/basic.ics' is a web address; "
            "write the id that Google Calendar's settings show for it, like family@group.calendar.google.com."
        ),
    ),
    (
        {"central_calendar": "Primary"},
        (
            "central_calendar: primary is another calendar in each account; "
            "write the id that Google Calendar's settings show for it, like family@group.calendar.google.com."
        ),
    ),
    (
        {"central_calendar": "de.german#holiday@group.v.calendar.google.com"},
        (
            "central_calendar: 'de.german#holiday@group.v.calendar.google.com' is a calendar that Google lets nobody "
            "write to; write the id that Google Calendar's settings show for it, like family@group.calendar.google.com."
        ),
    ),
    (
        {"central_calendar": "family%40group.calendar.google.com"},
        (
            "central_calendar: 'family%40group.calendar.google.com' is not a calendar's id; "
            "write the id that Google Calendar's settings show for it, like family@group.calendar.google.com."
        ),
    ),
    (
        {"central_calendar": ["family@group.calendar.google.com"]},
        (
            "central_calendar: a list is not text; "
            "write the id that Google Calendar's settings show for it, like family@group.calendar.google.com."
        ),
    ),
    ({"mirroring": "on"}, "mirroring: 'on' is neither on nor off; write true or false."),
    ({"delete_original": True}, "delete_original: true is not a group; it may hold enabled and grace."),
    ({"delete_original": {"enable": True}}, "delete_original.enable: unknown option; did you mean enabled?"),
    ({"delete_original": {"enabled": 1}}, "delete_original.enabled: 1 is neither on nor off; write true or false."),
    (
        {"delete_original": {"grace": 604_801}},
        "delete_original.grace: 604801 is too large; write a whole number from 0 to 604800 (seconds).",
    ),
    ({"auto_invite": "yes"}, "auto_invite: 'yes' is neither on nor off; write true or false."),
    ({"dry_run": 1}, "dry_run: 1 is neither on nor off; write true or false."),
    ({"first_sync": "all"}, "first_sync: 'all' is not one of the choices; write ignore or invite_future."),
    ({"poll_interval": 5}, "poll_interval: 5 is too small; write a whole number from 15 to 86400 (seconds)."),
    (
        {"poll_interval": 1e99},
        "poll_interval: a huge number is too large; write a whole number from 15 to 86400 (seconds).",
    ),
    (
        {"poll_interval": True},
        "poll_interval: true is not a whole number; write a whole number from 15 to 86400 (seconds).",
    ),
    ({"poll_interval": "60"}, "poll_interval: '60' is text; write the number 60 without quotes."),
    (
        {"poll_interval": float("nan")},
        "poll_interval: nan is not a whole number; write a whole number from 15 to 86400 (seconds).",
    ),
    (
        {"limits": {"invites_per_hour": 0}},
        "limits.invites_per_hour: 0 is too small; write a whole number from 1 to 10000.",
    ),
    (
        {"limits": {"removals_per_pass": 10**5000}},
        "limits.removals_per_pass: a huge number is too large; write a whole number from 0 to 10000.",
    ),
    ({"push_url": 5}, "push_url: 5 is not text; write it like https://example.org/push."),
    (
        {"push_url": "example.org"},
        "push_url: 'example.org' is not a web address; write it like https://example.org/push.",
    ),
    (
        {"push_url": "https://[::1"},
        "push_url: 'https://[::1' is not a web address; write it like https://example.org/push.",
    ),
    (
        {"push_url": "https://bob@example.org"},
        "push_url: 'https://bob@example.org' is not a web address; write it like https://example.org/push.",
    ),
    (
        {"push_url": "http://example.org/push"},
        (
            "push_url: 'http://example.org/push' is not https, as Google wants it; "
            "write it like https://example.org/push."
        ),
    ),
]


@pytest.mark.parametrize(("raw", "sentence"), COMPLAINTS, ids=[sentence[:40] for _, sentence in COMPLAINTS])
def test_what_is_wrong_is_said_in_one_sentence_with_key_and_remedy(raw: dict[str, object], sentence: str) -> None:
    """Each complaint names the key, what was found and what to write instead."""
    with pytest.raises(BadOptions) as caught:
        parse(raw, endpoints_overridden=False)

    assert str(caught.value) == sentence


def test_unset_options_invite_nobody() -> None:
    """No option, no list, and no empty entry ever makes a guest."""
    unset: list[dict[str, object]] = [
        {},
        {"invite_emails": None},
        {"invite_emails": []},
        {"invite_emails": ["", "  ", None]},
    ]
    for raw in unset:
        settings, notes = parse(raw, endpoints_overridden=False)

        assert settings == Settings() and settings.invite_emails == ()
        assert notes == ()


def test_addresses_are_lower_case_and_there_once() -> None:
    """The same guest in two spellings is one guest; the order stays."""
    settings, _ = parse(
        {"invite_emails": ["Carol@Example.com", " bob@example.com ", "carol@example.COM"]},
        endpoints_overridden=False,
    )

    assert settings.invite_emails == ("carol@example.com", "bob@example.com")


def test_accounts_have_their_primary_calendar_unless_others_are_named() -> None:
    """A bare address and an empty list of calendars both mean primary; empty rows are dropped."""
    settings, _ = parse(
        {
            "accounts": [
                {},
                "",
                {"email": "", "calendars": []},
                "Anna@Example.com",
                {
                    "email": "carl@example.com",
                    "calendars": ["family@group.calendar.google.com", "primary", "primary"],
                },
            ]
        },
        endpoints_overridden=False,
    )

    assert settings.accounts == (
        AccountChoice("anna@example.com", ("primary",)),
        AccountChoice("carl@example.com", ("family@group.calendar.google.com", "primary")),
    )


@pytest.mark.parametrize(
    ("given_url", "used"),
    [
        ("https://example.org", "https://example.org/push"),
        ("https://example.org/", "https://example.org/push"),
        ("https://example.org:8443/hook?x=1", "https://example.org:8443/hook?x=1"),
        ("  ", None),
        ("", None),
        (None, None),
    ],
)
def test_a_push_address_without_a_path_gets_one(given_url: str | None, used: str | None) -> None:
    """People give the host alone; the push door listens on /push."""
    settings, _ = parse({"push_url": given_url}, endpoints_overridden=False)

    assert settings.push_url == used


def test_plain_http_is_for_servers_that_stand_in_for_google() -> None:
    """Only with overridden endpoints may the push address be plain http."""
    settings, _ = parse({"push_url": "http://127.0.0.1:8098"}, endpoints_overridden=True)

    assert settings.push_url == "http://127.0.0.1:8098/push"


def test_copies_have_their_calendar_and_their_switch() -> None:
    """The id in lower case, as it is compared; a blank is none; on unless it is switched off."""
    family = "family@group.calendar.google.com"
    settings, notes = parse(
        {"central_calendar": " Family@group.calendar.google.com", "mirroring": False}, endpoints_overridden=False
    )

    assert (settings.central_calendar, settings.mirroring, notes) == (family, False, ())
    for unset in ({}, {"central_calendar": None}, {"central_calendar": " "}, {"mirroring": None}):
        assert parse(unset, endpoints_overridden=False) == (Settings(), ())
    assert (Settings().central_calendar, Settings().mirroring) == (None, True)


def test_no_original_is_deleted_unless_the_option_and_a_rule_say_so() -> None:
    """Off by default; on without a rule it does nothing, which is said."""
    rule = {"do": {"mirror": "family@group.calendar.google.com", "delete_original": True}}

    def found(**raw: object) -> tuple[bool, int, tuple[str, ...]]:
        settings, notes = parse(raw, endpoints_overridden=False)
        return settings.delete_original, settings.grace, notes

    assert found() == found(delete_original={}) == found(delete_original={"enabled": None}) == (False, 3600, ())
    assert found(delete_original={"enabled": True, "grace": 0}, rules=[rule]) == (True, 0, ())
    assert found(delete_original={"enabled": True}) == (
        True,
        3600,
        ("delete_original.enabled: deletes nothing, because no rule says delete_original.",),
    )
    assert found(rules=[rule]) == (
        False,
        3600,
        ("rules, rule 1: do.delete_original: does nothing while delete_original.enabled is off.",),
    )


def test_rules_stand_beside_the_guests() -> None:
    """They know whom and what the other options name, and which accounts are watched; their notes are the settings'."""
    raw: dict[str, object] = {
        "invite_emails": ["bob@example.com"],
        "central_calendar": "family@group.calendar.google.com",
        "accounts": ["anna@example.com"],
        "rules": [{"match": {"account": "carl@example.com"}, "do": {"invite": True, "mirror": True}}],
    }

    settings, notes = parse(raw, endpoints_overridden=False)

    match, family = Match(accounts=("carl@example.com",)), "family@group.calendar.google.com"
    assert settings.rules == (Rule("rule 1", ("bob@example.com",), match=match, mirror=family),)
    assert notes == (
        "rules, rule 1: match.account: carl@example.com is not among the accounts; nothing is matched there.",
    )
    nothing: tuple[object, ...] = ([], None, "", {}, [None], [""])
    for empty in nothing:
        assert parse({"rules": empty}, endpoints_overridden=False) == (Settings(), ())


def test_limits_are_the_brakes() -> None:
    """Both numbers arrive, each with its default."""
    settings, notes = parse({"limits": {"invites_per_hour": 10, "removals_per_pass": None}}, endpoints_overridden=False)

    assert (settings.invites_per_hour, settings.removals_per_pass, notes) == (10, 5, ())


def test_a_whole_float_counts_as_a_number() -> None:
    """Some forms write 60.0 for 60."""
    settings, _ = parse({"poll_interval": 60.0}, endpoints_overridden=False)

    assert settings.poll_interval == 60 and isinstance(settings.poll_interval, int)


@pytest.mark.parametrize(
    ("key", "value", "meant"),
    [
        ("auto_invite", True, True),
        ("auto_invite", "OFF", False),
        ("mirroring", "OFF", False),
        ("dry_run", " on ", True),
        ("poll_interval", "120", 120),
        ("poll_interval", 120.0, 120),
        ("invites_per_hour", 10, 10),
        ("limits.invites_per_hour", "10", 10),
    ],
)
def test_switches_understand_what_dashboards_send(key: str, value: object, meant: object) -> None:
    """MQTT switches say ON and OFF, numbers come as text."""
    assert parse_switch(key, value) == meant


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("auto_invite", "maybe", "auto_invite: 'maybe' is neither on nor off; write true or false."),
        ("auto_invite", 1, "auto_invite: 1 is neither on nor off; write true or false."),
        (
            "poll_interval",
            1,
            "poll_interval: 1 is too small; write a whole number from 15 to 86400 (seconds).",
        ),
        (
            "invites_per_hour",
            None,
            "invites_per_hour: nothing is not a whole number; write a whole number from 1 to 10000.",
        ),
        (
            "invite_emails",
            "bob@example.com",
            (
                "'invite_emails': cannot be switched while running; "
                "these can: auto_invite, mirroring, dry_run, paused, poll_interval, invites_per_hour."
            ),
        ),
    ],
)
def test_a_bad_switch_is_refused_with_a_sentence(key: str, value: object, sentence: str) -> None:
    """Whom to invite, above all, is never switched from outside."""
    with pytest.raises(BadOptions) as caught:
        parse_switch(key, value)

    assert str(caught.value) == sentence


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
_keys = st.sampled_from(
    [
        "accounts",
        "invite_emails",
        "limits",
        "rules",
        "poll_interval",
        "push_url",
        "first_sync",
        "alerts",
        "central_calendar",
        "mirroring",
        "delete_original",
    ]
)


@given(st.dictionaries(_keys | st.text(max_size=12), _values, max_size=5))
def test_whatever_is_written_is_understood_or_refused(raw: dict[str, object]) -> None:
    """Any value ends in settings or in BadOptions, and whom the settings invite was written there."""
    try:
        settings, _ = parse(raw, endpoints_overridden=False)
    except BadOptions as refusal:
        said = str(refusal)
        assert said.isprintable()
    else:
        written = raw.get("invite_emails") or []
        assert isinstance(written, list)
        assert set(settings.invite_emails) <= {entry.strip().lower() for entry in written if isinstance(entry, str)}
