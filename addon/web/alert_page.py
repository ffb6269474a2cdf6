"""The panel's page of alerts: what stands, the ways to people and how each of them works, and a test."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, g, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from addon.alerts.judge import Trouble
from addon.web.guard import FIELD, Guard
from addon.web.words import nearby
from calbot import __version__
from calbot.errors import CalbotError
from calbot.ports import Clock, Random

LARGEST_FORM = 4096
BELL = "notify.persistent_notification"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to people."""

    name: str
    tone: str
    state: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """One alert that stands. `lines` may hold what strangers wrote."""

    id: str
    lines: tuple[str, ...]
    began: str
    acknowledged: bool


class AlertPage:
    """`found` asks Home Assistant for its services and raises CalbotError; without Home Assistant it is None.

    `works` says of each way in use, by name, whether the last message arrived (None: not known yet), `complaints` why
    it did not. `standing` are the alerts; `acknowledge` takes the id of one, or None for all, and raises CalbotError;
    `test` sends a message by every way and waits a moment.
    """

    def __init__(
        self,
        *,
        found: Callable[[], Sequence[str]] | None,
        works: Callable[[], Mapping[str, bool | None]],
        complaints: Callable[[], Mapping[str, str]],
        standing: Callable[[], Sequence[Trouble]],
        acknowledge: Callable[[str | None], object],
        test: Callable[[], object],
        clock: Clock,
        random: Random,
        only_peer: str | None,
    ) -> None:
        self._found = found
        self._works = works
        self._complaints = complaints
        self._standing = standing
        self._acknowledge = acknowledge
        self._test = test
        self._clock = clock
        self._guard = Guard(random, only_peer)

    def blueprint(self) -> Blueprint:
        """Return it as part of the panel."""
        routes = Blueprint("alerts", __name__)
        routes.before_request(self._limit_and_guard)
        routes.add_url_rule("/alerts", view_func=self.show, methods=["GET"])
        routes.add_url_rule("/alerts-test", view_func=self.send, methods=["POST"])
        routes.add_url_rule("/alerts-ack", view_func=self.acknowledge, methods=["POST"])
        return routes

    def show(self) -> Response:
        """Show what stands, and the ways."""
        found: Sequence[str] = ()
        problem = ""
        if self._found is not None:
            try:
                found = self._found()
            except CalbotError as error:
                problem = str(error)
        return self._page(found=found, problem=problem)

    def send(self) -> BaseResponse:
        """Send a test by every way in use."""
        self._test()
        return redirect("alerts?sent", 303)

    def acknowledge(self) -> BaseResponse:
        """Take it that people know of one alert, or of all."""
        try:
            self._acknowledge(request.form.get("alert") or None)
        except CalbotError as error:
            return self._page(wrong=str(error))
        return redirect("alerts", 303)

    def _page(self, *, found: Sequence[str] = (), problem: str = "", wrong: str = "") -> Response:
        now = self._clock.now()
        shown = ways(self._works(), self._complaints(), None if problem or wrong or self._found is None else found)
        page = render_template(
            "alerts.html",
            standing=[
                Standing(one.id, tuple(one.text.splitlines()), nearby(one.since, now), one.acknowledged)
                for one in self._standing()
            ],
            ways=shown,
            alone=self._found is None,
            problem=problem,
            wrong=wrong,
            sent="sent" in request.args,
            proof=self._guard.proof(g.session),
            proof_field=FIELD,
            version=__version__,
        )
        response = make_response(page)
        self._guard.remember(request, response, g.session)
        return response

    def _limit_and_guard(self) -> None:
        request.max_content_length = LARGEST_FORM
        g.session = self._guard.session(request)
        if request.method == "POST":
            self._guard.check(request)


def ways(works: Mapping[str, bool | None], complaints: Mapping[str, str], found: Sequence[str] | None) -> list[Way]:
    """Return those in use first, then the other services that were found; `found` is None where nobody was asked."""
    used = []
    for name, arrives in works.items():
        shown = "Notifications in Home Assistant" if name == BELL else name
        why = complaints.get(name, "")
        is_service = name.startswith("notify.") and name != BELL
        if why:
            used.append(Way(shown, "warn", "Does not arrive", why))
        elif found is not None and is_service and name not in found:
            used.append(Way(shown, "warn", "Not found", "Home Assistant has no such service. Compare the names below."))
        else:
            used.append(Way(shown, "good", "Works" if arrives else "Gets alerts"))
    others = [name for name in found or () if name != BELL and name not in works]
    return used + [Way(name, "quiet", "Not used") for name in others]
