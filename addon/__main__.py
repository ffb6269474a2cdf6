"""The `calbot` command: the engine's commands and, beside them, `run`. `python -m addon` is `calbot run`."""

import sys

from addon import stopping
from calbot import discretion


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit with its code. What runs for long takes stop requests before it imports anything slow."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] in (["run"], ["monitor"]):
        stopping.listen()
    discretion.keep()
    if words[:1] == ["monitor"]:
        from addon.monitor import monitor  # noqa: PLC0415 - by itself: it runs for years and needs none of the rest

        monitor.main(words[1:], prog_name="calbot monitor")
    try:
        from addon.commands import calbot  # noqa: PLC0415 - slow, and a stop request must be heard meanwhile

        calbot(words, prog_name="calbot")
    except KeyboardInterrupt:  # before there was a command to hear it
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[1:] or ["run"])
