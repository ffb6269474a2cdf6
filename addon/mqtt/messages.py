"""What we say becomes flat JSON of at most 4 KB: outcomes, states, settings and answers."""

import hashlib
from collections.abc import Mapping

from addon.mqtt.encoding import VERSION, Json, Voice, encoded, rfc3339
from calbot.model import Answer, CalendarKey, Notice, Outcome, Outgoing
from calbot.status import AccountStatus, CalendarStatus, Effective, Health, Reason, Snapshot

_MOST_DATA = 16
_LONGEST_KEY = 40
_MOST_ALERTS = 20
_FOR_PEOPLE = frozenset({"options", "store", "token_file", "sign_in_needed", "held", "forbidden", "not_found"})
"""The reasons that no waiting mends."""
_ABOUT_THE_MESSAGE = frozenset(
    {"bad_json", "invalid", "unknown_command", "stale", "retained_rejected", "too_large", "rate_limited"}
)
_NOT_OURS = frozenset({"icon", "friendly_name", "state", "device_class", "event_types", "unit_of_measurement"})


CALENDAR_EVENTS = (
    *("event_created", "invited", "invite_removed", "mirrored", "updated", "moved", "cancelled", "copy_removed"),
    *("original_deleted", "undone", "skipped", "held", "failed"),
)
SYSTEM_EVENTS = (
    *("started", "stopping", "sync_completed", "sync_failed", "full_resync", "sign_in_needed", "sign_in_restored"),
    *("channel_created", "channel_renewed", "channel_expired", "channel_failed", "quota_exceeded", "quota_restored"),
    *("brake_on", "brake_released", "paused", "resumed", "settings_changed", "alert_raised", "alert_cleared"),
    *("command_succeeded", "command_failed", "backlog_delivered"),
)
"""All names of the contract, also those of later versions: an update then changes no entity."""


def calendar_id(key: CalendarKey) -> str:
    """Return a short id of a calendar that tells nothing about whose it is."""
    digest = hashlib.sha256(f"{key.account}\n{key.calendar}".encode()).hexdigest()
    return f"c{digest[:7]}"


def event(voice: Voice, row: Outgoing, aids: dict[str, str], now: float) -> bytes:
    """Return an outbox row as its stream tells it. `aids` has the accounts' short ids."""
    late: dict[str, Json] = {"replayed": row.attempts > 0, "late_s": round(max(0.0, now - row.created), 1)}
    match row.content:
        case Outcome() as outcome:
            return encoded(_calendar_event(voice, row, outcome, aids) | late)
        case Notice() as notice:
            return encoded(_system_event(voice, row, notice, aids) | late)


def _event_head(voice: Voice, row: Outgoing, event_type: str) -> dict[str, Json]:
    return {"event_type": event_type, "id": row.id, "seq": row.seq, **voice.head(row.created)}


def _calendar_event(voice: Voice, row: Outgoing, told: Outcome, aids: dict[str, str]) -> dict[str, Json]:
    happened = told.event
    message = _event_head(voice, row, told.event_type) | {
        "account": voice.person(told.key.account),
        "account_id": aids.get(told.key.account),
        "calendar": voice.person(told.calendar_name or told.key.calendar),
        "calendar_id": calendar_id(CalendarKey(told.key.account, told.key.calendar)),
        "target_calendar": voice.person(told.target_calendar),
        "event_id": told.key.event,
        "ical_uid": happened.ical_uid or None if happened else None,
        "copy_id": told.copy_id or None,
        "recurring": bool(happened and (happened.recurrence or happened.series)),
        "instance_start": happened.original_start if happened else None,
        "title": voice.person(happened.title) if happened else None,
        "start": happened.start or None if happened else None,
        "end": happened.end or None if happened else None,
        "all_day": bool(happened and happened.all_day),
        "old_start": told.old_start,
        "old_end": told.old_end,
        "changed": [*told.changed],
        "guests_added": [] if voice.detail == "minimal" else [*told.guests_added],
        "guests_removed": [] if voice.detail == "minimal" else [*told.guests_removed],
        "reason": told.reason,
        "reason_text": voice.person(told.reason_text),
        "retryable": told.retryable,
        "retry_at": rfc3339(told.retry_at),
        "rule": told.rule,
        "source": told.source,
        "latency_s": None if told.seen_at is None else round(max(0.0, row.created - told.seen_at), 3),
        "run_id": told.run_id or None,
        "undo_token": told.undo_token,
        "link": voice.person(happened.link) if happened else None,
        "dry_run": told.dry_run,
    }
    if told.batch:
        message["batch_id"], message["batch_size"], message["batch_index"] = told.batch
    if voice.detail == "full":
        message["location"] = happened.location or None if happened else None
        message["description"] = happened.description or None if happened else None
        message["organiser"] = happened.organiser or None if happened else None
        message["guests"] = [guest.email for guest in happened.guests] if happened else []
    return message


def _system_event(voice: Voice, row: Outgoing, told: Notice, aids: dict[str, str]) -> dict[str, Json]:
    account, calendar = told.account, told.calendar
    message = _event_head(voice, row, told.event_type) | {
        "text": voice.person(told.text),
        "account": voice.person(account),
        "account_id": aids.get(account) if account else None,
        "calendar": voice.person(calendar),
        "calendar_id": calendar_id(CalendarKey(account or "", calendar)) if calendar else None,
        "reason": told.reason,
    }
    for key, value in list(told.data.items())[:_MOST_DATA]:
        if (
            len(key) <= _LONGEST_KEY
            and key not in message
            and key not in _NOT_OURS
            and key not in {"replayed", "late_s"}
        ):
            message[key] = voice.datum(key, value)
    return message


def info(voice: Voice, snapshot: Snapshot, version: str, commands: list[str], now: float) -> bytes:
    """Return who we are and what we can do."""
    return encoded(
        voice.head(now)
        | {
            "version": version,
            "api": VERSION,
            "accounts": [account.aid for account in snapshot.accounts],
            "capabilities": ["commands", "events", "discovery", "event_detail", "response_topic", "mirroring"],
            "commands": [*commands],
            "event_detail": voice.detail,
        }
    )


def state(voice: Voice, snapshot: Snapshot, health: Health, since: float, now: float) -> bytes:
    """Return the verdict, since when it holds, and why."""
    return encoded(
        voice.head(now)
        | {
            "status": health.level,
            "syncing": any(account.syncing for account in snapshot.accounts),
            "since": rfc3339(since),
            "reasons": [_reason(voice, reason) for reason in health.reasons],
        }
    )


def _reason(voice: Voice, reason: Reason) -> dict[str, Json]:
    return {
        "code": reason.code,
        "level": reason.level,
        "text": voice.person(reason.text),
        "remedy": voice.person(reason.remedy),
        "account": voice.person(reason.account),
    }


def alerts(voice: Voice, health: Health, now: float) -> bytes:
    """Return what is wrong: how much, how bad, whether a person has to do something, and the first of it."""
    wrong = [reason for reason in health.reasons if reason.level in {"degraded", "problem"}]
    worst = next((level for level in ("problem", "degraded") if any(one.level == level for one in wrong)), "ok")
    return encoded(
        voice.head(now)
        | {
            "count": len(wrong),
            "worst": worst,
            "action_needed": any(reason.code in _FOR_PEOPLE for reason in wrong),
            "items": [_reason(voice, reason) for reason in wrong[:_MOST_ALERTS]],
        }
    )


def counters(voice: Voice, totals: Mapping[str, int], now: float) -> bytes:
    """Return how often each thing happened since the installation."""
    named: dict[str, Json] = {f"{kind}_total": totals.get(kind, 0) for kind in CALENDAR_EVENTS}
    return encoded(voice.head(now) | {"events_total": sum(totals.values())} | named)


def health(voice: Voice, snapshot: Snapshot, verdict: Health, waiting: int, now: float) -> bytes:
    """Return the sign of life. `waiting` counts what the outbox still has to say."""
    return encoded(
        voice.head(now)
        | {
            "status": verdict.level,
            "last_success": rfc3339(verdict.last_success),
            "next_by": rfc3339(verdict.next_by),
            "push": push(snapshot),
            "outbox": waiting,
            "in_flight": sum(account.in_flight for account in snapshot.accounts),
            "waiting": sum(account.waiting for account in snapshot.accounts),
            "held": sum(account.held for account in snapshot.accounts),
            "started_at": rfc3339(snapshot.started_at),
        }
    )


def push(snapshot: Snapshot) -> str:
    """Return how push is doing over all calendars: the worst of failed, waiting, healthy, off."""
    found = {calendar.push for account in snapshot.accounts for calendar in account.calendars}
    return next((word for word in ("failed", "waiting", "healthy") if word in found), "off")


def settings(voice: Voice, snapshot: Snapshot, now: float) -> bytes:
    """Return the settings in force, the truth behind switches and numbers."""
    held = snapshot.settings
    paused = held.paused_until is not None and held.paused_until > now
    return encoded(
        voice.head(now)
        | {
            "auto_invite": held.auto_invite,
            "mirroring": held.mirroring,
            "dry_run": held.dry_run,
            "poll_interval": held.poll_interval,
            "invites_per_hour": held.invites_per_hour,
            "removals_per_pass": held.removals_per_pass,
            "first_sync": held.first_sync,
            "invite_emails": [] if voice.detail == "minimal" else [*held.invite_emails],
            "central_calendar": voice.person(held.central_calendar),
            "paused": paused,
            "paused_until": rfc3339(held.paused_until) if paused else None,
        }
    )


def account_state(voice: Voice, account: AccountStatus, held: Effective, now: float) -> bytes:
    """Return how one account is doing."""
    successes = [found.last_success for found in account.calendars if found.last_success is not None]
    paused = account.email in held.accounts_paused or (held.paused_until is not None and held.paused_until > now)
    return encoded(
        voice.head(now)
        | {
            "account": voice.person(account.email),
            "account_id": account.aid,
            "status": _account_status(account, paused=paused),
            "sign_in_problem": not account.signed_in,
            "text": voice.person(account.sign_in_text),
            "last_sync": rfc3339(min(successes, default=None)),
            "syncing": account.syncing,
            "paused": paused,
            "sync": account.email not in held.accounts_paused,
            "auto_invite": account.email not in held.accounts_off,
            "held": account.held,
            "waiting_until": rfc3339(account.waiting_until),
            "resting_until": rfc3339(account.resting_until),
            "calendars": [_calendar(voice, found) for found in account.calendars],
        }
    )


def _account_status(account: AccountStatus, *, paused: bool) -> str:
    if not account.signed_in:
        return "sign_in_needed"
    if paused:
        return "paused"
    if any(found.problem for found in account.calendars):
        return "degraded"
    return "ok"


def _calendar(voice: Voice, found: CalendarStatus) -> dict[str, Json]:
    return {
        "calendar": voice.person(found.name or found.key.calendar),
        "calendar_id": calendar_id(found.key),
        "last_sync": rfc3339(found.last_success),
        "problem": found.problem,
        "problem_text": voice.person(found.problem_text),
        "retry_at": rfc3339(found.retry_at),
        "push": found.push,
    }


def answer(
    voice: Voice,
    command: str,
    command_id: str | None,
    said: Answer,
    now: float,
    *,
    received: float,
    duplicate: bool,
) -> bytes:
    """Return what is said to a command."""
    return encoded(
        voice.head(now)
        | {
            "id": command_id,
            "command": command[:64],
            "status": said.status,
            "final": said.final,
            "code": said.code,
            "message": _answer_text(voice, said),
            "retryable": said.retryable,
            "retry_after_s": said.retry_after_s,
            "data": {key: voice.datum(key, value) for key, value in said.data.items()},
            "duplicate": duplicate,
            "duration_ms": round(max(0.0, now - received) * 1000, 1),
        }
    )


def _answer_text(voice: Voice, said: Answer) -> str:
    """Return the sentence of an answer. The minimum tells only what is about the message, never about Google."""
    if voice.detail == "minimal" and said.code not in _ABOUT_THE_MESSAGE:
        return ""
    return voice.plain(said.message)
