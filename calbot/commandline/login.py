"""`calbot login`: the sign-in of one account in a terminal, by paste or with a browser on this machine."""

import os
import sys
import webbrowser
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn

import click

from calbot import sources
from calbot.commandline import landing, reports
from calbot.commandline.landing import Landing
from calbot.commandline.local import FAILED, PARTIAL, SIGN_IN, Here, pass_here
from calbot.envfile import surroundings
from calbot.google import consent
from calbot.google.consent import CALENDARS, DEAD_PAGE, MAIL, Google, Purpose, SignedIn, places
from calbot.google.turns import Client, WrongTurn, client
from calbot.google.wallet import CannotKeep, Wallet
from calbot.sources import Endpoints
from calbot.vault import Vault, given_key

LARGEST_FILE = 64 * 1024
PATIENCE = 600.0
_NO_CLIENT = (
    "There is no OAuth client yet. In Google Cloud, make a project, enable the Google Calendar API, set up the consent "
    "screen (External) and press Publish app, create a client of the type Desktop app, press Download JSON, and run: "
    "calbot login --client FILE"
)
_TESTING = (
    "Google ends this sign-in after seven days, because your project is in Testing: open Audience in Google Cloud, "
    "press Publish app, then sign in once more."
)

client_option = click.option(
    "--client", "client_file", type=click.Path(path_type=Path), help="The JSON of your Desktop client."
)
browser_option = click.option(
    "--browser/--no-browser",
    default=None,
    help="Open the browser of this machine, so that nothing has to be pasted; by itself where there is one.",
)


@click.command()
@click.option("--account", default="", help="Renew the sign-in of this account, and no other.")
@client_option
@browser_option
@pass_here
def login(here: Here, *, account: str, client_file: Path | None, browser: bool | None) -> None:
    """Sign in a Google account."""
    sign_in(here, account.strip().lower(), client_file=client_file, browser=browser)


def wallet_of(here: Here) -> tuple[Wallet, Google]:
    """Return where sign-ins are kept, and where Google is. Raises BadOptions."""
    found = sources.gather(surroundings(here.environ))
    return Wallet(found.data, Vault(found.data, given_key(here.environ))), google_at(found.endpoints)


def google_at(endpoints: Endpoints) -> Google:
    """Return where Google is."""
    return places(endpoints.auth_uri, endpoints.token_uri, endpoints.calendar_api, endpoints.revoke_uri)


def sign_in(
    here: Here, account: str, *, client_file: Path | None, browser: bool | None, purpose: Purpose = CALENDARS
) -> None:
    """Lead through a sign-in of `account`, or of anybody where that is empty, and keep what comes of it.

    The client of the file is the account's own; it is everybody's too where it was given for nobody by name, or where
    there was none. Ends the command with its exit code when it does not succeed; then nothing was written.
    """
    wallet, google = wallet_of(here)
    try:
        given = client(_content(client_file)) if client_file is not None else None
        taken = given or (wallet.client(account) if account else wallet.client())
        if taken is None:
            _end(_NO_CLIENT, SIGN_IN)
        signed_in = _consented(here, taken, google, account, browser=browser, purpose=purpose)
        wallet.keep(signed_in)
        if given is not None and (not account or wallet.client() is None):
            wallet.keep_client(given)
    except WrongTurn as error:
        _end(str(error), SIGN_IN)
    except CannotKeep as error:
        _end(str(error), FAILED)
    _say(signed_in)


def _consented(
    here: Here, taken: Client, google: Google, account: str, *, browser: bool | None, purpose: Purpose
) -> SignedIn:
    """Return what comes of Google's page. Raises WrongTurn."""
    state = here.random.token(32).hex()
    opens = _has_browser() if browser is None else browser
    with Landing(state) if opens else nullcontext() as page:
        started = consent.begin(
            taken,
            google,
            state=state,
            redirect_uri=page.address if page is not None else DEAD_PAGE,
            account=account,
            purpose=purpose,
        )
        click.echo(f"Open this address in a browser:\n\n{started.address}\n")
        if page is not None:
            opened = webbrowser.open(started.address)
            where = "Google’s page is open in the browser" if opened else "No browser could be opened: do that yourself"
            click.echo(f"{where}; this command goes on by itself when you are through. If the browser is on another")
            click.echo("machine, it lands on a page that cannot be reached: copy its whole address and paste it here:")
        else:
            click.echo("At the end the browser lands on a page at 127.0.0.1 that cannot be reached: that is right.")
            click.echo("Copy the whole address of that page, paste it here, and press Enter:")
        try:
            answer = landing.answer(page, here.clock, PATIENCE, reports.say)
            return consent.finish(started, answer, google, now=here.clock.now())
        finally:
            landing.drop_the_rest()


def _has_browser() -> bool:
    """Say whether somebody sits at this terminal who has a browser on the same screen."""
    screen = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not screen or sys.stdin is None or not sys.stdin.isatty():
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _say(signed_in: SignedIn) -> None:
    if signed_in.purpose is MAIL:
        reports.say(f"Calbot may send its alerts as mail from {signed_in.email}.")
        reports.say(
            "The Gmail API has to be enabled in the same Google Cloud project. To whom the alerts go is an option: "
            f"alerts: [{{gmail: {{from: {signed_in.email}, to: …}}}}]"
        )
    else:
        reports.say(f"{signed_in.email} is signed in.")
    if signed_in.expires is not None:
        reports.say(_TESTING, err=True)
    if signed_in.remark:
        _end(signed_in.remark, PARTIAL)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise WrongTurn("not_json", f"{path.name} cannot be read: {error.strerror}.") from None


def _end(text: str, code: int) -> NoReturn:
    reports.say(text, err=True)
    raise click.exceptions.Exit(code)
