"""The panel's pages of what was and will be done: held work, undo and apply, each a command with its answer shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from addon.web import undoing
from addon.web.desk import Args, Desk, Sent
from addon.web.frame import Frame, Sorry
from addon.web.links import event_link
from addon.web.looks import Looks, Watched
from addon.web.waiting import Waiting, card, waiting
from addon.web.words import clean
from calbot.errors import StoreError
from calbot.model import Answer, Command, EventKey, Outcome, Outgoing
from calbot.ports import Clock, Random
from calbot.preview import AHEAD
from calbot.store import copyhistory, ledger, outbox, undoable
from calbot.store.database import Database, Tx, translated

LOOKED_BACK = 500
"""How many of the latest outcomes, or of the deeds that an undo means, are looked through to be shown."""
SPANS = ((10, "10 minutes"), (30, "30 minutes"), (60, "hour"), (180, "3 hours"), (720, "12 hours"), (1440, "day"))
_DONE = {"undo": "Taken back", "approve": "Approved", "discard": "Discarded", "apply": "Under way"}


@dataclass(frozen=True, slots=True)
class OnStatus:
    """What these pages add to the status page; `form` is what its forms carry, `problem` why nothing is shown.

    `names` are what calendars are called, by their ids.
    """

    waiting: Waiting
    undoable: frozenset[str]
    form: dict[str, str]
    names: Mapping[str, str]
    problem: str = ""


class DeedPages:
    """The pages. `desk` has to listen to the engine."""

    def __init__(
        self,
        engine: Watched,
        desk: Desk,
        database: Database,
        *,
        clock: Clock,
        random: Random,
        time_zone: str,
        only_peer: str | None,
    ) -> None:
        self._desk = desk
        self._engine = engine
        self._database = database
        self._clock = clock
        self._zone = ZoneInfo(time_zone)
        self._frame = Frame(random, only_peer)
        self._looks = Looks(engine, database, clock=clock, zone=self._zone, frame=self._frame)

    def blueprint(self) -> Blueprint:
        """Return them as part of the panel. All lie beside each other, so that relative links hold under ingress."""
        routes = Blueprint("deeds", __name__)
        routes.before_request(self._frame.receive)
        routes.register_error_handler(Sorry, self._frame.sorry)
        routes.register_error_handler(StoreError, self._frame.sorry)
        routes.add_url_rule("/undo", view_func=self.undo, methods=["GET"])
        routes.add_url_rule("/undo", view_func=self.take_back, methods=["POST"])
        routes.add_url_rule("/confirm", view_func=self.confirm, methods=["POST"])
        routes.add_url_rule("/approve", view_func=self.approve, methods=["POST"])
        routes.add_url_rule("/discard", view_func=self.ask_to_discard, methods=["GET"])
        routes.add_url_rule("/discard", view_func=self.discard, methods=["POST"])
        routes.add_url_rule("/apply", view_func=self.ask_to_apply, methods=["GET"])
        routes.add_url_rule("/apply", view_func=self.apply, methods=["POST"])
        routes.add_url_rule("/answer", view_func=self.answer, methods=["GET"])
        self._looks.add_to(routes)
        return routes

    def on_status(self, rows: Sequence[Outgoing]) -> OnStatus:
        """Return what the status page needs, `rows` being what it shows; what cannot be read is left out."""
        form, snapshot, now = self._frame.open(), self._engine.snapshot, self._clock.now()
        try:
            with translated():
                reader = self._database.read()
                held, good = copyhistory.held(reader), _good(reader, rows, now)
                names = copyhistory.names(reader)
        except StoreError as error:
            return OnStatus(waiting(snapshot, (), now, self._zone), frozenset(), form, {}, str(error))
        return OnStatus(waiting(snapshot, held, now, self._zone), good, form, names)

    def sign(self, response: Response) -> Response:
        """Give the browser its session with the status page."""
        return self._frame.sign(response)

    def undo(self) -> Response:
        """List what can be taken back."""
        found, cut = self._changes()
        runs = undoing.runs(found, self._clock.now(), self._zone, cut=cut)
        return self._frame.show("undo.html", runs=runs, spans=SPANS)

    def take_back(self) -> BaseResponse:
        """Undo an invitation, a pass, or the last minutes."""
        key = EventKey(*(request.form.get(name, "") for name in ("account", "calendar", "event")))
        return self._send("undo", _undone(), event_link(key) if key.event else request.form.get("from", ""))

    def confirm(self) -> BaseResponse:
        """Send a command again that was to be confirmed, as it was."""
        sent = self._sent(request.form.get("command", ""))
        token = sent.answer.data.get("confirm_token") if sent.answer is not None else None
        if sent.command is None or token is None:
            raise Sorry("Too late", "Calbot was started again meanwhile. Go back and press the button once more.", 409)
        return self._send(sent.command.name, {**sent.command.args, "confirm": token}, sent.back)

    def approve(self) -> BaseResponse:
        """Let held work go on."""
        return self._send("approve", _held())

    def ask_to_discard(self) -> Response:
        """Ask whether held work is to be dropped."""
        run_id = request.args.get("run", "")
        with translated():
            found = [run for run in copyhistory.held(self._database.read()) if run_id in {"", run.run_id}]
        if not found:
            raise Sorry("Nothing waits", "This work does not wait any more.", 404)
        cards = [card(run, self._clock.now(), self._zone) for run in found]
        what = tuple(dict.fromkeys(line for one in cards for line in one.discarding))
        return self._frame.show("discard.html", cards=cards[:10], more=len(cards[10:]), run_id=run_id, what=what)

    def discard(self) -> BaseResponse:
        """Drop held work."""
        return self._send("discard", _held())

    def ask_to_apply(self) -> Response:
        """Ask whether the rules are to be applied to what was there before."""
        account, settings = self._looks.asked_account(), self._engine.snapshot.settings
        return self._frame.show(
            "apply.html", forecast=self._looks.forecast(account), account=account, settings=settings, days=AHEAD
        )

    def apply(self) -> BaseResponse:
        """Apply the rules to what was there before."""
        account = self._looks.asked_account()
        return self._send("apply", {"days": AHEAD, **({"account": account} if account is not None else {})}, "preview")

    def answer(self) -> Response:
        """Show what came of a command."""
        id_ = request.args.get("command", "")
        sent = self._sent(id_)
        answer, asks = sent.answer, _asks(sent)
        name = sent.command.name if sent.command is not None else ""
        lines, more = self._meant(sent.command) if asks and sent.command is not None else ([], 0)
        return self._frame.show(
            "answer.html",
            command=id_,
            name=name,
            headline=_headline(name, answer),
            tone=_tone(answer),
            text=clean(answer.message, 600) if answer is not None else "",
            asks=asks,
            lines=lines,
            more=more,
            back=sent.back,
        )

    def _send(self, name: str, args: Args, back: str = "") -> BaseResponse:
        known = back if back in {"undo", "preview"} or back.startswith("event?") else "./"
        id_ = self._desk.send(name, args, known)
        return redirect(f"answer?{urlencode({'command': id_})}", 303)

    def _sent(self, id_: str) -> Sent:
        sent = self._desk.find(id_)
        if sent is None:
            raise Sorry("Nothing to show", "Calbot knows nothing of such a command, or no longer.", 404)
        return sent

    def _changes(self) -> tuple[list[tuple[float, Outcome]], bool]:
        """Return what was done of late and can be taken back, newest first; and may there be older things."""
        with translated():
            reader = self._database.read()
            rows = outbox.latest(reader, "calendar", LOOKED_BACK)
            good = _good(reader, rows, self._clock.now())
            return undoing.changes(rows, good), len(rows) == LOOKED_BACK

    def _meant(self, command: Command) -> tuple[list[undoing.Meant], int]:
        """Return what an undo is about: the first changes of it, and how many more there are."""
        with translated():
            reader = self._database.read()
            numbers = _numbers(reader, command)
            deeds = [deed for number in numbers[:LOOKED_BACK] if (deed := ledger.by_id(reader, number)) is not None]
            names = copyhistory.names(reader)
        return undoing.meant(deeds, self._clock.now(), self._zone, names), max(0, len(numbers) - undoing.MOST_LINES)


def _numbers(tx: Tx, command: Command) -> list[int]:
    """Return the deeds that an undo means, newest first."""
    if command.name != "undo":
        return []
    match command.args:
        case {"token": token}:
            return undoable.by_token(tx, str(token), command.received) or []
        case {"run_id": run_id}:
            return undoable.of_run(tx, str(run_id), command.received)
        case {"minutes": int() | float() as minutes}:
            return undoable.since(tx, command.received - 60 * minutes, command.received)
        case _:
            return undoable.last(tx, command.received)


def _good(tx: Tx, rows: Sequence[Outgoing], now: float) -> frozenset[str]:
    """Return the tokens of these outcomes by which something can still be taken back."""
    tokens = {row.content.undo_token for row in rows if isinstance(row.content, Outcome)} - {None}
    return frozenset(token for token in tokens if token is not None and undoable.by_token(tx, token, now))


def _undone() -> Args:
    """Return what the form wants undone. Raises Sorry when it does not say so."""
    token, run_id, minutes = (request.form.get(name, "") for name in ("token", "run_id", "minutes"))
    if token or run_id:
        return {"token": token} if token else {"run_id": run_id}
    if minutes in {str(number) for number, _ in SPANS}:
        return {"minutes": int(minutes)}
    raise Sorry("Nothing chosen", "Go back and choose what to take back.", 400)


def _held() -> Args:
    """Return which held work the form means: a run, or everything where it says so. Raises Sorry without either."""
    run_id = request.form.get("run", "")
    if not run_id and request.form.get("all") != "yes":
        raise Sorry("Nothing chosen", "Go back and choose what to decide.", 400)
    return {"token": run_id} if run_id else {}


def _asks(sent: Sent) -> bool:
    """Say whether the answer is that it wants to be confirmed."""
    return sent.answer is not None and sent.answer.code == "confirm_required" and sent.command is not None


def _headline(name: str, answer: Answer | None) -> str:
    if answer is None:
        return "Under way"
    if answer.code == "confirm_required":
        return "Take all of this back?" if name == "undo" else "Are you sure?"
    match answer.status:
        case "error":
            return "Not done"
        case "partial":
            return "Partly done"
        case _:
            return _DONE.get(name, "Done")


def _tone(answer: Answer | None) -> str:
    if answer is None:
        return "quiet"
    return {"ok": "good", "error": "warn", "partial": "warn"}.get(answer.status, "quiet")
