"""What the service adds to the command line: `run`, `monitor`, and the checks of what is around it."""

import os

import click

from addon import alertcommands, checks, monitor, stopping
from calbot import cli


@click.group(cls=cli.Group, epilog=cli.EPILOG)
@click.pass_context
def calbot(context: click.Context) -> None:
    """Calbot watches Google calendars, invites the right people, and tells Home Assistant about it."""
    context.obj = [checks.parts]


@click.command()
def run() -> None:
    """Run the service until it is stopped.

    It reads the calendars, invites, keeps copies, and tells Home Assistant over MQTT. The panel is on port 8099, the
    push door on 8098; CALBOT_PANEL_PORT, CALBOT_PUSH_PORT and CALBOT_BIND change that.
    """
    stopping.listen()
    from addon.app import App  # noqa: PLC0415 - no other command needs flask, paho and waitress

    os._exit(App(os.environ).run())


for command in (*cli.calbot.commands.values(), alertcommands.alerts, monitor.monitor, run):
    calbot.add_command(command)
