"""Households with copies: who watches what, who may write where, and the rules they may have."""

from dataclasses import dataclass

from calbot.policy import Mask, Match, Rule
from calbot.settings import AccountChoice, Settings
from tests.google_server.world import World
from tests.household import ANNA, BOB, CAROL, FAMILY
from tests.simulation.asked import Era

ERIN, DAVE = "erin@example.com", "dave@example.org"
WORK = "work@group.calendar.google.com"
PEOPLE = (ANNA, BOB, CAROL, ERIN)
SHOPPING = Mask("template", "{title} at {location}", "About {title}")
PARTY, SECRET, MOVE = (Match(title=word) for word in ("Party", "Secret", "Move"))


@dataclass(frozen=True)
class Wish:
    """Options about copies; `needs` are the accounts without which nobody could write them."""

    rules: tuple[Rule, ...] = ()
    central: str | None = None
    invite: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()

    def in_words(self) -> tuple[Rule, ...]:
        """The rules, with the obvious one where there are none."""
        if self.rules or self.central is None:
            return self.rules
        return (Rule("obvious", self.invite, mirror=self.central, uninvitable_only=bool(self.invite)),)


def _of(account: str, target: str) -> Rule:
    return Rule(f"of {account}", match=Match(accounts=(account,)), mirror=target)


def _on(calendar: str, target: str) -> Rule:
    return Rule(f"on {calendar}", match=Match(calendars=(calendar,)), mirror=target)


REST = Rule("rest", mirror=FAMILY)
WISHES: tuple[Wish, ...] = (
    Wish(central=FAMILY),
    Wish(central=FAMILY, invite=(DAVE,)),
    Wish(
        (
            Rule("secrets", match=SECRET, mirror=FAMILY, mask=Mask("busy")),
            Rule("parties", match=PARTY, mirror=FAMILY, mask=SHOPPING),
            Rule("rest", mirror=FAMILY, mask=Mask("title")),
        )
    ),
    Wish((Rule("all, busy", mirror=WORK, mask=Mask("busy"), goes_on=True), REST)),
    Wish((Rule("parties", match=PARTY, mirror=FAMILY, mask=Mask("title"), goes_on=True), REST)),
    Wish((_of(ANNA, CAROL), _of(CAROL, ANNA), _of(BOB, FAMILY)), needs=frozenset({CAROL})),
    Wish((_of(ANNA, BOB), _of(BOB, CAROL), _of(CAROL, ANNA)), needs=frozenset({BOB, CAROL})),
    Wish((_on(FAMILY, WORK), _on(WORK, FAMILY), _on("primary", FAMILY))),
    Wish((Rule("moves", match=MOVE, mirror=FAMILY, delete_original=True), REST)),
    Wish((Rule("moves", match=MOVE, mirror=WORK, delete_original=True, goes_on=True), REST)),
    Wish((Rule("private", match=Match(visibility=("private",)), mirror=WORK), REST)),
    Wish((Rule("of others", match=Match(organiser_is_me=False), mirror=FAMILY),)),
    Wish((Rule("no parties", skip=True, match=PARTY), REST)),
    Wish((Rule("whole days", match=Match(all_day=True), mirror=WORK), Rule("secrets", match=SECRET, mirror=FAMILY))),
    Wish(),
)
HOMES: tuple[dict[str, tuple[str, ...]], ...] = (
    {ANNA: ("primary",)},
    {ANNA: ("primary",), CAROL: ("primary",)},
    {CAROL: ("primary", WORK), ANNA: ("primary", FAMILY, WORK)},
    {ANNA: ("primary", FAMILY), BOB: ("primary",), CAROL: ("primary",)},
    {BOB: ("primary", FAMILY), CAROL: ("primary",), ANNA: ("primary", WORK), ERIN: ("primary",)},
)


def furnish(world: World) -> None:
    """Make the shared calendars: Anna's family calendar, and Carol's of work in another time zone."""
    world.add_calendar(ANNA, calendar_id=FAMILY, summary="Family")
    world.add_calendar(CAROL, calendar_id=WORK, summary="Work", time_zone="America/New_York")
    world.share(FAMILY, CAROL, "writer")
    world.share(FAMILY, BOB, "reader")
    world.share(WORK, ANNA, "writer")


def possible(home: dict[str, tuple[str, ...]]) -> list[int]:
    """The wishes that somebody of this home can fulfil; those that delete originals more often."""
    found = [number for number, wish in enumerate(WISHES) if wish.needs <= home.keys()]
    moving = [number for number in found if any(rule.delete_original for rule in WISHES[number].rules)]
    return [*found, *moving * 4]


def watched(home: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The ids of the calendars of each account."""
    return {email: tuple(email if one == "primary" else one for one in names) for email, names in home.items()}


def options(home: dict[str, tuple[str, ...]], wish: Wish, *, deletes: bool, grace: int, removals: int) -> Settings:
    """The engine's options."""
    return Settings(
        accounts=tuple(AccountChoice(email, names) for email, names in home.items()),
        invite_emails=wish.invite,
        central_calendar=wish.central,
        rules=wish.rules,
        delete_original=deletes,
        grace=grace,
        removals_per_pass=removals,
        invites_per_hour=1000,
        time_zone="Europe/Berlin",
    )


def era(wish: Wish, settings: Settings, *, on: bool, number: int) -> Era:
    """What these options say about copies, while they are in force."""
    return Era(wish.in_words(), on=on, deletes=settings.delete_original, grace=float(settings.grace), number=number)
