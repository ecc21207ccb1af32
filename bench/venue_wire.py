"""The practice venue over its wire: orders a second through REST, frames a second to listeners.

Both run the real server. Orders come from this process, signed beforehand, to `polytui venue` as a
process of its own; for the fan-out the server is here and the listeners are another process.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter_ns, process_time_ns, time
from typing import Any

import aiohttp
from msgspec.json import encode

from bench.measure import spread
from bench.processes import polytui
from bench.report import Result
from polytui.engine.core.enums import Side
from polytui.engine.core.rng import Rng
from polytui.engine.core.units import U
from polytui.engine.shell.clock import read_anchor
from polytui.engine.shell.venue.crypto import auth_digest, request_signature, sign
from polytui.engine.shell.venue.orders import SignedOrder, domain_of, order_digest
from polytui.engine.shell.venue.server import Server, make_app
from polytui.engine.shell.venue.venue import Venue, real_clock
from polytui.engine.sim.exchange.api import OrderRequest
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.practice_markets import group_of, singles

SECOND_NS = 1_000_000_000
ZERO = "0x" + "0" * 64
MARKETS = 100
LEVELS = 40
SOCKETS = 10
MAKER = "0x" + "1" * 40

_LISTENERS = """
import asyncio, aiohttp, json, sys
async def main():
    url, tokens, sockets, seconds = sys.argv[1], sys.argv[2].split(","), *map(int, sys.argv[3:])
    heard = [0]
    async with aiohttp.ClientSession() as session:
        async def listen():
            async with session.ws_connect(url, max_msg_size=0) as socket:
                await socket.send_str(json.dumps({"type": "market", "assets_ids": tokens}))
                async for _ in socket:
                    heard[0] += 1
        tasks = [asyncio.create_task(listen()) for _ in range(sockets)]
        await asyncio.sleep(2)
        before = heard[0]
        await asyncio.sleep(seconds)
        print(heard[0] - before, flush=True)
        for task in tasks:
            task.cancel()
asyncio.run(main())
"""


# --- orders --------------------------------------------------------------------------------------


class _Client:
    """One wallet of the venue, signing orders and requests."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.base = ready["urls"]["clob"]
        wallet = ready["wallets"][0]
        self._key, self._address = wallet["private_key"], wallet["address"]
        self._creds: dict[str, str] = {}
        self._salt = 0

    async def log_in(self, session: aiohttp.ClientSession) -> None:
        stamp = str(int(time()))
        digest = auth_digest(chain_id=137, address=self._address, timestamp=stamp, nonce=0)
        headers = {
            "POLY_ADDRESS": self._address,
            "POLY_SIGNATURE": sign(self._key, digest),
            "POLY_TIMESTAMP": stamp,
            "POLY_NONCE": "0",
        }
        async with session.post(f"{self.base}/auth/api-key", headers=headers) as answer:
            self._creds = await answer.json()

    def order(self, token: str) -> dict[str, Any]:
        """Sign a bid of five shares that rests far below the market."""
        self._salt += 1
        order = SignedOrder(
            salt=self._salt,
            maker=self._address,
            signer=self._address,
            token=int(token),
            maker_amount=50_000 * (1 + self._salt % 3),
            taker_amount=5 * U,
            is_sell=False,
            signature_type=0,
            timestamp_ms=int(time() * 1_000),
            metadata=ZERO,
            builder=ZERO,
            signature="0x",
        )
        signature = sign(self._key, order_digest(order, domain_of(version="v1", neg_risk=False)))
        fields = {
            "salt": order.salt,
            "maker": order.maker,
            "signer": order.signer,
            "tokenId": token,
            "makerAmount": str(order.maker_amount),
            "takerAmount": str(order.taker_amount),
            "side": "BUY",
            "signatureType": 0,
            "timestamp": str(order.timestamp_ms),
            "metadata": ZERO,
            "builder": ZERO,
            "expiration": "0",
            "signature": signature,
        }
        return {"order": fields, "owner": self._creds["apiKey"], "orderType": "GTC"}

    async def post(self, session: aiohttp.ClientSession, path: str, body: bytes) -> int:
        """Post a signed body; return how long the answer took, in nanoseconds."""
        stamp = str(int(time()))
        signature = request_signature(
            self._creds["secret"], timestamp=stamp, method="POST", path=path, body=body
        )
        headers = {
            "POLY_ADDRESS": self._address,
            "POLY_API_KEY": self._creds["apiKey"],
            "POLY_PASSPHRASE": self._creds["passphrase"],
            "POLY_TIMESTAMP": stamp,
            "POLY_SIGNATURE": signature,
        }
        begun_ns = perf_counter_ns()
        async with session.post(self.base + path, data=body, headers=headers) as answer:
            await answer.read()
            assert answer.status == 200, await answer.text()
        return perf_counter_ns() - begun_ns


def run_orders(*, quick: bool) -> Iterator[Result]:
    """Place resting orders one after the other, eight at a time, and in batches of fifteen."""
    count = 240 if quick else 1_200
    with tempfile.TemporaryDirectory(prefix="pv") as directory:
        control = str(Path(directory, "c.sock"))
        command = polytui("venue", "--port", "0", "--control", control)
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            try:
                ready = json.loads(process.stdout.readline())
                yield from asyncio.run(_place(_Client(ready), count))
            finally:
                process.terminate()


async def _place(client: _Client, count: int) -> list[Result]:
    results = []
    async with aiohttp.ClientSession() as session:
        await client.log_in(session)
        async with session.get(f"{client.base}/gamma/markets?limit=1") as answer:
            token = json.loads((await answer.json())[0]["clobTokenIds"])[0]
        for name, path, at_once, size in (
            ("one", "/order", 1, 1),
            ("eight", "/order", 8, 1),
            ("batch", "/orders", 1, 15),
        ):
            bodies = [
                encode(
                    [client.order(token) for _ in range(15)] if size > 1 else client.order(token)
                )
                for _ in range(count // size)
            ]
            results.append(await _timed(client, session, name, (path, at_once, size), bodies))
    return results


async def _timed(
    client: _Client,
    session: aiohttp.ClientSession,
    name: str,
    how: tuple[str, int, int],
    bodies: list[bytes],
) -> Result:
    path, at_once, size = how
    waiting = iter(bodies)
    times: list[int] = []

    async def worker() -> None:
        for body in waiting:
            took_ns = await client.post(session, path, body)
            times.append(took_ns)

    begun_ns = perf_counter_ns()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    per_s = len(bodies) * size * SECOND_NS / (perf_counter_ns() - begun_ns)
    return Result(
        name=f"venue-orders/{name}",
        value=per_s,
        unit="orders/s",
        n=len(bodies) * size,
        stream=f"signed GTC bids that rest, {at_once} request(s) at a time of {size} order(s)",
        spread=spread(times),
    )


# --- frames --------------------------------------------------------------------------------------


def run_fanout(*, quick: bool) -> Iterator[Result]:
    """Change books of 200 tokens as fast as listeners take it."""
    yield asyncio.run(_fan_out(3 if quick else 8))


async def _fan_out(seconds: int) -> Result:
    anchor = read_anchor()
    exchange = Exchange(rng=Rng(1), start_ns=anchor.wall_ns)
    venue = Venue(exchange, seed=1, clock=real_clock(anchor))
    terms = [single.terms for single in singles(MARKETS)]
    exchange.open_account(MAKER)
    exchange.deposit(MAKER, 10**13)
    for single in singles(MARKETS):
        exchange.list_group(group_of(single))
        exchange.list_market(single.terms)
    placed = 0

    def place() -> None:
        nonlocal placed
        market, px_u6 = terms[placed % MARKETS], 10_000 * (1 + placed // MARKETS % LEVELS)
        placed += 1
        exchange.place(
            OrderRequest(
                order_id=f"0x{placed:064x}",
                account=MAKER,
                owner="bench",
                token=market.tokens[placed & 1],
                side=Side.BUY,
                maker_amount_u6=px_u6 * 5,
                taker_amount_u6=5 * U,
            )
        )

    server = Server(make_app(venue), host="127.0.0.1", port=0)
    await server.start()
    tokens = ",".join(token for market in terms for token in market.tokens)
    arguments = [f"ws://{server.base}/ws/market", tokens, str(SOCKETS), str(seconds)]
    listeners = subprocess.Popen(  # noqa: ASYNC220  started once, before anything is timed
        [sys.executable, "-c", _LISTENERS, *arguments], stdout=subprocess.PIPE
    )
    begun_ns, spent_ns = perf_counter_ns(), process_time_ns()
    while listeners.poll() is None:
        for _ in range(10):
            place()
        venue.touch()
        await asyncio.sleep(0.002)
    busy = (process_time_ns() - spent_ns) / (perf_counter_ns() - begun_ns)
    assert listeners.stdout is not None
    heard = int(listeners.stdout.read())
    await server.close()
    return Result(
        name="venue-fanout/200-tokens",
        value=heard / seconds,
        unit="frames/s",
        n=heard,
        stream=f"{2 * MARKETS} tokens, {SOCKETS} sockets hearing all of them",
        note=f"server busy {busy:.0%} of one core, listeners on the other",
    )
