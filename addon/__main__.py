"""The `calbot` command: the engine's commands and, beside them, `run`. `python -m addon` is `calbot run`."""

import sys

from addon import stopping


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit with its code. `run` takes stop requests before it imports anything slow."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["run"]:
        stopping.listen()
    from addon.commands import calbot  # noqa: PLC0415 - slow, and a stop request must be heard meanwhile

    calbot(words, prog_name="calbot")


if __name__ == "__main__":
    main(sys.argv[1:] or ["run"])
