"""The panel's pages of accounts and sign-in: forms that only our own pages can send, and Google's answer pasted in."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, g, make_response, redirect, render_template, request
from werkzeug.exceptions import RequestEntityTooLarge

from addon.web import steps
from addon.web.guard import FIELD, Guard
from addon.web.words import moment, people
from calbot import __version__
from calbot.google import consent
from calbot.google.consent import Google, Started
from calbot.google.turns import WrongTurn, client, old
from calbot.google.wallet import CannotKeep, Kept, Wallet
from calbot.ports import Clock, Random
from calbot.status import AccountStatus, Snapshot

LARGEST_FILE = 64 * 1024
LARGEST_FORM = 4096 * 3
UNDER_WAY = 20
GOOD_FOR = 1800.0
SOON = 8 * 86400.0


class Watched(Protocol):
    """The part of the engine that these pages show."""

    @property
    def snapshot(self) -> Snapshot:
        """What is known now."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """One account on its page."""

    email: str
    tone: str
    state: str
    text: str
    usable: bool


class SignIns:
    """The sign-ins under way, in memory: each belongs to one browser session, and is forgotten after half an hour."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._begun: OrderedDict[str, tuple[float, str, Started]] = OrderedDict()

    def add(self, session: str, started: Started) -> None:
        """Remember one; the oldest make room."""
        with self._lock:
            self._begun[started.state] = (self._clock.now(), session, started)
            while len(self._begun) > UNDER_WAY:
                self._begun.popitem(last=False)

    def find(self, session: str, state: str) -> Started:
        """Return the one that an answer belongs to. Raises WrongTurn when it is old, foreign or never was."""
        with self._lock:
            since, owner, started = self._begun.get(state, (0.0, "", None))
        if started is None or owner != session or self._clock.now() - since > GOOD_FOR:
            raise old()
        return started

    def forget(self, state: str) -> None:
        """Drop one that has ended."""
        with self._lock:
            self._begun.pop(state, None)


def pages(
    engine: Watched,
    wallet: Wallet,
    google: Google,
    *,
    clock: Clock,
    random: Random,
    time_zone: str,
    only_peer: str | None,
    chosen: Callable[[], tuple[str, ...]] = tuple,
) -> Blueprint:
    """Return the pages, to be registered with the panel. `chosen` are the accounts that the options name, if any."""
    routes = Blueprint("sign_in", __name__)
    guard, under_way = Guard(random, only_peer), SignIns(clock)
    zone = ZoneInfo(time_zone)
    one_at_a_time = threading.BoundedSemaphore(2)

    def show(template: str, *, status: int = 200, **values: object) -> Response:
        page = render_template(
            template,
            **values,
            proof=guard.proof(g.session),
            proof_field=FIELD,
            pressed=steps.pressed,
            version=__version__,
        )
        response = make_response(page, status)
        guard.remember(request, response, g.session)
        return response

    def kept(account: str) -> Kept | None:
        return {one.email: one for one in wallet.accounts()}.get(account)

    def step_page(path: str, template: str = "step.html", **values: object) -> Response:
        number = next(n for n, step in enumerate(steps.STEPS) if step.path == path)
        before = steps.STEPS[number - 1].path if number else "accounts"
        after = steps.STEPS[number + 1].path if number + 1 < len(steps.STEPS) else ""
        step = steps.STEPS[number]
        place = {"step": step, "number": number + 1, "steps": steps.STEPS, "before": before, "after": after}
        return show(template, **{**place, **values})  # type: ignore[arg-type]

    def google_page(account: str, error: str = "", status: int = 200) -> Response:
        taken = wallet.client(account)
        if taken is None:
            return redirect("sign-in-project", 303)  # type: ignore[return-value]
        started = consent.begin(taken, google, state=random.token(32).hex(), account=account)
        under_way.add(g.session, started)
        values = {"address": started.address, "account": account, "error": error, "status": status}
        return step_page("sign-in-google", "sign_in_google.html", **values)

    @routes.before_request
    def limit_and_guard() -> None:
        request.max_content_length = LARGEST_FILE + 4096 if request.path == "/sign-in-file" else LARGEST_FORM
        g.session = guard.session(request)
        if request.method == "POST":
            guard.check(request)

    @routes.errorhandler(RequestEntityTooLarge)
    def too_large(_: RequestEntityTooLarge) -> Response:
        text = "That file is far too large for the JSON of an OAuth client. Go back and take the one from Google Cloud.\n"
        return Response(text, 413, mimetype="text/plain")

    @routes.get("/accounts")
    def accounts() -> Response:
        known = {status.email: status for status in engine.snapshot.accounts}
        rows = [_row(one, known.get(one.email), clock.now(), zone) for one in wallet.accounts()]
        missing = [email for email in chosen() if email not in {row.email for row in rows}]
        rows += [Row(email, "quiet", "Not signed in", "The options name it.", usable=False) for email in missing]
        return show("accounts.html", rows=rows, has_client=wallet.client() is not None)

    @routes.get("/sign-in")
    def sign_in() -> Response:
        where = "sign-in-google" if wallet.client() is not None else "sign-in-project"
        return redirect(where, 303)  # type: ignore[return-value]

    @routes.get("/<any('sign-in-project', 'sign-in-api', 'sign-in-consent', 'sign-in-client'):path>")
    def step(path: str) -> Response:
        return step_page(path)

    @routes.get("/sign-in-file")
    def file() -> Response:
        return step_page("sign-in-file", "sign_in_file.html", error="", has_client=wallet.client() is not None)

    @routes.post("/sign-in-file")
    def take_file() -> Response:
        upload = request.files.get("file")
        content = upload.read(LARGEST_FILE + 1) if upload is not None else b""
        content = content or request.form.get("content", "").encode()
        try:
            if not content.strip():
                raise WrongTurn("not_json", "Choose the file that Google Cloud gave you, or paste its content below.")
            wallet.keep_client(client(content))
        except (WrongTurn, CannotKeep) as error:
            has_client = wallet.client() is not None
            values = {"error": str(error), "has_client": has_client, "status": 422}
            return step_page("sign-in-file", "sign_in_file.html", **values)
        return redirect("sign-in-google", 303)  # type: ignore[return-value]

    @routes.get("/sign-in-google")
    def open_google() -> Response:
        account = request.args.get("account", "").lower()
        return google_page(account if kept(account) or account in chosen() else "")

    @routes.post("/sign-in-google")
    def take_answer() -> Response:
        pasted = request.form.get("pasted", "")
        account = request.form.get("account", "").lower()
        account = account if kept(account) or account in chosen() else ""
        if not one_at_a_time.acquire(blocking=False):
            return google_page(account, "Another sign-in is being finished just now. Wait a moment, then paste again.", 503)
        try:
            started = under_way.find(g.session, consent.state_of(pasted))
            signed_in = consent.finish(started, pasted, google, now=clock.now())
            wallet.keep(signed_in)
        except (WrongTurn, CannotKeep) as error:
            return google_page(account, str(error), 422)
        finally:
            one_at_a_time.release()
        under_way.forget(started.state)
        missing = "&api=missing" if signed_in.remark else ""
        return redirect(f"sign-in-done?account={signed_in.email}{missing}", 303)  # type: ignore[return-value]

    @routes.get("/sign-in-done")
    def done() -> Response:
        found = kept(request.args.get("account", ""))
        if found is None:
            return redirect("accounts", 303)  # type: ignore[return-value]
        return show(
            "done.html",
            account=found.email,
            watched=not chosen() or found.email in chosen(),
            guests=people(engine.snapshot.settings.invite_emails),
            settings=engine.snapshot.settings,
            ends=moment(found.expires_at, clock.now(), zone) if found.expires_at is not None else "",
            api_missing=request.args.get("api") == "missing",
            enable_api=steps.ENABLE_API,
            audience=steps.AUDIENCE,
        )

    @routes.post("/remove")
    def remove() -> Response:
        found = kept(request.form.get("account", ""))
        if found is None:
            return redirect("accounts", 303)  # type: ignore[return-value]
        if request.form.get("confirmed") != "yes":
            return show("remove.html", account=found.email, connections=steps.CONNECTIONS)
        try:
            wallet.remove(found.email)
        except CannotKeep as error:
            abort(500, str(error))
        return redirect("accounts", 303)  # type: ignore[return-value]

    return routes


def _row(one: Kept, status: AccountStatus | None, now: float, zone: ZoneInfo) -> Row:
    row = Row(one.email, "good", "Signed in", "", usable=True)
    if not one.usable:
        text = "Its sign-in cannot be opened here: sign in again."
        return replace(row, tone="bad", state="Sign in again", text=text, usable=False)
    if status is not None and not status.signed_in:
        return replace(row, tone="bad", state="Sign in again", text="Google no longer accepts this sign-in.")
    if one.expires_at is not None and one.expires_at - now < SOON:
        text = (
            f"Google ends this sign-in on {moment(one.expires_at, now, zone)}, because your project is in Testing. "
            "Open Audience in Google Cloud, press Publish app, then sign in again."
        )
        return replace(row, tone="warn", state="Ends soon", text=text)
    return row
