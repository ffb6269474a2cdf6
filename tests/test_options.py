"""Promises of addon.options: three layers, the old names, and a sentence for whatever is wrong."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from addon.options import Options, load, place
from calbot.errors import BadOptions
from calbot.settings import AccountChoice

_OF_COPIES = {"central_calendar", "mirroring", "delete_original.enabled", "delete_original.grace"}


def options(data: Path, **environ: str) -> Options:
    """Load with this data directory and nothing else in the environment."""
    return load({"CALBOT_DATA": str(data), **environ})


def complaint(data: Path, **environ: str) -> str:
    """Return the sentence that refuses to load."""
    with pytest.raises(BadOptions) as caught:
        options(data, **environ)
    return str(caught.value)


def test_nothing_is_needed(tmp_path: Path) -> None:
    """Without any file or variable Calbot starts with the defaults, and invites nobody."""
    found = options(tmp_path / "absent")

    assert found.settings.invite_emails == () and found.settings.accounts == ()
    assert (found.event_detail, found.log_level, found.mqtt.base_topic) == ("standard", "info", "calbot")
    assert found.notes == () and found.origin == {}
    assert {origin for _, _, origin in found.shown()} == {"default"}


def test_yaml_lies_over_json_and_the_environment_over_both(tmp_path: Path) -> None:
    """Groups merge key by key, lists replace, and the panel can say where each value comes from."""
    (tmp_path / "options.json").write_text(
        '{"invite_emails": ["json@example.com"], "auto_invite": false, "dry_run": true, '
        '"limits": {"invites_per_hour": 10, "removals_per_pass": 7}, "mqtt": {"host": "a", "port": 1}}'
    )
    (tmp_path / "calbot.yaml").write_text(
        "invite_emails: [yaml@example.com]\nauto_invite: true\nlimits: {invites_per_hour: 20}\nmqtt: {host: b}\n"
    )

    found = options(tmp_path, CALBOT_INVITE_EMAILS="env@example.com, env@example.com,", MQTT_HOST="c")

    assert found.settings.invite_emails == ("env@example.com",)
    assert (found.settings.auto_invite, found.settings.dry_run) == (True, True)
    assert (found.settings.invites_per_hour, found.settings.removals_per_pass) == (20, 7)
    assert (found.mqtt.host, found.mqtt.port) == ("c", 1)
    origins = {key: origin for key, _, origin in found.shown()}
    assert origins["invite_emails"] == "CALBOT_INVITE_EMAILS"
    assert origins["auto_invite"] == "calbot.yaml"
    assert origins["dry_run"] == "options.json"
    assert origins["limits.invites_per_hour"] == "calbot.yaml"
    assert origins["limits.removals_per_pass"] == "options.json"
    assert (origins["mqtt.host"], origins["mqtt.port"]) == ("MQTT_HOST", "options.json")
    assert origins["poll_interval"] == "default"


def test_the_names_of_earlier_bots_still_work(tmp_path: Path) -> None:
    """Each legacy variable means what SPEC §7 says."""
    found = options(
        tmp_path,
        INVITE_EMAIL="Bob@example.com,carol@example.com",
        SOURCE_CALENDARS="anna@example.com, carl@example.com",
        POLL_INTERVAL_MINUTES="5",
        ENABLE_AUTO_INVITE="False",
        DEBUG_LOGGING="1",
        WEBHOOK_URL="https://old.example.org",
        GOOGLE_WEBHOOK_URL="https://example.org/webhook",
        EXPECTED_CHANNEL_ID="abc",
        UPTIME_KUMA_PUSH_URL="https://kuma.example.org/x",
    )

    assert found.settings.invite_emails == ("bob@example.com", "carol@example.com")
    assert found.settings.accounts == (AccountChoice("anna@example.com"), AccountChoice("carl@example.com"))
    assert found.settings.poll_interval == 300
    assert found.settings.auto_invite is False
    assert found.log_level == "debug"
    assert found.settings.push_url == "https://example.org/webhook"
    assert found.heartbeat_url == "https://kuma.example.org/x"
    assert found.notes == ("EXPECTED_CHANNEL_ID: superseded by a secret per channel; you can remove it.",)


def test_copies_are_asked_for_in_each_place(tmp_path: Path) -> None:
    """By file or variable; the panel's table has each option with its origin."""
    (tmp_path / "options.json").write_text(
        '{"central_calendar": "family@group.calendar.google.com", "mirroring": true}'
    )
    (tmp_path / "calbot.yaml").write_text("delete_original: {enabled: true}\n")

    found = options(tmp_path, CALBOT_MIRRORING="no", CALBOT_DELETE_ORIGINAL_GRACE="0")

    assert [(key, value, origin) for key, value, origin in found.shown() if key in _OF_COPIES] == [
        ("central_calendar", "family@group.calendar.google.com", "options.json"),
        ("mirroring", "off", "CALBOT_MIRRORING"),
        ("delete_original.enabled", "on", "calbot.yaml"),
        ("delete_original.grace", "0 s", "CALBOT_DELETE_ORIGINAL_GRACE"),
    ]
    assert [(key, value) for key, value, _ in options(tmp_path / "absent").shown() if key in _OF_COPIES] == [
        ("central_calendar", "none"),
        ("mirroring", "on"),
        ("delete_original.enabled", "off"),
        ("delete_original.grace", "3600 s"),
    ]
    assert complaint(tmp_path, CALBOT_CENTRAL_CALENDAR="primary").startswith(
        "CALBOT_CENTRAL_CALENDAR: central_calendar: primary is another calendar in each account; write the id"
    )


def test_an_empty_variable_is_an_unset_one(tmp_path: Path) -> None:
    """Compose files pass `INVITE_EMAIL=` for what nobody filled in."""
    names = (
        "INVITE_EMAIL",
        "SOURCE_CALENDARS",
        "POLL_INTERVAL_MINUTES",
        "ENABLE_AUTO_INVITE",
        "CALBOT_PANEL_PORT",
    )

    found = options(tmp_path, **dict.fromkeys(names, " "), DEBUG_LOGGING="false", MQTT_PORT="")

    assert found.origin == {} and found.log_level == "info" and found.place.panel_port == 8099


def test_new_names_win_over_old_ones(tmp_path: Path) -> None:
    """Somebody who moves on step by step is not held back by what is left of before."""
    found = options(tmp_path, INVITE_EMAIL="old@example.com", CALBOT_INVITE_EMAILS="new@example.com")

    assert found.settings.invite_emails == ("new@example.com",)


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        (
            {"INVITE_EMAIL": "bob"},
            "INVITE_EMAIL: invite_emails: 'bob' is not an e-mail address; write it like bob@example.com.",
        ),
        (
            {"POLL_INTERVAL_MINUTES": "abc"},
            "POLL_INTERVAL_MINUTES: 'abc' is not a number; write minutes, like 5.",
        ),
        (
            {"POLL_INTERVAL_MINUTES": "9" * 5000},
            f"POLL_INTERVAL_MINUTES: '{'9' * 57}...' is not a number; write minutes, like 5.",
        ),
        (
            {"POLL_INTERVAL_MINUTES": "0.1"},
            ("POLL_INTERVAL_MINUTES: poll_interval: 6 is too small; write a whole number from 15 to 86400 (seconds)."),
        ),
        (
            {"ENABLE_AUTO_INVITE": "perhaps"},
            "ENABLE_AUTO_INVITE: 'perhaps' is neither on nor off; write true or false.",
        ),
        (
            {"CALBOT_POLL_INTERVAL": "1e3"},
            "CALBOT_POLL_INTERVAL: '1e3' is not a whole number; write digits only.",
        ),
        (
            {"CALBOT_LIMITS_INVITES_PER_HOUR": "0"},
            (
                "CALBOT_LIMITS_INVITES_PER_HOUR: limits.invites_per_hour: 0 is too small; "
                "write a whole number from 1 to 10000."
            ),
        ),
        (
            {"MQTT_PORT": "70000"},
            "MQTT_PORT: mqtt.port: 70000 is too large; write a whole number from 1 to 65535.",
        ),
        (
            {"MQTT_HOST": "mqtt://broker:1883"},
            (
                "MQTT_HOST: mqtt.host: 'mqtt://broker:1883' is not a host; "
                "write only its name or address, like 192.0.2.7."
            ),
        ),
        (
            {"CALBOT_MQTT_BASE_TOPIC": "home/#"},
            (
                "CALBOT_MQTT_BASE_TOPIC: mqtt.base_topic: 'home/#' cannot be used; "
                "write letters, digits, - and _ , like calbot."
            ),
        ),
        (
            {"CALBOT_MQTT_BASE_TOPIC": "homeassistant/x"},
            (
                "CALBOT_MQTT_BASE_TOPIC: mqtt.base_topic: 'homeassistant/x' cannot be used; "
                "write letters, digits, - and _ , like calbot."
            ),
        ),
        (
            {"CALBOT_EVENT_DETAIL": "all"},
            ("CALBOT_EVENT_DETAIL: event_detail: 'all' is not one of the choices; write minimal or standard or full."),
        ),
        (
            {"CALBOT_LOG_LEVEL": "loud"},
            ("CALBOT_LOG_LEVEL: log_level: 'loud' is not one of the choices; write debug or info or warning or error."),
        ),
        (
            {"CALBOT_PANEL_PORT": "0"},
            "CALBOT_PANEL_PORT: 0 is too small; write a whole number from 1 to 65535.",
        ),
        ({"CALBOT_PUSH_PORT": "x"}, "CALBOT_PUSH_PORT: 'x' is not a whole number; write digits only."),
        (
            {"CALBOT_PUSH_PORT": "8099"},
            "CALBOT_PUSH_PORT: 8099 is the panel's port too; give one of them another number.",
        ),
        (
            {"CALBOT_PANEL_NAMES": "calbot.example.org, http://x"},
            "CALBOT_PANEL_NAMES: 'http://x' is not a name; write it like calbot.example.org.",
        ),
        ({"CALBOT_BIND": "eth0"}, "CALBOT_BIND: 'eth0' is not an IP address; write 127.0.0.1 or 0.0.0.0."),
        (
            {"CALBOT_CALENDAR_API": "localhost:1"},
            "CALBOT_CALENDAR_API: 'localhost:1' is not a web address; write it like https://host/path.",
        ),
        (
            {"CALBOT_TOKEN_URI": "http://[x"},
            "CALBOT_TOKEN_URI: 'http://[x' is not a web address; write it like https://host/path.",
        ),
    ],
)
def test_a_bad_variable_is_named(tmp_path: Path, environ: dict[str, str], sentence: str) -> None:
    """The sentence begins with the variable that somebody has to edit."""
    assert complaint(tmp_path, **environ) == sentence


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("options.json", b"", "options.json: line 1 is not JSON (Expecting value); correct it."),
        ("options.json", b'{\n"a": 1,\n}', "options.json: line 3 is not JSON"),
        ("options.json", b"[]", "options.json: holds a list, not options"),
        ("options.json", b'{"poll_interval": NaN}', "options.json: holds NaN, which is not a number of JSON"),
        ("options.json", b'{"poll_interval": -Infinity}', "options.json: holds -Infinity, which is not"),
        (
            "options.json",
            b'{"dry_run": true, "dry_run": false}',
            "options.json: 'dry_run' is there twice; keep one",
        ),
        (
            "options.json",
            b'{"poll_interval": ' + b"9" * 5000 + b"}",
            "options.json: holds a number that is far too long",
        ),
        ("options.json", b'{"poll_interval": 1e999}', "poll_interval: inf is not a whole number"),
        ("options.json", b" " * 200_001, "options.json: is larger than 200 kB"),
        ("options.json", b"[" * 150_000, "options.json: is nested too deeply"),
        ("options.json", b"\xff\xfe{\x00}\x00", "options.json: is not text in UTF-8"),
        (
            "options.json",
            b'{"invite_emails": ["\\ud800@x.de"]}',
            "invite_emails: '\\ud800@x.de' holds an invisible",
        ),
        ("options.json", b'{"mqtt": {"password": 5}}', "mqtt.password: is not text; write it in quotes."),
        (
            "options.json",
            b'{"mqtt": {"pasword": "x"}}',
            "mqtt.pasword: unknown option; did you mean password?",
        ),
        ("options.json", b'{"mqttt": {}}', "mqttt: unknown option; did you mean mqtt?"),
        ("calbot.yaml", b"a: b: c", "calbot.yaml, line 1: mapping values are not allowed here."),
        (
            "calbot.yaml",
            b"dry_run: true\n\ndry_run: false\n",
            "calbot.yaml, line 3: 'dry_run' is there twice",
        ),
        (
            "calbot.yaml",
            b"a: &x [1]\nb: *x\n",
            "calbot.yaml, line 2: aliases are not supported; write the value out.",
        ),
        (
            "calbot.yaml",
            b"a: !!python/name:os.system x\n",
            "calbot.yaml, line 1: could not determine a constructor",
        ),
        ("calbot.yaml", b"report_at: 2026-13-77\n", "calbot.yaml: holds something that is not plain YAML"),
        ("calbot.yaml", b"just words\n", "calbot.yaml: holds 'just words', not options"),
        ("calbot.yaml", b"a: " + b"[" * 5000, "calbot.yaml: is nested too deeply"),
        ("calbot.yaml", b"on: true\n", "true: unknown option"),
        ("calbot.yaml", b"a: \x00\n", "calbot.yaml: holds something that is not plain YAML"),
        ("calbot.yaml", b"poll_interval: 5\n", "calbot.yaml: poll_interval: 5 is too small"),
        (
            "calbot.yaml",
            b"limits: {removals_per_pass: -1}\n",
            "calbot.yaml: limits.removals_per_pass: -1 is too small",
        ),
        (
            "calbot.yaml",
            b"rules: [{name: school, match: {hours: 8 to 5}, do: {skip: true}}]\n",
            "calbot.yaml: rules, school: match.hours: '8 to 5' is not a span of hours; write it like 08:00-17:00.",
        ),
        ("calbot.yaml", b"rules: 5\n", "calbot.yaml: rules: 5 is not a list"),
        (
            "options.json",
            b'{"rules": [{"match": {"tittle": "x"}, "do": {}}]}',
            "rules, rule 1: match.tittle: unknown option; did you mean title?",
        ),
    ],
)
def test_a_broken_file_is_named_with_line_and_remedy(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    """Whatever lies in the file, the answer is a sentence and not a traceback."""
    (tmp_path / name).write_bytes(content)

    assert sentence in complaint(tmp_path)


def test_a_directory_or_a_pipe_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    """Reading neither hangs nor crashes."""
    (tmp_path / "options.json").mkdir()
    assert complaint(tmp_path) == "options.json: is not a file; move it away, or put the options there."

    (tmp_path / "options.json").rmdir()
    os.mkfifo(tmp_path / "calbot.yaml")
    assert complaint(tmp_path) == "calbot.yaml: is not a file; move it away, or put the options there."


def test_a_data_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    """The system's own words are passed on."""
    (tmp_path / "data").write_text("")

    assert complaint(tmp_path / "data") == "options.json: cannot be read (Not a directory); correct its permissions."


def test_a_mark_at_the_beginning_does_no_harm(tmp_path: Path) -> None:
    """Editors on Windows write a byte order mark."""
    (tmp_path / "options.json").write_bytes(b'\xef\xbb\xbf{"dry_run": true}')
    (tmp_path / "calbot.yaml").write_bytes(b"\xef\xbb\xbf# nothing yet\n")

    assert options(tmp_path).settings.dry_run


def test_null_means_the_default(tmp_path: Path) -> None:
    """The example of the documentation, with its nulls, is the defaults."""
    (tmp_path / "options.json").write_text('{"dry_run": true, "limits": {"removals_per_pass": 9}}')
    (tmp_path / "calbot.yaml").write_text(
        "dry_run:\npush_url: null\nlimits:\nmqtt: {host: null, port: 1883, username: null, password: null}\n"
        "report_at: null\nlog_level: info\nrules: []\n"
    )

    found = options(tmp_path)

    assert found.settings.dry_run is False and found.settings.removals_per_pass == 9
    assert found.settings.rules == () and found.notes == ()


def test_rules_of_calbot_yaml_replace_those_of_the_form(tmp_path: Path) -> None:
    """Rules work in their order, so two lists are never mixed; the panel names them and where they are from."""
    (tmp_path / "options.json").write_text('{"rules": [{"name": "form", "match": {}, "do": {"skip": true}}]}')
    (tmp_path / "calbot.yaml").write_text(
        "rules: [{name: hush, do: {skip: true}, match: {title: x}}, {do: {skip: yes}}]"
    )

    found = options(tmp_path)

    assert [rule.name for rule in found.settings.rules] == ["hush", "rule 2"]
    assert ("rules", "hush, rule 2", "calbot.yaml") in found.shown()
    assert ("rules", "none", "default") in options(tmp_path / "absent").shown()


def test_no_password_is_ever_shown(tmp_path: Path) -> None:
    """Neither the options' text, nor the panel's table, nor a complaint about another key has it."""
    found = options(tmp_path, MQTT_HOST="broker", MQTT_USERNAME="calbot", MQTT_PASSWORD="s3cret-canary")

    assert found.mqtt.password == "s3cret-canary"
    assert "canary" not in repr(found) + str(found) + repr(found.mqtt) + str(found.shown())
    assert ("mqtt.password", "set", "MQTT_PASSWORD") in found.shown()
    assert "canary" not in complaint(tmp_path, MQTT_PASSWORD="s3cret-canary", MQTT_PORT="0")


def test_a_misspelt_variable_is_noted(tmp_path: Path) -> None:
    """It is no reason not to start, but nobody should search for long."""
    found = options(tmp_path, CALBOT_INVITE_EMAIL="bob@example.com", CALBOT_PUSH_PORT="9000")

    assert found.settings.invite_emails == ()
    assert found.notes == ("CALBOT_INVITE_EMAIL: unknown option; did you mean CALBOT_INVITE_EMAILS?",)


def test_the_household_lives_in_its_time_zone(tmp_path: Path) -> None:
    """TZ counts when it names a zone; anything else is noted, and UTC stands in."""
    assert options(tmp_path, TZ="Europe/Berlin").settings.time_zone == "Europe/Berlin"
    for nonsense in ("Mars/Olympus", "/etc/passwd", "../x", "Europe", "\x00"):
        found = options(tmp_path, TZ=nonsense)

        assert found.settings.time_zone == "UTC" and found.notes[0].startswith("TZ: ")


def test_endpoints_stand_in_for_google(tmp_path: Path) -> None:
    """With them overridden, and only then, push may be plain http."""
    found = options(
        tmp_path,
        CALBOT_CALENDAR_API="http://127.0.0.1:9/calendar/v3",
        CALBOT_TOKEN_URI="http://127.0.0.1:9/token",
        CALBOT_PUSH_URL="http://127.0.0.1:8098",
    )

    assert found.endpoints.calendar_api == "http://127.0.0.1:9/calendar/v3/"
    assert found.endpoints.token_uri == "http://127.0.0.1:9/token" and found.endpoints.auth_uri is None
    assert found.settings.push_url == "http://127.0.0.1:8098/push"
    assert "is not https" in complaint(tmp_path, CALBOT_PUSH_URL="http://127.0.0.1:8098")


def test_the_place_is_known_even_when_the_options_are_bad(tmp_path: Path) -> None:
    """The panel can open and show the sentence."""
    (tmp_path / "options.json").write_text("nonsense")
    environ = {"CALBOT_DATA": str(tmp_path), "SUPERVISOR_TOKEN": "x", "CALBOT_PANEL_PORT": "1234"}

    where = place(environ)

    assert where.supervised and where.bind == "0.0.0.0" and where.panel_port == 1234
    assert place({}).data == Path("data") and place({}).bind == "127.0.0.1"
    assert place({"CALBOT_IMAGE": "1"}).data == Path("/data")
    assert place({"CALBOT_BIND": "localhost"}).bind == "127.0.0.1"
    assert place({"CALBOT_BIND": "[::1]"}).bind == "::1"
    names = place({"CALBOT_PANEL_NAMES": " Calbot.Example.org., b.example.org"}).panel_names
    assert names == ("calbot.example.org", "b.example.org")


def test_notify_names_services(tmp_path: Path) -> None:
    """Each once, in order; blanks that forms leave are none; the environment writes them with commas."""
    (tmp_path / "calbot.yaml").write_text("notify: [notify.Mobile_App_Anna, '', null, notify.bob, notify.bob]\n")

    assert options(tmp_path).notify == ("notify.mobile_app_anna", "notify.bob")
    assert options(tmp_path, CALBOT_NOTIFY="notify.tv, notify.bob").notify == ("notify.tv", "notify.bob")
    assert options(tmp_path / "absent").notify == () and options(tmp_path).notes == ()


@pytest.mark.parametrize(
    "value", ['"notify.anna"', "[mobile_app_anna]", "[notify.a/../b]", "[light.lamp]", "[7]", "{}"]
)
def test_notify_refuses_what_is_no_service(value: str, tmp_path: Path) -> None:
    """A name becomes part of an address: only a service's letters are let through."""
    (tmp_path / "calbot.yaml").write_text(f"notify: {value}\n")

    sentence = complaint(tmp_path)

    assert sentence.startswith("calbot.yaml: notify: ") and "[notify.mobile_app_anna]" in sentence


_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
_known = st.sampled_from(
    [*("accounts", "invite_emails", "mqtt", "limits", "push_url", "log_level", "rules", "notify"), *sorted(_OF_COPIES)]
)
_documents = st.dictionaries(_known | st.text(max_size=10), _json_values, max_size=4).map(json.dumps)
_GOOD = json.dumps({"invite_emails": ["bob@example.com"], "limits": {"invites_per_hour": 5}, "mqtt": {"host": "b"}})


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good file with some bytes changed, lost or doubled."""
    content = bytearray(_GOOD, "utf-8")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content) - 1))
        content[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
        if not content:
            break
    return bytes(content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=400)
@given(st.binary(max_size=200) | _documents.map(str.encode) | damaged())
@example(b'{"a":' * 30_000)
def test_no_options_json_ends_in_a_traceback(tmp_path: Path, content: bytes) -> None:
    """Random bytes, random documents and damaged files load, or are refused in one printable sentence."""
    (tmp_path / "options.json").write_bytes(content)
    try:
        found = options(tmp_path)
    except BadOptions as refusal:
        said = str(refusal)
        assert said.isprintable()
    else:
        assert set(found.settings.invite_emails) <= {word.lower() for word in _words(json.loads(content))}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(st.text(max_size=120) | st.text(alphabet="ab:- &*!|>'\"[]{},#?%@`\n\t0.~<=", max_size=60))
@example("? !!int ''\n")
@example("!!timestamp x")
@example("a: !!int _\nb: !!float ''\n")
@example("? [1]\n: 2\n")
def test_no_calbot_yaml_ends_in_a_traceback(tmp_path: Path, content: str) -> None:
    """The YAML library fails in many ways; people see one."""
    (tmp_path / "calbot.yaml").write_text(content, encoding="utf-8", errors="surrogatepass")
    try:
        options(tmp_path)
    except BadOptions as refusal:
        said = str(refusal)
        assert said.isprintable()


def _words(value: object) -> set[str]:
    if isinstance(value, str):
        return {value.strip()}
    if isinstance(value, dict):
        return set().union(*(_words(inner) for inner in value.values()))
    return set().union(*(_words(inner) for inner in value)) if isinstance(value, list) else set()


def test_the_hosts_of_the_household_are_known(tmp_path: Path) -> None:
    """So that diagnostics can leave them out."""
    named = {
        "mqtt": {"host": "nas.example.net"},
        "push_url": "https://home.example.net/push",
        "heartbeat_url": "https://kuma.example.net:8443/api/push/aB3dE6gH9k",
    }
    (tmp_path / "options.json").write_text(json.dumps(named))

    assert sorted(options(tmp_path).hosts()) == ["home.example.net", "kuma.example.net", "nas.example.net"]
    assert options(tmp_path / "absent").hosts() == ()


def test_patience_is_read_from_the_environment(tmp_path: Path) -> None:
    """Half an hour, unless the environment says otherwise; nonsense is named."""
    place_of = {"CALBOT_DATA": str(tmp_path)}

    assert load(place_of).settings.patience == 1800
    assert load({**place_of, "CALBOT_PATIENCE": "60"}).settings.patience == 60
    with pytest.raises(BadOptions, match="CALBOT_PATIENCE: 5 is too small"):
        load({**place_of, "CALBOT_PATIENCE": "5"})
