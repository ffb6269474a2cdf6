"""The judge of alerts: patience, one message of a class in six hours, one that says it is solved."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from addon.alerts.judge import QUIET, SETTLED, Judged, Memory, acknowledged, judge, kept
from calbot.model import CalendarKey
from calbot.status import AccountStatus, CalendarStatus, Effective, Health, Reason, Snapshot
from tests.household import ANNA, BOB, NOON

SETTINGS = Effective(
    auto_invite=True,
    dry_run=False,
    poll_interval=60,
    invites_per_hour=50,
    removals_per_pass=5,
    first_sync="ignore",
    invite_emails=(BOB,),
)
NO_BROKER = Reason(code="mqtt", text="No MQTT broker answers.")
FULL = Reason(code="store", text="The disk is full.", level="problem")
NOTHING = Health("ok", (), None, None)
HELD = Reason(
    code="held",
    text="60 invitations of anna@example.com are held.",
    remedy="Press Approve or Discard in the panel.",
    account=ANNA,
)


HUNG = Reason(
    code="hung", text="The work for Anna stands still.", remedy="Restart Calbot.", level="problem", account=ANNA
)
CLOCK = Reason(code="clock", text="The clock is 9 minutes ahead.", remedy="Let it be set by NTP.")
ENDING = Reason(code="sign_in_ends", text="Google ends the sign-in of Anna.", remedy="Press Publish app.", account=ANNA)


def signed_out(email: str) -> Reason:
    """An account whose sign-in is dead."""
    return Reason(code="sign_in_needed", text=f"Google refuses {email}.", level="problem", account=email)


def unread(code: str = "network", **parts: str) -> Reason:
    """A calendar that cannot be read."""
    given: dict[str, str] = {"text": "The calendar Family cannot be read.", "level": "degraded", "account": ANNA}
    return Reason(code=code, **{**given, **parts})  # type: ignore[arg-type]


class Story:
    """Looks every ten seconds, and keeps what came of it."""

    def __init__(self) -> None:
        self.now = NOON
        self.memory = Memory()
        self.reads_well = True
        self.raised: list[str] = []
        self.cleared: list[str] = []
        self.titles: list[str] = []
        self.texts: list[str] = []
        self.problem: str | None = None
        self.held = 0
        self.ends: float | None = None
        self.clock_off: float | None = None
        self.signed_in = True

    def snapshot(self) -> Snapshot:
        """Two accounts, read a moment ago or long ago."""
        last = self.now - 1 if self.reads_well else NOON - 100
        accounts = tuple(
            AccountStatus(
                email=email,
                aid=email[:4],
                held=self.held if email == ANNA else 0,
                sign_in_ends=self.ends if email == ANNA else None,
                signed_in=self.signed_in or email != ANNA,
                calendars=(CalendarStatus(key=CalendarKey(email, "primary"), last_success=last),),
            )
            for email in (ANNA, BOB)
        )
        return Snapshot(
            started_at=NOON,
            settings=SETTINGS,
            accounts=accounts,
            option_problem=self.problem,
            clock_off=self.clock_off,
        )

    def look(self, *reasons: Reason) -> Judged:
        judged = judge(self.memory, Health("degraded", reasons, None, None), self.snapshot(), self.now)
        self.memory = judged.memory
        self.raised += [trouble.id for trouble in judged.raised]
        self.cleared += [trouble.id for trouble in judged.cleared]
        self.titles += [message.title for message in judged.messages]
        self.texts += [message.text for message in judged.messages]
        return judged

    def live(self, seconds: float, *reasons: Reason) -> None:
        """Let so much time pass with these reasons."""
        end = self.now + seconds
        while self.now < end:
            self.look(*reasons)
            self.now += 10

    def restart(self) -> None:
        """What a restart leaves."""
        self.memory = kept(json.decode(json.encode(self.memory), type=Memory))


@pytest.mark.parametrize("reason", [signed_out(ANNA), FULL, HELD, Reason(code="token_file", text="Not JSON.")])
def test_what_only_people_can_mend_is_told_at_once(reason: Reason) -> None:
    """Sign-in, token file, disk and what the brake holds have no patience."""
    story = Story()

    story.look(reason)

    assert len(story.raised) == len(story.titles) == 1 and reason.text in story.texts[0]


@pytest.mark.parametrize(
    ("reason", "patience"),
    [(NO_BROKER, 300), (unread(), 1800), (unread("forbidden", level="problem"), 1800), (unread("stale"), 1800)],
)
def test_what_may_mend_itself_is_borne_for_a_while(reason: Reason, patience: float) -> None:
    """The broker for five minutes, calendars for half an hour; and then it is said, once."""
    story = Story()

    story.live(patience, reason)
    before = list(story.raised)
    story.live(3 * 3600, reason)

    assert before == [] and len(story.raised) == len(story.titles) == 1


def test_a_half_hour_that_the_health_has_waited_counts() -> None:
    """When it says `problem`, the time is over already."""
    story = Story()

    story.look(unread(level="problem"))

    assert story.raised == ["sync"]


def test_held_work_is_told_with_what_to_press_and_solved_when_somebody_did() -> None:
    """The title says what it is about, the text what to do."""
    story = Story()

    story.live(600, HELD)
    story.live(SETTLED + 10)

    assert story.raised == story.cleared == [f"held:{ANNA}"]
    assert story.titles == ["Calbot holds invitations back", "Solved: Calbot holds invitations back"]
    assert "60 invitations" in story.texts[0] and "Press Approve or Discard in the panel." in story.texts[0]


def test_a_hang_is_told_when_no_slow_answer_explains_it_and_solved_by_a_reading() -> None:
    """A restart ends it, and proves nothing yet."""
    story = Story()
    story.reads_well = False
    story.live(40, HUNG)
    early = list(story.raised)
    story.live(100, HUNG)
    story.restart()
    story.live(600)
    restarted = list(story.cleared)

    story.reads_well = True
    story.live(600)

    assert early == [] and story.raised == [f"hung:{ANNA}"] == story.cleared and restarted == []
    assert story.titles == ["Calbot's work stands still", "Solved: Calbot's work stands still"]
    assert "Restart Calbot." in story.texts[0]


def test_a_wrong_clock_is_told_after_minutes_and_solved_once_google_has_answered() -> None:
    """A clock that sets itself after the start is nobody's business."""
    story = Story()
    story.live(300, CLOCK)
    early = list(story.raised)
    story.live(600, CLOCK)
    story.live(600)
    unknown = list(story.cleared)

    story.clock_off = 0.0
    story.live(600)

    assert early == [] and story.raised == ["clock"] == story.cleared and unknown == []
    assert "NTP" in story.texts[0] and len(story.titles) == 2


def test_a_sign_in_that_ends_is_told_once_and_solved_by_a_new_one_not_by_its_end() -> None:
    """In its last two days, over restarts; when it has ended, that is told as what it is."""
    story = Story()
    story.ends = NOON + 2 * 86400
    for _ in range(4):
        story.live(43_000, ENDING)
        story.restart()
    told = list(story.titles)
    story.signed_in, story.reads_well = False, False
    story.live(3600, signed_out(ANNA))
    ended = list(story.cleared)

    story.signed_in, story.reads_well, story.ends = True, True, None
    story.live(3600)

    assert told == ["Google ends a sign-in soon"] and ended == []
    assert story.raised == [f"ending:{ANNA}", f"sign_in:{ANNA}"] and set(story.cleared) == set(story.raised)
    assert "Publish app" in story.texts[0] and len(story.titles) == 4


def test_held_work_is_not_solved_by_a_dead_sign_in() -> None:
    """The health then says only that; what is held still is."""
    story = Story()
    story.held = 60
    story.live(60, HELD)

    story.live(600, signed_out(ANNA))
    meanwhile = list(story.cleared)
    story.held = 0
    story.live(600)

    assert meanwhile == [] and f"held:{ANNA}" in story.cleared


def test_a_short_trouble_is_nobodys_business() -> None:
    """A broker that restarts, ten times a day."""
    story = Story()

    for _ in range(10):
        story.live(240, NO_BROKER)
        story.live(3600)

    assert story.raised == story.cleared == story.titles == []


def test_solved_is_said_once_and_after_a_minute() -> None:
    """One alert, one `solved`, with how long it took."""
    story = Story()
    story.live(600, NO_BROKER)

    story.live(SETTLED)
    before = list(story.cleared)
    story.live(3600)

    assert before == [] and story.cleared == ["broker"]
    assert story.titles[1:] == [f"Solved: {story.titles[0]}"] and "11 minutes" in story.texts[1]


def test_a_flickering_trouble_is_one() -> None:
    """Ten seconds without it solve nothing."""
    story = Story()

    for _ in range(60):
        story.live(50, FULL)
        story.live(10)

    assert story.raised == ["disk"] and story.cleared == []


def test_many_calendars_are_one_alert_with_a_few_lines() -> None:
    """Google away is one cause, however many calendars it is away for."""
    story = Story()
    reasons = [unread(level="problem", text=f"Calendar {number} cannot be read.") for number in range(9)]

    story.look(*reasons)

    assert story.raised == ["sync"] and len(story.titles) == 1
    assert story.texts[0].splitlines()[-1] == "And 4 more." and len(story.texts[0].splitlines()) == 6


def test_two_accounts_at_the_same_time_are_one_message() -> None:
    """Two alerts, as each can be solved by itself; one message; one `solved` when both are."""
    story = Story()
    story.reads_well = False
    story.live(60, signed_out(ANNA), signed_out(BOB))
    story.reads_well = True

    story.live(600, signed_out(BOB))
    halfway = list(story.titles)
    story.live(600)

    assert story.raised == [f"sign_in:{ANNA}", f"sign_in:{BOB}"] == story.cleared
    assert len(halfway) == 1 and len(story.titles) == 2
    assert ANNA in story.texts[0] and BOB in story.texts[0]


def test_one_message_of_a_class_in_six_hours() -> None:
    """A broker that comes and goes is told of four times a day, and no message says solved of what was not told."""
    story = Story()

    for _ in range(24):
        story.live(1800, NO_BROKER)
        story.live(1800)

    alerts = [title for title in story.titles if not title.startswith("Solved")]
    assert len(story.raised) == len(story.cleared) == 24
    assert len(alerts) == 4 and len(story.titles) == 8


def test_the_second_of_a_class_waits_for_its_turn() -> None:
    """It is told when six hours are over, if it still stands; other classes are not kept waiting."""
    story = Story()
    story.live(600, signed_out(ANNA))
    story.live(600, signed_out(ANNA), signed_out(BOB), FULL)
    early = list(story.texts)
    story.live(QUIET, signed_out(ANNA), signed_out(BOB), FULL)

    assert [ANNA in early[0], "disk" in early[1], len(early)] == [True, True, 2]
    assert len(story.texts) == 3 and BOB in story.texts[2] and ANNA not in story.texts[2]


def test_what_hits_others_later_is_told_again_in_its_turn() -> None:
    """Anna's calendars fail for a week, and she knows it: that Bob's fail too is news, once, also over a restart."""
    story, lasting = Story(), unread(level="problem")
    also = unread(level="problem", account=BOB, text="The calendar Work cannot be read.")
    story.live(60, lasting)
    story.memory = acknowledged(story.memory, None)
    story.live(3600, lasting, unread(account=BOB))
    story.restart()
    story.live(60)
    story.live(QUIET, lasting)
    blips = len(story.texts)

    story.live(QUIET + 3600, lasting, also)
    story.memory = acknowledged(story.memory, None)
    story.restart()
    story.live(QUIET + 3600, lasting, also)
    story.live(300)

    assert blips == 1 and len(story.texts) == 3 and "Work" in story.texts[1]
    assert story.titles[2].startswith("Solved") and story.raised == story.cleared == ["sync"]


def test_what_hits_two_in_turn_and_ends_before_it_is_told_again_is_still_solved() -> None:
    """One alert, one `solved`; two whom one outage hits within minutes are one, however long it lasts."""
    story, lasting = Story(), unread(level="problem")
    also = unread(level="problem", account=BOB, text="The calendar Work cannot be read.")
    story.live(60, lasting)
    story.live(60, lasting, also)
    story.live(300)
    story.live(600, lasting, unread(account=BOB))
    story.live(3 * QUIET, lasting, also)

    assert [title.startswith("Solved") for title in story.titles] == [False, True, False]


def test_what_hits_somebody_for_the_second_time_is_told_again() -> None:
    """Bob's calendars were read in between; Anna's never were."""
    story, lasting = Story(), unread(level="problem")
    also = unread(level="problem", account=BOB, text="The calendar Work cannot be read.")
    story.live(60, lasting, also)
    story.live(QUIET, lasting)

    story.live(600, lasting, also)

    assert len(story.texts) == 2


def test_what_was_acknowledged_is_not_told() -> None:
    """Also after a restart; and others still are."""
    story = Story()
    story.live(600, signed_out(ANNA))
    story.live(600, signed_out(ANNA), signed_out(BOB))

    story.memory = acknowledged(story.memory, f"sign_in:{BOB}")
    story.restart()
    story.live(2 * QUIET, signed_out(ANNA), signed_out(BOB))

    assert len(story.titles) == 1 and len(story.raised) == 2


def test_a_restart_repeats_no_alert_and_solves_none() -> None:
    """The first minutes show no failure yet. That is not a success."""
    story = Story()
    story.reads_well = False
    story.live(2400, unread(), signed_out(BOB))

    story.restart()
    story.live(300)
    story.live(3600, unread(), signed_out(BOB))
    meanwhile = (list(story.raised), list(story.cleared))
    story.reads_well = True
    story.live(300)

    assert meanwhile == ([f"sign_in:{BOB}", "sync"], [])
    assert set(story.cleared) == set(story.raised)
    assert len(story.titles) == 4


def test_bad_options_solve_nothing() -> None:
    """Without usable options no account is looked at: what was wrong with one still is."""
    story = Story()
    story.live(60, signed_out(ANNA))

    story.problem = "poll_interval: too small."
    story.live(600, Reason(code="options", text=story.problem, level="problem"))

    assert story.raised == [f"sign_in:{ANNA}", "options"] and story.cleared == []


def test_strangers_words_are_harmless() -> None:
    """A calendar's name is neither a template of Home Assistant's nor a line of its own."""
    story = Story()

    story.look(unread(level="problem", text="The calendar {{ states('lock.door') }}\n\x1b[31m{% x %} cannot be read."))

    assert not set("{}\x1b\n") & set(story.texts[0]) and "states" in story.texts[0]


def test_a_problem_of_a_new_kind_is_not_kept_back() -> None:
    """What the health calls a problem is one, also when nobody here knows its name yet."""
    story = Story()

    story.look(Reason(code="meteor", text="A meteor.", level="problem"))

    assert story.raised == ["other:meteor"] and story.titles == ["Calbot has a problem"]


def test_what_is_no_trouble_alerts_nobody() -> None:
    """Notes, a pause, an empty house, advice and a push that fails are shown elsewhere."""
    story = Story()
    quiet = [Reason(code="note", text="", level="ok"), Reason(code="not_listening", text="", level="ok")]
    quiet += [Reason(code="no_account", text="", level="setup"), Reason(code="paused", text="", level="paused")]

    story.live(8 * 3600, *quiet, Reason(code="push", text=""))

    assert story.raised == story.titles == []


_reasons = st.lists(
    st.sampled_from(
        [NO_BROKER, FULL, HELD, HUNG, CLOCK, signed_out(ANNA), signed_out(BOB), unread(), unread(level="problem")]
    ),
    max_size=4,
)


@given(st.lists(st.tuples(_reasons, st.integers(1, 4000), st.booleans()), max_size=25))
def test_every_history_keeps_the_promises(history: list[tuple[list[Reason], int, bool]]) -> None:
    """Six hours between two messages of a class, each `solved` after its alert, each clearing after its raising."""
    story = Story()
    said: list[tuple[str, float, bool]] = []
    standing: set[str] = set()

    for reasons, seconds, restarts in history:
        judged = story.look(*reasons)
        said += [(m.kind, story.now, m.title.startswith("Solved")) for m in judged.messages]
        for trouble in judged.raised:
            assert trouble.id not in standing
            standing.add(trouble.id)
        for trouble in judged.cleared:
            standing.remove(trouble.id)
        story.now += seconds
        if restarts:
            story.restart()

    for kind in {kind for kind, _, _ in said}:
        of_kind = [(at, solved) for one, at, solved in said if one == kind]
        assert not any(first[1] and second[1] for first, second in itertools.pairwise(of_kind))
        alerts = [at for at, solved in of_kind if not solved]
        assert all(second - first >= QUIET for first, second in itertools.pairwise(alerts))
        assert not of_kind[0][1]
