"""What Home Assistant's side adds to the command line: `run`, and the checks of broker and push address."""

import os
import socket

import click
import urllib3

from addon import options, stopping
from addon.options import Options
from calbot import cli
from calbot.cli import Checked
from calbot.errors import BadOptions


@click.group(cls=cli.Group, invoke_without_command=False)
@click.pass_context
def calbot(context: click.Context) -> None:
    """Calbot watches Google calendars, invites the right people, and tells Home Assistant about it."""
    context.obj = [_check_shell]


for command in cli.calbot.commands.values():
    calbot.add_command(command)


@calbot.command()
def run() -> None:
    """Run the service until it is stopped."""
    stopping.listen()
    from addon.app import App  # noqa: PLC0415 - no other command needs flask, paho and waitress

    os._exit(App(os.environ).run())


def _check_shell() -> list[Checked]:
    """Check what only the service needs: the broker and the push address."""
    try:
        wanted = options.load(os.environ)
    except BadOptions as error:
        return [Checked("options", "failed", str(error))]
    return [_check_broker(wanted), *_check_push(wanted)]


def _check_broker(wanted: Options) -> Checked:
    host, port = wanted.mqtt.host, wanted.mqtt.port
    if host is None and wanted.place.supervised:
        return Checked("broker", "failed", "None is configured; install the Mosquitto broker app and set mqtt.host.")
    if host is None:
        return Checked("broker", "ok", "None is configured; Calbot starts its own.")
    try:
        socket.create_connection((host, port), timeout=5.0).close()
    except OSError as error:
        text = f"No MQTT broker answers at {host}:{port} ({error.strerror or error}). Check mqtt.host and mqtt.port."
        return Checked("broker", "failed", text)
    return Checked("broker", "ok", f"{host}:{port} answers.")


def _check_push(wanted: Options) -> list[Checked]:
    address = wanted.settings.push_url
    if address is None:
        return []
    health = urllib3.util.parse_url(address)._replace(path="/health", query=None).url
    try:
        answer = urllib3.request("GET", health, timeout=5.0, retries=False, redirect=False)
        reached = answer.data in {b"healthy", b"unhealthy"}
    except urllib3.exceptions.HTTPError:
        reached = False
    if reached:
        return [Checked("push_url", "ok", f"{address} leads to Calbot.")]
    text = f"{address} does not lead to Calbot's push door (from here). Check the proxy, and that Calbot runs."
    return [Checked("push_url", "failed", text)]
