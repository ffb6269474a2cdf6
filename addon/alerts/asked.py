"""What people ask of alerts by a command: to take it that they know of one, and to send a test by every way."""

import threading
from collections.abc import Callable, Sequence

from addon.alerts.alerts import Alerts
from addon.alerts.courier import Courier, Tried
from calbot.model import Answer, Command

NO_WAY = (
    "There is no way to people yet: name apprise URLs or a Gmail account under alerts, or within Home Assistant "
    "services under notify."
)


class Asked:
    """Answers the commands `ack_alert {id | all}` and `test_alert`. `answered` takes an answer that comes later."""

    def __init__(self, alerts: Alerts, courier: Courier, answered: Callable[[Command, Answer], None]) -> None:
        self._alerts = alerts
        self._courier = courier
        self._answered = answered

    def acknowledge(self, command: Command) -> Answer:
        """Take it that people know of an alert, or of all that stand."""
        alert, everything = command.args.get("id"), command.args.get("all")
        if (alert is None) == (everything is not True):
            text = "id: name one alert, or send all: true for every one."
            return Answer(status="error", code="invalid", message=text)
        known = self._alerts.acknowledge(str(alert) if alert is not None else None)
        return acknowledgement(str(alert) if alert is not None else None, found=known)

    def test(self, command: Command) -> None:
        """Send a test by every way, on a thread of its own: whoever carries commands out cannot wait so long."""
        threading.Thread(target=self._test, args=(command,), name="alert-test", daemon=True).start()

    def _test(self, command: Command) -> None:
        self._answered(command, result(self._courier.test()))


def acknowledgement(alert: str | None, *, found: bool) -> Answer:
    """Return what is said to an acknowledgement."""
    if found:
        return Answer(status="ok", message="Noted; it stands, and is not told again.")
    text = f"There is no alert {alert}." if alert is not None else "There is no alert."
    return Answer(status="error", code="not_found", message=text)


def result(tried: Sequence[Tried]) -> Answer:
    """Return what is said to a test: `data` has, by each way's name, "ok" or why it did not arrive."""
    if not tried:
        return Answer(status="error", code="invalid", message=NO_WAY)
    failed = [one for one in tried if one.why]
    data: dict[str, str | int | float | bool | None] = {one.name: one.why or "ok" for one in tried}
    text = " ".join(f"{one.name}: {one.why}" for one in failed) or "A test went out by every way."
    if not failed:
        return Answer(status="ok", message=text, data=data)
    if len(failed) < len(tried):
        return Answer(status="partial", message=text, data=data)
    return Answer(status="error", code="upstream_error", message=text, retryable=True, data=data)
