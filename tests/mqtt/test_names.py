"""Names are API from the first release: what an automation was ever told by a name is told by it for ever."""

from typing import get_args

import pytest

from addon.mqtt import discovery
from addon.mqtt.encoding import Voice
from addon.mqtt.requests import COMMANDS
from addon.mqtt.topics import Topics
from calbot.kinds import FailureReason, NoticeType, OutcomeType, SkipReason
from calbot.status import AccountStatus
from tests.mqtt.schemas import schema
from tests.mqtt.world import ANNA, IID

_EVENT = """event_type id seq v ts iid account account_id calendar calendar_id target_calendar event_id ical_uid copy_id
    recurring instance_start title start end all_day old_start old_end changed guests_added guests_removed reason
    reason_text retryable retry_at rule source latency_s run_id undo_token link dry_run replayed late_s"""
_ANSWER = """v ts iid id command status final code message retryable retry_after_s data duplicate duration_ms"""
KEYS = {
    "event_calendar": _EVENT,
    "last_event": _EVENT,
    "event_system": "event_type id seq v ts iid text account account_id calendar calendar_id reason replayed late_s",
    "settings": """v ts iid auto_invite dry_run poll_interval invites_per_hour removals_per_pass first_sync
        invite_emails paused paused_until mirroring central_calendar""",
    "counters": """v ts iid events_total event_created_total invited_total invite_removed_total mirrored_total
        updated_total moved_total cancelled_total copy_removed_total original_deleted_total undone_total skipped_total
        held_total failed_total""",
    "info": "v ts iid version api accounts capabilities commands event_detail",
    "state": "v ts iid status syncing since reasons",
    "health": "v ts iid status last_success next_by push outbox in_flight waiting held started_at",
    "alerts": "v ts iid count worst action_needed items",
    "account_state": """v ts iid account account_id status sign_in_problem text last_sync syncing paused sync
        auto_invite held waiting_until resting_until calendars""",
    "response": _ANSWER,
    "command_last": _ANSWER,
}
"""What is in every message; new ones are added at the end, and none is taken away."""
CALENDAR = """event_created invited invite_removed mirrored updated moved cancelled copy_removed original_deleted undone
    skipped held failed"""
SYSTEM = """started stopping sync_completed sync_failed full_resync sign_in_needed sign_in_restored channel_created
    channel_renewed channel_expired channel_failed quota_exceeded quota_restored brake_on brake_released paused resumed
    settings_changed alert_raised alert_cleared command_succeeded command_failed backlog_delivered"""
REASONS = """already_invited already_mirrored no_rule rule_skip private declined past own_copy removed_by_hand
    copy_deleted_by_hand auto_invite_off paused not_organiser event_type no_write_access dry_run brake auth_expired
    auth_revoked forbidden not_found conflict quota_user quota_project calendar_limits rate_limited upstream_5xx network
    timeout invalid_request internal mirroring_off"""
ARGUMENTS = {
    "resync": "account calendar full",
    "set": "key value account",
    "pause": "minutes account",
    "resume": "account",
    "renew_channels": "account",
    "undo": "token event_id run_id minutes last confirm",
    "approve": "token",
    "discard": "token",
    "ack_alert": "id all",
    "explain": "event_id",
    "preview": "days account",
    "apply": "days rule account",
    "republish": "",
    "ping": "",
}
HOUSE = """event.calbot_events event.calbot_system binary_sensor.calbot_problem binary_sensor.calbot_action_needed
    sensor.calbot_status sensor.calbot_last_sync sensor.calbot_last_change switch.calbot_auto_invite
    switch.calbot_dry_run switch.calbot_paused number.calbot_invite_limit button.calbot_resync button.calbot_undo
    button.calbot_approve button.calbot_discard button.calbot_ack_alerts button.calbot_renew_channels
    sensor.calbot_alerts sensor.calbot_outbox sensor.calbot_held sensor.calbot_invited_total
    sensor.calbot_failed_total sensor.calbot_version sensor.calbot_last_command
    binary_sensor.calbot_push binary_sensor.calbot_connected switch.calbot_mirroring sensor.calbot_mirrored_total"""
ANNAS = """sensor.{}_status sensor.{}_last_sync binary_sensor.{}_sign_in_problem switch.{}_auto_invite switch.{}_sync
    button.{}_resync""".replace("{}", "calbot_anna_example_com")


@pytest.mark.parametrize("name", [*KEYS])
def test_every_message_keeps_its_keys(name: str) -> None:
    """Documented keys are always there."""
    assert set(KEYS[name].split()) <= set(schema(name)["required"])


@pytest.mark.parametrize("name", ["event_calendar", "last_event"])
def test_kinds_and_reasons_keep_their_names(name: str) -> None:
    """Also those that this version does not send."""
    properties = schema(name)["properties"]

    assert set(CALENDAR.split()) <= set(properties["event_type"]["enum"])
    assert set(REASONS.split()) <= set(properties["reason"]["enum"])
    assert set(SYSTEM.split()) <= set(schema("event_system")["properties"]["event_type"]["enum"])


def test_whatever_the_engine_says_has_a_name_in_the_contract() -> None:
    """A new word is added to the schemas with it, and to both of an event."""
    event, last = (schema(name)["properties"] for name in ("event_calendar", "last_event"))
    system = schema("event_system")["properties"]

    assert {*get_args(OutcomeType)} <= {*event["event_type"]["enum"]}
    assert {*get_args(NoticeType)} <= {*system["event_type"]["enum"]}
    assert {*get_args(SkipReason), *get_args(FailureReason)} <= {*event["reason"]["enum"]}
    assert event == last


@pytest.mark.parametrize("command", [*ARGUMENTS])
def test_every_command_keeps_its_arguments(command: str) -> None:
    """In what we take, and in the schema."""
    arguments = set(ARGUMENTS[command].split())

    assert arguments <= set(COMMANDS[command])
    assert arguments <= set(schema("command")["$defs"][command].get("properties", {}))


def test_every_entity_keeps_its_id() -> None:
    """Dashboards and automations name it; `uniq_id` follows the same word."""
    voice, topics = Voice(IID), Topics("calbot")
    house = discovery.installation(voice, topics, "1", None)
    account = discovery.account(voice, topics, "1", AccountStatus(email=ANNA, aid="a7c1"))

    for device, known in ((house, HOUSE), (account, ANNAS)):
        assert {*known.split()} <= {part["def_ent_id"] for part in device.parts.values()}
        for key, part in device.parts.items():
            assert str(part["def_ent_id"]).endswith(f"_{key}") and str(part["uniq_id"]).endswith(f"_{key}")
