"""What the service adds to the command line: `run`, `monitor`, and the checks of what is around it."""

import click

from addon import alertcommands, checks, monitor, service
from calbot import cli


@click.group(cls=cli.Group, epilog=cli.EPILOG)
@click.pass_context
def calbot(context: click.Context) -> None:
    """Calbot watches Google calendars, invites the right people, and tells Home Assistant about it."""
    context.obj = [checks.parts]


for command in (*cli.calbot.commands.values(), alertcommands.alerts, monitor.monitor, service.run):
    calbot.add_command(command)
