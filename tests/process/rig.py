"""A venue that outlives its engines, an engine that trades, and the venue's own truth about it."""

import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

import polytui
from polytui.engine.core.account_view import RISK, RiskView
from polytui.engine.core.alert_view import ALERTS, AlertState, AlertsView
from polytui.engine.core.enums import Mode
from polytui.engine.core.messages import Answer, Confirm
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.trading import OrderRecord
from polytui.engine.core.view import STATUS, StatusView
from polytui.engine.shell.dial import Dialled
from polytui.engine.shell.places import prepare
from polytui.engine.shell.practice_child import SOCKET
from polytui.engine.shell.venue.keys import KeyRing
from polytui.engine.sim.exchange.api import OrderView
from tests.conftest import ROOT
from tests.support.engines import EngineProcess, short_directory, sweep, wait_until

SEED = 1
UNDER_TEST = "tests.process.engine_under_test"
CAP = 2_000
"""Dollars that a session is armed with."""
WIDE = (
    "run.limits.orders_per_s=40",
    "run.limits.sends_max=10000",
    "run.limits.rejects_max=1000",
    "run.limits.orders_per_fill=1000",
    "run.limits.market_u6=5000000000",
    "run.limits.group_u6=5000000000",
    "run.limits.strategy_u6=5000000000",
    "run.limits.total_u6=5000000000",
    "run.limits.order_cash_u6=100000000",
    "run.limits.depth_share=1",
    "run.limits.drawdown=1",
    "run.limits.day_loss_u6=100000000000",
    "run.limits.strategy_loss_u6=100000000000",
    "signer.orders_per_s=1000",
    "run.arbiter.duplicate_ms=0",
)
"""Limits under which a script may trade as fast as the gate ever lets anybody."""


def type_what_is_asked(challenge: Answer) -> Confirm:
    """Do what a person does who has read the impact."""
    return Confirm(challenge=challenge.challenge, typed=challenge.typed, reason="rehearsal")


class Venue:
    """A practice venue of its own, with its log."""

    def __init__(
        self, home: Path, *, singles: int = 8, rate: float = 60.0, scenario: str = ""
    ) -> None:
        self.runtime = home / "run"
        prepare(self.runtime)
        self.path = self.runtime / SOCKET
        self.log = home / "exchange.jsonl"
        command = [sys.executable, "-m", "polytui", "venue", "--port", "0"]
        command += ["--control", str(self.path), "--record", str(self.log)]
        command += ["--seed", str(SEED), "--singles", str(singles), "--rate", str(rate)]
        command += ["--scenario", scenario] if scenario else []
        with (home / "venue.out").open("wb") as out:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=home,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )
        wait_until(self._dials, "a venue that listens")
        ready = self.ask("ready")
        self.clob = ready["urls"]["clob"]
        self.wallet = ready["wallets"][0]
        self._key = KeyRing(SEED).create(self.wallet["owner"].lower(), 0)

    def _dials(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.connect(str(self.path))
        except OSError:
            assert self.process.poll() is None, "expected the venue to start"
            return False
        return True

    def ask(self, what: str, **fields: Any) -> dict[str, Any]:
        """Ask on the control socket."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(10)
            link.connect(str(self.path))
            link.sendall(json.dumps({"do": what, **fields}).encode() + b"\n")
            with link.makefile("rb") as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
        assert answer["ok"], answer
        return answer

    def delay(self, ms: int) -> None:
        """Let every request take this much longer."""
        self.ask("switches", set={"rest_delay": {"low_ms": ms, "high_ms": ms}})

    # --- what it knows of our wallet -------------------------------------------------------------

    def open_hashes(self) -> set[str]:
        """Read our open orders as any other program with the same key would."""
        found: set[str] = set()
        cursor = ""
        while cursor != "LTE=":
            body = self._get("/data/orders", f"?next_cursor={cursor}" if cursor else "")
            found.update(row["id"] for row in body["data"])
            cursor = body.get("next_cursor", "LTE=")
        return found

    def _get(self, path: str, query: str) -> dict[str, Any]:
        assert self._key is not None
        url = urlsplit(self.clob)
        stamp = str(int(time.time()))
        secret = urlsafe_b64decode(self._key.secret)
        mac = hmac.new(secret, f"{stamp}GET{path}".encode(), sha256).digest()
        line = HTTPConnection(str(url.hostname), url.port, timeout=10)
        try:
            line.request(
                "GET",
                url.path + path + query,
                headers={
                    "POLY_ADDRESS": self.wallet["owner"],
                    "POLY_API_KEY": self._key.key,
                    "POLY_PASSPHRASE": self._key.passphrase,
                    "POLY_TIMESTAMP": stamp,
                    "POLY_SIGNATURE": urlsafe_b64encode(mac).decode(),
                },
            )
            reply = line.getresponse()
            text = reply.read()
            assert reply.status == 200, text
        finally:
            line.close()
        body: dict[str, Any] = json.loads(text)
        return body

    def stop(self) -> dict[str, OrderView]:
        """End it, if an engine has not; return every order of ours it took, as it last stood."""
        if self.process.poll() is None:
            with suppress(OSError, ValueError):
                self.ask("stop")
        self.process.wait(30)
        return orders_of(self.log, self.wallet["address"].lower())


def orders_of(log: Path, account: str) -> dict[str, OrderView]:
    """Read the exchange's log: the orders of one account, each as of its last line."""
    found: dict[str, OrderView] = {}
    for line in log.read_bytes().splitlines():
        if b'"order_' not in line or account.encode() not in line.lower():
            continue
        _, _, what = json.loads(line)
        if what.get("type") in ("order_placed", "order_filled", "order_canceled"):
            order = msgspec.convert(what["order"], OrderView)
            if order.account.lower() == account:
                found[order.order_id] = order
    return found


class Trader(EngineProcess):
    """The engine under test."""

    def __init__(
        self,
        home: Path,
        *sets: str,
        script: str = "rest",
        most: int = 0,
        version: str = polytui.__version__,
    ) -> None:
        program = (UNDER_TEST, "--script", script, "--most", str(most), "--version", version)
        self.begun_s = time.monotonic()
        super().__init__(home, *WIDE, *sets, program=program)

    def close(self) -> None:
        """End it if it still runs, and let go of what it said."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def ctl(self, action: str, *args: str) -> Answer:
        """Ask for one thing."""
        with Dialled(self.admin) as engine:
            return engine.ask(action, args, type_what_is_asked)

    def must(self, action: str, *args: str) -> None:
        """Ask for one thing that must be done."""
        answer = self.ctl(action, *args)
        assert answer.ok, f"{action} {args}: {answer.text}"

    def risk(self) -> RiskView:
        view = self.look(RISK)
        assert isinstance(view, RiskView)
        return view

    def status(self) -> StatusView:
        view = self.look(STATUS)
        assert isinstance(view, StatusView)
        return view

    def rest_hashes(self) -> int:
        """Count the orders that the engine believes to be open."""
        return self.status().account.open_orders

    # --- the ritual ------------------------------------------------------------------------------

    def promote(self) -> None:
        """Take the strategy to the top of the ladder; practice money waives the waiting."""
        self.must("mode.set", "paper")
        for _ in range(4):
            answer = self.ctl("gate.promote", "scripted", "PROMOTE", "scripted")
            assert answer.ok or "top of the ladder" in answer.text, answer.text

    def wait_for_account(self) -> None:
        """Wait until the account is there and trusted."""
        wait_until(lambda: self.status().synced > 0, "books")
        wait_until(self.is_trusted, "a trusted account")

    def is_trusted(self) -> bool:
        """Tell whether the account's books agree with the venue and orders are taken."""
        return self.risk().intake_open

    def arm(self) -> None:
        """Do what a person does, from wherever the mode is."""
        if self.risk().mode is Mode.LIVE_ARMED:
            return
        wait_until(self._is_dry, "a live account")
        self.wait_for_account()
        try:
            wait_until(self._confirmed, "a preflight in order")
            wait_until(self._counted_down, "the end of the countdown")
        except AssertionError as late:
            raise AssertionError(f"{late}: {self._why_not_armed()}") from None

    def _is_dry(self) -> bool:
        is_dry = self.risk().mode is Mode.LIVE_DRY_RUN
        return is_dry or self.ctl("mode.set", "live_dry_run").ok

    def acknowledge(self) -> None:
        """Say of every alert that it is known: what nobody acknowledged keeps from arming."""
        view = self.look(ALERTS)
        assert isinstance(view, AlertsView)
        for alert in view.active:
            if alert.state in (AlertState.UNACK, AlertState.RTN):
                self.ctl("alert.ack", alert.alert)

    def _confirmed(self) -> bool:
        self.acknowledge()
        answer = self.ctl("mode.preflight", str(CAP), "4")
        arm = self.risk().arm
        if not answer.ok or not arm.phrase:
            time.sleep(0.2)
            return False
        phrase = arm.phrase.split(" ")
        answer = self.ctl("mode.arm", arm.hash, " ".join(phrase), "rehearsal")
        return answer.ok

    def _counted_down(self) -> bool:
        """Begin again where an alert that came meanwhile has stopped the countdown."""
        risk = self.risk()
        if risk.mode is not Mode.LIVE_ARMED and risk.arm.stage == "idle":
            self._confirmed()
        return risk.mode is Mode.LIVE_ARMED

    def _why_not_armed(self) -> str:
        self.ctl("mode.preflight", str(CAP), "4")
        arm = self.risk().arm
        red = [(c.code, c.value) for c in arm.checks if not c.ok]
        return f"stage {arm.stage} ({arm.reason}), red: {red}"


@contextmanager
def stage(**venue: Any) -> Iterator[tuple[Path, Venue]]:
    """A home with a venue in it; nobody is left behind."""
    with short_directory() as home:
        served = Venue(home, **venue)
        try:
            yield home, served
        finally:
            sweep(home)
            served.process.wait()


@contextmanager
def trading(
    home: Path, *sets: str, script: str = "rest", most: int = 0, armed: bool = True
) -> Iterator[Trader]:
    """An armed engine; its venue stays when it ends."""
    running = Trader(home, *sets, script=script, most=most)
    try:
        running.wait_until_up()
        if armed:
            running.promote()
            running.arm()
        yield running
    finally:
        if running.process.poll() is None:
            os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()
        running.close()


def stored_orders(store: Path) -> dict[str, OrderRecord]:
    """Read every order the store ever held, by hash, as it last stood; through a copy's eyes."""
    import sqlite3

    found: dict[str, OrderRecord] = {}
    with sqlite3.connect(f"file:{store / 'account.db'}?mode=ro", uri=True) as db:
        rows = db.execute(
            "SELECT body FROM log WHERE kind = 'order' AND realm = ? ORDER BY n",
            (Realm.LIVE.value,),
        )
        for (body,) in rows:
            order = msgspec.json.decode(body, type=OrderRecord)
            if order.terms is not None or order.order_hash:
                found[order.order_hash] = order
    db.close()
    return found
