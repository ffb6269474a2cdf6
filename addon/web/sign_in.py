"""The panel's pages of accounts and sign-in: forms that only our own pages can send, and Google's answer pasted in."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, g, make_response, redirect, render_template, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as BaseResponse

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
LARGEST_BODY = LARGEST_FILE + 4096
"""What the panel door has to let in."""
LARGEST_FORM = 4096 * 3
UNDER_WAY = 20
GOOD_FOR = 1800.0
SOON = 8 * 86400.0
log = logging.getLogger(__name__)


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


class Pages:
    """The pages. `chosen` are the accounts that the options name, if any."""

    def __init__(
        self,
        engine: Watched,
        wallet: Wallet,
        google: Google,
        *,
        clock: Clock,
        random: Random,
        time_zone: str,
        only_peer: str | None,
        chosen: Sequence[str] = (),
    ) -> None:
        self._engine = engine
        self._wallet = wallet
        self._google = google
        self._clock = clock
        self._random = random
        self._zone = ZoneInfo(time_zone)
        self._chosen = tuple(chosen)
        self._guard = Guard(random, only_peer)
        self._under_way = SignIns(clock)
        self._finishing = threading.BoundedSemaphore(2)

    def blueprint(self) -> Blueprint:
        """Return them as part of the panel. All lie beside each other, so that relative links hold under ingress."""
        routes = Blueprint("sign_in", __name__)
        routes.before_request(self._limit_and_guard)
        routes.register_error_handler(RequestEntityTooLarge, _too_large)
        routes.add_url_rule("/accounts", view_func=self.accounts, methods=["GET"])
        routes.add_url_rule("/sign-in", view_func=self.begin, methods=["GET"])
        for number, page in enumerate(steps.STEPS[:4]):
            routes.add_url_rule(f"/{page.path}", page.path, partial(self._step, number), methods=["GET"])
        routes.add_url_rule("/sign-in-file", view_func=self.file, methods=["GET"])
        routes.add_url_rule("/sign-in-file", view_func=self.take_file, methods=["POST"])
        routes.add_url_rule("/sign-in-google", view_func=self.open_google, methods=["GET"])
        routes.add_url_rule("/sign-in-google", view_func=self.take_answer, methods=["POST"])
        routes.add_url_rule("/sign-in-done", view_func=self.done, methods=["GET"])
        routes.add_url_rule("/remove", view_func=self.remove, methods=["POST"])
        return routes

    def endings(self) -> list[str]:
        """Return a sentence for each sign-in that Google ends soon, for the status page."""
        now = self._clock.now()
        return [ends for kept in self._wallet.accounts() if (ends := _ending(kept, now, self._zone))]

    def accounts(self) -> Response:
        """Show every account, and what can be done with it."""
        known = {status.email: status for status in self._engine.snapshot.accounts}
        rows = [_row(one, known.get(one.email), self._clock.now(), self._zone) for one in self._wallet.accounts()]
        missing = [email for email in self._chosen if email not in {row.email for row in rows}]
        rows += [Row(email, "quiet", "Not signed in", "The options name it.", usable=False) for email in missing]
        return self._show("accounts.html", rows=rows, has_client=self._wallet.client() is not None)

    def begin(self) -> BaseResponse:
        """Lead to the first screen that is needed."""
        return redirect("sign-in-google" if self._wallet.client() is not None else "sign-in-project", 303)

    def file(self, error: str = "") -> Response:
        """Ask for the client's JSON."""
        return self._step(4, "sign_in_file.html", error=error, has_client=self._wallet.client() is not None)

    def take_file(self) -> BaseResponse:
        """Take the client's JSON."""
        upload = request.files.get("file")
        content = upload.read(LARGEST_FILE + 1) if upload is not None else b""
        content = content or request.form.get("content", "").encode()
        try:
            if not content.strip():
                raise WrongTurn("not_json", "Choose the file that Google Cloud gave you, or paste its content below.")
            self._wallet.keep_client(client(content))
        except (WrongTurn, CannotKeep) as error:
            return self.file(str(error))
        return redirect("sign-in-google", 303)

    def open_google(self) -> BaseResponse:
        """Explain what Google will show, lead there, and ask for the address."""
        return self._google_page(self._meant(request.args.get("account", "")))

    def take_answer(self) -> BaseResponse:
        """Take the pasted address."""
        pasted, account = request.form.get("pasted", ""), self._meant(request.form.get("account", ""))
        if not self._finishing.acquire(blocking=False):
            return self._google_page(account, "Another sign-in is being finished. Wait a moment, then paste again.")
        try:
            started = self._under_way.find(g.session, consent.state_of(pasted))
            signed_in = consent.finish(started, pasted, self._google, now=self._clock.now())
            self._wallet.keep(signed_in)
        except (WrongTurn, CannotKeep) as error:
            return self._google_page(account, str(error))
        finally:
            self._finishing.release()
        self._under_way.forget(started.state)
        log.info("%s is signed in.", signed_in.email)
        query = urlencode({"account": signed_in.email, **({"api": "missing"} if signed_in.remark else {})})
        return redirect(f"sign-in-done?{query}", 303)

    def done(self) -> BaseResponse:
        """Say what happens next."""
        found = self._kept(request.args.get("account", ""))
        if found is None:
            return redirect("accounts", 303)
        now, settings = self._clock.now(), self._engine.snapshot.settings
        return self._show(
            "done.html",
            account=found.email,
            watched=not self._chosen or found.email in self._chosen,
            guests=people(settings.invite_emails),
            settings=settings,
            ends=moment(found.expires_at, now, self._zone) if found.expires_at is not None else "",
            api_missing=request.args.get("api") == "missing",
            enable_api=steps.ENABLE_API,
            audience=steps.AUDIENCE,
        )

    def remove(self) -> BaseResponse:
        """Ask whether an account is to be removed; when that is confirmed, remove its token file."""
        found = self._kept(request.form.get("account", ""))
        if found is None:
            return redirect("accounts", 303)
        if request.form.get("confirmed") != "yes":
            named = found.email in self._chosen
            return self._show("remove.html", account=found.email, named=named, connections=steps.CONNECTIONS)
        try:
            self._wallet.remove(found.email)
        except CannotKeep as error:
            return Response(f"{error}\n", 500, mimetype="text/plain")
        log.info("%s was removed in the panel.", found.email)
        return redirect("accounts", 303)

    def _google_page(self, account: str, error: str = "") -> BaseResponse:
        taken = self._wallet.client(account)
        if taken is None:
            return redirect("sign-in-project", 303)
        started = consent.begin(taken, self._google, state=self._random.token(32).hex(), account=account)
        self._under_way.add(g.session, started)
        return self._step(5, "sign_in_google.html", address=started.address, account=account, error=error)

    def _step(self, number: int, template: str = "step.html", **values: object) -> Response:
        way = steps.STEPS
        before = way[number - 1].path if number else "accounts"
        after = way[number + 1].path if number + 1 < len(way) else ""
        place = {"step": way[number], "number": number + 1, "steps": way, "before": before, "after": after}
        return self._show(template, status=422 if values.get("error") else 200, **place, **values)

    def _show(self, template: str, status: int = 200, **values: object) -> Response:
        page = render_template(
            template,
            **values,
            proof=self._guard.proof(g.session),
            proof_field=FIELD,
            pressed=steps.pressed,
            version=__version__,
        )
        response = make_response(page, status)
        self._guard.remember(request, response, g.session)
        return response

    def _limit_and_guard(self) -> None:
        request.max_content_length = LARGEST_BODY if request.path == "/sign-in-file" else LARGEST_FORM
        g.session = self._guard.session(request)
        if request.method == "POST":
            self._guard.check(request)

    def _kept(self, account: str) -> Kept | None:
        return {one.email: one for one in self._wallet.accounts()}.get(account)

    def _meant(self, account: str) -> str:
        """Return the account if it is one of ours, else nothing: what is in an address decides no more than that."""
        account = account.lower()
        return account if self._kept(account) or account in self._chosen else ""


def _too_large(_: Exception) -> Response:
    text = "That is far too large for the JSON of an OAuth client. Go back and take the one from Google Cloud.\n"
    return Response(text, 413, mimetype="text/plain")


def _ending(one: Kept, now: float, zone: ZoneInfo) -> str:
    if not one.usable or one.expires_at is None or one.expires_at - now > SOON:
        return ""
    return (
        f"Google ends the sign-in of {one.email} on {moment(one.expires_at, now, zone)}, because your project is in "
        "Testing. Open Audience in Google Cloud, press Publish app, then sign in again."
    )


def _row(one: Kept, status: AccountStatus | None, now: float, zone: ZoneInfo) -> Row:
    row = Row(one.email, "good", "Signed in", "", usable=True)
    if not one.usable:
        text = "Its sign-in cannot be opened here: sign in again."
        return replace(row, tone="bad", state="Sign in again", text=text, usable=False)
    if status is not None and not status.signed_in:
        return replace(row, tone="bad", state="Sign in again", text="Google no longer accepts this sign-in.")
    if ends := _ending(one, now, zone):
        return replace(row, tone="warn", state="Ends soon", text=ends)
    return row
