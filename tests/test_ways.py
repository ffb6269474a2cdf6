"""The option `alerts`: what it may hold, and that no complaint about it repeats a key."""

import pytest

from addon.ways import MOST_WAYS, Gmail, Url, numbered, ways
from calbot.errors import BadOptions
from calbot.secrecy import cleaned
from tests.household import ANNA, BOB, CAROL

KEY = "SG.Zq3fGh7kLm2nPq5rSt8v.Xy4zAb6cDe8fGh1jKl3mNp5qRs7tUv9w"
SENDGRID = f"sendgrid://{KEY}:calbot@example.org/{BOB}"


def test_urls_and_gmail_are_ways() -> None:
    """As entries, as bare texts, and with the blank ones that forms leave; each once."""
    found = ways(
        [
            {"url": SENDGRID},
            f" {SENDGRID} ",
            {"gmail": {"from": "Anna@Example.com", "to": [BOB, f"{BOB}, {CAROL}"]}},
            {"gmail": {"from": ANNA, "to": None}, "url": ""},
            {"url": "ntfy://example.org/family", "gmail": {"from": "", "to": None}},
            {"url": "ntfy://example.org/family", "gmail_from": "", "gmail_to": ""},
            {"url": "", "gmail_from": BOB, "gmail_to": ANNA},
            {"url": "", "gmail": {}},
            "",
            None,
        ]
    )

    assert found == (
        Url(SENDGRID),
        Gmail(ANNA, (BOB, CAROL)),
        Gmail(ANNA, (ANNA,)),
        Url("ntfy://example.org/family"),
        Gmail(BOB, (ANNA,)),
    )
    assert ways(None) == ways([]) == ()


def test_each_way_has_a_name_that_may_be_shown() -> None:
    """The scheme and no more, with a number where there are several."""
    found = ways([SENDGRID, "ntfy://example.org/a", "NTFY://example.org/b", {"gmail": {"from": ANNA}}])

    assert [name for name, _ in numbered(found)] == ["sendgrid", "ntfy", "ntfy 2", f"gmail, from {ANNA}"]
    assert KEY not in repr(found)


@pytest.mark.parametrize(
    "wrong",
    [
        SENDGRID,
        {"url": SENDGRID},
        [[SENDGRID]],
        [{SENDGRID: ""}],
        [{"url": [SENDGRID]}],
        [{"url": f"{SENDGRID} {SENDGRID}"}],
        [{"url": SENDGRID.replace("://", ":/")}],
        [{"url": SENDGRID, "gmail": {"from": ANNA}}],
        [{"url": SENDGRID, "gmail_from": ANNA}],
        [{"gmail": SENDGRID}],
        [{"gmail": {"from": SENDGRID}}],
        [{"gmail": {"from": ANNA, "to": [SENDGRID]}}],
        [{"gmail": {"from": ANNA, SENDGRID: "x"}}],
        [f"ntfy://example.org/{number}" for number in range(MOST_WAYS + 1)],
    ],
)
def test_what_is_wrong_is_said_without_the_key(wrong: object) -> None:
    """The complaint names the option; what stands there may be a key in the wrong place."""
    with pytest.raises(BadOptions, match=r"^alerts") as caught:
        ways(wrong)

    assert KEY.lower()[:10] not in str(caught.value).lower()


def test_an_address_that_is_none_is_named() -> None:
    """That is no secret, and whoever mistyped it wants to see it."""
    with pytest.raises(BadOptions, match=r"alerts\.gmail\.from: 'anna' is not an e-mail address"):
        ways([{"gmail": {"from": "anna"}}])


def test_what_was_read_is_a_secret_from_then_on() -> None:
    """Before anything can log it."""
    ways(["gotify://gotify.example.org/Aq3fGh7kLm2nPq5"])

    assert "Aq3fGh7kLm2nPq5" not in cleaned("it was Aq3fGh7kLm2nPq5 at gotify.example.org")
