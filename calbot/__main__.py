"""`python -m calbot`: the engine's commands, without Home Assistant."""

from calbot.cli import calbot

if __name__ == "__main__":
    calbot(prog_name="calbot")
