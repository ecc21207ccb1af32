"""The webhook: what is posted and when, what a failure costs, what never leaves."""

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from polytui.engine.core.alert_view import ALERTS
from polytui.engine.core.enums import Mode
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.runconfig import NotifyConfig
from polytui.engine.core.view import STATUS, AnySection
from polytui.engine.decide.alerts import Alerts, Key
from polytui.engine.shell import webhook as webhook_module
from polytui.engine.shell.clock import sleep_until
from polytui.engine.shell.logbook import Logbook
from polytui.engine.shell.webhook import QUEUE_MAX, TRIES_MAX, Webhook
from tests.console import views
from tests.console.parts import HOSTILE, NOW, S

TOKEN = "T0ken-b4c5d6e7f8"
DEADLINE_S = 4.0
LEG: Key = ("LEG_OPEN", "")
CAP: Key = ("CAP_NEAR", "paper")
KILLED: Key = ("KILLED", "")


class Receiver:
    """A server on loopback that keeps what it is sent and answers as the test says."""

    def __init__(self) -> None:
        self.status = "200 OK"
        self.more = ""
        self.heads: list[str] = []
        self.posts: list[dict[str, Any]] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        self.heads.append(head)
        self.posts.append(json.loads(await reader.readexactly(length)))
        if self.status:
            writer.write(f"HTTP/1.1 {self.status}\r\n{self.more}Content-Length: 0\r\n\r\n".encode())
        writer.close()


class Stage:
    """Alerts, a receiver of them, and a webhook between."""

    def __init__(self, receiver: Receiver, **fields: Any) -> None:
        self.alerts = Alerts()
        self.standing: dict[Key, str] = {}
        self.at_ns = NOW
        self.receiver = receiver
        config: dict[str, Any] = {
            "url": f"http://127.0.0.1:{receiver.port}/hook/{TOKEN}?k=1",
            "gap_s": 30,
        } | fields
        self.webhook = Webhook(NotifyConfig(**config), self.look)

    def look(self, topic: str) -> AnySection | None:
        if topic == STATUS:
            return views.live()[STATUS]
        assert topic == ALERTS
        return self.alerts.view(at_ns=self.at_ns)

    async def stand(self, *keys: Key, text: str = "two sides naked") -> None:
        """Let these alerts stand, and nothing else; let the webhook look."""
        standing = dict.fromkeys(keys, text)
        for _ in range(2):
            self.at_ns += 40 * S
            self.alerts.look(standing, mode=Mode.PAPER, at_ns=self.at_ns)
        await self.webhook._compare()

    async def post(self) -> None:
        """Post what waits, due or not."""
        assert self.webhook._client is not None
        await self.webhook._post(self.webhook._client)

    def said(self) -> list[tuple[str, str]]:
        return [(a["what"], a["code"]) for post in self.receiver.posts for a in post["alerts"]]


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


def staged(check: Callable[[Stage], Awaitable[None]], **fields: Any) -> None:
    async def run() -> None:
        async with receiving() as receiver:
            await check(Stage(receiver, **fields))

    asyncio.run(run())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await sleep_until(0)


# --- what is posted ------------------------------------------------------------------------------


def test_what_is_raised_and_what_is_gone_is_posted_once_with_its_meaning() -> None:
    async def check(stage: Stage) -> None:
        await stage.stand(LEG, CAP)
        await stage.post()
        await stage.stand(LEG, CAP)
        assert not stage.webhook._may_post(), "nothing is new"
        await stage.stand()
        await stage.post()
        first, second = stage.receiver.posts
        assert stage.said() == [("raised", "LEG_OPEN"), ("gone", "LEG_OPEN")]
        assert (first["n"], first["alerts"][0]["alert"]) == (1, "a1")
        assert first["alerts"][0]["todo"].startswith("Watch it being unwound")
        assert (first["mode"], first["venue"]) == ("shadow", "practice")
        assert "C raised LEG_OPEN two sides naked" in first["text"]
        assert second["n"] == 2
        assert stage.receiver.heads[0].startswith(f"POST /hook/{TOKEN}?k=1 HTTP/1.1\r\n")
        assert stage.webhook.view().posted == 2

    staged(check)


def test_only_the_chosen_classes_are_posted_and_a_kill_always_is() -> None:
    async def check(stage: Stage) -> None:
        await stage.stand(LEG, CAP, KILLED, ("WEBHOOK", ""))
        await stage.post()
        assert sorted(stage.said()) == [("raised", "CAP_NEAR"), ("raised", "KILLED")]

    staged(check, classes=("L",))


def test_a_kill_does_not_wait_for_the_gap_and_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_module, "LOOK_NS", S // 100)

    async def check(stage: Stage) -> None:
        await stage.stand(LEG)
        running = asyncio.ensure_future(stage.webhook.run())
        await until(lambda: stage.webhook.view().posted == 1)
        await stage.stand(LEG, CAP)
        assert not stage.webhook._may_post()
        await stage.stand(LEG, CAP, KILLED)
        await until(lambda: ("raised", "KILLED") in stage.said())
        assert stage.said()[1:] == [("raised", "CAP_NEAR"), ("raised", "KILLED")]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    staged(check, classes=("C", "L"), gap_s=3_600)


def test_a_flood_is_posted_folded_and_what_is_folded_away_is_not_called_gone() -> None:
    async def check(stage: Stage) -> None:
        for number in range(8):
            stage.alerts.told("CANCEL_UNCONFIRMED", f"o{number}: unconfirmed", at_ns=stage.at_ns)
        await stage.webhook._compare()
        for number in range(8, 15):
            stage.alerts.told("CANCEL_UNCONFIRMED", f"o{number}: unconfirmed", at_ns=stage.at_ns)
        await stage.webhook._compare()
        await stage.post()
        assert stage.alerts.view(at_ns=stage.at_ns).flood_since_ns
        assert {what for what, _ in stage.said()} == {"raised"}
        assert len(stage.said()) == 8

    staged(check)


# --- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "more", "why"),
    [
        ("500 No", "", "HTTP 500"),
        ("404 No", "", "HTTP 404"),
        ("302 Found", "Location: http://127.0.0.1:1/x\r\n", "HTTP 302: redirects are not followed"),
        ("", "", "the connection ended before the answer"),
        ("no HTTP", "", "the answer is no HTTP"),
    ],
)
def test_a_post_that_is_not_taken_is_tried_again_then_dropped_counted_and_told(
    status: str, more: str, why: str
) -> None:
    async def check(stage: Stage) -> None:
        stage.receiver.status, stage.receiver.more = status, more
        await stage.stand(LEG)
        for attempt in range(1, TRIES_MAX):
            await stage.post()
            assert why in stage.webhook.view().why
            assert (stage.webhook.view().waiting, stage.webhook._tries) == (1, attempt)
        await stage.post()
        assert (stage.webhook.view().waiting, stage.webhook.view().lost) == (0, 1)
        assert {post["n"] for post in stage.receiver.posts} == {1}, "the same one each time"
        stage.receiver.status, stage.receiver.more = "204 Fine", ""
        await stage.stand()
        await stage.post()
        assert stage.webhook.view().why == ""
        assert stage.receiver.posts[-1]["lost"] == 1
        assert "1 alerts were dropped" in stage.receiver.posts[-1]["text"]

    staged(check)


def test_nobody_there_is_said_without_the_address() -> None:
    async def check(stage: Stage) -> None:
        webhook = Webhook(NotifyConfig(url=f"http://127.0.0.1:1/{TOKEN}"), stage.look)
        stage.webhook = webhook
        await stage.stand(LEG)
        await stage.post()
        why = webhook.view().why
        assert "no connection to the webhook" in why
        assert TOKEN not in why
        assert "127.0.0.1" not in why

    staged(check)


def test_a_receiver_that_never_answers_costs_its_timeout_and_the_queue_stays_bounded() -> None:
    async def check(stage: Stage) -> None:
        silent = asyncio.Event()

        async def wait(*_: object) -> None:
            await silent.wait()

        async with await asyncio.start_server(wait, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            config = NotifyConfig(url=f"http://127.0.0.1:{port}/", timeout_s=1)
            stage.webhook = Webhook(config, stage.look)
            await stage.stand(LEG)
            posting = asyncio.ensure_future(stage.post())
            await until(lambda: bool(stage.webhook._sending))
            for number in range(QUEUE_MAX + 20):
                row = stage.alerts.view(at_ns=NOW).active[0]
                stage.webhook._put(
                    type(row)(**{**asdict(row), "alert": f"b{number}"}), "raised", NOW
                )
            assert len(stage.webhook._queue) == QUEUE_MAX
            assert stage.webhook.view().lost == 20
            posting.cancel()
            silent.set()

    staged(check)


def asdict(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


def test_a_certificate_that_is_not_trusted_is_told_nothing(tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"]
    made += ["/CN=localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    async def run() -> None:
        async with receiving(context) as receiver:
            stage = Stage(receiver, url=f"https://localhost:{receiver.port}/{TOKEN}")
            await stage.stand(LEG)
            await stage.post()
            assert "SSLCertVerificationError" in stage.webhook.view().why
            assert receiver.posts == []

    asyncio.run(run())


def test_a_fault_of_ours_is_told_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_module, "LOOK_NS", S // 100)

    async def check(stage: Stage) -> None:
        def broken(topic: str) -> AnySection | None:
            raise ZeroDivisionError(topic)

        webhook = Webhook(NotifyConfig(url="http://127.0.0.1:1/"), broken)
        running = asyncio.ensure_future(webhook.run())
        await until(lambda: "ZeroDivisionError" in webhook.view().why)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    staged(check)


# --- what never leaves ---------------------------------------------------------------------------


def test_hostile_texts_are_plain_words_and_secrets_are_left_out(tmp_path: Path) -> None:
    book = Logbook(tmp_path / "log", run="r1")
    book.hide("s3cret-of-ours")

    async def check(stage: Stage) -> None:
        stage.webhook = Webhook(stage.webhook._config, stage.look, clean=book.clean)
        texts = [*HOSTILE, "<!channel> [win](https://evil.example) @everyone s3cret-of-ours"]
        for number, text in enumerate(texts):
            stage.alerts.told("LEG_WORSE", f"{number}{text}: {text}", at_ns=stage.at_ns)
        await stage.webhook._compare()
        while stage.webhook._queue:
            await stage.post()
        for post in stage.receiver.posts:
            for alert in post["alerts"]:
                words = f"{alert['text']}{alert['subject']}"
                assert words.isprintable()
                assert not set("<>@`[]*|~") & set(words)
                assert "://" not in words
        assert "s3cret" not in json.dumps(stage.receiver.posts)

    staged(check)
    book.close()


@pytest.mark.parametrize(
    "url",
    ["ftp://x/T0ken", "https://user:T0ken@h/", "http://example.com/T0ken", "https://[T0ken/"],
)
def test_an_address_that_is_none_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(OperatorError) as refused:
        Webhook(NotifyConfig(url=url), lambda _: None)
    assert "T0ken" not in str(refused.value)


def test_without_an_address_nothing_is_looked_at_or_sent() -> None:
    webhook = Webhook(NotifyConfig(), pytest.fail)

    async def run() -> None:
        running = asyncio.ensure_future(webhook.run())
        await asyncio.wait([running], timeout=0.05)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())
    assert not webhook.view().on
