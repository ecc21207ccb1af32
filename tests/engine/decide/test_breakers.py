"""Breakers trip by themselves, are monotone, and only a person resets them (B13, invariant 13)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from polytui.engine.core.errors import EngineBug, OperatorError
from polytui.engine.core.order_enums import Realm, TradingState
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.units import U
from polytui.engine.decide.breakers import EFFECTS, Breaker, Breakers, Effect
from polytui.engine.decide.causes import Cause, Causes, Clears
from polytui.engine.decide.governor import Governor

LIMITS = LimitsConfig()
S = 1_000_000_000
DAY = 86_400 * S


def reset(breakers: Breakers, name: str, *, day_u6: int = 0, at_ns: int = 0) -> Breaker:
    return breakers.reset(
        name,
        phrase=f"RESET {name.partition(':')[0]}",
        reason="looked at it",
        day_u6=day_u6,
        strategy_day_u6=day_u6,
        at_ns=at_ns,
    )


def watch(breakers: Breakers, *, day: int = 0, equity: int = 100, at_ns: int = 0) -> list[str]:
    tripped = breakers.watch(
        day_u6=day * U, equity_u6=equity * U, by_strategy={"box": day * U // 2}, at_ns=at_ns
    )
    return [breaker.name for breaker in tripped]


def test_a_days_loss_trips_at_its_limit_and_kills() -> None:
    breakers = Breakers(LIMITS)
    assert watch(breakers, day=-49) == []
    assert watch(breakers, day=-50) == ["day_loss", "strategy_loss:box"]
    assert breakers.tripped["day_loss"].effect is Effect.KILL
    assert watch(breakers, day=-70) == [], "it trips once and keeps its first reason"
    assert breakers.tripped["day_loss"].why == "-$50 of -$50"


def test_drawdown_is_measured_from_the_peak_and_anew_after_a_reset() -> None:
    breakers = Breakers(LIMITS)
    assert watch(breakers, equity=100) == []
    assert watch(breakers, equity=95) == ["drawdown"]
    assert watch(breakers, equity=200) == []
    assert "drawdown" in breakers.tripped, "recovering does not reset it"
    reset(breakers, "drawdown")
    assert watch(breakers, equity=96) == []
    assert watch(breakers, equity=91) == ["drawdown"]


def test_b13_failed_settlements_trip_above_five_per_cent_of_fifty_fills() -> None:
    breakers = Breakers(LIMITS)
    ends = (True, True, False, False, True)
    tripped = [breakers.settled(has_failed=end, at_ns=0) for end in ends]
    assert [[b.name for b in row] for row in tripped] == [[], [], [], [], ["failed_settlements"]]
    reset(breakers, "failed_settlements")
    assert breakers.failed_count == 0


def test_b13_the_window_forgets_old_failures() -> None:
    breakers = Breakers(LIMITS)
    for n in range(500):
        assert breakers.settled(has_failed=n % 26 == 0, at_ns=n) == []
    assert breakers.tripped == {}


def test_b13_while_settlements_fail_the_realm_reduces_so_that_hedges_still_pass() -> None:
    governor = Governor(LIMITS)
    for _ in range(3):
        governor.note_settled(Realm.LIVE, has_failed=True, at_ns=S)
    causes = governor.desks[Realm.LIVE].causes
    assert state_of(causes) is TradingState.REDUCING
    assert causes.why.startswith("failed_settlements: 3 of the last 50")
    said = {"phrase": "RESET failed_settlements", "reason": "chain is back"}
    governor.reset(Realm.LIVE, "failed_settlements", **said, results=(0, {}), at_ns=S)
    assert state_of(causes) is TradingState.ACTIVE


def state_of(causes: Causes) -> TradingState:
    """Ask again: a checker that narrows attributes would believe the first answer for ever."""
    return causes.state


def test_a_reset_takes_the_phrase_and_a_reason() -> None:
    breakers = Breakers(LIMITS)
    breakers.repeated("box", "0xab", "21 sends", 0)
    name = "repetition:box:0xab"
    rest = {"day_u6": 0, "strategy_day_u6": 0, "at_ns": 0}
    for phrase, reason in (("", "x"), ("RESET", "x"), ("reset repetition", "x"), ("RESET", "")):
        with pytest.raises(OperatorError, match="type RESET repetition"):
            breakers.reset(name, phrase=phrase, reason=reason, **rest)
    with pytest.raises(OperatorError, match="say why"):
        breakers.reset(name, phrase="RESET repetition", reason=" ", **rest)
    assert name in breakers.tripped
    with pytest.raises(OperatorError, match="there is no tripped breaker 'drawdown'"):
        reset(breakers, "drawdown")


def test_a_loss_of_the_day_is_not_reset_while_it_stands() -> None:
    breakers = Breakers(LIMITS)
    watch(breakers, day=-60)
    with pytest.raises(OperatorError, match=r"stands at -\$60 of -\$50: the day ends in 10 h"):
        reset(breakers, "day_loss", day_u6=-60 * U, at_ns=DAY - 3_600 * S * 10)
    reset(breakers, "day_loss", day_u6=0, at_ns=DAY)
    assert "day_loss" not in breakers.tripped


def test_loosened_limits_close_nothing() -> None:
    breakers = Breakers(LIMITS)
    watch(breakers, day=-60)
    breakers.set_limits(replace(LIMITS, day_loss_u6=900 * U, failed_window=10))
    assert "day_loss" in breakers.tripped


def test_breakers_survive_a_restart() -> None:
    breakers = Breakers(LIMITS)
    watch(breakers, day=-60)
    breakers.settled(has_failed=True, at_ns=5)
    again = Breakers(LIMITS)
    again.restore(breakers.dump())
    assert again.dump() == breakers.dump()
    assert again.before_entry("mm").startswith("day_loss")
    assert [row.name for row in again.rows("live:")] == [
        "live:day_loss",
        "live:strategy_loss:box",
    ]


def test_every_breaker_says_what_it_does() -> None:
    assert set(EFFECTS.values()) == set(Effect)


STEPS = st.one_of(
    st.tuples(st.just("watch"), st.integers(-100, 100), st.integers(1, 300)),
    st.tuples(st.just("settle"), st.booleans(), st.just(0)),
    st.tuples(st.just("repeat"), st.sampled_from(["box", "mm"]), st.just(0)),
    st.tuples(st.just("limits"), st.integers(1, 500), st.integers(10, 60)),
    st.tuples(st.just("restart"), st.just(0), st.just(0)),
)


@given(st.lists(STEPS, max_size=60))
def test_invariant_13_no_walk_without_a_person_closes_a_breaker(
    steps: list[tuple[str, int, int]],
) -> None:
    breakers, seen = Breakers(LIMITS), dict[str, Breaker]()
    for at_ns, (kind, a, b) in enumerate(steps):
        if kind == "watch":
            watch(breakers, day=a, equity=b, at_ns=at_ns)
        elif kind == "settle":
            breakers.settled(has_failed=bool(a), at_ns=at_ns)
        elif kind == "repeat":
            breakers.repeated(str(a), "0xab", "again", at_ns)
        elif kind == "limits":
            breakers.set_limits(replace(LIMITS, day_loss_u6=a * U, failed_window=b))
        else:
            stored, breakers = breakers.dump(), Breakers(LIMITS)
            breakers.restore(stored)
        assert seen.items() <= breakers.tripped.items()
        seen = dict(breakers.tripped)


# --- causes of the trading state ---


def cause(name: str, state: TradingState, *, clears: Clears, owner: str = "x") -> Cause:
    return Cause(name=name, state=state, owner=owner, clears=clears, why="why", since_ns=1)


def test_the_worst_cause_wins_and_each_goes_its_own_way() -> None:
    causes = Causes()
    causes.put(cause("lag", TradingState.REDUCING, clears=Clears.EVIDENCE))
    causes.put(cause("kill", TradingState.HALTED, clears=Clears.PERSON))
    assert (state_of(causes), causes.why) == (TradingState.HALTED, "kill: why")
    assert not causes.withdraw("kill", owner="x"), "evidence does not clear a person's cause"
    with pytest.raises(OperatorError, match="lag clears by evidence alone"):
        causes.release("lag")
    causes.release("kill")
    assert state_of(causes) is TradingState.REDUCING
    assert causes.withdraw("lag", owner="x")
    assert state_of(causes) is TradingState.ACTIVE
    assert not causes.withdraw("lag", owner="x")
    with pytest.raises(OperatorError, match="there is no cause 'lag': none stands"):
        causes.release("lag")


def test_a_persons_cause_is_never_made_milder_and_only_its_owner_touches_one() -> None:
    causes = Causes()
    causes.put(cause("fault", TradingState.HALTED, clears=Clears.PERSON))
    assert not causes.put(cause("fault", TradingState.REDUCING, clears=Clears.PERSON))
    assert not causes.put(cause("fault", TradingState.HALTED, clears=Clears.EVIDENCE))
    with pytest.raises(EngineBug, match="owned by x, not y"):
        causes.put(cause("fault", TradingState.HALTED, clears=Clears.PERSON, owner="y"))
    with pytest.raises(EngineBug, match="owned by x, not y"):
        causes.withdraw("fault", owner="y")
    assert causes.state is TradingState.HALTED


def test_a_restart_keeps_the_causes_of_a_person_only() -> None:
    causes = Causes()
    causes.put(cause("fault", TradingState.HALTED, clears=Clears.PERSON))
    causes.put(cause("lag", TradingState.REDUCING, clears=Clears.EVIDENCE))
    again = Causes()
    again.restore(causes.dump())
    assert "fault" in again
    assert "lag" not in again
    assert [row.clears for row in causes.rows()] == ["person", "evidence"]


def test_resume_releases_what_a_person_may_and_leaves_evidence_and_breakers_alone() -> None:
    governor = Governor(LIMITS)
    desk = governor.desks[Realm.LIVE]
    for _ in range(3):
        governor.note_settled(Realm.LIVE, has_failed=True, at_ns=0)
    desk.causes.put(cause("lag", TradingState.HALTED, clears=Clears.EVIDENCE))
    for one in governor.desks.values():
        one.causes.put(cause("operator", TradingState.HALTED, clears=Clears.PERSON))
    assert governor.resume("all") == ["paper operator", "live operator"]
    assert all(name in desk.causes for name in ("lag", "failed_settlements"))
    assert "operator" not in desk.causes
    for name, why in (
        ("failed_settlements", "is a breaker: breaker.reset failed_settlements RESET"),
        ("lag", "lag clears by evidence alone"),
        ("all", "no cause 'all' stands"),
        ("nothing", "no cause 'nothing' stands that a person releases"),
    ):
        with pytest.raises(OperatorError, match=why):
            governor.resume(name)
