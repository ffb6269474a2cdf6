"""The panel's page of alerts: the ways to people that Home Assistant has, which of them are used, and a test."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, g, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from addon.web.guard import FIELD, Guard
from calbot import __version__
from calbot.errors import CalbotError
from calbot.ports import Random

LARGEST_FORM = 4096
BELL = "notify.persistent_notification"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to people."""

    name: str
    tone: str
    state: str
    text: str = ""


class AlertPage:
    """`found` asks Home Assistant for its services and raises CalbotError; `test` sends a message by every way in use.

    `named` are the services in the options, `complaints` says by name what did not arrive at last. Without
    Home Assistant `found` is None.
    """

    def __init__(
        self,
        *,
        found: Callable[[], Sequence[str]] | None,
        named: Sequence[str],
        complaints: Callable[[], Mapping[str, str]],
        test: Callable[[], None],
        random: Random,
        only_peer: str | None,
    ) -> None:
        self._found = found
        self._named = tuple(name for name in named if name != BELL)
        self._complaints = complaints
        self._test = test
        self._guard = Guard(random, only_peer)

    def blueprint(self) -> Blueprint:
        """Return it as part of the panel."""
        routes = Blueprint("alerts", __name__)
        routes.before_request(self._limit_and_guard)
        routes.add_url_rule("/alerts", view_func=self.show, methods=["GET"])
        routes.add_url_rule("/alerts-test", view_func=self.send, methods=["POST"])
        return routes

    def show(self) -> Response:
        """Show the ways."""
        found: Sequence[str] = ()
        problem = ""
        if self._found is not None:
            try:
                found = self._found()
            except CalbotError as error:
                problem = str(error)
        page = render_template(
            "alerts.html",
            ways=ways(self._named, None if problem else found, self._complaints()),
            alone=self._found is None,
            problem=problem,
            sent="sent" in request.args,
            proof=self._guard.proof(g.session),
            proof_field=FIELD,
            version=__version__,
        )
        response = make_response(page)
        self._guard.remember(request, response, g.session)
        return response

    def send(self) -> BaseResponse:
        """Send a test by every way in use."""
        if self._found is not None:
            self._test()
        return redirect("alerts?sent", 303)

    def _limit_and_guard(self) -> None:
        request.max_content_length = LARGEST_FORM
        g.session = self._guard.session(request)
        if request.method == "POST":
            self._guard.check(request)


def ways(named: Sequence[str], found: Sequence[str] | None, complaints: Mapping[str, str]) -> list[Way]:
    """Return those in use first, then the others that were found; `found` is None where nobody could be asked."""
    used = []
    for name in (BELL, *named):
        shown = "Notifications in Home Assistant" if name == BELL else name
        why = complaints.get(name, "")
        if why:
            used.append(Way(shown, "warn", "Did not arrive", why))
        elif found is not None and name != BELL and name not in found:
            used.append(Way(shown, "warn", "Not found", "Home Assistant has no such service. Compare the names below."))
        else:
            used.append(Way(shown, "good", "Gets alerts"))
    others = [name for name in found or () if name not in {BELL, *named}]
    return used + [Way(name, "quiet", "Not used") for name in others]
