"""The pure parts of the order path: states, gate, ledger; what one step of each costs.

Each is held against one signature on the curve by libsecp256k1, the least that an order costs
anywhere: what these parts cost is small change beside it, or it is not.
"""

from collections.abc import Callable, Iterator
from time import perf_counter_ns, process_time_ns, thread_time_ns
from typing import Final

from coincurve import PrivateKey

from bench.measure import quiet_collector, spread
from bench.report import Result
from polytui.engine.account.gate_facts import gate_facts
from polytui.engine.core.enums import Mode
from polytui.engine.core.order_enums import FillKind, OrderState, Realm
from polytui.engine.core.trading import FillChange
from polytui.engine.decide.governor import Governor
from polytui.engine.portfolio.portfolio import Portfolio
from tests.engine.decide import gate as moment
from tests.engine.orders.exercise import Exercise
from tests.engine.portfolio.desk import BUY, GROUP, PAIR, fill, then
from tests.engine.rehearsal.stage import Stage

CURVE: Final = "one libsecp256k1 signature"
LIVES: Final = 200


def run_machine(*, quick: bool) -> Iterator[Result]:
    """Time states, gate and ledger, each alone on this thread."""
    rounds = 3 if quick else 10
    with quiet_collector():
        curve_us = _signature_us()
        yield _states(rounds, curve_us)
        yield _checks(2_000 * rounds, curve_us)
        yield from _whole_gate(1_000 * rounds, curve_us)
        yield _ledger(1_000 * rounds, curve_us)


def _signature_us() -> float:
    key, digest = PrivateKey(b"\x5e" * 32), b"\x01" * 32
    costs = _times(lambda: key.sign_recoverable(digest, hasher=None), 1_000)[1]
    return spread(costs).p50_us


def _times(task: Callable[[], object], count: int) -> tuple[list[int], list[int]]:
    """Do something often; return wall clock and processor time of each."""
    wall: list[int] = []
    cpu: list[int] = []
    for _ in range(count):
        wall_ns, cpu_ns = perf_counter_ns(), thread_time_ns()
        task()
        cpu.append(thread_time_ns() - cpu_ns)
        wall.append(perf_counter_ns() - wall_ns)
    return wall, cpu


# --- states --------------------------------------------------------------------------------------


def _states(rounds: int, curve_us: float) -> Result:
    """Live whole lives of orders and trades; the least disturbed round counts."""
    best_ns, events = 1 << 62, 0
    for _ in range(rounds):
        work = Exercise(LIVES)
        begun_ns = process_time_ns()
        events = work.run()
        best_ns = min(best_ns, process_time_ns() - begun_ns)
    each_us = best_ns / events / 1_000
    return Result(
        name="machine/orders-and-trades",
        value=each_us,
        unit="µs CPU/event",
        n=events * rounds,
        per_s=1e6 / each_us,
        stream=f"{LIVES} lives: stages, answer, user events, a sweep row, three steps of a trade",
        baseline=CURVE,
        ratio=each_us / curve_us,
        note=f"{CURVE} took {curve_us:.1f} µs CPU",
    )


# --- the gate ------------------------------------------------------------------------------------


def _checks(count: int, curve_us: float) -> Result:
    """Ask all controls about an order that passes, on facts at hand."""
    governor, facts = Governor(moment.LIMITS), moment.facts()
    order = moment.order()
    assert governor.check(order, facts) is None, "expected a moment in which all is well"
    times = _times(lambda: governor.check(order, facts), count)
    return _row("machine/gate-checks", times, "all controls on facts at hand", curve_us)


def _whole_gate(count: int, curve_us: float) -> Iterator[Result]:
    """Gather facts and judge, in an armed engine with orders open: as where bytes leave."""
    stage = Stage(1, kinds="q", period_ms=1_000, markets=8)
    assert stage.arm(), "expected the rehearsal to arm"
    stage.run_for(20)
    account, host, at_ns = stage.account, stage.host(), stage.now_ns
    order = next(o for o in account.orders.by_cid.values() if o.state is OrderState.LIVE)

    def judge() -> None:
        facts = gate_facts(account, order, host, host_ns=at_ns, at_ns=at_ns)
        stage.engine.trading.room.governor.judge(order, facts)  # type: ignore[arg-type]  # its market is known

    assert stage.mode is Mode.LIVE_ARMED
    opened = len(account.orders.open())
    about = f"facts gathered and judged, {opened} orders open, {len(stage.feed.specs())} markets"
    yield _row("machine/gate", _times(judge, count), about, curve_us)


# --- the ledger ----------------------------------------------------------------------------------


def _ledger(count: int, curve_us: float) -> Result:
    """Book fills as they come: provisional, then confirmed."""
    portfolio = Portfolio(Realm.LIVE)
    changes: list[FillChange] = []
    for n in range(count // 2):
        change = fill(f"t{n}", BUY, "0.5", "10", place=PAIR[n % 2], fee="0.02")
        changes += [change, then(change, FillKind.PROMOTED)]
    waiting = iter(changes)
    times = _times(lambda: portfolio.apply(next(waiting), group=GROUP), len(changes))
    about = "a fill booked provisionally, then confirmed: double entry, positions, exposure"
    return _row("machine/ledger-apply", times, about, curve_us)


def _row(name: str, times: tuple[list[int], list[int]], about: str, curve_us: float) -> Result:
    wall, cpu = (spread(part) for part in times)
    return Result(
        name=name,
        value=cpu.p50_us,
        unit="µs CPU",
        n=len(times[0]),
        per_s=1e6 / cpu.p50_us,
        stream=about,
        spread=wall,
        cpu=cpu,
        baseline=CURVE,
        ratio=cpu.p50_us / curve_us,
        note=f"CPU p50 {cpu.p50_us:.1f}, p99 {cpu.p99_us:.1f} µs, the stopwatch's 1 µs included",
    )
