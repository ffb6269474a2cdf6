"""`python -m calbot`: the engine's commands, without Home Assistant."""

from calbot import discretion
from calbot.cli import calbot

if __name__ == "__main__":
    discretion.keep()
    calbot(prog_name="calbot")
