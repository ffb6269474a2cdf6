"""The steps of a takeover: what becomes of each thing, and how it is done; frozen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from calbot.model import Noun

Part = Literal["processed", "env", "client", "token", "mail"]
State = Literal["taken", "here", "left", "refused"]


class Item(Noun, frozen=True):
    """One thing of an earlier bot, and what becomes of it.

    It is taken, here already, left without harm, or refused with a remedy in `text`. `account` is whose it is, where
    that is known; `sign_in` says that somebody has to sign in.
    """

    part: Part
    name: str
    state: State
    text: str
    account: str = ""
    sign_in: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of some things, and how they are taken, where something is to be done for it."""

    items: tuple[Item, ...]
    take: Callable[[], None] | None = None
