"""The Prometheus exporter: `GET /metrics` on the loopback interface, and nothing else.

Each scrape projects the View once, a section at a time with a turn of the event loop between, so
that a scrape never holds up the engine. Scrapes that come at once share one, and one that comes
within `REPEAT_NS` of the last gets the same answer: whoever may connect cannot make us work harder.
A fault of the exporter is counted, answered with 500, and stays here: it never stops the engine.
"""

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.runconfig import EXPOSE_PHRASE, MetricsConfig
from polytui.engine.shell.capture import CaptureHealth
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.metrics.collect import HostHealth, Sections, ViewCollector
from polytui.engine.shell.store.store import StoreHealth

PATH: Final = "/metrics"
HEAD_MAX: Final = 8_192
"""Bytes of a request."""
REQUEST_S: Final = 5.0
"""Within which a request must have been made, and its answer taken."""
CONNECTIONS_MAX: Final = 16
TURN_NS: Final = 1_000_000
"""Work done before the event loop gets a turn."""
REPEAT_NS: Final = SECOND_NS // 5
RETRY_NS: Final = 5 * SECOND_NS
"""Between attempts at a port that somebody else has."""

OFF: Final = "switched off"

_LOCAL_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1", ""})
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
}
_INDEX: Final = b"polytui: the metrics are at /metrics\n"


class MetricsServer:
    """Serves the metrics of one engine."""

    def __init__(
        self,
        sections: Sections,
        config: MetricsConfig,
        *,
        host: Callable[[], HostHealth] | None = None,
    ) -> None:
        """Nothing listens before `start`.

        Raises:
            OperatorError: another address than loopback's was asked for without the phrase.
        """
        _refuse_exposure(config)
        self._config = config
        self._collector = ViewCollector(sections, host=host)
        self._server: asyncio.Server | None = None
        self._retrying: asyncio.Task[None] | None = None
        self._making: asyncio.Task[bytes] | None = None
        self._made = b""
        self._made_ns = -REPEAT_NS
        self._writers: set[asyncio.StreamWriter] = set()
        self.why = "" if config.enabled else OFF
        """Why nobody can scrape; empty: somebody can."""

    @property
    def port(self) -> int:
        """The port in use; 0 while there is none."""
        if self._server is None or not self._server.sockets:
            return 0
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def address(self) -> str:
        """Address and port in use, `127.0.0.1:9108` or `[::1]:9108`; empty while there is none."""
        if not self.port:
            return ""
        bind = self._config.bind
        return f"[{bind}]:{self.port}" if ":" in bind else f"{bind}:{self.port}"

    async def start(self) -> None:
        """Listen, if configured to; a port that is taken is tried again until it is free."""
        if self._config.enabled and not await self._listen():
            self._retrying = asyncio.create_task(self._listen_later())

    async def close(self) -> None:
        """Hang up."""
        for task in (self._retrying, self._making):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()

    # --- listening -------------------------------------------------------------------------------

    async def _listen(self) -> bool:
        bind, port = self._config.bind, self._config.port
        try:
            self._server = await asyncio.start_server(
                self._serve, bind, port, limit=HEAD_MAX, backlog=CONNECTIONS_MAX
            )
        except OSError as error:
            self.why = f"{bind}:{port}: {error.strerror or error}"
            return False
        self.why = ""
        return True

    async def _listen_later(self) -> None:
        while True:
            await sleep_until(read_mono_ns() + RETRY_NS)
            if await self._listen():
                return

    # --- answering -------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and hang up."""
        if len(self._writers) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            async with asyncio.timeout(REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
                code, body = await self._answer(head)
                writer.write(_response(code, body, has_body=not head.startswith(b"HEAD ")))
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            writer.transport.abort()
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, head: bytes) -> tuple[int, bytes]:
        method, path, host = _parsed(head)
        if not method:
            return 400, b""
        if not self._config.expose and host not in _LOCAL_HOSTS:
            return 403, b"asked for by another name than this machine's own\n"
        if method not in ("GET", "HEAD"):
            return 405, b""
        if path == "/":
            return 200, _INDEX
        return await self._scrape() if path == PATH else (404, b"")

    async def _scrape(self) -> tuple[int, bytes]:
        """Make the metrics, or share what is being made or was just made."""
        if read_mono_ns() - self._made_ns < REPEAT_NS:
            return 200, self._made
        if self._making is None:
            self._making = asyncio.create_task(self._make())
            self._making.add_done_callback(self._on_made)
        try:
            return 200, await asyncio.shield(self._making)
        except Exception as bug:  # noqa: BLE001  # the exporter's own supervisor: counted, shown
            return 500, f"the metrics could not be made: {type(bug).__name__}\n".encode()

    def _on_made(self, task: asyncio.Task[bytes]) -> None:
        self._making = None
        if task.cancelled():
            return
        if task.exception() is not None:
            self._collector.health.errors += 1
            return
        self._made, self._made_ns = task.result(), read_mono_ns()

    async def _make(self) -> bytes:
        """Project, collect and encode, with a turn of the loop whenever `TURN_NS` are used up."""
        health, sheet = self._collector.health, self._collector.begin()
        health.scrapes += 1
        work_ns = block_ns = 0
        since_ns = read_mono_ns()
        pieces: list[bytes] = []
        families = self._collector.families(sheet)
        for part in (self._collector.steps(sheet), map(_encoded, families)):
            for piece in part:
                if piece is not None:
                    pieces.append(piece)
                used_ns = read_mono_ns() - since_ns
                if used_ns >= TURN_NS:
                    work_ns, block_ns = work_ns + used_ns, max(block_ns, used_ns)
                    await sleep_until(0)
                    since_ns = read_mono_ns()
        used_ns = read_mono_ns() - since_ns
        health.work_ns, health.block_ns = work_ns + used_ns, max(block_ns, used_ns)
        return b"".join(pieces)


def host_health(capture: CaptureHealth, store: StoreHealth) -> HostHealth:
    """Tell of the loop's tasks and the two logs' queues."""
    return HostHealth(
        tasks=len(asyncio.all_tasks()),
        capture_waiting=capture.waiting,
        store_healthy=store.ok,
        store_waiting=store.waiting,
        store_fill=store.fill,
        store_rows=store.written,
        store_commits=store.commits,
    )


class _Single(Collector):
    """One family, for the encoder of the client library."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> list[Metric]:
        return [self._metric]


def _encoded(metric: Metric) -> bytes:
    return generate_latest(_Single(metric))


def _refuse_exposure(config: MetricsConfig) -> None:
    """Hold fault D12: nobody but this machine, unless the operator wrote that he knows."""
    if not config.enabled or config.expose == EXPOSE_PHRASE:
        return
    if not ipaddress.ip_address(config.bind).is_loopback:
        raise OperatorError(
            f"metrics.bind: expected a loopback address such as 127.0.0.1, was {config.bind}; "
            f'another one also needs metrics.expose = "{EXPOSE_PHRASE}".'
        )


def _parsed(head: bytes) -> tuple[str, str, str]:
    """Read method, path and host name of a request; three empty strings when it is none."""
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return "", "", ""
    host = ""
    for line in lines:
        name, _, value = line.partition(":")
        if name.lower() == "host":
            host = value.strip().lower()
    return words[0], words[1].partition("?")[0], _host_name(host)


def _host_name(host: str) -> str:
    """Take the port off: `127.0.0.1:9108`, `[::1]:9108`, `localhost`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _response(code: int, body: bytes, *, has_body: bool) -> bytes:
    kind = CONTENT_TYPE_PLAIN_0_0_4 if code == 200 else "text/plain; charset=utf-8"
    head = (
        f"HTTP/1.0 {code} {_REASONS[code]}\r\n"
        f"Content-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + (body if has_body else b"")
