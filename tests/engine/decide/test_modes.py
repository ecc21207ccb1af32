"""Modes and arming: the whole table, the ritual in its order, and no other way in (D16)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from polytui.engine.core.account_view import CheckRow
from polytui.engine.core.enums import Mode
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.units import U
from polytui.engine.decide.modes import (
    CHALLENGE_NS,
    COUNTDOWN_NS,
    HOUR_NS,
    NEXT,
    RANK,
    Modes,
    Moved,
)
from polytui.engine.decide.preflight import PreflightFacts, rows
from tests.engine.decide.gate import HOST, LIMITS, MS, NOW, S

GREEN = (
    CheckRow(code="CLOCK_SKEW", ok=True, title="clock", value="12 ms", limit="within 500 ms"),
    CheckRow(code="BALANCE", ok=True, title="balance", value="$612", limit="above $0"),
)
RED = (GREEN[0], replace(GREEN[1], ok=False, value="$0"))


def dry(*, is_practice: bool = False) -> Modes:
    return Modes(Mode.LIVE_DRY_RUN, is_practice=is_practice, at_ns=0)


def challenged(modes: Modes, *, cap: int = 500, hours: int = 4, at_ns: int = S) -> Moved:
    return modes.preflight(
        GREEN, cap_u6=cap * U, hours=hours, limits=LIMITS, client="c1", at_ns=at_ns, seq=9
    )


def confirm(modes: Modes, **other: Any) -> Moved:
    said: dict[str, Any] = {
        "phrase": "ARM LIVE 500", "reason": "first session", "hash_": modes.hash,
        "checks": GREEN, "client": "c1", "at_ns": 2 * S,
    }  # fmt: skip
    return modes.confirm(**(said | other))


def armed() -> Modes:
    modes = dry()
    challenged(modes)
    confirm(modes)
    moved = modes.due(GREEN, at_ns=2 * S + COUNTDOWN_NS)
    assert moved is not None
    return modes


def mode(modes: Modes) -> Mode:
    """Ask again: a checker that narrows attributes would believe the first answer for ever."""
    return modes.mode


@pytest.mark.parametrize("before", Mode)
@pytest.mark.parametrize("after", Mode)
def test_the_whole_table_of_steps_with_every_illegal_pair(before: Mode, after: Mode) -> None:
    modes = Modes(Mode.SHADOW, is_practice=False, at_ns=0)
    modes.mode = before
    lawful = after in NEXT[before]
    is_one_up = RANK.get(after, -9) == RANK.get(before, -9) + 1
    is_down = 0 <= RANK.get(after, -9) < RANK.get(before, -9)
    assert lawful is (is_down or (is_one_up and after is not Mode.LIVE_ARMED))
    if lawful:
        moved = modes.ask(after, actor="ana", at_ns=S)
        assert (moved.before, mode(modes)) == (before, after)
        assert moved.has_fallen is is_down
    else:
        with pytest.raises(OperatorError, match="there is no step"):
            modes.ask(after, actor="ana", at_ns=S)
        assert mode(modes) is before


def test_d16_a_configuration_never_arms() -> None:
    with pytest.raises(OperatorError, match="no configuration arms"):
        Modes(Mode.LIVE_ARMED, is_practice=True, at_ns=0)


def test_the_ritual_arms_after_preflight_phrase_reason_and_five_seconds() -> None:
    modes = dry()
    assert challenged(modes).reason == "CHALLENGED"
    assert (modes.stage, modes.phrase) == ("challenged", "ARM LIVE 500")
    assert confirm(modes).reason == "COUNTDOWN"
    assert modes.due(GREEN, at_ns=2 * S + COUNTDOWN_NS - 1) is None
    assert mode(modes) is Mode.LIVE_DRY_RUN
    moved = modes.due(GREEN, at_ns=2 * S + COUNTDOWN_NS)
    assert moved is not None
    assert moved.reason == "ARMED"
    assert moved.text.startswith("LIVE_ARMED with real money: cap $500, 4 h, by c1: first session")
    assert mode(modes) is Mode.LIVE_ARMED
    view = modes.view()
    assert (view.stage, view.cap_u6, view.armed_until_ns) == ("armed", 500 * U, 7 * S + 4 * HOUR_NS)


def test_on_the_practice_venue_the_words_say_whose_money_it_is() -> None:
    modes = dry(is_practice=True)
    assert challenged(modes).text == "CHALLENGED, practice money"


def test_a_red_preflight_opens_no_challenge_and_names_what_is_red() -> None:
    modes = dry()
    said: dict[str, Any] = {"cap_u6": 500 * U, "hours": 4, "limits": LIMITS, "client": "c1"}
    moved = modes.preflight(RED, **said, at_ns=S, seq=9)
    assert (moved.reason, modes.stage, modes.phrase) == ("PREFLIGHT_RED BALANCE", "idle", "")
    assert modes.preflight((), **said, at_ns=S, seq=9).reason == "PREFLIGHT_RED NO_CHECKS"
    with pytest.raises(OperatorError, match="ask for the preflight first"):
        confirm(modes)


@pytest.mark.parametrize(
    "phrase", ["", "ARM LIVE 50", "ARM LIVE 5000", "arm live 500", "ARM LIVE 500 ", "ARM LIVE"]
)
def test_d17_a_phrase_that_is_not_exact_does_nothing_and_may_be_typed_again(phrase: str) -> None:
    modes = dry()
    challenged(modes)
    with pytest.raises(OperatorError, match="type ARM LIVE 500 exactly"):
        confirm(modes, phrase=phrase)
    assert modes.view().reason == "TYPED_MISMATCH"
    assert confirm(modes).reason == "COUNTDOWN"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"reason": " "}, "say why"),
        ({"hash_": "0000"}, "not the open challenge"),
        ({"client": "c2"}, "not the open challenge"),
        ({"checks": RED}, "the preflight has changed"),
        ({"checks": GREEN[:1]}, "the preflight has changed"),
        ({"at_ns": S + CHALLENGE_NS + 1}, "open for 60 s"),
    ],
)
def test_anything_wrong_with_the_confirmation_arms_nothing(
    wrong: dict[str, Any], sentence: str
) -> None:
    modes = dry()
    challenged(modes)
    with pytest.raises(OperatorError, match=sentence):
        confirm(modes, **wrong)
    assert modes.due(GREEN, at_ns=500 * S) is None or modes.stage == "idle"
    assert mode(modes) is Mode.LIVE_DRY_RUN


def test_a_change_during_the_countdown_aborts_it() -> None:
    modes = dry()
    challenged(modes)
    confirm(modes)
    moved = modes.due(RED, at_ns=3 * S)
    assert moved is not None
    assert moved.reason == "PREFLIGHT_CHANGED BALANCE"
    assert modes.due(GREEN, at_ns=9 * S) is None
    assert mode(modes) is Mode.LIVE_DRY_RUN


def test_values_may_move_during_the_countdown_verdicts_may_not() -> None:
    modes = dry()
    challenged(modes)
    confirm(modes)
    moved = modes.due((replace(GREEN[0], value="13 ms"), GREEN[1]), at_ns=7 * S)
    assert moved is not None
    assert moved.reason == "ARMED"


@pytest.mark.parametrize("stage", ["challenged", "countdown"])
@pytest.mark.parametrize("way", ["abort", "client", "kill", "ask"])
def test_escape_the_chord_and_a_lost_client_abort_the_ritual(stage: str, way: str) -> None:
    modes = dry()
    challenged(modes)
    spent = modes.hash
    if stage == "countdown":
        confirm(modes)
    if way == "abort":
        assert modes.abort("ESC") is not None
    elif way == "client":
        assert modes.on_client_gone("somebody else") is None
        assert modes.on_client_gone("c1") is not None
    elif way == "kill":
        modes.fall(Mode.LIVE_DRY_RUN, "KILLED", at_ns=3 * S)
    else:
        modes.ask(Mode.PAPER, actor="ana", at_ns=3 * S)
    assert modes.due(GREEN, at_ns=60 * S) is None
    assert modes.stage == "idle"
    with pytest.raises(OperatorError):
        confirm(modes, hash_=spent)


def test_a_challenge_is_good_once() -> None:
    modes = armed()
    line = {"hash_": next(iter(modes.used))}
    modes.ask(Mode.LIVE_DRY_RUN, actor="ana", at_ns=20 * S)
    with pytest.raises(OperatorError):
        confirm(modes, **line)
    modes.preflight(
        GREEN, cap_u6=500 * U, hours=4, limits=LIMITS, client="c1", at_ns=30 * S, seq=10
    )
    with pytest.raises(OperatorError, match="not the open challenge"):
        confirm(modes, **line, at_ns=31 * S)


def test_arming_expires_by_itself_into_the_dry_run() -> None:
    modes = armed()
    until_ns = modes.next_due_ns()
    assert until_ns == 7 * S + 4 * HOUR_NS
    assert modes.due(RED, at_ns=until_ns - 1) is None, "a red row does not disarm, the gate judges"
    moved = modes.due(GREEN, at_ns=until_ns)
    assert moved is not None
    assert (moved.reason, moved.has_fallen) == ("ARM_EXPIRED", True)
    assert mode(modes) is Mode.LIVE_DRY_RUN
    assert modes.cap_u6 == 0


@pytest.mark.parametrize("hours", [0, 13, 100])
def test_arming_lasts_twelve_hours_at_most(hours: int) -> None:
    with pytest.raises(OperatorError, match="expected 1 to 12 hours"):
        challenged(dry(), hours=hours)
    assert challenged(dry(), hours=12).reason == "CHALLENGED"


@pytest.mark.parametrize("cap", [0, -1, 501])
def test_the_session_cap_is_positive_and_within_the_total_limit(cap: int) -> None:
    with pytest.raises(OperatorError, match=r"expected a cap in whole dollars up to \$500"):
        challenged(dry(), cap=cap)


@pytest.mark.parametrize("before", [Mode.SHADOW, Mode.PAPER, Mode.REPLAY])
def test_arming_begins_in_the_dry_run_only(before: Mode) -> None:
    with pytest.raises(OperatorError, match="arming begins in live_dry_run"):
        challenged(Modes(before, is_practice=True, at_ns=0))


def test_a_mode_goes_down_at_once_from_armed_and_forgets_the_arming() -> None:
    modes = armed()
    moved = modes.ask(Mode.SHADOW, actor="ana", at_ns=20 * S)
    assert moved.has_fallen
    assert modes.armed_until_ns == 0
    modes = armed()
    fallen = modes.fall(Mode.LIVE_DRY_RUN, "KILLED", at_ns=20 * S)
    assert fallen is not None
    assert fallen.reason == "KILLED"


def test_d16_a_restart_is_never_armed_and_never_above_the_configuration() -> None:
    stored = armed().dump()
    again = dry()
    assert again.restore(stored, at_ns=S) is None
    assert mode(again) is Mode.LIVE_DRY_RUN
    paper = Modes(Mode.PAPER, is_practice=False, at_ns=0)
    paper.restore(stored, at_ns=S)
    assert mode(paper) is Mode.PAPER
    shadow = Modes(Mode.SHADOW, is_practice=False, at_ns=0)
    lower = dry()
    lower.restore(shadow.dump(), at_ns=S)
    assert mode(lower) is Mode.SHADOW, "what the last run fell to is kept"


WALK = st.lists(
    st.tuples(
        st.sampled_from(
            ["ask", "preflight", "red", "confirm", "due", "late", "abort", "gone", "kill", "again"]
        ),
        st.sampled_from(list(Mode)),
        st.sampled_from(["ARM LIVE 500", "ARM LIVE 5", "YES", ""]),
    ),
    max_size=40,
)


class Walker:
    """Takes any directive, and keeps an account of the ritual of its own."""

    def __init__(self) -> None:
        self.modes = dry()
        self.now_ns = 0
        self.stage = "idle"
        self.since_ns = 0

    def act(self, act: str, wanted: Mode, phrase: str) -> None:
        self.now_ns += S
        if act in ("preflight", "red"):
            self.preflight(GREEN if act == "preflight" else RED)
        elif act == "confirm":
            confirm(self.modes, phrase=phrase, at_ns=self.now_ns)
            assert (self.stage, phrase) == ("challenged", "ARM LIVE 500")
            self.stage, self.since_ns = "countdown", self.now_ns
        elif act in ("due", "late"):
            self.due(6 * S if act == "late" else 0)
        elif act in ("abort", "gone"):
            self.modes.abort("ESC")
            self.stage = self.stage if self.stage == "armed" else "idle"
        else:
            self.fall(act, wanted)
            self.stage = "idle"

    def preflight(self, checks: tuple[CheckRow, ...]) -> None:
        said: dict[str, Any] = {"cap_u6": 500 * U, "hours": 1, "limits": LIMITS}
        seq = self.now_ns // S
        self.modes.preflight(checks, **said, client="c1", at_ns=self.now_ns, seq=seq)
        self.stage = "challenged" if checks is GREEN else "idle"

    def due(self, wait_ns: int) -> None:
        self.now_ns += wait_ns
        moved = self.modes.due(GREEN, at_ns=self.now_ns)
        if moved is not None and moved.reason == "ARMED":
            assert self.stage == "countdown"
            assert self.now_ns - self.since_ns >= COUNTDOWN_NS
            self.stage = "armed"

    def fall(self, act: str, wanted: Mode) -> None:
        if act == "ask":
            self.modes.ask(wanted, actor="x", at_ns=self.now_ns)
        elif act == "kill":
            self.modes.fall(Mode.LIVE_DRY_RUN, "KILLED", at_ns=self.now_ns)
        else:
            stored, self.modes = self.modes.dump(), dry()
            self.modes.restore(stored, at_ns=self.now_ns)


@settings(max_examples=300)
@given(WALK)
def test_d16_no_walk_of_directives_without_the_ritual_reaches_live_armed(
    walk: list[tuple[str, Mode, str]],
) -> None:
    walker = Walker()
    for act, wanted, phrase in walk:
        before = walker.modes.mode
        try:
            walker.act(act, wanted, phrase)
        except OperatorError:
            assert walker.modes.mode is before
        if walker.modes.mode is Mode.LIVE_ARMED:
            assert walker.stage == "armed"


# --- preflight ---


def ready(**other: Any) -> PreflightFacts:
    facts: dict[str, Any] = {
        "at_ns": NOW, "is_practice": False, "can_send": True, "host": HOST,
        "config_hash": "c0ffee00", "paper_hash": "c0ffee00", "offset_ns": 12 * MS,
        "offset_at_ns": NOW - S, "heartbeat_ns": 0, "market_ns": NOW - MS, "user_ns": NOW - S,
        "cash_u6": 600 * U, "allowance_u6": 600 * U, "balance_ns": NOW - S, "caps_u6": 100 * U,
        "open_orders": 0, "unknown": 0, "anomalies": 0, "venue_normal": True,
        "region_blocked": False, "closed_only": False, "killed": False, "breakers": 0,
        "kill_test_ns": 400_000, "kill_tested_ns": NOW - S, "cancel_all_ns": NOW - S,
        "stale_sent": 0, "replay_equal": True, "released": ("box",),
        "paper_passed_ns": NOW - S, "alerts": 0, "is_embedded": False,
    }  # fmt: skip
    return PreflightFacts(**(facts | other))


def red(facts: PreflightFacts) -> list[str]:
    return [row.code for row in rows(facts, LIMITS) if not row.ok]


def test_a_ready_engine_is_green_and_every_row_has_code_value_and_limit() -> None:
    table = rows(ready(), LIMITS)
    assert red(ready()) == []
    assert len({row.code for row in table}) == len(table) == 27
    assert all(row.title and row.value and row.limit for row in table)


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        ({"offset_ns": None}, "CLOCK_SKEW"),
        ({"offset_ns": 501 * MS}, "CLOCK_SKEW"),
        ({"market_ns": 0}, "MARKET_FEED"),
        ({"user_ns": NOW - 11 * S}, "USER_FEED"),
        ({"heartbeat_ns": NOW - 7 * S}, "HEARTBEAT"),
        ({"region_blocked": True}, "VENUE"),
        ({"closed_only": True}, "VENUE"),
        ({"can_send": False}, "SIGNER"),
        ({"cash_u6": 0}, "BALANCE"),
        ({"balance_ns": NOW - 31 * S}, "BALANCE"),
        ({"allowance_u6": 24 * U}, "ALLOWANCE"),
        ({"caps_u6": 0}, "CAPS"),
        ({"anomalies": 1}, "POSITIONS"),
        ({"open_orders": 1}, "OPEN_ORDERS"),
        ({"unknown": 1}, "UNKNOWN_ORDERS"),
        ({"kill_tested_ns": 0}, "KILL_SELF_TEST"),
        ({"kill_test_ns": 11 * MS}, "KILL_SELF_TEST"),
        ({"cancel_all_ns": 0}, "CANCEL_ALL"),
        ({"killed": True}, "LATCH"),
        ({"breakers": 1}, "BREAKERS"),
        ({"host": replace(HOST, journal_ok=False)}, "JOURNAL"),
        ({"host": replace(HOST, disk_free_bytes=5)}, "DISK"),
        ({"host": replace(HOST, lock_held=False)}, "LOCK"),
        ({"host": replace(HOST, sentinel_ns=0)}, "SENTINEL"),
        ({"is_embedded": True}, "TWO_PROCESSES"),
        ({"alerts": 1}, "ALERTS"),
        ({"stale_sent": 1}, "STALE_SENT"),
        ({"paper_hash": "other"}, "CONFIG"),
        ({"replay_equal": None}, "REPLAY_EQUAL"),
        ({"released": ()}, "RELEASED"),
        ({"paper_passed_ns": 0}, "PAPER_FULL"),
    ],
)
def test_one_thing_wrong_makes_its_row_red(spoilt: dict[str, Any], code: str) -> None:
    assert red(ready(**spoilt)) == [code]


def test_practice_waives_what_takes_weeks_says_so_and_waives_no_safety() -> None:
    early: dict[str, Any] = {
        "is_practice": True, "paper_passed_ns": 0, "replay_equal": None, "paper_hash": "",
        "is_embedded": True, "host": replace(HOST, sentinel_ns=0),
    }  # fmt: skip
    table = rows(ready(**early), LIMITS)
    assert [row.code for row in table if not row.ok] == []
    waived = [row.code for row in table if "waived: practice money" in row.value]
    assert waived == ["SENTINEL", "TWO_PROCESSES", "CONFIG", "REPLAY_EQUAL", "PAPER_FULL"]
    assert red(ready(**early, unknown=1, cancel_all_ns=0)) == ["UNKNOWN_ORDERS", "CANCEL_ALL"]
    assert LimitsConfig() == LIMITS
