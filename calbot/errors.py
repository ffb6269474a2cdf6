"""What went wrong, named by what the caller can do about it."""

from calbot.kinds import FailureReason


class CalbotError(Exception):
    """Any trouble that Calbot expects."""


class BadOptions(CalbotError):
    """A setting cannot be understood; the text names its key and the remedy."""


class GoogleError(CalbotError):
    """Google did not do what was asked. `reason` is one of the contract's failure reasons."""

    def __init__(self, text: str, reason: FailureReason) -> None:
        super().__init__(text)
        self.reason: FailureReason = reason


class RetryLater(GoogleError):
    """It did not work; the same may work later. `after` is Google's own wish in seconds, if it had one."""

    def __init__(self, text: str, reason: FailureReason, after: float | None = None) -> None:
        super().__init__(text, reason)
        self.after = after


class Uncertain(RetryLater):
    """The request was sent and its answer lost: done or not, only a look can tell."""


class Refused(GoogleError):
    """Google will never do this; asking again is noise."""


class NotFound(Refused):
    """Google does not find the event, calendar or channel (404). Right after an insert it may yet."""


class Deleted(NotFound):
    """The event is surely gone: Google names it cancelled, or says 410."""


class ChangedMeanwhile(GoogleError):
    """The event is no longer the version that was read (412)."""


class AlreadyExists(GoogleError):
    """An event with this id is there already, or was: ids of deleted events stay taken (409)."""


class StaleSyncToken(GoogleError):
    """The sync token no longer holds; only a full listing helps (410)."""


class SignInNeeded(GoogleError):
    """The account's sign-in is dead; only its owner can renew it."""


class StoreError(CalbotError):
    """The store cannot be read or written; the text says why and what helps."""


class DirectoryInUse(CalbotError):
    """Another Calbot works in this data directory."""
