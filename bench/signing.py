"""What an order costs between decision and signature: amounts, hash, policy, curve, the line.

The rival is the official Python client, which does the same from price and size to signature: with
the curve library that is installed here, its own hashing, its own float amounts.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter_ns, thread_time_ns, time_ns
from typing import Any, Final

from bench.measure import quiet_collector, spread
from bench.practice import bid_on, terms_of
from bench.report import Result
from polytui.engine.core.runconfig import SignerConfig, VenueConfig
from polytui.engine.core.trading import Terms
from polytui.engine.core.units import U
from polytui.engine.orders.hashing import Hasher
from polytui.engine.shell.clock import read_mono_ns, read_wall_ns
from polytui.engine.shell.latch import KillLatch, is_closed, open_for_reading
from polytui.engine.shell.signer.client import SignerClient
from polytui.engine.shell.signer.frames import Begin, Sign, Signed, encoded, read_ask
from polytui.engine.shell.signer.keys import WalletKey, load
from polytui.engine.shell.signer.policy import Moment
from polytui.engine.shell.signer.session import Session

TOKEN: Final = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
GOAL_US: Final = 60.0
BATCH: Final = 15
WARM: Final = 200
WISH: Final = bid_on(TOKEN, px_u6=520_000, qty_u6=10 * U)
PEER: Final = "py-clob-client-v2, price and size to signature"
PEER_SHARE: Final = 10
"""The rival signs one order of so many: it takes much longer."""


def run_sign(*, quick: bool) -> Iterator[Result]:
    """Build, sign, and sign over the line; none may be refused."""
    count = 1_000 if quick else 10_000
    with tempfile.TemporaryDirectory(prefix="bs") as directory:
        latch = KillLatch(Path(directory, "kill.latch"))
        begin = Begin(
            signer=SignerConfig(source="practice", orders_per_s=1_000),
            venue=VenueConfig(kind="practice", clob="http://127.0.0.1:1"),
            latch=str(latch.path),
            practice_label="bench",
            tokens=(TOKEN,),
        )
        yield from _in_process(begin, count)
        yield from asyncio.run(_over_the_line(begin, count // 4))
        latch.close()


def _make(n: int, hasher: Hasher, at_ns: int) -> Terms:
    """Make the n-th order."""
    return terms_of(f"bench-1-{n}", WISH, hasher, at_ns=at_ns)


def _in_process(begin: Begin, count: int) -> Iterator[Result]:
    """Time the engine's half and the signer's half of one order."""
    key = load(begin.signer, begin.venue, begin.practice_label)
    assert isinstance(key, WalletKey), "expected a practice key"
    latch = open_for_reading(begin.latch)
    mono_ns = [0]

    def now() -> Moment:
        """Read the real clocks and latch; let the rate's second pass quickly."""
        mono_ns[0] += 2_000_000 + 0 * read_mono_ns()
        return Moment(wall_ns=read_wall_ns(), mono_ns=mono_ns[0], latch_closed=is_closed(latch))

    session = Session(begin, key, now)
    assert session.identity is not None, session.fault
    hasher, at_ns = Hasher(session.identity), time_ns()
    peer = _official()
    made, signed, both, rival = Times(), Times(), Times(), Times()
    with quiet_collector():
        for n in range(count + WARM):
            begun = _now()
            terms = _make(n, hasher, at_ns)
            middle = _now()
            line = encoded(Sign(id=n, orders=(terms,)))
            again = _now()
            reply = session.answer(read_ask(line[4:]))
            assert isinstance(reply, Signed)
            encoded(reply)
            ended = _now()
            made.add(begun, middle)
            signed.add(again, ended)
            both.add(begun, ended)
            assert reply.results[0].signature, reply.results[0].refusal
            if n % PEER_SHARE == 0:
                begun = _now()
                peer()
                rival.add(begun, _now())
    yield _row("sign/build", made, "amounts, salt, hash and terms of one order, engine")
    yield _row("sign/judge-and-sign", signed, "one frame in, one out, signer")
    yield _row("sign/build-and-sign", both, "both halves of one order", peer=rival)
    yield _row("sign/official", rival, PEER)


def _official() -> Callable[[], object]:
    """Prepare the official client to sign the same order with a key of its own."""
    from py_clob_client_v2.clob_types import CreateOrderOptions, OrderArgsV2
    from py_clob_client_v2.order_builder.builder import OrderBuilder
    from py_clob_client_v2.signer import Signer

    builder: Any = OrderBuilder(Signer("0x" + "5e" * 32, 137))
    wish = OrderArgsV2(token_id=TOKEN, price=0.52, size=10.0, side="BUY")
    options = CreateOrderOptions(tick_size="0.01", neg_risk=False)
    return lambda: builder.build_order(wish, options, 2)


Moments = tuple[int, int]
"""Wall clock and processor time of this thread."""


def _now() -> Moments:
    return perf_counter_ns(), thread_time_ns()


class Times:
    """What something took, by both clocks, the first ones left out."""

    def __init__(self) -> None:
        self.wall_ns: list[int] = []
        self.cpu_ns: list[int] = []

    def add(self, begun: Moments, ended: Moments) -> None:
        """Note one."""
        self.wall_ns.append(ended[0] - begun[0])
        self.cpu_ns.append(ended[1] - begun[1])

    def warmed(self) -> tuple[list[int], list[int]]:
        """Return both lists without the warm-up."""
        skip = min(WARM, len(self.wall_ns) // 5)
        return self.wall_ns[skip:], self.cpu_ns[skip:]


def _row(name: str, times: Times, stream: str, *, peer: Times | None = None) -> Result:
    """Report by processor time; with a rival, hold it against the goal."""
    wall, cpu = times.warmed()
    found = spread(cpu)
    rival = spread(peer.warmed()[1]).p50_us if peer is not None else 0.0
    return Result(
        name=name,
        value=found.p50_us,
        unit="µs CPU/order",
        n=len(cpu),
        stream=stream,
        spread=spread(wall),
        cpu=found,
        baseline=PEER if peer is not None else "",
        ratio=found.p50_us / rival if rival else None,
        goal=f"≤ {GOAL_US:.0f} µs" if peer is not None else "",
        met=found.p50_us <= GOAL_US if peer is not None else None,
        note=f"CPU p50 {found.p50_us:.1f}, p99 {found.p99_us:.1f} µs",
    )


async def _over_the_line(begin: Begin, count: int) -> list[Result]:
    """Time signatures asked of the real process, one by one and in batches."""
    client = await SignerClient.start(begin, print)
    assert client.identity is not None, client.hello.why
    hasher = Hasher(client.identity)
    singles, single_cpu = await _ask(client, hasher, count, 1)
    batches, batch_cpu = await _ask(client, hasher, count // BATCH, BATCH)
    await client.close()
    return [
        _line("sign/round-trip", singles, single_cpu, 1),
        _line(f"sign/round-trip-{BATCH}", batches, batch_cpu, BATCH),
    ]


def _line(name: str, wall: list[int], cpu: list[int], size: int) -> Result:
    """Report what the signer's process spent on an order, the line included."""
    found = spread([ns // size for ns in cpu])
    is_known = found.max_us > 0
    return Result(
        name=name,
        value=found.p50_us if is_known else spread(wall).p50_us,
        unit="µs CPU/order" if is_known else "µs/request",
        n=len(wall) * size,
        stream=f"{size} order(s) a request, engine to signer and back; CPU of the signer's process",
        spread=spread(wall),
        cpu=found if is_known else None,
        goal=f"≤ {GOAL_US:.0f} µs",
        met=found.p50_us <= GOAL_US if is_known else None,
        note=f"signer's CPU p50 {found.p50_us:.1f}, p99 {found.p99_us:.1f} µs an order",
    )


async def _ask(
    client: SignerClient, hasher: Hasher, count: int, size: int
) -> tuple[list[int], list[int]]:
    """Ask no faster than the signer's own limit lets; return times and the signer's CPU."""
    times: list[int] = []
    spent: list[int] = []
    warm = WARM // 10
    for n in range(count + warm):
        at_ns = time_ns()
        orders = [_make(n * size + k, hasher, at_ns) for k in range(size)]
        before_ns, start_ns = _cpu_ns(client.pid), perf_counter_ns()
        results = await client.sign(orders)
        times.append(perf_counter_ns() - start_ns)
        assert all(r.signature for r in results), results
        await asyncio.sleep(size * 0.0012)
        spent.append(_cpu_ns(client.pid) - before_ns)
    return times[warm:], spent[warm:]


def _cpu_ns(pid: int) -> int:
    """Read how long a process has run; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    except (OSError, IndexError, ValueError):
        return 0
