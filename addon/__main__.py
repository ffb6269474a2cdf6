"""The `calbot` command: the engine's commands and, beside them, `run`. `python -m addon` is `calbot run`."""

import sys
from importlib import import_module

from addon import stopping
from calbot import discretion


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit with its code. What runs for long takes stop requests before it imports anything slow."""
    words = sys.argv[1:] if arguments is None else arguments
    alone = words[0] if words[:1] in (["run"], ["monitor"]) else None
    if alone is not None:
        stopping.listen()
    discretion.keep()
    if alone is not None:  # By themselves: they run for years and need none of the rest.
        command = import_module("addon.service" if alone == "run" else "addon.monitor")
        getattr(command, alone).main(words[1:], prog_name=f"calbot {alone}")
    try:
        from addon.commands import calbot  # noqa: PLC0415 - slow, and a stop request must be heard meanwhile

        calbot(words, prog_name="calbot")
    except KeyboardInterrupt:  # before there was a command to hear it
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[1:] or ["run"])
