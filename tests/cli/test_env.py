"""Promises of `calbot env`: the settings are encrypted, shown, edited and handed on, and nothing plain stays behind."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from calbot.clock import SystemClock
from calbot.envfile import BACKUP, NAME, store
from calbot.vault import KEY_FILE, Vault
from tests.cli.terminal import Terminal
from tests.household import BOB, CAROL
from tests.service.running import ROOT, wait_for

SECRET = "canary-password"
TEXT = f"# of the household\nINVITE_EMAIL={BOB}\nMQTT_PASSWORD='{SECRET}'\n"


@pytest.fixture
def terminal(data: Path) -> Terminal:
    """A terminal on an empty data directory, with an editor that changes nothing."""
    return Terminal(data, SystemClock(), {"EDITOR": "true"})


def keep(data: Path, text: str = TEXT) -> None:
    """Encrypt these settings."""
    store(data, Vault(data), text)


def editor(data: Path, *texts: str) -> dict[str, str]:
    """Return an environment whose editor writes the first text, the next time the second; it notes what it saw."""
    for number, text in enumerate(texts):
        (data / f"text{number}").write_text(text)
    script = data / "editor.sh"
    script.write_text(
        f'dirname "$1" >{data}/where\nstat -c %a "$1" "$(dirname "$1")" >{data}/modes\ncp "$1" {data}/seen\n'
        f'for text in {data}/text*; do mv "$text" {data}/now; cat {data}/now >"$1"; exit 0; done\n'
    )
    return {"VISUAL": f"sh {script}", "EDITOR": "false"}


def saw(data: Path) -> tuple[str, list[str], Path]:
    """Return what the editor was given, the modes of file and folder, and the folder."""
    folder = Path((data / "where").read_text().strip())
    return (data / "seen").read_text(), (data / "modes").read_text().split(), folder


def everything_in(data: Path) -> bytes:
    """Return the content of all files there."""
    return b"".join(path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file())


def test_a_plain_file_is_encrypted_and_counts(terminal: Terminal, data: Path) -> None:
    """The one that is named; it is said that it is still there; the options have its settings."""
    plain = data / "my.env"
    plain.write_text(TEXT)
    (data / "options.json").unlink()

    ended = terminal.run("env", "encrypt", str(plain))

    assert (ended.exit_code, ended.stderr) == (0, "")
    assert "2 settings" in ended.stdout and "is still there" in ended.stdout and SECRET not in ended.output
    assert stat.S_IMODE((data / NAME).stat().st_mode) == 0o600
    assert plain.read_text() == TEXT and SECRET.encode() not in (data / NAME).read_bytes()
    assert "Invites bob@example.com" in terminal.run("check").stdout


def test_the_plain_file_goes_if_asked(terminal: Terminal, data: Path) -> None:
    """Without a name it is the `.env` of the data directory; the settings before become the backup."""
    keep(data, "INVITE_EMAIL=carol@example.com\n")
    (data / ".env").write_text(TEXT)

    ended = terminal.run("env", "encrypt", "--remove")

    assert ended.exit_code == 0 and "is deleted" in ended.stdout
    assert not (data / ".env").exists()
    assert Vault(data).decrypt((data / NAME).read_bytes()).decode() == TEXT
    assert b"carol" in Vault(data).decrypt((data / BACKUP).read_bytes())


def test_what_is_no_settings_file_is_not_encrypted(terminal: Terminal, data: Path) -> None:
    """2 with the line, 4 where there is none; nothing is written, and nothing removed."""
    (data / "bad.env").write_text("INVITE_EMAIL=x\nhello canary\n")

    bad, none = terminal.run("env", "encrypt", "--remove", str(data / "bad.env")), terminal.run("env", "encrypt")
    absent = terminal.run("env", "encrypt", str(data / "absent"))

    assert (bad.exit_code, none.exit_code, absent.exit_code) == (2, 4, 2)
    assert "bad.env: line 2 is not like NAME=value" in bad.stderr and "canary" not in bad.output
    assert (data / "bad.env").exists() and not (data / NAME).exists() and not (data / KEY_FILE).exists()


def test_it_is_decrypted_to_the_terminal_as_json_or_to_a_file(terminal: Terminal, data: Path) -> None:
    """As it was, to the letter; the file is its owner's alone, and none that is there already."""
    keep(data)
    out = data / "out.env"

    shown, document = terminal.run("env", "decrypt"), terminal.json("env", "decrypt")
    written, again = (terminal.run("env", "decrypt", "--to", str(out)) for _ in range(2))

    assert shown.stdout == TEXT
    assert document == {"INVITE_EMAIL": BOB, "MQTT_PASSWORD": SECRET}
    assert (written.exit_code, again.exit_code) == (0, 2) and "already" in again.stderr
    assert out.read_text() == TEXT and stat.S_IMODE(out.stat().st_mode) == 0o600
    assert SECRET not in written.output


def test_without_a_file_it_says_how_to_make_one(terminal: Terminal) -> None:
    """Exit code 4."""
    ended = [terminal.run("env", *words) for words in (["decrypt"], ["run", "--", "true"])]

    assert [one.exit_code for one in ended] == [4, 4]
    assert all("calbot env encrypt" in one.stderr for one in ended)


def test_without_the_key_every_command_says_so_and_changes_nothing(terminal: Terminal, data: Path) -> None:
    """Exit code 2 with the remedy, from `sync` and `check` as well."""
    keep(data)
    (data / KEY_FILE).unlink()
    (data / ".env").write_text("A=b\n")
    before = everything_in(data)

    commands = [["env", "decrypt"], ["env", "edit"], ["env", "encrypt"], ["env", "run", "true"], ["sync"], ["preview"]]
    ended = [terminal.run(*words) for words in commands]
    checked, rotated = terminal.run("check"), terminal.run("env", "rotate")

    assert [(one.exit_code, "DOTENV_ENCRYPTION_KEY" in one.stderr) for one in ended] == [(2, True)] * len(commands)
    assert checked.exit_code == 2 and "DOTENV_ENCRYPTION_KEY" in checked.output
    assert rotated.exit_code == 1 and "Nothing was changed" in rotated.stderr
    assert everything_in(data) == before


def test_it_is_edited_in_a_folder_of_its_own_that_goes(data: Path) -> None:
    """0600 in 0700; `$VISUAL` goes before `$EDITOR`; what was before is the backup."""
    keep(data)
    terminal = Terminal(data, SystemClock(), editor(data, f"INVITE_EMAIL={CAROL}\n"))

    ended = terminal.run("env", "edit")

    text, modes, folder = saw(data)
    assert (ended.exit_code, text, modes) == (0, TEXT, ["600", "700"]), ended.output
    assert not folder.exists()
    assert terminal.run("env", "decrypt").stdout == f"INVITE_EMAIL={CAROL}\n"
    assert Vault(data).decrypt((data / BACKUP).read_bytes()).decode() == TEXT
    assert "when Calbot starts again" in ended.stdout


def test_an_edit_that_changes_nothing_writes_nothing(terminal: Terminal, data: Path) -> None:
    """And says so; nor does an editor that fails, or that is not there."""
    keep(data)
    before = everything_in(data)

    same = terminal.run("env", "edit")
    failed, absent, unclear = (
        Terminal(data, SystemClock(), {"EDITOR": name}).run("env", "edit") for name in ("false", "no-editor", "'x")
    )

    assert (same.exit_code, same.stdout) == (0, "Nothing was changed.\n")
    assert [one.exit_code for one in (failed, absent, unclear)] == [1, 1, 2]
    assert "nothing was changed" in failed.stderr and "Set VISUAL" in absent.stderr
    assert everything_in(data) == before


def test_a_mistake_can_be_corrected_in_the_editor(data: Path) -> None:
    """It is asked; what is taken is the second text."""
    keep(data)
    terminal = Terminal(data, SystemClock(), editor(data, "INVITE_EMAIL\n", f"INVITE_EMAIL={CAROL}\n"))

    ended = terminal.run("env", "edit", keys="y\n")

    assert ended.exit_code == 0 and "line 1 is not like NAME=value" in ended.stderr
    assert saw(data)[0] == "INVITE_EMAIL\n"
    assert terminal.run("env", "decrypt").stdout == f"INVITE_EMAIL={CAROL}\n"


@pytest.mark.parametrize("keys", ["n\n", ""])
def test_a_mistake_that_stays_changes_nothing(data: Path, keys: str) -> None:
    """Whether it is said no, or nobody can be asked."""
    keep(data)
    before = (data / NAME).read_bytes()
    terminal = Terminal(data, SystemClock(), editor(data, "INVITE_EMAIL\n"))

    ended = terminal.run("env", "edit", keys=keys)

    assert ended.exit_code == 2 and "Nothing was changed." in ended.stderr
    assert (data / NAME).read_bytes() == before and not saw(data)[2].exists()


def test_the_first_settings_can_be_made_in_the_editor(data: Path) -> None:
    """An empty file is opened; a key is made with the first text."""
    terminal = Terminal(data, SystemClock(), editor(data, TEXT))

    ended = terminal.run("env", "edit")

    assert ended.exit_code == 0 and saw(data)[0] == ""
    assert terminal.run("env", "decrypt").stdout == TEXT


def test_settings_that_somebody_else_changed_meanwhile_are_kept(data: Path) -> None:
    """The later one learns of it."""
    keep(data)
    plain = data / "other.env"
    plain.write_text("INVITE_EMAIL=dora@example.com\n")
    environ = {**os.environ, **editor(data, f"INVITE_EMAIL={CAROL}\n"), "PYTHONPATH": str(ROOT)}
    script = data / "editor.sh"
    script.write_text(f"{sys.executable} -m calbot env encrypt {plain}\n{script.read_text()}")

    ended = Terminal(data, SystemClock(), environ).run("env", "edit")

    assert ended.exit_code == 1 and "meanwhile" in ended.stderr
    assert Vault(data).decrypt((data / NAME).read_bytes()) == b"INVITE_EMAIL=dora@example.com\n"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_plain_is_left_when_an_edit_is_broken_off(data: Path, how: signal.Signals) -> None:
    """By Ctrl-C, by a stop, by a terminal that is closed."""
    keep(data)
    before = (data / NAME).read_bytes()
    script = data / "editor.sh"
    script.write_text(f'echo "$1" >{data}/part\nmv {data}/part {data}/where\nexec sleep 60\n')
    process = start(data, "edit", VISUAL=f"sh {script}")
    wait_for((data / "where").exists, 20, "the editor")
    file = Path((data / "where").read_text().strip())
    there = file.read_text()

    process.send_signal(how)
    _, err = process.communicate(timeout=20)

    assert there == TEXT
    assert not file.exists() and not file.parent.exists()
    assert process.returncode not in {0, None} and "Traceback" not in err
    assert (data / NAME).read_bytes() == before


def start(data: Path, *words: str, **environ: str) -> subprocess.Popen[str]:
    """Start a command of `calbot env` as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "calbot", "env", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "CALBOT_DATA": str(data), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_command_gets_the_settings_under_the_environment(data: Path) -> None:
    """Its exit code is ours, its words are its own, and no secret is among them."""
    keep(data, f"{TEXT}OF_ANOTHER=x\nPATH=/nowhere\n")
    show = "import os, sys; e = os.environ; print(e['INVITE_EMAIL'], e['MQTT_PASSWORD'], e['OF_ANOTHER']); sys.exit(7)"

    process = start(data, "run", "--", sys.executable, "-c", show, "--json", INVITE_EMAIL=CAROL)
    out, err = process.communicate(timeout=20)
    absent = start(data, "run", "no-such-command")
    absent_err = absent.communicate(timeout=20)[1]

    assert (process.returncode, out, err) == (7, f"{CAROL} {SECRET} x\n", "")
    assert absent.returncode == 127 and "no-such-command" in absent_err


def test_a_command_takes_our_place(data: Path) -> None:
    """So that a stop reaches it, and no Calbot waits beside it with the settings."""
    keep(data)
    process = start(data, "run", "--", "sh", "-c", "echo $$; exec sleep 60")
    assert process.stdout is not None

    told = int(process.stdout.readline())
    process.terminate()

    assert told == process.pid
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGTERM


def test_a_rotation_tells_where_the_new_key_is(terminal: Terminal, data: Path) -> None:
    """What was sealed anew is named; no key is ever printed."""
    keep(data)
    Vault(data).write(data / "tokens" / f"{BOB}.json", BOB, b"{}")

    before = (data / KEY_FILE).read_text().strip()
    ended = terminal.run("env", "rotate")
    between = (data / KEY_FILE).read_text().strip()
    document: Any = terminal.json("env", "rotate")
    after = (data / KEY_FILE).read_text().strip()

    assert ended.exit_code == 0 and len({before, between, after}) == 3
    named = {f"{name} is sealed with the new key." for name in (NAME, f"tokens/{BOB}.json")}
    assert named < set(ended.stdout.splitlines())
    assert str(data / KEY_FILE) in ended.stdout and "DOTENV" not in ended.stdout
    assert set(document["renewed"]) == {f"tokens/{BOB}.json", NAME}
    assert (document["shut"], document["old_keys_kept"], document["given_key_superseded"]) == ([], False, False)
    assert not [key for key in (before, between, after) if key in ended.output + json.dumps(document)]
    assert terminal.run("env", "decrypt").stdout == TEXT


def test_a_rotation_of_a_given_key_says_what_to_do_with_it(data: Path) -> None:
    """Until then it goes on with the new one all the same."""
    key = Fernet.generate_key().decode()
    terminal = Terminal(data, SystemClock(), {"DOTENV_ENCRYPTION_KEY": key})
    store(data, Vault(data, key), TEXT)

    ended = terminal.run("env", "rotate")

    assert ended.exit_code == 0 and key not in ended.output
    assert "DOTENV_ENCRYPTION_KEY still holds the old one" in ended.stdout
    assert "replace it by that line, or remove it" in ended.stdout
    assert terminal.run("env", "decrypt").stdout == TEXT
    assert Terminal(data, SystemClock()).run("env", "decrypt").stdout == TEXT


def test_a_rotation_that_leaves_something_out_is_5(terminal: Terminal, data: Path) -> None:
    """The file is named, and the old keys stay."""
    keep(data)
    Vault(data, Fernet.generate_key().decode()).write(data / "tokens" / f"{BOB}.json", BOB, b"{}")

    ended = terminal.run("env", "rotate")

    assert ended.exit_code == 5 and f"tokens/{BOB}.json cannot be opened" in ended.stderr
    assert len((data / KEY_FILE).read_text().split()) == 2


@pytest.mark.parametrize("remove", [[], ["--remove"]])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_what_is_encrypted_is_not_encrypted_again(
    terminal: Terminal, data: Path, mark: bytes, remove: list[str]
) -> None:
    """Its token may look like a setting; twice done, the settings and their backup would both be gone."""
    keep(data, "A=1\n")
    before = mark + (data / NAME).read_bytes()
    (data / NAME).write_bytes(before)
    ended = terminal.run("env", "encrypt", str(data / NAME), *remove)

    assert before.endswith(b"=\n") and ended.exit_code == 2 and "encrypted already" in ended.stderr
    assert (data / NAME).read_bytes() == before and not (data / BACKUP).exists()


def test_a_file_is_not_said_to_be_written_when_json_is_printed(terminal: Terminal, data: Path) -> None:
    """One or the other."""
    keep(data)
    ended = terminal.run("env", "decrypt", "--json", "--to", str(data / "plain"))

    assert ended.exit_code == 2 and SECRET not in ended.output and not (data / "plain").exists()


def test_encrypting_the_same_again_keeps_the_backup(terminal: Terminal, data: Path) -> None:
    """As whoever is told to run it again with --remove does."""
    keep(data, "A=1\n")
    (data / ".env").write_text(TEXT)
    ended = [terminal.run("env", "encrypt", str(data / ".env"), *more).exit_code for more in ([], ["--remove"])]

    assert ended == [0, 0] and not (data / ".env").exists()
    assert Vault(data).decrypt((data / BACKUP).read_bytes()) == b"A=1\n"
    assert Vault(data).decrypt((data / NAME).read_bytes()).decode() == TEXT
