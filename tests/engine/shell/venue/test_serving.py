"""A whole venue in real time: references, control port, scenario, ready line."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.ids import ConnId
from polytui.engine.shell.venue.control import LINE_MAX
from polytui.engine.shell.venue.crypto import address_of
from polytui.engine.shell.venue.serving import Options, Served
from polytui.engine.wire import binance, chainlink, coinbase
from tests.support.engines import short_directory

SCENARIO = """
title = "Two troubles"
[[at]]
s = 0.2
note = "the stream freezes"
[at.switches]
market_freeze = true
[[at]]
s = 0.3
[[at.acts]]
act = "set_mode"
mode = "cancel_only"
"""


class Running:
    """A served venue and a client session."""

    def __init__(self, served: Served, http: aiohttp.ClientSession) -> None:
        self.served = served
        self.http = http
        self.ready = served.ready()

    async def ask(self, **ask: Any) -> dict[str, Any]:
        """Ask the control port."""
        reader, writer = await asyncio.open_unix_connection(self.ready["control"])
        writer.write(json.dumps(ask).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await reader.readline())
        writer.close()
        await writer.wait_closed()
        return answer

    async def hear(self, path: str, wish: Any, count: int) -> list[str]:
        """Open a socket, send a wish, return the first frames."""
        url = f"ws://{self.served.server.base}{path}"
        async with self.http.ws_connect(url, max_msg_size=0) as socket:
            if wish is not None:
                await socket.send_str(json.dumps(wish))
            return [await socket.receive_str(timeout=4) for _ in range(count)]

    async def get(self, path: str) -> Any:
        async with self.http.get(f"http://{self.served.server.base}{path}") as answer:
            return await answer.json()


def on_served(
    work: Callable[[Running], Awaitable[None]], *, scenario: str = "", **options: Any
) -> None:
    """Run a coroutine against a served venue."""

    async def main(directory: Path) -> None:
        path = directory / "scenario.toml"
        path.write_text(scenario)
        served = Served(
            Options(
                port=0,
                singles=2,
                seed=5,
                scenario=str(path) if scenario else "",
                control=directory / "c.sock",
                **options,
            )
        )
        await served.start()
        driver = asyncio.create_task(served.venue.run())
        try:
            async with aiohttp.ClientSession() as http:
                await work(Running(served, http))
        finally:
            driver.cancel()
            await served.close()

    with short_directory() as directory:
        asyncio.run(main(directory))


def test_the_ready_line_names_everything_and_its_wallets_have_money() -> None:
    async def work(running: Running) -> None:
        ready = running.ready
        assert (ready["ready"], ready["chain_id"], ready["seed"]) == (True, 137, 5)
        assert [wallet.signature_type for wallet in ready["wallets"]] == [0, 1, 2, 3]
        for wallet in ready["wallets"]:
            balance = running.served.world.exchange.balance(wallet.address.lower(), "pUSD")
            assert balance.free_u6 == 10_000_000_000
            assert wallet.owner.lower() == address_of(wallet.private_key)
        assert json.loads(json.dumps(ready["urls"]))["clob"].startswith("http://127.0.0.1:")

    on_served(work)


def test_coinbase_speaks_in_shapes_the_engines_decoder_takes() -> None:
    async def work(running: Running) -> None:
        channels = ["ticker", "matches", "heartbeat", "level2_batch"]
        wish = {"type": "subscribe", "product_ids": ["BTC-USD"], "channels": channels}
        frames = await running.hear("/coinbase", wish, 12)
        kinds = [json.loads(text)["type"] for text in frames]
        assert kinds[:3] == ["subscriptions", "last_match", "snapshot"]
        assert {"l2update"} <= set(kinds)
        for text in frames:
            events = coinbase.decode(ConnId(1), text.encode())
            assert "WireFault" not in {type(event).__name__ for event in events}, text

    on_served(work)


def test_binance_depth_bridges_from_its_snapshot() -> None:
    async def work(running: Running) -> None:
        path = "/binance/stream?streams=btcusdt@bookTicker/btcusdt@depth@100ms"
        book = await running.get("/binance/api/v3/depth?symbol=BTCUSDT&limit=10")
        assert len(book["bids"]) == len(book["asks"]) == 10
        frames = [json.loads(t) for t in await running.hear(path, None, 10)]
        depths = [f["data"] for f in frames if f["stream"].endswith("@depth@100ms")]
        for before, after in pairwise(depths):
            assert after["U"] == before["u"] + 1
        assert depths[0]["U"] > book["lastUpdateId"]
        raw = json.loads((await running.hear("/binance/ws/btcusdt@bookTicker", None, 1))[0])
        assert set(raw) == {"u", "s", "b", "B", "a", "A"}
        for frame in frames:
            events = binance.decode(ConnId(1), json.dumps(frame).encode())
            assert "WireFault" not in {type(event).__name__ for event in events}, frame

    on_served(work)


def test_the_relay_answers_an_exact_filter_and_no_other() -> None:
    async def work(running: Running) -> None:
        def wish(text: str, topic: str = "crypto_prices_chainlink") -> dict[str, Any]:
            asked = {"topic": topic, "type": "*", "filters": text}
            return {"action": "subscribe", "subscriptions": [asked]}

        frames = await running.hear("/rtds", wish('{"symbol":"btc/usd"}'), 2)
        assert [json.loads(text)["type"] for text in frames] == ["subscribe", "update"]
        for text in frames:
            events = chainlink.decode(ConnId(1), text.encode())
            assert "WireFault" not in {type(event).__name__ for event in events}, text
        for silent in (wish('{"symbol": "btc/usd"}'), wish("", topic="no_such_topic")):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(running.hear("/rtds", silent, 1), 1.2)

    on_served(work)


def test_the_control_port_tells_switches_and_acts() -> None:
    async def work(running: Running) -> None:
        state = await running.ask(do="state")
        assert (state["ok"], state["mode"], state["faults"]) == (True, "normal", [])
        answer = await running.ask(id=7, do="switches", set={"clock_skew_ms": 5_000})
        assert (answer["id"], answer["faults"]) == (7, ["clock_skew_ms 5000"])
        named = await running.ask(do="switches", set={"ghost_markets": ["@first"]})
        assert named["ok"]
        assert running.served.venue.switches.ghost_markets[0].startswith("0x")
        assert running.served.venue.switches.clock_skew_ms == 5_000
        await running.ask(do="switches", reset=True)
        assert (await running.ask(do="state"))["faults"] == []
        act = {"act": "change_tick", "market": "@first", "tick_u6": 1_000}
        assert (await running.ask(do="act", act=act))["act"]["market"].startswith("0x")
        calm = await running.ask(do="population", set={"herd": 0})
        assert calm["population"]["herd"] == 0
        wallet = running.ready["wallets"][0].address
        for op, amount in (("deposit", 5), ("withdraw", 3), ("approve", 0), ("revoke", 0)):
            assert (await running.ask(do="chain", op=op, address=wallet, amount_u6=amount))["ok"]

    on_served(work)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "not JSON"),
        (b'{"do":"\xff"}', "not JSON"),
        (b'{"do":"fly"}', "Invalid value"),
        (b'{"do":"state","extra":1}', "unknown field"),
        (b'{"do":"switches","set":{"no_such":1}}', "unknown field"),
        (b'{"do":"act","act":{"act":"resolve","market":"nope","outcome":"yes"}}', "market's slug"),
        (b'{"do":"chain","op":"steal","address":"0x1"}', "expected one of"),
    ],
)
def test_the_control_port_refuses_with_a_sentence(line: bytes, says: str) -> None:
    async def work(running: Running) -> None:
        assert running.served.control is not None
        answer = running.served.control.answer(line)
        assert (answer["ok"], says in answer["text"]) == (False, True), answer

    on_served(work)


def test_the_control_port_hangs_up_on_a_line_without_an_end_and_goes_on() -> None:
    async def work(running: Running) -> None:
        reader, writer = await asyncio.open_unix_connection(running.ready["control"])
        writer.write(bytes(LINE_MAX + 1))
        assert await asyncio.wait_for(reader.read(), 4) == b""
        writer.close()
        assert (await running.ask(do="state"))["ok"]

    on_served(work)


def test_a_scenario_plays_by_itself() -> None:
    async def work(running: Running) -> None:
        for _ in range(40):
            await asyncio.sleep(0.05)
            state = await running.ask(do="state")
            if state["mode"] == "cancel_only":
                break
        assert (state["mode"], state["faults"]) == ("cancel_only", ["market_freeze"])
        assert state["scenario"] == "Two troubles"

    on_served(work, scenario=SCENARIO)


def test_the_exchange_writes_its_own_record(tmp_path: Path) -> None:
    record = tmp_path / "venue.log"

    async def work(running: Running) -> None:
        await asyncio.sleep(0.3)

    on_served(work, record=record)
    lines = record.read_bytes().splitlines()
    assert len(lines) > 100
    assert all(isinstance(json.loads(line), dict | list) for line in lines[:50])


def test_a_taken_port_and_a_bad_scenario_are_refused_with_a_sentence(tmp_path: Path) -> None:
    async def work(running: Running) -> None:
        other = Served(Options(port=running.served.server.port, singles=1))
        with pytest.raises(OperatorError, match="cannot be bound"):
            await other.start()

    on_served(work)
    bad = tmp_path / "bad.toml"
    bad.write_text("x = 1")
    with pytest.raises(OperatorError, match=r"bad\.toml"):
        Served(Options(scenario=str(bad)))
    with pytest.raises(OperatorError, match="binds"):
        Served(Options(host="0.0.0.0"))
