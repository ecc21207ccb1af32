"""One order to the practice venue over a kept connection: our client against two libraries.

Every client posts the same kind of order, signed beforehand, with its headers made beforehand, and
takes turns with the others order by order, so that what the venue and the machine are busy with
meets all alike. The loop is uvloop, as in the engine.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from time import perf_counter_ns, thread_time_ns
from typing import Any, Final

import aiohttp
import httpx
import msgspec
import uvloop

from bench.measure import quiet_collector, spread
from bench.practice import Trader, trader, venue
from bench.report import Result
from polytui.engine.shell.polymarket.entry import order_body
from polytui.engine.shell.polymarket.http import HttpClient

PATH: Final = "/order"
TIMEOUT_S: Final = 5.0
PEER: Final = "aiohttp"

Post = Callable[[str, bytes], Awaitable[tuple[int, bytes]]]
"""(header lines, body) to (status, body)."""


def run_post(*, quick: bool) -> Iterator[Result]:
    """Post resting orders one after the other, each by the next client."""
    with venue(singles=2, rate=5.0) as ready:
        yield from uvloop.run(_compare(ready, 150 if quick else 1_000))


async def _compare(ready: dict[str, Any], count: int) -> list[Result]:
    base = ready["urls"]["clob"]
    async with aiohttp.ClientSession() as session, httpx.AsyncClient() as client:
        token = await _token(session, base)
        async with trader(ready, tokens=[token], label="post") as hands:
            ours = HttpClient(hands.client.clob.http.origin)
            rivals: dict[str, Post] = {
                "ours": _ours(ours),
                "aiohttp": _aiohttp(session, base + PATH),
                "httpx": _httpx(client, base + PATH),
            }
            times = await _take_turns(hands, token, rivals, count)
            ours.close()
    return [_row(name, times) for name in rivals]


async def _token(session: aiohttp.ClientSession, base: str) -> str:
    async with session.get(f"{base}/gamma/markets?limit=1") as answer:
        return str(msgspec.json.decode((await answer.json())[0]["clobTokenIds"])[0])


# --- the clients ---------------------------------------------------------------------------------


def _ours(http: HttpClient) -> Post:
    async def post(headers: str, body: bytes) -> tuple[int, bytes]:
        request = http.request("POST", PATH, headers=headers, body=body)
        reply = await http.ask(request, timeout_s=TIMEOUT_S)
        return reply.status, reply.body

    return post


def _aiohttp(session: aiohttp.ClientSession, url: str) -> Post:
    async def post(headers: str, body: bytes) -> tuple[int, bytes]:
        async with session.post(url, data=body, headers=_named(headers)) as answer:
            return answer.status, await answer.read()

    return post


def _httpx(client: httpx.AsyncClient, url: str) -> Post:
    async def post(headers: str, body: bytes) -> tuple[int, bytes]:
        answer = await client.post(url, content=body, headers=_named(headers))
        return answer.status_code, answer.content

    return post


def _named(lines: str) -> dict[str, str]:
    """Write header lines as the libraries want them."""
    pairs = (line.partition(": ") for line in lines.split("\r\n") if line)
    return {"Content-Type": "application/json"} | {name: value for name, _, value in pairs}


# --- the race ------------------------------------------------------------------------------------


async def _take_turns(
    hands: Trader, token: str, rivals: dict[str, Post], count: int
) -> dict[str, tuple[list[int], list[int]]]:
    """Post `count` orders by each client; return wall clock and processor time of each."""
    times: dict[str, tuple[list[int], list[int]]] = {name: ([], []) for name in rivals}
    warm = max(10, count // 10)
    numbers = iter(range((count + warm) * len(rivals)))
    with quiet_collector():
        for _ in range(count + warm):
            for name, post in rivals.items():
                terms = hands.bid(next(numbers), token)
                (signature,) = await hands.sign([terms])
                key = hands.credentials
                body = order_body(terms, signature, owner=key.key)
                headers = key.headers("POST", PATH, body, stamp_s=hands.client.stamp_s())
                wall_ns, cpu_ns = perf_counter_ns(), thread_time_ns()
                status, said = await post(headers, body)
                times[name][1].append(thread_time_ns() - cpu_ns)
                times[name][0].append(perf_counter_ns() - wall_ns)
                assert status == 200, said
                assert b'"live"' in said, said
            await asyncio.sleep(0.003)
    return {name: (wall[warm:], cpu[warm:]) for name, (wall, cpu) in times.items()}


def _row(name: str, times: dict[str, tuple[list[int], list[int]]]) -> Result:
    wall, cpu = (spread(part) for part in times[name])
    peer = [spread(part).p50_us for part in times[PEER]]
    return Result(
        name=f"order-post/{name}",
        value=cpu.p50_us,
        unit="µs CPU/order",
        n=len(times[name][0]),
        stream="one signed GTC bid that rests, kept connection, loopback, no TLS, uvloop",
        spread=wall,
        cpu=cpu,
        baseline=f"{PEER} session" if name != PEER else "",
        ratio=cpu.p50_us / peer[1] if name != PEER else None,
        goal="less CPU than any library" if name == "ours" else "",
        met=all(
            cpu.p50_us < spread(other).p50_us for who, (_, other) in times.items() if who != name
        )
        if name == "ours"
        else None,
        note=f"CPU p50 {cpu.p50_us:.0f}, p99 {cpu.p99_us:.0f} µs; "
        f"wall clock {wall.p50_us / peer[0]:.2f} of {PEER}",
    )
