"""`calbot run`: the service. By itself, because it runs for years and needs no other command of the command line."""

import os

import click

from addon import stopping


@click.command()
def run() -> None:
    """Run the service until it is stopped.

    It reads the calendars, invites, keeps copies, and tells Home Assistant over MQTT. The panel is on port 8099, the
    push door on 8098; CALBOT_PANEL_PORT, CALBOT_PUSH_PORT and CALBOT_BIND change that.
    """
    stopping.listen()
    os.umask(0o077)
    from addon.app import App  # noqa: PLC0415 - only to run needs flask, paho and waitress

    os._exit(App(os.environ).run())
