"""One seeded life of the order path: armed, troubled, killed, crashed, and healed at the end.

`play(seed)` draws the knobs of a seed and lives through four acts: arming on a healthy venue, the
troubles with every invariant checked after every event, faults off (the system must come back
within a minute and place and cancel an order), and rest, where the venue's truth must equal our
ledger to the micro-unit. A failure names the seed and its knobs: `play(seed)` reproduces it.
"""

from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b

from msgspec import Struct
from msgspec.json import encode
from msgspec.structs import asdict, replace

from polytui.engine.core.enums import Mode, Reason
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.order_enums import OrderState, Realm, VenueState
from polytui.engine.core.rng import Rng
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.units import U
from polytui.engine.sim import faults
from polytui.engine.sim.exchange.terms import (
    DelayTerms,
    Resolution,
    SettlementTerms,
    VenueMode,
)
from polytui.engine.sim.faults import Switches
from polytui.engine.sim.rehearsal import ACCOUNT, OWNER
from tests.engine.rehearsal.invariants import Broken, Watch, equal_to_truth, holds
from tests.engine.rehearsal.scripted import KINDS
from tests.engine.rehearsal.stage import Stage

S = 1_000_000_000
MS = 1_000_000
TROUBLES_S = 75
HEAL_S = 60
POST_ONLY_S = 200
"""The venue's own rule after a restart (B5) is no fault that could be switched off."""
REST_S = 300
QUIET_S = 15
FAILURES = (0.0, 0.01, 0.05, 0.243, 0.35)


class Knobs(Struct, frozen=True, kw_only=True):
    """What goes wrong in one life; the defaults are a quiet one."""

    switches: Switches = Switches()
    fail_chance: float = 0.0
    settle_ms: int = 4_000
    acts: tuple[tuple[float, str], ...] = ()
    """(seconds into the troubles, what is done once)."""
    kinds: str = KINDS
    failed_share: float = 0.05
    """Share of failed settlements that trips the breaker; 1: it never does."""
    period_ms: int = 1_500
    rate: float = 5.0
    """Frames a second of all books: how liquid the venue is."""


def draw(seed: int) -> Knobs:
    """Draw the knobs of a seed: about a third of them are on."""
    rng = Rng(seed).fork("swarm")

    def some(most: float) -> float:
        return rng.unit() * most if rng.chance(0.33) else 0.0

    switches = Switches(
        user_drop=some(0.3),
        user_repeat=some(0.5),
        user_swap=some(0.3),
        lost_reply=some(0.2),
        lost_order=some(0.2),
        dropped_reply=some(0.2),
        too_many=some(0.2),
        too_many_cancels=some(0.3),
        frame_drop=some(0.05),
        frame_repeat=some(0.3),
        frame_swap=some(0.05),
        clock_skew_ms=rng.between(-400, 400) if rng.chance(0.33) else 0,
        stale_balances=rng.chance(0.15),
    )
    names = sorted(ACTS)
    acts = [
        (round(rng.unit() * TROUBLES_S, 3), names[rng.below(len(names))])
        for _ in range(rng.below(9))
    ]
    return Knobs(
        switches=switches,
        fail_chance=FAILURES[rng.below(len(FAILURES))],
        settle_ms=60_000 if rng.chance(0.2) else rng.between(1_000, 8_000),
        acts=tuple(sorted(acts)),
    )


_OWN_TIME = (
    VenueState.RESTARTING,
    VenueState.DISABLED,
    VenueState.CANCEL_ONLY,
    VenueState.POST_ONLY,
)
"""Full trading follows these by steps, of which the last takes two minutes."""

# --- what is done once ---------------------------------------------------------------------------


def _market(stage: Stage, rng: Rng) -> str:
    specs = stage.feed.specs()
    return specs[rng.below(len(specs))].market


def _switch_for(stage: Stage, rng: Rng, seconds: float, **changes: object) -> None:
    """Change switches for a while, then put the others back."""
    world = stage.feed.world
    before = world.switches
    world.switch(replace(before, **changes))
    stage.run_for(seconds)
    back = {name: getattr(before, name) for name in changes}
    world.switch(replace(world.switches, **back))
    del rng


def _restart(stage: Stage, rng: Rng) -> None:
    down_ms = rng.between(2_000, 12_000)
    stage.feed.world.do(faults.Restart(down_ms=down_ms, post_only_ms=20_000))
    stage.wire.cut_user_stream(stage.now_ns)


def _mode(mode: VenueMode) -> Callable[[Stage, Rng], None]:
    def act(stage: Stage, rng: Rng) -> None:
        stage.feed.world.do(faults.SetMode(mode=mode, for_ms=rng.between(1_000, 15_000)))

    return act


def _cut_user(stage: Stage, _rng: Rng) -> None:
    stage.wire.cut_user_stream(stage.now_ns)


def _cut_market(stage: Stage, _rng: Rng) -> None:
    stage.feed.reconnect(0, stage.now_ns)


def _tick(stage: Stage, rng: Rng) -> None:
    market = _market(stage, rng)
    tick_u6 = (1_000, 10_000, 2_500)[rng.below(3)]
    stage.feed.world.do(faults.ChangeTick(market=market, tick_u6=tick_u6))


def _resolve(stage: Stage, rng: Rng) -> None:
    market = _market(stage, rng)
    outcome = Resolution.YES if rng.chance(0.5) else Resolution.NO
    with suppress(OperatorError):
        stage.feed.world.do(faults.ResolveMarket(market=market, outcome=outcome))


def _crash(stage: Stage, rng: Rng) -> None:
    stage.fuse = rng.below(40)
    stage.run_for(0.5)
    if stage.fuse >= 0:
        stage.crash()


def _lag(stage: Stage, rng: Rng) -> None:
    stage.lag_ns = rng.between(250 * MS, 3_000 * MS)
    stage.run_for(rng.unit() * 4)
    stage.lag_ns = 0


def _journal(stage: Stage, rng: Rng) -> None:
    stage.journal_ok = False
    stage.run_for(0.3 + rng.unit() * 3)
    stage.journal_ok = True


def _sleep(stage: Stage, rng: Rng) -> None:
    """C4: the process stands still while the world goes on."""
    stage.sleep(1 + rng.unit() * 8)


def _by_hand(stage: Stage, rng: Rng) -> None:
    stage.by_another_hand(rng)


def _kill(stage: Stage, _rng: Rng) -> None:
    stage.ask("risk.kill", "swarm")


def _flatten(stage: Stage, _rng: Rng) -> None:
    stage.flatten()


def _cancel_all(stage: Stage, _rng: Rng) -> None:
    stage.ask("orders.cancel", "all")


def _cancel_some(stage: Stage, rng: Rng) -> None:
    mine = [order for order in stage.account.orders.open() if not order.external]
    for order in mine[:: 1 + rng.below(3)]:
        stage.ask("orders.cancel", f"order:{order.cid}")


def _disarm(stage: Stage, _rng: Rng) -> None:
    stage.ask("mode.disarm")


def _skew(stage: Stage, rng: Rng) -> None:
    skew_ms = (-120_000, -2_000, 2_000, 120_000)[rng.below(4)]
    _switch_for(stage, rng, 5 + rng.unit() * 10, clock_skew_ms=skew_ms)


ACTS: dict[str, Callable[[Stage, Rng], None]] = {
    "restart": _restart,
    "cancel_only": _mode(VenueMode.CANCEL_ONLY),
    "disabled": _mode(VenueMode.DISABLED),
    "cut_user": _cut_user,
    "cut_market": _cut_market,
    "tick": _tick,
    "resolve": _resolve,
    "crash": _crash,
    "lag": _lag,
    "journal": _journal,
    "sleep": _sleep,
    "by_hand": _by_hand,
    "kill": _kill,
    "flatten": _flatten,
    "cancel_all": _cancel_all,
    "cancel_some": _cancel_some,
    "disarm": _disarm,
    "skew": _skew,
    "user_freeze": lambda s, r: _switch_for(s, r, 1 + r.unit() * 8, user_freeze=True),
    "market_freeze": lambda s, r: _switch_for(s, r, 1 + r.unit() * 8, market_freeze=True),
    "all_lost": lambda s, r: _switch_for(s, r, 1 + r.unit() * 4, lost_reply=1.0),
    "none_there": lambda s, r: _switch_for(s, r, 1 + r.unit() * 4, lost_order=1.0),
}


# --- a life --------------------------------------------------------------------------------------


class Life:
    """What came of one seed."""

    def __init__(self, seed: int, knobs: Knobs, stage: Stage, watch: Watch) -> None:
        self.seed = seed
        self.knobs = knobs
        self.stage = stage
        self.watch = watch
        self.trusted_s = 0.0

    def digest(self) -> str:
        """Digest everything that left the engine and everything it knows at the end."""
        stage = self.stage
        parts = blake2b(digest_size=16)
        for command in stage.commands:
            parts.update(repr(command).encode())
        parts.update(repr(list(stage.wire.sent)).encode())
        parts.update(repr(stage.account.portfolio.checkpoint()).encode())
        parts.update(stage.exchange.digest().encode())
        parts.update(stage.engine.checkpoint())
        return parts.hexdigest()


def play(seed: int, knobs: Knobs | None = None) -> Life:
    """Live one life; every broken invariant is told with what reproduces it."""
    knobs = knobs or draw(seed)
    try:
        return _play(seed, knobs)
    except (AssertionError, OperatorError, ArithmeticError, LookupError, RuntimeError) as fault:
        text = f"seed {seed}: {fault}\nknobs {_shown(knobs)}"
        raise Broken(text) from fault


def _shown(knobs: Knobs) -> str:
    healthy = asdict(Switches())
    on = {k: v for k, v in asdict(knobs.switches).items() if v != healthy[k]}
    return encode({"switches": on, "fail": knobs.fail_chance, "settle_ms": knobs.settle_ms,
                   "acts": knobs.acts}).decode()  # fmt: skip


def _play(seed: int, knobs: Knobs) -> Life:
    limits = LimitsConfig(
        day_loss_u6=400 * U, strategy_loss_u6=200 * U, failed_share=knobs.failed_share
    )
    stage = Stage(
        seed, limits=limits, kinds=knobs.kinds, period_ms=knobs.period_ms, rate=knobs.rate
    )
    watch = Watch(stage)
    life = Life(seed, knobs, stage, watch)
    holds(30, stage.arm(within_s=60), f"not armed: {stage.engine.trading.room.modes.checks}")
    trouble(stage, knobs, seed)
    heal(stage)
    life.trusted_s = back_to_work(stage)
    rest(stage)
    equal_to_truth(stage)
    holds(1, stage.stale_sent == 0, "an earlier engine sent on stale state")
    return life


def trouble(stage: Stage, knobs: Knobs, seed: int) -> None:
    """Let the troubles happen."""
    rng = Rng(seed).fork("troubles")
    settle(stage, knobs.fail_chance, knobs.settle_ms)
    stage.feed.world.switch(knobs.switches)
    begin_ns = stage.now_ns
    for at_s, name in knobs.acts:
        stage.run_until(max(stage.now_ns, begin_ns + int(at_s * S)))
        ACTS[name](stage, rng)
        if stage.mode is not Mode.LIVE_ARMED and not stage.engine.trading.room.kill.killed:
            stage.arm(within_s=10)
    stage.run_until(max(stage.now_ns, begin_ns + TROUBLES_S * S))


def settle(stage: Stage, fail_chance: float, settle_ms: int) -> None:
    """Say how trades become money from now on."""
    terms = SettlementTerms(
        mine=DelayTerms(low_ms=settle_ms // 4, high_ms=settle_ms // 2),
        confirm=DelayTerms(low_ms=settle_ms // 4, high_ms=settle_ms // 2),
        fail_chance=fail_chance,
        retry_chance=0.1,
    )
    stage.feed.world.do(faults.SetSettlement(terms=terms))


def heal(stage: Stage) -> None:
    """Switch every fault off, and let a person clear what only a person may."""
    stage.feed.world.switch(Switches())
    stage.lag_ns, stage.journal_ok = 0, True
    settle(stage, 0.0, 2_000)
    stage.exchange.set_mode(VenueMode.NORMAL)
    stage.exchange.refresh_balance_cache(ACCOUNT)
    outside = [one.order_hash for one in stage.account.orders.open() if one.external]
    stage.exchange.cancel(OWNER, outside)
    stage.run_for(5)
    person(stage)
    for _ in range(POST_ONLY_S):
        if not any(stage.account.venue.has(state) for state in _OWN_TIME):
            return
        stage.run_for(1)


def person(stage: Stage) -> None:
    """Do what an operator does after trouble: prove the kill, reset breakers, release causes."""
    room = stage.engine.trading.room
    for _ in range(30):
        if not room.kill.killed:
            break
        stage.ask("risk.clear", "CLEAR", "the swarm is over")
        stage.run_for(1)
    holds(31, not room.kill.killed, f"the kill is not proven: {room.kill.receipt()}")
    for realm, desk in room.governor.desks.items():
        for name in list(desk.breakers.tripped):
            kind = name.partition(":")[0]
            stage.ask("breaker.reset", f"{realm.value}.{name}", "RESET", kind, "the swarm is over")
        for row in desk.causes.rows():
            stage.ask("trading.resume", row.cause.partition(":")[0], "RESUME", "the swarm is over")


def back_to_work(stage: Stage) -> float:
    """30 to 33: within a minute feeds are valid, nothing is in doubt, an order comes and goes."""
    begin_ns = stage.now_ns
    until_ns = begin_ns + HEAL_S * S
    while stage.now_ns < until_ns and (why := _lacking(stage)):
        stage.run_for(1)
    why = _lacking(stage)
    holds(30, not why, f"after {HEAL_S} s: {why}")
    holds(30, stage.arm(within_s=60), f"not armed: {_red(stage)}")
    _place_and_cancel(stage)
    return (stage.now_ns - begin_ns) / S


def _red(stage: Stage) -> str:
    checks = stage.engine.trading.room.modes.checks
    return ", ".join(f"{c.code} {c.value}" for c in checks if not c.ok)


def _lacking(stage: Stage) -> str:
    """Say what is missing to work: empty, nothing is."""
    account = stage.account
    if account.venue.state is not VenueState.NORMAL:
        return f"venue {account.venue.state} {account.venue.why}"
    if account.orders.unknown():
        return f"in doubt: {[one.cid for one in account.orders.unknown()]}"
    if not account.reconciler.intake.is_open:
        return f"intake: {account.reconciler.intake.why}"
    desk = stage.engine.desk
    for tracked in desk.markets.values():
        reason = desk.blocked(tracked, stage.now_ns)
        is_over = tracked.resolved or stage.exchange.resolution(tracked.spec.market) is not None
        if not is_over and reason not in (None, Reason.STALE_BOOK, Reason.GROUP_OPEN):
            return f"{tracked.spec.title}: {reason}"
    return ""


def _place_and_cancel(stage: Stage) -> None:
    """Wait for a resting order of ours, then cancel it."""
    for _ in range(120):
        stage.run_for(0.5)
        resting = [
            order
            for order in stage.account.orders.open()
            if order.state is OrderState.LIVE and not order.external and not order.cancel_ns
        ]
        if resting:
            break
    holds(30, bool(resting), f"no order rests: {_refusals(stage)}")
    order = resting[-1]
    reply = stage.ask("orders.cancel", f"order:{order.cid}")
    holds(30, reply.ok, reply.text)
    stage.run_for(8)
    holds(31, order.state.is_terminal, f"{order.cid} is {order.state}")


def _refusals(stage: Stage) -> list[str]:
    orders = list(stage.account.orders.by_cid.values())[-8:]
    return [f"{o.state.value} {o.refusal}" for o in orders]


def rest(stage: Stage) -> None:
    """Stop trading, cancel everything, let every trade settle."""
    stage.ask("strategy.pause_all")
    stage.ask("orders.cancel", "all")
    quiet = 0
    for _ in range(REST_S):
        stage.run_for(1)
        quiet = 0 if _is_busy(stage) else quiet + 1
        if quiet == QUIET_S:
            break
        if quiet == 5:
            outside = [one.order_hash for one in stage.account.orders.open() if one.external]
            stage.exchange.cancel(OWNER, outside)
    live = stage.engine.trading.accounts[Realm.LIVE]
    holds(32, not live.orders.in_flight(), "orders in flight at rest")


def _is_busy(stage: Stage) -> bool:
    account = stage.account
    mine = [order for order in account.orders.open() if not order.external]
    return bool(mine or account.orders.in_flight() or account.trades.provisional())


# --- for tests of one fault ----------------------------------------------------------------------


def armed(seed: int = 1, **wishes: object) -> Stage:
    """Arm on a healthy venue, every invariant watched from the first event on."""
    stage = Stage(seed, **wishes)  # type: ignore[arg-type]  # as named in Stage
    Watch(stage)
    assert stage.arm()
    return stage


def quoting(seed: int = 1, **wishes: object) -> Stage:
    """Arm, and have quotes rest."""
    stage = armed(seed, kinds="q", **wishes)
    assert stage.wait(lambda: len(stage.quotes()) >= 3)
    return stage


def at_rest(stage: Stage) -> None:
    """Heal, stop, and hold the venue's truth against the ledger."""
    heal(stage)
    rest(stage)
    equal_to_truth(stage)
