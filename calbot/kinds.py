"""The words of the contract: states, reasons and kinds of events. They are API: renamed never, added to freely."""

from typing import Literal

Verb = Literal["invite", "retract", "look_up", "mirror", "remove_copy", "delete_original", "restore_original"]
DeedState = Literal[
    "planned",
    "started",
    "parked",
    "held",
    "done",
    "refused",
    "skipped",
    "superseded",
    "discarded",
    "undone",
]
SendUpdates = Literal["all", "externalOnly", "none"]
SkipReason = Literal[
    "already_invited",
    "no_rule",
    "rule_skip",
    "private",
    "declined",
    "past",
    "own_copy",
    "removed_by_hand",
    "auto_invite_off",
    "paused",
    "not_organiser",
    "event_type",
    "no_write_access",
    "dry_run",
    "already_mirrored",
    "copy_deleted_by_hand",
    "mirroring_off",
]
FailureReason = Literal[
    "auth_expired",
    "auth_revoked",
    "forbidden",
    "not_found",
    "conflict",
    "quota_user",
    "quota_project",
    "calendar_limits",
    "rate_limited",
    "upstream_5xx",
    "network",
    "timeout",
    "invalid_request",
    "internal",
]
SILENT_SKIPS: frozenset[str] = frozenset({"no_rule", "past", "own_copy", "already_invited", "already_mirrored"})
"""Reasons that are remembered and explained, never announced (reference: the MQTT contract)."""
Fate = Literal["invited", "removed", "undone", "discarded", "refused", "handled"]
"""What became of a guest whom we wanted on an event; after anything but `invited` nobody asks again.

`handled` says that a bot that was here before Calbot had its chance; it is never kept among the others.
"""
CopyState = Literal["planned", "live", "retired", "deleted", "kept"]
"""How a copy stands: not written yet, there, taken away by us, taken away by a person, or standing by itself: its
original was deleted, or a person wants it to stay."""
OutcomeType = Literal[
    "event_created",
    "updated",
    "moved",
    "cancelled",
    "invited",
    "mirrored",
    "copy_removed",
    "original_deleted",
    "undone",
    "skipped",
    "held",
    "failed",
]
NoticeType = Literal[
    "started",
    "stopping",
    "sync_completed",
    "sync_failed",
    "full_resync",
    "sign_in_needed",
    "sign_in_restored",
    "channel_created",
    "channel_renewed",
    "channel_expired",
    "channel_failed",
    "quota_exceeded",
    "quota_restored",
    "brake_on",
    "brake_released",
    "paused",
    "resumed",
    "settings_changed",
    "alert_raised",
    "alert_cleared",
    "command_succeeded",
    "command_failed",
    "backlog_delivered",
]
