from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from polytui.engine.core.decision import Decision, Intent
from polytui.engine.core.enums import Outcome, Reason, Side, Verdict
from polytui.engine.core.runconfig import ArbiterConfig
from polytui.engine.decide.arbiter import Arbiter
from polytui.engine.decide.record import DecisionRecord

MS = 1_000_000


def wish(
    strategy: str, market: str = "m", *, tier: int = 0, px_u6: int = 480_000, at_ms: int = 0
) -> tuple[int, Decision]:
    intent = Intent(
        strategy=strategy, tier=tier, market=market, token="1", outcome=Outcome.YES,
        side=Side.BUY, px_u6=px_u6, qty_u6=10**7, snapshot=1, bundle="b", leg=0, ev_u6=1,
        confidence=1.0, risk_cost_u6=1,
    )  # fmt: skip
    return tier, decision(strategy, market, Verdict.INTENT, at_ms=at_ms, intents=(intent,))


def decision(
    strategy: str, market: str, verdict: Verdict, *, at_ms: int = 0, **other: Any
) -> Decision:
    facts: dict[str, Any] = {"reason": Reason.OK, "score_u6": 0, "threshold_u6": 0, **other}
    return Decision(
        strategy=strategy, market=market, snapshot=1, at_ns=at_ms * MS, verdict=verdict, **facts
    )


def judged(
    arbiter: Arbiter, *wishes: tuple[int, Decision], at_ms: int = 0
) -> list[tuple[str, Reason]]:
    return [(d.strategy, d.reason) for d, _ in arbiter.judge(list(wishes), at_ms * MS)]


def test_the_best_tier_is_heard_first_and_takes_the_market() -> None:
    arbiter = Arbiter(ArbiterConfig())
    rows = judged(arbiter, wish("ml", tier=2), wish("mm", tier=1), wish("box", tier=0))
    assert rows == [
        ("box", Reason.OK),
        ("mm", Reason.TIER_PREEMPTED),
        ("ml", Reason.TIER_PREEMPTED),
    ]
    lock = arbiter.owner("m", 0)
    assert lock is not None
    assert lock.strategy == "box"


def test_one_owner_a_market_until_the_lock_runs_out() -> None:
    arbiter = Arbiter(ArbiterConfig(lock_ms=100))
    assert judged(arbiter, wish("a")) == [("a", Reason.OK)]
    assert judged(arbiter, wish("b"), at_ms=99) == [("b", Reason.NOT_OWNER)]
    assert judged(arbiter, wish("b", "other"), at_ms=99) == [("b", Reason.OK)]
    assert judged(arbiter, wish("b"), at_ms=100) == [("b", Reason.OK)]


def test_a_better_tier_takes_the_market_over_and_it_is_counted() -> None:
    arbiter = Arbiter(ArbiterConfig())
    judged(arbiter, wish("mm", tier=1))
    assert judged(arbiter, wish("box", tier=0)) == [("box", Reason.OK)]
    assert arbiter.preempted == 1


def test_the_same_wish_twice_is_refused_with_limit_and_value() -> None:
    arbiter = Arbiter(ArbiterConfig(duplicate_ms=2000))
    judged(arbiter, wish("a"))
    ((decision_, refusal),) = arbiter.judge([wish("a")], 500 * MS)
    assert decision_.verdict is Verdict.REFUSED
    assert refusal is not None
    assert (refusal.reason, refusal.limit, refusal.value) == (
        Reason.DUPLICATE_INTENT, "2000 ms", "500 ms",
    )  # fmt: skip
    assert judged(arbiter, wish("a", px_u6=490_000), at_ms=500) == [("a", Reason.OK)]
    assert judged(arbiter, wish("a"), at_ms=2000) == [("a", Reason.OK)]


def test_holds_pass_untouched_and_take_no_lock() -> None:
    arbiter = Arbiter(ArbiterConfig())
    hold = decision("a", "m", Verdict.HOLD)
    assert arbiter.judge([(0, hold)], 0) == [(hold, None)]
    assert arbiter.owner("m", 0) is None


WISHES = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["m", "n"]), st.integers(0, 3000)),
    max_size=60,
)
TIERS = {"a": 0, "b": 1, "c": 1}


@given(WISHES)
def test_at_most_one_strategy_owns_a_market_and_nothing_disappears(
    wishes: list[tuple[str, str, int]],
) -> None:
    arbiter = Arbiter(ArbiterConfig(lock_ms=500, duplicate_ms=100))
    now_ms = 0
    owner: dict[str, tuple[str, int, int]] = {}
    for name, market, wait in wishes:
        now_ms += wait
        tier = TIERS[name]
        ((result, refusal),) = arbiter.judge([wish(name, market, tier=tier)], now_ms * MS)
        assert (result.verdict is Verdict.REFUSED) == (refusal is not None)
        held = owner.get(market)
        if held is not None and now_ms < held[2] and held[0] != name and tier >= held[1]:
            assert result.verdict is Verdict.REFUSED
        if result.verdict is Verdict.INTENT:
            owner[market] = (name, tier, now_ms + 500)
    assert arbiter.accepted + arbiter.refused == len(wishes)


def test_the_memory_of_intents_is_bounded() -> None:
    arbiter = Arbiter(ArbiterConfig())
    for n in range(10_000):
        judged(arbiter, wish("a", f"m{n}", px_u6=n))
    assert len(arbiter._recent) <= 4_097


def test_holds_fold_with_count_and_nearest_miss_and_news_are_kept_singly() -> None:
    record = DecisionRecord()
    for at_ms, score in enumerate([-9, -2, -5]):
        news = record.note(decision("a", "m", Verdict.HOLD, at_ms=at_ms, score_u6=score))
        assert news is (at_ms == 0)
    ((key, fold),) = record.folds.items()
    assert key == ("a", "m", Reason.OK)
    assert (fold.count, fold.best.score_u6, fold.last.score_u6) == (3, -2, -5)
    assert record.note(decision("a", "m", Verdict.HOLD, reason=Reason.ONE_SIDED))
    assert len(record.recent) == 2


def test_a_look_without_asking_is_recorded_as_the_same_hold_on_a_later_snapshot() -> None:
    asked, counted = DecisionRecord(), DecisionRecord()
    first = decision("a", "m", Verdict.HOLD, score_u6=-5)
    for record in (asked, counted):
        record.note(first)
    for n in range(1, 3_000):
        seq, at_ns = first.snapshot + n, first.at_ns + n
        asked.note(replace(first, snapshot=seq, at_ns=at_ns))
        counted.again(counted.latest["a", "m"], seq=seq, at_ns=at_ns)
        if n % 1_000 == 0:
            assert counted.digest() == asked.digest()
    assert (counted.total, counted.holds) == (asked.total, asked.holds) == (3_000, 3_000)
    assert counted.last("a", "m") == asked.last("a", "m")
    assert counted.digest() == asked.digest()


def test_reading_the_digest_does_not_change_it() -> None:
    read, unread = DecisionRecord(), DecisionRecord()
    for n in range(10):
        for record in (read, unread):
            record.note(decision("a", "m", Verdict.HOLD, at_ms=n, score_u6=n))
        read.digest()
    assert read.digest() == unread.digest()


def test_the_running_digest_depends_on_every_decision_and_their_order() -> None:
    def digest(*scores: int) -> str:
        record = DecisionRecord()
        for score in scores:
            record.note(decision("a", "m", Verdict.HOLD, score_u6=score))
        return record.digest()

    assert digest(1, 2) == digest(1, 2)
    assert len({digest(1, 2), digest(2, 1), digest(1), digest(1, 2, 2)}) == 4
