"""A strategy that trades by a script of chance: every kind of order, in every market, from a seed.

It wants what no real strategy wants: boxes at crossing prices, entries on one side, quotes at the
touch, sales from stock. It is pure like any other, so that a rehearsal of it replays.
"""

from functools import partial
from hashlib import blake2b

from msgspec.structs import replace

from polytui.engine.core.decision import Decision, Intent
from polytui.engine.core.enums import MetricFamily, Outcome, Reason, Side, Unit, Verdict
from polytui.engine.core.runconfig import RunConfig
from polytui.engine.core.units import U
from polytui.engine.machine import Roster
from polytui.engine.market.snapshot import MarketSnapshot
from polytui.engine.orders.bundle_acts import MAKER
from polytui.engine.strategy.api import Strategy

NAME = "script"
LOT_U6 = 10_000
MS = 1_000_000


KINDS = "bbbbfsqqqqx"


OTHER = "other"


def roster(
    seed: int,
    *,
    period_ms: int = 1_500,
    kinds: str = KINDS,
    only: str = "",
    names: tuple[str, ...] = (NAME,),
) -> Roster:
    """Return the engine's strategies: this one alone, or several of it by rank.

    Kinds, drawn evenly: b box, f one-sided entry, s one-sided sale, q quote, x sell box, h hold.
    `only` names the one market, by the beginning of its title, in which it acts. Of several
    strategies the first, with the best tier, acts eight times as seldom.
    """

    def strategies(_config: RunConfig) -> tuple[Strategy, ...]:
        act = partial(propose, kinds=kinds, only=only)
        slow = 8 if len(names) > 1 else 1
        return tuple(
            Strategy(
                id=name,
                tier=tier,
                propose=partial(
                    act,
                    seed=seed + tier,
                    name=name,
                    period_ns=period_ms * MS * (1 if tier else slow),
                ),
            )
            for tier, name in enumerate(names)
        )

    return strategies


def propose(
    snap: MarketSnapshot,
    memory: int | None,
    *,
    seed: int,
    period_ns: int,
    kinds: str,
    only: str,
    name: str,
) -> tuple[Decision, int]:
    """Act once in a period, if the book has both sides; draw what from the seed and the period."""
    decision, slot = _propose(snap, memory, seed, period_ns, kinds, only)
    intents = tuple(replace(one, strategy=name) for one in decision.intents)
    return replace(decision, strategy=name, intents=intents), slot


def _propose(
    snap: MarketSnapshot, memory: int | None, seed: int, period_ns: int, kinds: str, only: str
) -> tuple[Decision, int]:
    slot = snap.at_ns // period_ns
    if not snap.spec.title.startswith(only):
        return decide(snap, ()), slot
    if memory == slot or not snap.yes_px or not snap.no_px or snap.spec.fees is None:
        return decide(snap, ()), slot if memory is None else memory
    text = f"{seed}|{snap.spec.market}|{slot}"
    dice = blake2b(text.encode(), digest_size=4).digest()
    kind = kinds[dice[0] % len(kinds)]
    outcome = Outcome.YES if dice[1] % 2 else Outcome.NO
    qty_u6 = (5 + dice[2] % 16) * U + (dice[3] % 4) * 250_000
    return decide(snap, _intents(snap, kind, outcome, qty_u6)), slot


def _intents(snap: MarketSnapshot, kind: str, outcome: Outcome, qty_u6: int) -> tuple[Intent, ...]:
    if kind == "b":
        return _box(snap, Side.BUY, outcome, qty_u6)
    if kind == "x":
        return _box(snap, Side.SELL, outcome, qty_u6)
    if kind == "f":
        return _one(snap, Side.BUY, outcome, qty_u6)
    if kind == "s":
        return _one(snap, Side.SELL, outcome, qty_u6)
    return _quote(snap, outcome, qty_u6) if kind == "q" else ()


def _box(snap: MarketSnapshot, side: Side, first: Outcome, qty_u6: int) -> tuple[Intent, ...]:
    second = Outcome.NO if first is Outcome.YES else Outcome.YES
    return tuple(
        want(snap, side, outcome, _touch_u6(snap, side, outcome), qty_u6, leg=leg)
        for leg, outcome in enumerate((first, second))
    )


def _one(snap: MarketSnapshot, side: Side, outcome: Outcome, qty_u6: int) -> tuple[Intent, ...]:
    return (want(snap, side, outcome, _touch_u6(snap, side, outcome), qty_u6),)


def _quote(snap: MarketSnapshot, outcome: Outcome, qty_u6: int) -> tuple[Intent, ...]:
    px_u6 = snap.best_bid_u6(outcome)
    assert px_u6 is not None
    return (want(snap, Side.BUY, outcome, px_u6, qty_u6, tags=(MAKER,)),)


def _touch_u6(snap: MarketSnapshot, side: Side, outcome: Outcome) -> int:
    px_u6 = snap.best_ask_u6(outcome) if side is Side.BUY else snap.best_bid_u6(outcome)
    assert px_u6 is not None
    return px_u6


def want(
    snap: MarketSnapshot,
    side: Side,
    outcome: Outcome,
    px_u6: int,
    qty_u6: int,
    *,
    leg: int = 0,
    tags: tuple[str, ...] = (),
) -> Intent:
    """Want one order in the market of a snapshot."""
    return Intent(
        strategy=NAME,
        tier=0,
        market=snap.spec.market,
        token=snap.spec.tokens[0 if outcome is Outcome.YES else 1],
        outcome=outcome,
        side=side,
        px_u6=px_u6,
        qty_u6=qty_u6,
        snapshot=snap.id,
        bundle=f"{NAME}-{snap.id}-{snap.spec.market[:8]}",
        leg=leg,
        ev_u6=0,
        confidence=0.5,
        risk_cost_u6=px_u6 * qty_u6 // U,
        tags=tags,
    )


def decide(snap: MarketSnapshot, intents: tuple[Intent, ...]) -> Decision:
    """Decide for these orders; without any, hold."""
    return Decision(
        strategy=NAME,
        market=snap.spec.market,
        snapshot=snap.id,
        at_ns=snap.at_ns,
        verdict=Verdict.INTENT if intents else Verdict.HOLD,
        reason=Reason.OK if intents else Reason.EDGE_BELOW_BUFFER,
        score_u6=0,
        threshold_u6=0,
        unit=Unit.USD_PER_SHARE,
        family=MetricFamily.NET_EDGE,
        intents=intents,
    )
