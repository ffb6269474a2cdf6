"""`calbot login`: the sign-in of one account in a terminal, by paste or with a browser on this machine."""

import os
import sys
import threading
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NoReturn, Self

import click

from calbot import sources
from calbot.clock import SystemClock, SystemRandom
from calbot.google import consent
from calbot.google.consent import DEAD_PAGE, places
from calbot.google.turns import LARGEST_PASTE, WrongTurn, client
from calbot.google.wallet import CannotKeep, Wallet
from calbot.vault import Vault, given_key

FAILED, SIGN_IN, PARTIAL = 1, 3, 5
LARGEST_FILE = 64 * 1024
PATIENCE = 600.0
_NO_CLIENT = (
    "There is no OAuth client yet. In Google Cloud, make a project, enable the Google Calendar API, set up the consent "
    "screen (External) and press Publish app, create a client of the type Desktop app, press Download JSON, and run: "
    "calbot login --client FILE"
)
_LANDED = b"<!doctype html><meta charset=utf-8><title>Calbot</title><p>Calbot has it. You can close this page."


@click.command()
@click.option("--account", default="", help="Renew the sign-in of this account, and no other.")
@click.option("--client", "client_file", type=click.Path(path_type=Path), help="The JSON of your Desktop client.")
@click.option("--browser", is_flag=True, help="Open the browser of this machine; nothing has to be pasted.")
def login(*, account: str, client_file: Path | None, browser: bool) -> None:
    """Sign in a Google account."""
    found = sources.gather(os.environ)
    wallet = Wallet(found.data, Vault(found.data, given_key(os.environ)))
    google = places(found.endpoints.auth_uri, found.endpoints.token_uri, found.endpoints.calendar_api)
    try:
        if client_file is not None:
            wallet.keep_client(client(_content(client_file)))
        taken = wallet.client("" if client_file is not None else account.lower())
        if taken is None:
            _end(_NO_CLIENT, SIGN_IN)
        state = SystemRandom().token(32).hex()
        with _Landing(state) as landing:
            redirect = landing.address if browser else DEAD_PAGE
            started = consent.begin(taken, google, state=state, redirect_uri=redirect, account=account.lower())
            click.echo(f"Open this address in a browser:\n\n{started.address}\n")
            if browser:
                webbrowser.open(started.address)
                answer = landing.wait(PATIENCE)
            else:
                click.echo("At the end the browser lands on a page at 127.0.0.1 that cannot be reached: that is right.")
                click.echo("Copy the whole address of that page, paste it here, and press Enter:")
                answer = sys.stdin.readline(LARGEST_PASTE)
        signed_in = consent.finish(started, answer, google, now=SystemClock().now())
        wallet.keep(signed_in)
    except WrongTurn as error:
        _end(str(error), SIGN_IN)
    except CannotKeep as error:
        _end(str(error), FAILED)
    click.echo(f"{signed_in.email} is signed in.")
    if signed_in.expires is not None:
        click.echo(
            "Google ends this sign-in after seven days, because your project is in Testing: open Audience in Google "
            "Cloud, press Publish app, then sign in once more.",
            err=True,
        )
    if signed_in.remark:
        _end(signed_in.remark, PARTIAL)


class _Landing:
    """Where the browser of this machine lands: a server on a free port of loopback, for one answer of Google's."""

    def __init__(self, state: str) -> None:
        self._landed = threading.Event()
        self._path = ""
        landing = self

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Take an answer; what else a browser asks for is not there."""
                is_answer = f"state={state}" in self.path
                self.send_response(200 if is_answer else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(_LANDED if is_answer else b"")
                if is_answer and not landing._landed.is_set():
                    landing._path = self.path
                    landing._landed.set()

            def log_message(self, *_: object) -> None:
                """Say nothing: the path holds the code."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.address = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait(self, seconds: float) -> str:
        """Return the address that the browser landed on. Raises WrongTurn when it does not come."""
        if not self._landed.wait(seconds):
            raise WrongTurn("no_address", "No answer came from Google within ten minutes. Run the command again.")
        return self.address.rstrip("/") + self._path


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise WrongTurn("not_json", f"{path.name} cannot be read: {error.strerror}.") from None


def _end(text: str, code: int) -> NoReturn:
    click.echo(text, err=True)
    raise click.exceptions.Exit(code)
