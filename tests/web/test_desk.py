"""Promises of the panel's desk: a command is stored before it is done, waited for a little, and never forgotten."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon.web.desk import MOST_WAITING, REMEMBERED, Desk
from calbot.errors import StoreError
from calbot.model import Answer, Command
from calbot.store import commands
from tests.household import wait
from tests.web.office import Office
from tests.web.world import NOW, FixedClock

LONG = 30.0
DONE = Answer(status="ok", message="Done.")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A panel whose browsers wait for a long time."""
    with Office(tmp_path, patience=LONG) as office:
        yield office


def send(office: Office) -> threading.Thread:
    """Have a browser send a command."""
    browser = threading.Thread(target=office.desk.send, args=("undo", {"minutes": 60}), daemon=True)
    browser.start()
    return browser


def test_a_command_is_stored_before_it_is_carried_out(office: Office) -> None:
    """A kill between the two loses nothing."""
    stored: list[bool] = []

    def look(command: Command) -> Answer:
        stored.append(commands.known(office.database.read(), command.id, NOW)[0])
        return DONE

    office.answer = look

    id_ = office.desk.send("undo", {"minutes": 60})

    assert stored == [True] and office.commands[0].id == id_


def test_the_page_comes_as_soon_as_the_answer_is_there(office: Office) -> None:
    """Not after the longest wait; another command's answer does not bring it."""
    office.answer = lambda _: None
    browser = send(office)
    wait(lambda: len(office.commands) == 1, "the command arrives")

    office.desk.answered(Command(name="undo", id="panel-another"), DONE)
    office.desk.answered(office.commands[0], Answer(status="accepted", final=False))
    browser.join(0.1)
    waits = browser.is_alive()
    office.finish(office.commands[0], DONE)
    browser.join(5)

    assert waits and not browser.is_alive()


def test_few_browsers_wait_at_a_time(office: Office) -> None:
    """The others are told at once that it is under way, so that the panel stays open for everybody."""
    office.answer = lambda _: None
    waiting = [send(office) for _ in range(MOST_WAITING)]
    wait(lambda: len(office.commands) == MOST_WAITING, "they arrive")
    wait(lambda: not office.desk.has_room, "they wait")

    id_ = office.desk.send("undo", {"minutes": 60})

    found = office.desk.find(id_)
    assert found is not None and found.answer is None and all(one.is_alive() for one in waiting)
    for command in office.commands:
        office.finish(command, DONE)


def test_a_disk_that_refuses_a_command_has_it_not_carried_out(office: Office) -> None:
    """Nothing is done that was not written down."""
    office.database.close()

    with pytest.raises(StoreError):
        office.desk.send("undo", {"minutes": 60})

    assert office.commands == []


def test_what_a_stop_left_unanswered_is_taken_up(tmp_path: Path) -> None:
    """By the next start, once; the page of before shows its answer."""
    with Office(tmp_path) as before:
        before.answer = lambda _: None
        id_ = before.desk.send("undo", {"minutes": 60})

    with Office(tmp_path) as after:
        after.desk.take_up_unfinished()
        after.desk.take_up_unfinished()
        found = after.desk.find(id_)

    assert [command.id for command in after.commands] == [id_] and found is not None and found.answer is not None


def test_what_this_run_has_sent_is_not_taken_up_again(office: Office) -> None:
    """It is under way."""
    quick = Desk(office, office.database, FixedClock(), office.random, patience=0.0)
    office.answer = lambda _: None
    quick.send("undo", {"minutes": 60})

    quick.take_up_unfinished()

    assert len(office.commands) == 1


def test_others_commands_are_not_the_panels(office: Office) -> None:
    """MQTT and the command line take up their own."""
    with office.database.write() as tx:
        commands.add(tx, Command(name="undo", id="x", source="mqtt", received=NOW))

    office.desk.take_up_unfinished()

    assert office.commands == []


def test_a_store_that_cannot_be_read_keeps_nobody_from_starting(office: Office) -> None:
    """What waits, waits for the next start."""
    office.lose_the_store()

    office.desk.take_up_unfinished()

    assert office.commands == []


def test_memory_is_bounded(office: Office) -> None:
    """The oldest commands are known by their answers alone."""
    ids = [office.desk.send("undo", {"minutes": 60}) for _ in range(REMEMBERED + 1)]

    oldest, newest = office.desk.find(ids[0]), office.desk.find(ids[-1])

    assert oldest is not None and oldest.command is None and oldest.answer is not None
    assert newest is not None and newest.command is not None
