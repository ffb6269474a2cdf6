"""What of an earlier bot is taken over, and why not the rest; and the taking: its list first, its sign-ins last."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import msgspec

from calbot.errors import CalbotError
from calbot.google.consent import CALENDARS, MAIL, Purpose, SignedIn
from calbot.google.trial import Tried, tried
from calbot.google.wallet import Wallet
from calbot.google.whose import whose
from calbot.ports import Clock
from calbot.sources import Found
from calbot.store import earlier
from calbot.store.database import Database
from calbot.takeover import settings
from calbot.takeover.directory import EarlierBot, FoundToken, is_email
from calbot.takeover.processed import spellings
from calbot.takeover.steps import Item, Step
from calbot.vault import Vault

_OF_CALENDARS = "https://www.googleapis.com/auth/calendar"


@dataclass(frozen=True, slots=True)
class Given:
    """Where things are taken to; with `replace` they go before Calbot's own."""

    found: Found
    vault: Vault
    wallet: Wallet
    clock: Clock
    replace: bool


@dataclass(frozen=True, slots=True)
class Handled:
    """Names of events, and for which guests they were handled (none: for all of them)."""

    names: frozenset[str] = field(repr=False)
    guests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in its order."""

    handled: Handled | None
    steps: tuple[Step, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        """Return what becomes of everything when all goes well."""
        return tuple(item for step in self.steps for item in step.items)


def planned(bot: EarlierBot, given: Given) -> Plan:
    """Decide what is taken; of sign-ins Google is asked. Nothing is changed anywhere."""
    said = (bot.env.values.get("INVITE_EMAIL", "") if bot.env is not None else "").split(",")
    guests = tuple(dict.fromkeys(word.strip().lower() for word in said if word.strip()))
    known = guests if all(map(is_email, guests)) else ()
    handled = Handled(spellings(bot.processed.ids), known) if bot.processed is not None else None
    steps: list[Step] = []
    if bot.processed is not None:
        steps.append(
            Step((Item("processed", bot.processed.name, "taken", _of_handled(len(bot.processed.ids), known)),))
        )
    if bot.env is not None:
        steps += settings.weighed(bot.env, given.found, given.vault, replace=given.replace)
    steps += _clients(bot, given)
    steps += _sign_ins(bot, given)
    steps.append(Step(tuple(Item(one.part, one.name, "left", one.text) for one in bot.left)))
    steps.append(Step(tuple(Item(one.part, one.name, "refused", one.text) for one in bot.troubles)))
    return Plan(handled, tuple(steps))


def carried_out(plan: Plan, database: Database | None) -> tuple[Item, ...]:
    """Take everything and return what became of it. Raises StoreError; then nothing was taken.

    The list comes first, in one transaction, and the sign-ins last, because a running Calbot uses them at once. So what
    was broken off anywhere is whole when it is done again.
    """
    if plan.handled is not None and database is not None:
        with database.write() as tx:
            earlier.add(tx, plan.handled.names, plan.handled.guests)
    items: list[Item] = []
    for step in plan.steps:
        try:
            if step.take is not None:
                step.take()
            items += step.items
        except CalbotError as error:
            items += _failed(step, str(error))
        except OSError as error:
            items += _failed(step, f"{error.strerror}. Free some disk space or check the disk, and import again.")
    return tuple(items)


def _failed(step: Step, why: str) -> Iterator[Item]:
    for item in step.items:
        yield msgspec.structs.replace(item, state="refused", text=f"it was not kept: {why}")


def _of_handled(count: int, guests: tuple[str, ...]) -> str:
    whom = " and ".join(guests) if guests else "anybody"
    events = f"{count} {'event' if count == 1 else 'events'}"
    return f"{events} that the bot has handled; Calbot does not invite {whom} to them."


def _clients(bot: EarlierBot, given: Given) -> Iterator[Step]:
    """Yield the taking of one client, that of most sign-ins; each account keeps the one that it was signed in with."""
    used = Counter(found.token.client_id for found in bot.tokens)
    has_own, own = (given.found.data / "client.json").exists(), given.wallet.client()
    kept = own.client_id if own is not None else ""
    best = max((one.client for one in bot.clients), key=lambda client: used[client.client_id], default=None)
    for one in bot.clients:
        if one.client.client_id == kept:
            yield Step((Item("client", one.name, "here", "Calbot has this client already."),))
        elif has_own and not given.replace:
            text = "Calbot has a client of its own for new sign-ins, which stays."
            yield Step((Item("client", one.name, "left", text),))
        elif one.client is best:
            item = Item("client", one.name, "taken", "the client that new sign-ins are made with.")
            yield Step((item,), partial(given.wallet.keep_client, one.client))
        else:
            yield Step((Item("client", one.name, "left", "another client is taken for new sign-ins."),))


def _sign_ins(bot: EarlierBot, given: Given) -> Iterator[Step]:
    """Yield the taking of each account's sign-in; of several of one account the first that works."""
    sender = bot.env.values.get("SENDER_EMAIL", "").strip().lower() if bot.env is not None else ""
    steps: list[Step] = []
    taken: dict[str, str] = {}
    for found in bot.tokens:
        own = [*_sign_in(found, sender, given, taken)]
        signed_in = (item for step in own for item in step.items if item.part == "token")
        taken |= {item.account: found.name for item in signed_in if item.state in {"taken", "here"}}
        steps += own
    for step in steps:
        (item,) = step.items
        if item.state == "refused" and item.account in taken:
            text = f"{item.text} {taken[item.account]} has another one of {item.account}."
            item = msgspec.structs.replace(item, state="left", text=text, sign_in=False)
        yield Step((item,), step.take)


def _sign_in(found: FoundToken, sender: str, given: Given, taken: dict[str, str]) -> Iterator[Step]:
    endpoints = given.found.endpoints
    seen = tried(found.token, endpoints.token_uri)
    if seen.verdict == "dead":
        text = f"Google no longer accepts it ({seen.why})."
        yield Step((Item("token", found.name, "refused", text, found.email, sign_in=True),))
        return
    alive = seen.verdict == "alive"
    told = (
        whose(found.token, given.clock, calendar_api=endpoints.calendar_api, token_uri=endpoints.token_uri)
        if alive
        else ""
    )
    granted = seen.granted if seen.granted is not None else found.scopes
    sends = granted is not None and not MAIL.missing(granted)
    reads = granted is None or any(scope.startswith(_OF_CALENDARS) for scope in granted)
    email = told or found.email or (sender if sends and not reads else "")
    if not is_email(email):
        text = f"Google cannot be asked whose it is ({seen.why}). Import again when it can be, or sign in."
        if alive:
            text = "Google does not say whose it is. Name it token_<address>.json and import again, or sign in."
        yield Step((Item("token", found.name, "refused", text, sign_in=alive),))
        return
    if not reads and not sends:
        text = f"it lets nobody see or change calendars of {email}."
        yield Step((Item("token", found.name, "refused", text, email, sign_in=True),))
    if reads:
        yield _calendars(found, seen, granted, email, given, taken)
    if sends and (email == sender or not reads) and given.wallet.mail(email) is None:
        item = Item("mail", found.name, "taken", f"{email} may send Calbot's mail.", email)
        yield Step((item,), partial(given.wallet.keep, _signed_in(found, seen, granted, email, given, MAIL)))


def _calendars(
    found: FoundToken, seen: Tried, granted: frozenset[str] | None, email: str, given: Given, taken: dict[str, str]
) -> Step:
    stays = _why_ours_stays(found, seen, email, given, taken)
    if stays is not None:
        return Step((stays,))
    words = [f"{email} is signed in."]
    missing = CALENDARS.missing(granted) if granted is not None else ()
    if seen.verdict == "away":
        words.append(f"Google could not be asked whether it still works ({seen.why}).")
    if found.email and found.email != email:
        words.append(f"It was called {found.email}; Google says whose it is.")
    if missing:
        boxes = " and ".join(f"“{one}”" for one in missing)
        words.append(f"It may not do all that Calbot needs: sign in again and tick {boxes}.")
    item = Item("token", found.name, "taken", " ".join(words), email, sign_in=bool(missing))
    return Step((item,), partial(given.wallet.keep, _signed_in(found, seen, granted, email, given, CALENDARS)))


def _why_ours_stays(found: FoundToken, seen: Tried, email: str, given: Given, taken: dict[str, str]) -> Item | None:
    """Return why a sign-in is not taken: the account has one that works, as far as anybody knows."""
    if email in taken:
        return Item("token", found.name, "left", f"{taken[email]} has the sign-in of {email} that is taken.", email)
    if email not in {kept.email for kept in given.wallet.accounts()}:
        return None
    ours = given.wallet.token(email)
    if ours is not None and ours.refresh_token == found.token.refresh_token:
        return Item("token", found.name, "here", f"{email} is signed in with it already.", email)
    if given.replace and seen.verdict == "alive":
        return None
    if ours is None:
        text = f"{email} is signed in here, but that cannot be opened. Give its key, or import with --replace."
        return Item("token", found.name, "refused", text, email)
    if tried(ours, given.found.endpoints.token_uri).verdict == "dead" and seen.verdict == "alive":
        return None
    return Item("token", found.name, "left", f"{email} is signed in here already, which stays.", email)


def _signed_in(
    found: FoundToken, seen: Tried, granted: frozenset[str] | None, email: str, given: Given, purpose: Purpose
) -> SignedIn:
    expires = given.clock.now() + seen.lasts if seen.lasts is not None else None
    document = {
        "type": "authorized_user",
        "account": email,
        "client_id": found.token.client_id,
        "client_secret": found.token.client_secret,
        "refresh_token": found.token.refresh_token,
        "token_uri": found.token.token_uri,
        "scopes": sorted(granted) if granted is not None else None,
        "expires_at": expires,
    }
    return SignedIn(email, msgspec.json.encode(document), expires, purpose=purpose)
