"""The real Prometheus: it reads our files and scrapes a real engine; its rules fire on real faults.

`ops/prometheus/install` puts Debian's package on a machine that lets it; elsewhere this is skipped.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from polytui.engine.shell.dial import Dialled
from polytui.engine.shell.metrics.families import BY_NAME, FAMILIES, Kind
from tests.conftest import ROOT
from tests.support.engines import EngineProcess, engine, wait_until
from tests.support.scraping import fetched, free_port

MISSING = [tool for tool in ("prometheus", "promtool") if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        bool(MISSING),
        reason=f"not installed: {', '.join(MISSING)}; `make prometheus` as root on Debian does it",
    ),
]

OPS = ROOT / "ops" / "prometheus"
MEMORY = Path("/dev/shm")
"""A file system without a disk behind it, where there is one: the tool syncs every small test."""

COUNTERS = [family.name for family in FAMILIES if family.kind is Kind.COUNTER]


def promtool(*arguments: str, text: str | None = None) -> str:
    """Run the tool; return what it said, which must be no complaint."""
    environment = dict(os.environ)
    if MEMORY.is_dir():
        environment["TMPDIR"] = str(MEMORY)
    run = subprocess.run(
        ["promtool", *arguments],
        cwd=OPS,
        input=text,
        text=True,
        capture_output=True,
        check=False,
        env=environment,
    )
    said = run.stdout + run.stderr
    assert run.returncode == 0, said
    return said


class Prometheus:
    """A real server that scrapes one engine every second, with our rules in a hurry."""

    def __init__(self, home: Path, target: int) -> None:
        self.port = free_port()
        rules = (OPS / "polytui.rules.yml").read_text()
        (home / "polytui.rules.yml").write_text(re.sub(r"for: \w+", "for: 2s", rules))
        config = (OPS / "prometheus.yml").read_text()
        for shipped, quick in (
            ("interval: 5s", "interval: 1s"),
            ("scrape_timeout: 4s", "scrape_timeout: 1s"),
            ("127.0.0.1:9108", f"127.0.0.1:{target}"),
            ("127.0.0.1:9090", f"127.0.0.1:{self.port}"),
        ):
            assert shipped in config
            config = config.replace(shipped, quick)
        (home / "prometheus.yml").write_text(config)
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={home / 'prometheus.yml'}",
                f"--storage.tsdb.path={home / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=warn",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def asked(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Ask for the present value of an expression; nothing while the server is not up."""
        query = urllib.parse.urlencode({"query": expression})
        try:
            text = fetched(f"http://127.0.0.1:{self.port}/api/v1/query?{query}")
        except OSError:
            return []
        result: list[dict[str, Any]] = json.loads(text)["data"]["result"]
        return [(row["metric"], float(row["value"][1])) for row in result]

    def value(self, expression: str) -> float | None:
        """Return the one value of an expression, None without any."""
        rows = self.asked(expression)
        return rows[0][1] if rows else None

    def is_firing(self, alert: str) -> bool:
        """Tell whether an alert fires."""
        return bool(self.asked(f'ALERTS{{alertname="{alert}",alertstate="firing"}}'))


@contextmanager
def watched(*sets: str) -> Iterator[tuple[EngineProcess, Prometheus, int]]:
    """Run an engine and a Prometheus that has scraped it."""
    port = free_port()
    where = MEMORY if MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="ptprom", dir=where) as home,
        engine(f"metrics.port={port}", *sets) as running,
    ):
        server = Prometheus(Path(home), port)
        try:
            wait_until(lambda: server.value('up{job="polytui"}') == 1, "a scrape", deadline_s=60)
            yield running, server, port
        finally:
            server.process.kill()
            server.process.wait()


def asked(running: EngineProcess, action: str, *arguments: str) -> None:
    """Ask the engine for something that it must do."""
    with Dialled(running.admin) as dialled:
        answer = dialled.ask(action, arguments)
        assert answer.ok, answer.text


# --- files ---------------------------------------------------------------------------------------


def test_the_shipped_configuration_and_rules_are_lawful() -> None:
    said = promtool("check", "config", "prometheus.yml")
    assert "is valid prometheus config file syntax" in said
    assert "rules found" in promtool("check", "rules", "--lint-fatal", "polytui.rules.yml")


def test_every_rule_is_quiet_while_all_is_well_and_fires_on_its_trouble() -> None:
    assert "SUCCESS" in promtool("test", "rules", "polytui.rules.test.yml")


def test_a_rule_test_can_fail(tmp_path: Path) -> None:
    rules = (
        (OPS / "polytui.rules.yml")
        .read_text()
        .replace("polytui_killed == 1", "polytui_killed == 2")
    )
    (tmp_path / "polytui.rules.yml").write_text(rules)
    shutil.copy(OPS / "polytui.rules.test.yml", tmp_path)
    with pytest.raises(AssertionError, match="Killed"):
        promtool("test", "rules", str(tmp_path / "polytui.rules.test.yml"))


def test_what_the_dashboard_asks_is_a_question(tmp_path: Path) -> None:
    board = json.loads((OPS / "grafana-dashboard.json").read_text())
    asked_ = [
        target["expr"].replace("$instance", ".*")
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ]
    assert len(asked_) > 50
    rules = [{"record": f"asked:n{n}", "expr": expr} for n, expr in enumerate(asked_)]
    file = tmp_path / "asked.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(asked_)} rules found" in promtool("check", "rules", str(file))


# --- a real engine -------------------------------------------------------------------------------


def test_a_real_server_scrapes_a_real_engine_and_its_rules_fire_on_a_kill() -> None:
    with watched() as (running, server, port):
        promtool("check", "metrics", text=fetched(f"http://127.0.0.1:{port}/metrics"))
        wait_until(lambda: (server.value("polytui_events_total") or 0) > 100, "events")
        assert server.asked("polytui_info")[0][0]["venue"] == "practice"
        assert server.value("polytui_killed") == 0
        alarms = 'ALERTS{alertstate="firing",severity="critical"}'
        wait_until(lambda: not server.asked(alarms), "a healthy engine without alarms")
        names = {row["__name__"] for row, _ in server.asked('{__name__=~"polytui_.+"}')}
        assert names <= set(BY_NAME)
        assert len(names) > len(BY_NAME) * 3 // 4
        asked(running, "risk.kill", "a test")
        wait_until(lambda: server.is_firing("Killed"), "the alert of the kill", deadline_s=60)
        assert server.value("polytui_killed") == 1
        fell = [name for name in COUNTERS if server.value(f"sum(resets({name}[5m]))")]
        assert fell == [], "a counter never falls"
        assert server.value("polytui_orders_sent_on_stale_state_total") == 0
        samples = server.value('scrape_samples_scraped{job="polytui"}') or 0
        assert 200 < samples < 2_000


def test_a_venue_that_freezes_makes_the_rules_of_the_data_fire() -> None:
    with watched("run.book.stale_market_ms=1000", "run.book.stale_conn_ms=1000") as (
        running,
        server,
        _,
    ):
        wait_until(lambda: (server.value('polytui_markets{state="synced"}') or 0) > 0, "a book")
        asked(running, "venue.fault", "freeze")
        wait_until(
            lambda: server.is_firing("StaleBooks") or server.is_firing("FeedNotLive"),
            "an alert of stale data",
            deadline_s=60,
        )


def test_an_engine_that_is_gone_is_an_alert() -> None:
    with watched() as (running, server, _):
        assert not server.is_firing("EngineDown")
        running.process.kill()
        wait_until(lambda: server.is_firing("EngineDown"), "the alert", deadline_s=60)
