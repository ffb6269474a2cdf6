"""The wrong turns of signing in, each with its sentence: what a client file must be, and a pasted address; pure."""

import re
from collections.abc import Sequence
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import msgspec

from calbot.errors import CalbotError

LARGEST_PASTE = 4096
_UNSEEN = re.compile(r"[\s\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u2064\ufeff]+")
_NAME = re.compile(r"[\x21-\x7e]{1,300}")

Turn = Literal[
    "not_json",
    "not_a_client",
    "web_client",
    "no_address",
    "google_page",
    "only_the_code",
    "denied",
    "blocked",
    "old",
    "wrong_client",
    "unticked",
    "no_refresh_token",
    "no_email",
    "other_account",
    "unreachable",
]


class WrongTurn(CalbotError):
    """Signing in did not succeed; the text names what happened and what to press. `turn` is for programs."""

    def __init__(self, turn: Turn, text: str) -> None:
        super().__init__(text)
        self.turn = turn


class Client(msgspec.Struct, frozen=True):
    """The user's own OAuth client. Google's addresses are ours to know, so those in the file are not read."""

    client_id: str
    client_secret: str = ""

    def document(self) -> bytes:
        """Return it as Google's client JSON."""
        return msgspec.json.encode({"installed": {"client_id": self.client_id, "client_secret": self.client_secret}})

    def __repr__(self) -> str:
        """Return it without its secret."""
        return f"Client({self.client_id!r})"


def client(content: bytes | str) -> Client:
    """Return the Desktop client in Google's client JSON. Raises WrongTurn."""
    raw = content.encode() if isinstance(content, str) else content
    again = "In Google Cloud, open Clients, choose your Desktop client and press Download JSON; take that file."
    try:
        found = msgspec.json.decode(raw.removeprefix(b"\xef\xbb\xbf").strip())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise WrongTurn("not_json", f"That is not the JSON of an OAuth client. {again}") from None
    kinds = found if isinstance(found, dict) else {}
    if "web" in kinds:
        text = (
            "That is a client of the type “Web application”, which cannot be used here. In Google Cloud, open Clients, "
            "press Create client, choose the type Desktop app, and take the JSON of that one."
        )
        raise WrongTurn("web_client", text)
    if kinds.get("type") == "service_account":
        text = (
            "That is the key of a service account, which sees nobody’s calendars. In Google Cloud, open Clients, "
            "press Create client, choose the type Desktop app, and take the JSON of that one."
        )
        raise WrongTurn("not_a_client", text)
    try:
        taken = msgspec.convert(kinds.get("installed"), Client)
    except msgspec.ValidationError:
        raise WrongTurn("not_a_client", f"That JSON is not an OAuth client’s. {again}") from None
    if not _NAME.fullmatch(taken.client_id) or not _NAME.fullmatch(taken.client_secret):
        text = f"That client JSON lacks its client_id or client_secret. {again} Google shows it only at creation."
        raise WrongTurn("not_a_client", text)
    return taken


def answer_in(pasted: str) -> dict[str, str]:
    """Return state and code, and more, of the address that the browser landed on. Raises WrongTurn."""
    text = _bare(pasted)
    how = (
        "Copy everything in the address bar of the page that cannot be reached; it begins with http://127.0.0.1 "
        "and contains code=."
    )
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, query = parts.hostname or "", parse_qs(parts.query, max_num_fields=50)
    except ValueError:
        raise WrongTurn("no_address", f"That is not an address. {how}") from None
    values = {name: found[0] for name, found in query.items()}
    if "error" in values:
        raise _refused(values["error"])
    if "state" in values and "code" in values:
        return values
    if "google" in host or "client_id" in values or "authError" in values:
        text = (
            "That is the address of Google’s own page. If it says “Access blocked” or “Error 403: access_denied”, your "
            "project is in Testing and this account is not one of its test users: open Audience in Google Cloud and "
            "press Publish app. If not, go on there until the browser lands on a page that cannot be reached."
        )
        raise WrongTurn("google_page", text)
    if re.fullmatch(r"4(/|%2F)[\w.%-]{10,}", text):
        raise WrongTurn("only_the_code", f"That is only the code, and the whole address is needed. {how}")
    raise WrongTurn("no_address", f"That is not the address Google sends back. {how}")


def _refused(error: str) -> WrongTurn:
    if error == "access_denied":
        text = (
            "Google says that access was denied: Cancel was pressed, or the account is not a test user of a project "
            "in Testing. Open Google again and press Continue; if Google does not let you, open Audience in Google "
            "Cloud and press Publish app."
        )
        return WrongTurn("denied", text)
    if error in {"admin_policy_enforced", "org_internal"}:
        text = (
            "The organisation of this Google account does not allow it. Ask its administrator to trust your OAuth "
            "client, or sign in with a private account."
        )
        return WrongTurn("blocked", text)
    return WrongTurn("blocked", "Google did not allow the sign-in. Open Google again, and press Continue on each page.")


def progress(pasted: str) -> Literal["none", "begun", "cut", "whole", "wrong"]:
    """Return how far a paste has come that may arrive in pieces, as terminals break long lines.

    `begun` lacks its code yet, `cut` ends in the middle of the answer as far as anybody can tell, since Google names
    what was granted after the code; `wrong` is something else than the beginning of Google’s answer.
    """
    text = _bare(pasted)
    if not text:
        return "none"
    try:
        answer_in(pasted)
    except WrongTurn as turn:
        if turn.turn in {"denied", "blocked"}:
            return "whole"
        ours = re.match(r"(http://)?(127\.0\.0\.1|localhost)\b", text) or "http://127.0.0.1".startswith(text)
        return "begun" if ours and turn.turn == "no_address" else "wrong"
    return "whole" if re.search(r"[?&]code=[^&]+&", text) else "cut"


def _bare(pasted: str) -> str:
    """Return what was pasted without blanks, line breaks, and what else comes along when people copy."""
    return _UNSEEN.sub("", pasted[:LARGEST_PASTE]).strip("<>\"'“”„«»`").replace("&amp;", "&")


def unticked(boxes: Sequence[str]) -> WrongTurn:
    """Return what is said when boxes on Google’s page stayed empty; they are named as Google names them."""
    names = " and ".join(f"“{one}”" for one in boxes)
    what = "this box was" if len(boxes) == 1 else "these boxes were"
    text = f"On Google’s page {what} not ticked: {names}. Open Google again, tick every box, and press Continue."
    return WrongTurn("unticked", text)


def other_account(chosen: str, meant: str, purpose: Literal["calendars", "mail"]) -> WrongTurn:
    """Return what is said when somebody else signed in than the one who was meant."""
    again = "Open Google again and choose that account"
    if purpose == "mail":
        text = f"You chose {chosen} on Google’s page, but it is {meant} whose mail is to be sent. {again}."
    else:
        text = (
            f"You chose {chosen} on Google’s page, but it is {meant} whose sign-in is renewed. {again}; to add "
            f"{chosen}, go to Accounts and press Sign in another account."
        )
    return WrongTurn("other_account", text)


def old() -> WrongTurn:
    """Return what is said of an address that belongs to no sign-in under way."""
    text = (
        "That address is from an earlier attempt, or from another sign-in; each is good once and for a few minutes. "
        "Open Google again and paste the address that you land on then."
    )
    return WrongTurn("old", text)


def not_exchanged(error: str) -> WrongTurn:
    """Return what is said when Google does not take a code; `error` is OAuth's word."""
    if error == "invalid_grant":
        return old()
    if error in {"invalid_client", "deleted_client", "disabled_client"}:
        text = (
            "Google does not know this OAuth client any more: it was deleted, or its secret was changed. In Google "
            "Cloud, open Clients, create a Desktop client, and give Calbot its JSON."
        )
        return WrongTurn("wrong_client", text)
    if error in {"redirect_uri_mismatch", "unauthorized_client"}:
        text = (
            "Google does not let this OAuth client sign in here: it is not of the type Desktop app. In Google Cloud, "
            "open Clients, create a Desktop client, and give Calbot its JSON."
        )
        return WrongTurn("wrong_client", text)
    return unreachable()


def unreachable() -> WrongTurn:
    """Return what is said when there is no answer that can be read."""
    text = "Google’s sign-in service cannot be reached just now. Wait a moment, then open Google again."
    return WrongTurn("unreachable", text)
