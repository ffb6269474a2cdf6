"""The panel's pages of accounts and sign-in: forms that only our own pages can send, and Google's answer pasted in."""

import logging
import threading
from collections.abc import Sequence
from functools import partial
from typing import Protocol
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, g, make_response, redirect, render_template, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as BaseResponse

from addon.web import steps
from addon.web.account_rows import ending, rows
from addon.web.desk import Desk
from addon.web.guard import FIELD, Guard
from addon.web.under_way import SignIns
from addon.web.words import moment, people
from calbot import __version__
from calbot.errors import StoreError
from calbot.google import consent
from calbot.google.consent import CALENDARS, MAIL, Google, Purpose
from calbot.google.turns import WrongTurn, client
from calbot.google.wallet import CannotKeep, Kept, Wallet
from calbot.ports import Clock, Random
from calbot.status import Snapshot

LARGEST_FILE = 64 * 1024
LARGEST_BODY = LARGEST_FILE + 4096
"""What the panel door has to let in."""
LARGEST_FORM = 4096 * 3
log = logging.getLogger(__name__)


class Watched(Protocol):
    """The part of the engine that these pages show."""

    @property
    def snapshot(self) -> Snapshot:
        """What is known now."""
        ...


class Pages:
    """The pages. `chosen` are the accounts that the options name, if any; `desk` carries commands out."""

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
        desk: Desk | None = None,
    ) -> None:
        self._engine = engine
        self._wallet = wallet
        self._google = google
        self._clock = clock
        self._random = random
        self._zone = ZoneInfo(time_zone)
        self._chosen = tuple(chosen)
        self._desk = desk
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
        routes.add_url_rule("/sign-in-mail", view_func=self.open_google_for_mail, methods=["GET"])
        routes.add_url_rule("/sign-in-mail", "take_mail_answer", self.take_answer, methods=["POST"])
        routes.add_url_rule("/sign-in-done", view_func=self.done, methods=["GET"])
        routes.add_url_rule("/mail-done", view_func=self.mail_done, methods=["GET"])
        routes.add_url_rule("/mail-remove", view_func=self.remove_mail, methods=["POST"])
        routes.add_url_rule("/remove", view_func=self.remove, methods=["POST"])
        return routes

    def endings(self) -> list[str]:
        """Return a sentence for each sign-in that Google ends soon, for the status page."""
        now, zone = self._clock.now(), self._zone
        found = [ending(kept, now, zone) for kept in self._wallet.accounts()]
        found += [ending(kept, now, zone, "the permission to send mail from") for kept in self._wallet.mail_accounts()]
        return [*filter(None, found)]

    def accounts(self) -> Response:
        """Show every account, and what can be done with it."""
        known = {status.email: status for status in self._engine.snapshot.accounts}
        kept, mails = self._wallet.accounts(), self._wallet.mail_accounts()
        shown = rows(kept, mails, known, self._chosen, self._clock.now(), self._zone)
        return self._show("accounts.html", rows=shown, has_client=self._wallet.client() is not None)

    def begin(self) -> BaseResponse:
        """Lead to the first screen that is needed."""
        return redirect("sign-in-google" if self._wallet.client() is not None else "sign-in-project", 303)

    def file(self, error: str = "") -> Response:
        """Ask for the client's JSON."""
        has_client = self._wallet.client(self._asked()) is not None
        return self._step(4, "sign_in_file.html", error=error, has_client=has_client)

    def take_file(self) -> BaseResponse:
        """Take the client's JSON: an account's own where it is named, and everybody's where there is none yet."""
        upload, account = request.files.get("file"), self._asked()
        content = upload.read(LARGEST_FILE + 1) if upload is not None else b""
        content = content or request.form.get("content", "").encode()
        try:
            if not content.strip():
                raise WrongTurn("not_json", "Choose the file that Google Cloud gave you, or paste its content below.")
            taken = client(content)
            if account:
                self._under_way.hold(g.session, account, taken)
            if not account or self._wallet.client() is None:
                self._wallet.keep_client(taken)
        except (WrongTurn, CannotKeep) as error:
            return self.file(str(error))
        return redirect(f"sign-in-google{_query(account)}", 303)

    def open_google(self) -> BaseResponse:
        """Explain what Google will show, lead there, and ask for the address."""
        return self._google_page(self._asked())

    def open_google_for_mail(self) -> BaseResponse:
        """Do the same for the permission to send mail, which is one account's."""
        account = self._asked()
        return self._google_page(account, purpose=MAIL) if account else redirect("accounts", 303)

    def take_answer(self) -> BaseResponse:
        """Take the pasted address."""
        pasted, account = request.form.get("pasted", ""), self._asked()
        purpose = MAIL if request.path == "/sign-in-mail" else CALENDARS
        if not self._finishing.acquire(blocking=False):
            text = "Another sign-in is being finished. Wait a moment, then paste again."
            return self._google_page(account, text, purpose)
        try:
            started = self._under_way.find(g.session, consent.state_of(pasted))
            signed_in = consent.finish(started, pasted, self._google, now=self._clock.now())
            self._wallet.keep(signed_in)
        except (WrongTurn, CannotKeep) as error:
            return self._google_page(account, str(error), purpose)
        finally:
            self._finishing.release()
        self._under_way.forget(g.session, started)
        if signed_in.purpose is MAIL:
            log.info("Calbot may send mail from %s.", signed_in.email)
            return redirect(f"mail-done{_query(signed_in.email)}", 303)
        log.info("%s is signed in.", signed_in.email)
        return redirect(
            f"sign-in-done{_query(signed_in.email, **({'api': 'missing'} if signed_in.remark else {}))}", 303
        )

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

    def mail_done(self) -> BaseResponse:
        """Say what is left to do for alerts by mail."""
        account = request.args.get("account", "").lower()
        found = {one.email: one for one in self._wallet.mail_accounts()}.get(account)
        if found is None:
            return redirect("accounts", 303)
        ends = moment(found.expires_at, self._clock.now(), self._zone) if found.expires_at is not None else ""
        return self._show(
            "sign_in_mail_done.html",
            account=found.email,
            ends=ends,
            enable_gmail=steps.ENABLE_GMAIL,
            audience=steps.AUDIENCE,
        )

    def remove_mail(self) -> BaseResponse:
        """Send no mail from an account any more."""
        account = request.form.get("account", "").lower()
        try:
            self._wallet.remove_mail(account)
        except CannotKeep as error:
            return Response(f"{error}\n", 500, mimetype="text/plain")
        log.info("That mail is sent from %s was ended in the panel.", account)
        return redirect("accounts", 303)

    def remove(self) -> BaseResponse:
        """Ask whether an account is to be removed; when that is confirmed, remove its files, after its copies if so."""
        found = self._kept(request.form.get("account", ""))
        if found is None:
            return redirect("accounts", 303)
        if request.form.get("confirmed") != "yes":
            return self._ask_to_remove(found.email)
        if self._desk is not None and request.form.get("copies") == "purge":
            left = self._copies_left(self._desk, found.email)
            if left is not None:
                return self._ask_to_remove(found.email, *left)
        try:
            self._wallet.remove(found.email)
        except CannotKeep as error:
            return Response(f"{error}\n", 500, mimetype="text/plain")
        log.info("%s was removed in the panel.", found.email)
        return redirect("accounts", 303)

    def _ask_to_remove(self, account: str, said: str = "", confirm: str = "") -> Response:
        return self._show(
            "remove.html",
            status=409 if said else 200,
            account=account,
            named=account in self._chosen,
            sends_mail=account in {one.email for one in self._wallet.mail_accounts()},
            connections=steps.CONNECTIONS,
            can_purge=self._desk is not None,
            said=said,
            confirm=confirm,
        )

    def _copies_left(self, desk: Desk, account: str) -> tuple[str, str] | None:
        """Have the copies taken away that stand on this account's events alone; None when no such copy is left.

        Else what is said about it, and the token with which it is to be confirmed, if it is.
        """
        confirm = request.form.get("confirm", "")
        try:
            sent = desk.find(desk.send("purge", {"account": account, **({"confirm": confirm} if confirm else {})}))
        except StoreError as error:
            return str(error), ""
        answer = sent.answer if sent is not None else None
        if answer is None:
            return "Calbot is taking the copies away. Wait a moment, then press Remove the account again.", ""
        if answer.status == "ok" and not answer.data.get("left"):
            return None
        return answer.message, str(answer.data.get("confirm_token") or "")

    def _google_page(self, account: str, error: str = "", purpose: Purpose = CALENDARS) -> BaseResponse:
        taken = self._under_way.client(g.session, account) or self._wallet.client(account)
        if taken is None:
            return redirect("sign-in-project", 303)
        state = self._random.token(32).hex()
        started = consent.begin(taken, self._google, state=state, account=account, purpose=purpose)
        self._under_way.add(g.session, started)
        values = {"address": started.address, "error": error, "enable_gmail": steps.ENABLE_GMAIL}
        if purpose is CALENDARS:
            return self._step(5, "sign_in_google.html", mail=False, **values)
        place = {"step": steps.MAIL, "number": 0, "steps": (), "before": "accounts", "query": _query(account)}
        status = 422 if error else 200
        return self._show("sign_in_google.html", status, mail=True, account=account, **place, **values)

    def _step(self, number: int, template: str = "step.html", **values: object) -> Response:
        way, account = steps.STEPS, self._asked()
        query = _query(account)
        before = f"{way[number - 1].path}{query}" if number else "accounts"
        after = f"{way[number + 1].path}{query}" if number + 1 < len(way) else ""
        place = {"step": way[number], "number": number + 1, "steps": way, "before": before, "after": after}
        known = {"query": query, "account": account}
        return self._show(template, status=422 if values.get("error") else 200, **place, **known, **values)

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

    def _asked(self) -> str:
        """Return the account that a page is about if it is one of ours, else nothing: an address decides no more."""
        account = request.values.get("account", "").lower()
        mails = {one.email for one in self._wallet.mail_accounts()}
        return account if self._kept(account) or account in {*self._chosen, *mails} else ""


def _query(account: str, **more: str) -> str:
    """Return the end of an address that names an account; nothing without one."""
    return f"?{urlencode({'account': account, **more})}" if account else ""


def _too_large(_: Exception) -> Response:
    text = "That is far too large for the JSON of an OAuth client. Go back and take the one from Google Cloud.\n"
    return Response(text, 413, mimetype="text/plain")
