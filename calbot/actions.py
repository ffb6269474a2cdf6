"""What can be done about an event, frozen; and deeds: actions as rows of the ledger."""

from calbot.kinds import DeedState, SendUpdates, SkipReason, Verb
from calbot.model import Content, Copy, Event, EventKey, Noun


class Invite(Noun, frozen=True, tag=True):
    """Add these guests to this event, as it was read."""

    event: Event
    guests: tuple[str, ...]
    rule: str
    send_updates: SendUpdates = "all"


class Retract(Noun, frozen=True, tag=True):
    """Take these guests off again, whom the deeds with these numbers put there; `event` is as they left it.

    `anew` are those among them whom somebody has taken off since: where they stand again, it is not by us. `unsure` are
    those of whom nobody knows whether our write arrived: only the stamp tells.
    """

    event: Event
    guests: tuple[str, ...]
    deeds: tuple[int, ...]
    rule: str
    send_updates: SendUpdates = "all"
    anew: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()


class LookUp(Noun, frozen=True, tag=True):
    """Ask Google whether an event that a full listing did not name is really gone."""

    event_id: str


class Skip(Noun, frozen=True, tag=True):
    """Leave this event alone, for this reason: `verb` is what is not done."""

    event: Event
    reason: SkipReason
    text: str
    rule: str | None = None
    verb: Verb = "invite"


class Mirror(Noun, frozen=True, tag=True):
    """Make the copy show this: insert it, write it anew, or revive what we took away. `event` is its source.

    `tried` are colours that a write had whose answer was lost.
    """

    copy: Copy
    event: Event
    source: EventKey
    content: Content
    rule: str
    stamp: str
    tried: tuple[str, ...] = ()


class RemoveCopy(Noun, frozen=True, tag=True):
    """Take the copy away: its last source is gone, or no rule asks for it; `event` is what it was a copy of.

    `by_person` says that a person wants it gone: then it stays gone.
    """

    copy: Copy
    event: Event
    source: EventKey
    rule: str | None = None
    stamp: str = ""
    by_person: bool = False


class DeleteOriginal(Noun, frozen=True, tag=True):
    """Delete the original, of which this copy stays. `verified` is when the copy was found equal (epoch seconds)."""

    event: Event
    copy: Copy
    writer: str
    guests: tuple[str, ...]
    rule: str
    verified: float | None = None


class RestoreOriginal(Noun, frozen=True, tag=True):
    """Bring back an original that the deed with this number deleted; `writer` is the account that writes its copy."""

    event: Event
    copy: Copy
    deed: int
    rule: str
    writer: str = ""


Action = Invite | Retract | LookUp | Skip | Mirror | RemoveCopy | DeleteOriginal | RestoreOriginal


class Deed(Noun, frozen=True, kw_only=True):
    """A row of the ledger: one action and how far it has come.

    `uncertain` says that a write was sent whose answer never came, `approved` that a person let it past the brake.
    `batch` is size and place in a large run.
    """

    id: int
    key: EventKey
    verb: Verb
    state: DeedState
    action: Action
    attempts: int = 0
    retry_at: float | None = None
    uncertain: bool = False
    approved: bool = False
    reason: str | None = None
    reason_text: str | None = None
    run_id: str = ""
    source: str = "poll"
    seen_at: float | None = None
    batch: tuple[int, int] | None = None
