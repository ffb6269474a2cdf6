"""The panel door: the status page for people, and two plain answers for machines, `/live` and `/health`."""

import ipaddress
import logging
import re
from collections.abc import Callable, Collection, Sequence
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec
from flask import Flask, Response, abort, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from addon.web import views
from addon.web.deeds import DeedPages
from addon.web.diagnostics import NAME, Diagnostics
from addon.web.sign_in import Pages
from calbot import __version__
from calbot.errors import CalbotError
from calbot.model import Outgoing
from calbot.ports import Clock
from calbot.status import Health, Snapshot

_log = logging.getLogger(__name__)

FOR_MACHINES = ("/live", "/health")
REFRESH = 10
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'self'"
)
_AT_HOME = re.compile(r"[a-z0-9_-]+|[a-z0-9_.-]+\.(local|home\.arpa|lan|internal)")
"""Names that nobody can buy, so that no web site is called so: of one word, or of a house's own network."""


class Watched(Protocol):
    """The part of the engine that the panel shows."""

    @property
    def snapshot(self) -> Snapshot:
        """What is known now; replaced whole."""
        ...


def panel(
    engine: Watched,
    *,
    assess: Callable[[Snapshot, float], Health],
    clock: Clock,
    alive: Callable[[], bool],
    mqtt_problem: Callable[[], str | None],
    outcomes: Callable[[], Sequence[Outgoing]],
    options: Sequence[tuple[str, str, str]],
    time_zone: str,
    names: Collection[str] = (),
    only_peer: str | None = None,
    sign_in: Pages | None = None,
    deeds: DeedPages | None = None,
    diagnostics: Diagnostics | None = None,
) -> Flask:
    """Return the panel's WSGI application.

    `outcomes` gives the latest rows of the outbox, both streams, in any order. `options` are key, value and
    origin of each setting. `only_peer` is the one address that may see pages (the Supervisor's). Without it only
    requests are answered that name this machine by an address, by a name of the house, or by one of `names`: a web
    site whose DNS leads here (rebinding) drives nothing through somebody's browser.
    """
    app = Flask(__name__, static_url_path="/static")
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    if sign_in is not None:
        app.register_blueprint(sign_in.blueprint())
    if deeds is not None:
        app.register_blueprint(deeds.blueprint())
    zone = ZoneInfo(time_zone)

    @app.before_request
    def refuse_strangers() -> None:
        peer = request.remote_addr or ""
        if only_peer is not None and peer != only_peer:
            loopback = peer.startswith("127.") or peer == "::1"
            if not (loopback and request.path in FOR_MACHINES):
                abort(403, "This page is open only through Home Assistant.")
        if only_peer is None and not _is_ours(request.environ.get("HTTP_HOST", "localhost"), names):
            abort(403, "Calbot does not know this name for itself. If it is right, add it to CALBOT_PANEL_NAMES.")

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _CSP
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        return response

    @app.errorhandler(Exception)
    def say(error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.code is not None and error.code < 500:
            response = Response(f"{error.description}\n", error.code, mimetype="text/plain")
            if allowed := getattr(error, "valid_methods", None):
                response.headers["Allow"] = ", ".join(sorted(allowed))
            return response
        _log.error("The panel could not show %s", request.path, exc_info=error)
        return Response("Something went wrong in the panel; the log has the details.\n", 500, mimetype="text/plain")

    @app.get("/live")
    def live() -> Response:
        good = alive()
        return Response("alive\n" if good else "stuck\n", 200 if good else 503, mimetype="text/plain")

    @app.get("/health")
    def health() -> Response:
        verdict = assess(engine.snapshot, clock.now())
        body = msgspec.json.encode({**msgspec.to_builtins(verdict), "mqtt": mqtt_problem(), "version": __version__})
        return Response(body, 503 if verdict.level == "problem" else 200, mimetype="application/json")

    if diagnostics is not None:

        @app.get("/diagnostics")
        def download() -> Response:
            response = Response(diagnostics.document(engine.snapshot, clock.now()), mimetype="application/json")
            response.headers["Content-Disposition"] = f'attachment; filename="{NAME}"'
            return response

    @app.get("/")
    def status() -> Response:
        now, snapshot = clock.now(), engine.snapshot
        try:
            rows: Sequence[Outgoing] = outcomes()
            history_problem = ""
        except CalbotError as error:
            rows, history_problem = (), str(error)
        acts = deeds.on_status(rows) if deeds is not None else None
        page = views.page(
            snapshot,
            assess(snapshot, now),
            mqtt_problem=mqtt_problem(),
            outcomes=rows,
            options=options,
            now=now,
            zone=zone,
            endings=sign_in.endings() if sign_in is not None else (),
            undoable=acts.undoable if acts is not None else (),
            names=acts.names if acts is not None else None,
        )
        shown = render_template(
            "status.html",
            page=page,
            history_problem=history_problem,
            version=__version__,
            refresh=REFRESH,
            can_sign_in=sign_in is not None,
            acts=acts,
            diagnostics=diagnostics is not None,
            **(acts.form if acts is not None else {}),
        )
        return deeds.sign(make_response(shown)) if deeds is not None else make_response(shown)

    return app


def _is_ours(host: str, names: Collection[str]) -> bool:
    """Say whether a `Host` names this machine, and not a web site that somebody was led to."""
    head, _, port = host.lower().rpartition(":")
    name = (head if head and port.isdigit() else host.lower()).rstrip(".")
    if name in names or _AT_HOME.fullmatch(name):
        return True
    try:
        return bool(ipaddress.ip_address(name.removeprefix("[").removesuffix("]")))
    except ValueError:
        return False
