"""The exporter on the loopback interface: what it answers, refuses, and survives."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.runconfig import EXPOSE_PHRASE, MetricsConfig
from polytui.engine.core.view import AnySection, MarketsView
from polytui.engine.shell.metrics import server as metrics_server
from polytui.engine.shell.metrics.server import MetricsServer
from tests.console import views
from tests.console.parts import market_row
from tests.engine.shell.metrics.rig import hostile, killed, samples_of, trading

FREE = MetricsConfig(port=0)
Sections = Callable[[str], AnySection | None]


def serving(
    sections: Sections,
    check: Callable[[MetricsServer], Awaitable[None]],
    config: MetricsConfig = FREE,
) -> None:
    """Serve sections while a check runs."""

    async def run() -> None:
        server = MetricsServer(sections, config)
        await server.start()
        try:
            await check(server)
        finally:
            await server.close()

    asyncio.run(run())


async def sent(server: MetricsServer, request: bytes) -> bytes:
    """Send bytes and return everything that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()


async def got(server: MetricsServer, path: str = "/metrics", host: str = "127.0.0.1") -> bytes:
    """Ask for a path."""
    return await sent(server, f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())


def code_of(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


def body_of(answer: bytes) -> str:
    return answer.partition(b"\r\n\r\n")[2].decode()


# --- answering -----------------------------------------------------------------------------------


def test_a_scrape_is_answered_with_the_view() -> None:
    async def check(server: MetricsServer) -> None:
        answer = await got(server)
        head = answer.partition(b"\r\n\r\n")[0]
        assert code_of(answer) == 200
        assert b"Content-Type: text/plain; version=0.0.4" in head
        assert f"Content-Length: {len(body_of(answer))}".encode() in head
        assert samples_of(body_of(answer))['polytui_equity_dollars{realm="paper"}'] == 1012.4

    serving(trading().get, check)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (b"HEAD /metrics HTTP/1.0\r\n\r\n", 200),
        (b"GET /metrics?name=x HTTP/1.0\r\n\r\n", 200),
        (b"GET /other HTTP/1.0\r\n\r\n", 404),
        (b"GET /../../etc/passwd HTTP/1.0\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.0\r\n\r\n", 405),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x00\xff\x1b[2J\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        (b"GET /metrics HTTP/1.1\r\nHost: LOCALHOST:9108\r\n\r\n", 200),
        (b"GET /metrics HTTP/1.1\r\nHost: [::1]:9108\r\n\r\n", 200),
    ],
)
def test_what_is_asked_has_its_answer(request_: bytes, code: int) -> None:
    async def check(server: MetricsServer) -> None:
        assert code_of(await sent(server, request_)) == code

    serving(trading().get, check)


def test_head_has_no_body() -> None:
    async def check(server: MetricsServer) -> None:
        answer = await sent(server, b"HEAD /metrics HTTP/1.0\r\n\r\n")
        assert body_of(answer) == ""
        assert b"Content-Length: 0" not in answer

    serving(trading().get, check)


@pytest.mark.parametrize("request_", [b"GET " + b"a" * 20_000, b"GET /metrics HTTP/1.0\r\n"])
def test_too_much_or_too_little_is_hung_up_on(
    request_: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_server, "REQUEST_S", 0.2)

    async def check(server: MetricsServer) -> None:
        with suppress(ConnectionError):
            assert await sent(server, request_) == b""
        assert code_of(await got(server)) == 200

    serving(trading().get, check)


def test_a_crowd_is_not_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "CONNECTIONS_MAX", 2)

    async def check(server: MetricsServer) -> None:
        idle = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        await asyncio.sleep(0.02)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        with suppress(ConnectionError):
            assert await reader.read() == b""
        for _, other in (*idle, (reader, writer)):
            other.close()
        await asyncio.sleep(0.02)
        assert code_of(await got(server)) == 200

    serving(trading().get, check)


# --- one scrape, one view ------------------------------------------------------------------------


class Counted:
    """Counts how often each section is made."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.sections = trading()

    def __call__(self, topic: str) -> AnySection | None:
        self.asked.append(topic)
        return self.sections.get(topic)


def test_the_view_is_projected_once_a_scrape_and_scrapes_at_once_share_it() -> None:
    counted = Counted()

    async def check(server: MetricsServer) -> None:
        answers = await asyncio.gather(*(got(server) for _ in range(8)))
        assert {code_of(answer) for answer in answers} == {200}
        assert len(set(answers)) == 1
        assert len(counted.asked) == len(set(counted.asked)) == 7

    serving(counted, check)


def test_a_scrape_too_soon_repeats_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted()

    async def check(server: MetricsServer) -> None:
        assert await got(server) == await got(server)
        assert len(counted.asked) == 7
        monkeypatch.setattr(metrics_server, "REPEAT_NS", 0)
        later = samples_of(body_of(await got(server)))
        assert later["polytui_scrapes_total"] == 2
        assert len(counted.asked) == 14

    serving(counted, check)


def test_counters_do_not_fall_across_scrapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "REPEAT_NS", 0)
    moods = [trading(), killed(), hostile(), trading()]
    now: dict[str, AnySection] = {}

    async def check(server: MetricsServer) -> None:
        before: dict[str, float] = {}
        for mood in moods:
            now.clear()
            now.update(mood)
            after = samples_of(body_of(await got(server)))
            fell = [n for n in before if n.split("{")[0].endswith("_total")]
            # A market that lost its series may begin again when it gets one.
            fell = [n for n in fell if not n.startswith("polytui_market_")]
            assert [n for n in fell if after.get(n, -1.0) < before[n]] == []
            before = after

    serving(now.get, check)


# --- faults stay here ----------------------------------------------------------------------------


def test_a_fault_of_the_exporter_is_answered_counted_and_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics_server, "REPEAT_NS", 0)
    broken = [True]
    sections = trading()

    def look(topic: str) -> AnySection | None:
        assert not broken[0], "secret detail"
        return sections.get(topic)

    async def check(server: MetricsServer) -> None:
        answer = await got(server)
        assert code_of(answer) == 500
        assert b"AssertionError" in answer
        assert b"secret" not in answer
        broken[0] = False
        assert samples_of(body_of(await got(server)))["polytui_scrape_errors_total"] == 1

    serving(look, check)


# --- who may ask (fault D12) ---------------------------------------------------------------------


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.168.1.4", "10.0.0.1"])
def test_d12_another_address_is_refused_without_the_phrase(bind: str) -> None:
    with pytest.raises(OperatorError, match="loopback address") as refused:
        MetricsServer(trading().get, MetricsConfig(bind=bind))
    assert EXPOSE_PHRASE in str(refused.value)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_d12_an_engine_does_not_start_where_others_could_ask(tmp_path: Path) -> None:
    words = ["serve", "--practice", f"--set=runtime_dir={tmp_path}", "--set=metrics.bind=0.0.0.0"]
    refused = subprocess.run(
        [sys.executable, "-m", "polytui", *words], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "metrics.bind: expected a loopback address" in refused.stderr


def test_d12_the_phrase_opens_another_address() -> None:
    async def check(server: MetricsServer) -> None:
        assert code_of(await got(server, host="monitor.example")) == 200

    serving(trading().get, check, MetricsConfig(bind="0.0.0.0", port=0, expose=EXPOSE_PHRASE))


def test_switched_off_nothing_listens() -> None:
    async def check(server: MetricsServer) -> None:
        assert server.port == 0
        assert server.why == "switched off"

    serving(trading().get, check, MetricsConfig(enabled=False, bind="0.0.0.0"))


def test_a_port_that_is_taken_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "RETRY_NS", 20_000_000)

    async def check(first: MetricsServer) -> None:
        second = MetricsServer(trading().get, replace(FREE, port=first.port))
        await second.start()
        assert second.port == 0
        assert f"127.0.0.1:{first.port}: " in second.why
        await first.close()
        assert second._retrying is not None
        await asyncio.wait_for(second._retrying, 4)
        assert second.port > 0
        assert second.why == ""
        await second.close()

    serving(trading().get, check)


# --- cost ----------------------------------------------------------------------------------------


def test_the_loop_gets_turns_while_a_scrape_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "TURN_NS", 0)
    sections = trading()
    rows = tuple(market_row(n, "t") for n in range(200))
    sections["markets"] = MarketsView(rev=1, at_ns=views.NOW, rows=rows)

    async def check(server: MetricsServer) -> None:
        turns = 0

        async def tick() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        ticking = asyncio.ensure_future(tick())
        await got(server)
        ticking.cancel()
        assert turns > 50, "a turn after each section and each family"

    serving(sections.get, check)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("mood", [trading, killed, hostile])
def test_the_real_linter_finds_nothing(mood: Callable[[], dict[str, AnySection]]) -> None:
    texts: list[str] = []

    async def check(server: MetricsServer) -> None:
        texts.append(body_of(await got(server)))

    serving(mood().get, check)
    linted = subprocess.run(
        ["promtool", "check", "metrics"],
        input=texts[0],
        text=True,
        capture_output=True,
        check=False,
    )
    assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")
