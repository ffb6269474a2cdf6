"""`python -m calbot`: the engine's commands, without Home Assistant."""

import sys

from calbot import discretion


def main() -> None:
    """Run a command and exit with its code."""
    discretion.keep()
    try:
        from calbot.cli import calbot  # noqa: PLC0415 - slow, and somebody may change their mind meanwhile

        calbot(prog_name="calbot")
    except KeyboardInterrupt:  # before there was a command to hear it
        sys.exit(130)


if __name__ == "__main__":
    main()
