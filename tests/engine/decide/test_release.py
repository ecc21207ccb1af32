"""Release gates: evidence and lived time up, at once down, rehearsals worth nothing elsewhere."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from polytui.engine.core.enums import Mode
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.order_enums import Realm, ReleaseGate
from polytui.engine.decide.release import (
    DWELL_NS,
    LADDER,
    NEEDS,
    REHEARSAL,
    STEP_MAX_NS,
    GateEvidence,
    ReleaseGates,
    Transition,
)

S = 1_000_000_000
HOUR = 3_600 * S
BOX = frozenset({"box"})
GOOD = GateEvidence(
    decisions=5_000, intents=40, paper_fills=80, paper_result_u6=5, booked_by="averse",
    coverage=0.97, replay_equal=True, dry_orders=9,
)  # fmt: skip


def live_for(gates: ReleaseGates, hours: int, *, start_ns: int) -> int:
    now_ns = start_ns
    for _ in range(hours * 60):
        now_ns += 60 * S
        gates.live(now_ns, BOX)
    return now_ns


def promote(gates: ReleaseGates, evidence: GateEvidence = GOOD, **other: Any) -> Transition:
    said: dict[str, Any] = {"phrase": "PROMOTE box", "actor": "ana", "at_ns": S} | other
    return gates.promote("box", evidence, **said)


def real() -> ReleaseGates:
    return ReleaseGates(("box", "mm"), is_practice=False, at_ns=0)


def rehearsed(steps: int = 4) -> ReleaseGates:
    gates = ReleaseGates(("box",), is_practice=True, at_ns=0)
    for _ in range(steps):
        promote(gates, GateEvidence())
    return gates


def test_a_strategy_climbs_with_evidence_and_lived_time_only() -> None:
    gates, now_ns = real(), 0
    for gate, hours in zip(LADDER, (72, 168, 168, 24), strict=False):
        assert gates.of("box").gate is gate
        now_ns = live_for(gates, hours - 1, start_ns=now_ns)
        with pytest.raises(OperatorError, match="DWELL"):
            promote(gates, at_ns=now_ns)
        now_ns = live_for(gates, 1, start_ns=now_ns)
        moved = promote(gates, at_ns=now_ns)
        assert (moved.before, moved.reason) == (gate, "PROMOTED")
    assert gates.of("box").gate is ReleaseGate.LIVE_ARMED
    assert gates.of("box").passed_ns > 0
    assert gates.of("mm").gate is ReleaseGate.DEV, "each for itself"
    with pytest.raises(OperatorError, match="at the top"):
        promote(gates)


def test_time_while_the_engine_was_off_or_the_strategy_did_not_run_is_not_lived() -> None:
    gates = real()
    gates.live(1_000 * HOUR, BOX)
    gates.live(1_000 * HOUR + STEP_MAX_NS, frozenset({"mm"}))
    assert gates.of("box").lived_ns == 0
    assert gates.of("mm").lived_ns == STEP_MAX_NS


BAD: dict[str, dict[str, Any]] = {
    "DECISIONS": {"decisions": 999},
    "INTENTS": {"intents": 0},
    "FAULTS": {"faults": 1},
    "REPLAY_EQUAL": {"replay_equal": None},
    "COVERAGE": {"coverage": 0.89},
    "PAPER_FILLS": {"paper_fills": 9},
    "PAPER_RESULT": {"paper_result_u6": -1},
    "LEDGER": {"ledger_difference_u6": 1},
    "ANOMALIES": {"anomalies": 1},
    "BREAKERS": {"breakers": 1},
    "STALE_SENT": {"stale_sent": 1},
    "DRY_ORDERS": {"dry_orders": 0},
    "DRY_EQUAL": {"dry_mismatches": 1},
}


@pytest.mark.parametrize(
    ("gate", "code"), [(gate, code) for gate, rows in NEEDS.items() for code, _, _ in rows]
)
@pytest.mark.parametrize("is_practice", [False, True])
def test_one_red_row_keeps_a_strategy_where_it_is(
    gate: ReleaseGate, code: str, is_practice: Any
) -> None:
    gates = ReleaseGates(("box",), is_practice=is_practice, at_ns=0)
    gates._rows["box"] = replace(gates.of("box"), gate=gate, lived_ns=DWELL_NS[gate])
    spoilt = replace(GOOD, **BAD[code])
    if is_practice and code in REHEARSAL:
        assert promote(gates, spoilt).reason == "PROMOTED_REHEARSAL"
        return
    with pytest.raises(OperatorError, match=f"box stays at {gate.value}: {code}"):
        promote(gates, spoilt)
    assert gates.of("box").gate is gate


def at(gate: ReleaseGate, *, is_practice: bool = False) -> ReleaseGates:
    gates = ReleaseGates(("box",), is_practice=is_practice, at_ns=0)
    gates._rows["box"] = replace(gates.of("box"), gate=gate, lived_ns=DWELL_NS[gate])
    return gates


@pytest.mark.parametrize("code", ["PAPER_FILLS", "PAPER_RESULT"])
def test_what_the_probabilistic_model_booked_promotes_nothing(code: str) -> None:
    """Every promotion rests on the averse model; what both came to is shown."""
    models = "maker fills averse 2, probabilistic 80"
    spoilt = replace(GOOD, booked_by="probabilistic", models=models)
    gates = at(ReleaseGate.PAPER_FULL)
    rows = {row.code: row for row in gates.checks("box", spoilt)}
    assert not rows[code].ok
    assert "booked probabilistic" in rows[code].value
    assert models in rows["PAPER_FILLS"].value
    with pytest.raises(OperatorError, match=code):
        promote(gates, spoilt)


def test_the_rows_say_what_to_run_where_no_replay_was_shown() -> None:
    gates = at(ReleaseGate.DEV)
    rows = {row.code: row for row in gates.checks("box", replace(GOOD, replay_equal=None))}
    assert rows["REPLAY_EQUAL"].value == "run: polytui replay --verify"
    rows = {row.code: row for row in gates.checks("box", replace(GOOD, replay_equal=False))}
    assert rows["REPLAY_EQUAL"].value == "NOT equal"


def test_the_rehearsal_waives_times_says_so_and_arms_on_practice_money_only() -> None:
    gates = ReleaseGates(("box",), is_practice=True, at_ns=0)
    dwell = gates.checks("box", GateEvidence())[0]
    assert (dwell.ok, dwell.value) == (True, "0 ms (waived: practice money)")
    gates = rehearsed()
    assert gates.of("box").gate is ReleaseGate.LIVE_ARMED
    assert gates.of("box").is_rehearsal
    real_gates = real()
    (fallen,) = real_gates.restore(gates.dump(), at_ns=S)
    assert (fallen.gate, fallen.reason) == (ReleaseGate.DEV, "REHEARSAL_ONLY")
    assert not real_gates.of("box").is_rehearsal
    again = ReleaseGates(("box",), is_practice=True, at_ns=0)
    assert again.restore(gates.dump(), at_ns=S) == []
    assert again.is_released("box", Realm.LIVE, Mode.LIVE_ARMED)
    again.is_practice = False
    assert not again.is_released("box", Realm.LIVE, Mode.LIVE_ARMED), "learnt later, felt at once"
    assert again.of("box").last == "REHEARSAL_ONLY"


def test_a_step_up_takes_the_typed_phrase() -> None:
    gates = rehearsed(0)
    for phrase in ("", "PROMOTE", "PROMOTE mm", "promote box"):
        with pytest.raises(OperatorError, match="type PROMOTE box"):
            promote(gates, phrase=phrase)


@pytest.mark.parametrize("before", LADDER)
@pytest.mark.parametrize("after", LADDER)
def test_a_step_down_is_at_once_to_any_lower_gate_and_never_up(
    before: ReleaseGate, after: ReleaseGate
) -> None:
    gates = rehearsed(LADDER.index(before))
    if LADDER.index(after) < LADDER.index(before):
        moved = gates.demote("box", after, "BREAKER", at_ns=5 * S)
        assert (moved.gate, moved.reason) == (after, "BREAKER")
        assert (gates.of("box").lived_ns, gates.of("box").last) == (0, "BREAKER")
    else:
        with pytest.raises(OperatorError, match="is not lower"):
            gates.demote("box", after, "BREAKER", at_ns=5 * S)


@pytest.mark.parametrize(
    ("steps", "paper", "dry", "armed"),
    [
        (0, 0, 0, 0),
        (1, 1, 0, 0),
        (2, 1, 0, 0),
        (3, 1, 1, 0),
        (4, 1, 1, 1),
    ],
)
def test_g03_what_a_gate_lets_a_strategy_do(steps: int, paper: int, dry: int, armed: int) -> None:
    gates = rehearsed(steps)
    assert gates.is_released("box", Realm.PAPER, Mode.PAPER) == bool(paper)
    assert gates.is_released("box", Realm.LIVE, Mode.LIVE_DRY_RUN) == bool(dry)
    assert gates.is_released("box", Realm.LIVE, Mode.LIVE_ARMED) == bool(armed)
    assert not gates.is_released("box", Realm.LIVE, Mode.PAPER)
    assert not gates.is_released("stranger", Realm.PAPER, Mode.PAPER)


def test_an_unknown_strategy_is_refused_and_rows_show_what_is_needed() -> None:
    with pytest.raises(OperatorError, match="there is no strategy 'zz': box, mm"):
        real().of("zz")
    (box, _) = real().rows({"box": GOOD})
    assert (box.gate, box.next_gate, box.last) == (
        ReleaseGate.DEV,
        ReleaseGate.PAPER_CANARY,
        "NEW",
    )
    assert [check.code for check in box.checks if not check.ok] == ["DWELL"]
    (top,) = rehearsed().rows({})
    assert (top.next_gate, top.checks) == (None, ())


def test_what_a_restart_reads_is_what_was_written() -> None:
    gates = rehearsed(2)
    again = ReleaseGates(("box", "new"), is_practice=True, at_ns=0)
    again.restore(gates.dump(), at_ns=100 * HOUR)
    assert again.of("box") == gates.of("box")
    assert again.of("new").gate is ReleaseGate.DEV
    again.live(100 * HOUR + S, BOX)
    assert again.of("box").lived_ns == S


@given(st.lists(st.tuples(st.sampled_from(["up", "down", "live", "off"]), st.booleans())))
def test_on_real_money_nobody_reaches_the_top_without_the_sum_of_all_times(
    walk: list[tuple[str, bool]],
) -> None:
    gates, now_ns, lived_ns = real(), 0, 0
    for act, is_good in walk:
        before = gates.of("box")
        try:
            if act == "up":
                promote(gates, GOOD if is_good else GateEvidence(), at_ns=now_ns)
            elif act == "down":
                gates.demote("box", ReleaseGate.DEV, "X", at_ns=now_ns)
            else:
                step_ns = STEP_MAX_NS if act == "live" else 100 * HOUR
                now_ns += step_ns
                gates.live(now_ns, BOX)
                lived_ns += STEP_MAX_NS if act == "live" else 0
        except OperatorError:
            assert gates.of("box") == before, "a refusal leaves everything as it was"
        height = LADDER.index(gates.of("box").gate)
        assert lived_ns >= sum(DWELL_NS[gate] for gate in LADDER[:height])
