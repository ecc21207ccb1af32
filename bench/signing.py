"""What an order costs between decision and signature: amounts, hash, policy, curve, the line."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter_ns, time_ns
from typing import Final

from bench.measure import quiet_collector, spread
from bench.report import Result
from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.runconfig import SignerConfig, VenueConfig
from polytui.engine.core.trading import Identity, Terms
from polytui.engine.core.units import U
from polytui.engine.orders.amounts import amounts
from polytui.engine.orders.hashing import Hasher, salt_of
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


class Maker:
    """Builds orders as the engine does, with hash and salt."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.hasher = Hasher(identity)

    def make(self, n: int, now_ms: int) -> Terms:
        """Make the n-th order."""
        who, cid, px_u6, qty_u6 = self.identity, f"bench-1-{n}", 520_000, 10 * U
        maker_u6, taker_u6 = amounts(Side.BUY, px_u6, qty_u6, OrderType.GTC, 10_000)
        salt = salt_of(cid)
        return Terms(
            cid=cid,
            order_hash=self.hasher.order_hash(
                salt=salt,
                token=TOKEN,
                side=Side.BUY,
                maker_amount_u6=maker_u6,
                taker_amount_u6=taker_u6,
                timestamp_ms=now_ms,
                neg_risk=False,
                protocol="v1",
            ),
            salt=salt,
            maker=who.maker,
            signer=who.signer,
            signature_type=who.signature_type,
            token=TOKEN,
            side=Side.BUY,
            maker_amount_u6=maker_u6,
            taker_amount_u6=taker_u6,
            timestamp_ms=now_ms,
            neg_risk=False,
            protocol="v1",
            order_type=OrderType.GTC,
            post_only=False,
            expiration_s=0,
            builder=who.builder,
            px_u6=px_u6,
            qty_u6=qty_u6,
        )


def _in_process(begin: Begin, count: int) -> Iterator[Result]:
    """Time the engine's half and the signer's half of one order."""
    key = load(begin.signer, begin.venue, begin.practice_label)
    assert isinstance(key, WalletKey), "expected a practice key"
    latch = open_for_reading(begin.latch)
    at_ns = [0]

    def now() -> Moment:
        """Read the real clocks and latch; let the rate's second pass quickly."""
        at_ns[0] += 2_000_000 + 0 * read_mono_ns()
        return Moment(wall_ns=read_wall_ns(), mono_ns=at_ns[0], latch_closed=is_closed(latch))

    session = Session(begin, key, now)
    assert session.identity is not None, session.fault
    maker, now_ms = Maker(session.identity), time_ns() // 1_000_000
    made: list[int] = []
    signed: list[int] = []
    with quiet_collector():
        for n in range(count + WARM):
            start_ns = perf_counter_ns()
            terms = maker.make(n, now_ms)
            made.append(perf_counter_ns() - start_ns)
            line = encoded(Sign(id=n, orders=(terms,)))
            start_ns = perf_counter_ns()
            reply = session.answer(read_ask(line[4:]))
            assert reply is not None
            encoded(reply)
            signed.append(perf_counter_ns() - start_ns)
            assert isinstance(reply, Signed)
            assert reply.results[0].signature, reply.results[0].refusal
    yield _row("sign/build", made[WARM:], "amounts, salt, hash and terms of one order, engine")
    both = [a + b for a, b in zip(made, signed, strict=True)]
    yield _row("sign/judge-and-sign", signed[WARM:], "one frame in, one out, signer")
    yield _row("sign/build-and-sign", both[WARM:], "both halves of one order", goal=True)


def _row(name: str, times: list[int], stream: str, *, goal: bool = False) -> Result:
    found = spread(times)
    return Result(
        name=name,
        value=found.p50_us,
        unit="µs/order",
        n=len(times),
        stream=stream,
        spread=found,
        goal=f"≤ {GOAL_US:.0f} µs" if goal else "",
        met=found.p50_us <= GOAL_US if goal else None,
    )


async def _over_the_line(begin: Begin, count: int) -> list[Result]:
    """Time signatures asked of the real process, one by one and in batches."""
    client = await SignerClient.start(begin, print)
    assert client.identity is not None, client.hello.why
    maker = Maker(client.identity)
    singles = await _ask(client, maker, count, 1)
    before_ns = _cpu_ns(client.pid)
    batches = await _ask(client, maker, count // BATCH, BATCH)
    total = (count // BATCH + WARM // 10) * BATCH
    spent_ns = _cpu_ns(client.pid) - before_ns
    await client.close()
    rows = [
        _row("sign/round-trip", singles, "one order, engine to signer and back"),
        _row("sign/round-trip-15", batches, f"a batch of {BATCH}, engine to signer and back"),
    ]
    if spent_ns > 0:
        cpu_us = spent_ns / total / 1_000
        rows.append(
            Result(
                name="sign/signer-cpu",
                value=cpu_us,
                unit="µs/order",
                n=total,
                stream=f"CPU of the signer's process, batches of {BATCH}",
                goal=f"≤ {GOAL_US:.0f} µs",
                met=cpu_us <= GOAL_US,
            )
        )
    return rows


async def _ask(client: SignerClient, maker: Maker, count: int, size: int) -> list[int]:
    """Ask for signatures no faster than the signer's own limit lets."""
    times: list[int] = []
    warm = WARM // 10
    for n in range(count + warm):
        now_ms = time_ns() // 1_000_000
        orders = [maker.make(n * size + k, now_ms) for k in range(size)]
        start_ns = perf_counter_ns()
        results = await client.sign(orders)
        times.append(perf_counter_ns() - start_ns)
        assert all(r.signature for r in results), results
        await asyncio.sleep(size * 0.0012)
    return times[warm:]


def _cpu_ns(pid: int) -> int:
    """Read how long a process has run; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    except (OSError, IndexError, ValueError):
        return 0
