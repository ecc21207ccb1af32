"""Views for the exporter: those of the console's tests, with one of everything."""

import re
from typing import Any

from msgspec.structs import replace
from prometheus_client import generate_latest

from polytui.engine.core.account_view import OrdersView, RiskView
from polytui.engine.core.section import CountView
from polytui.engine.core.view import AnySection
from polytui.engine.shell.metrics.collect import HostHealth, ViewCollector
from tests.console import account_views, views

SAMPLE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')

Sections = dict[str, AnySection]


def counters(**values: int) -> tuple[CountView, ...]:
    """Make counters; `__` in a name stands for a colon."""
    return tuple(CountView(name=n.replace("__", ":"), value=v) for n, v in values.items())


def changed(sections: Sections, topic: str, **fields: Any) -> Sections:
    """Change fields of one section."""
    return sections | {topic: replace(sections[topic], **fields)}


def trading() -> Sections:
    """Make an engine that trades, with something in every family but the kill's."""
    sections = account_views.trading(views.live())
    orders = sections["orders"]
    assert isinstance(orders, OrdersView)
    more = counters(refused__balance=7, answer__unknown=2, late_fills=1)
    return changed(sections, "orders", counters=(*orders.counters, *more))


def killed() -> Sections:
    """Make the same a moment after a kill."""
    return account_views.killed(trading())


def hostile() -> Sections:
    """Make one in which every text that comes from outside is an enemy's."""
    sections = account_views.hostile(views.live(views.HOSTILE))
    nasty = " ".join(views.HOSTILE)
    names = (f"unknown_status:{nasty}", nasty, "refused:" + nasty, "answer:" + nasty)
    counts = tuple(CountView(name=name, value=3) for name in names)
    sections = changed(sections, "orders", counters=counts)
    status, risk = sections["status"], sections["risk"]
    assert isinstance(risk, RiskView)
    markets = sections["markets"]
    rows = tuple(replace(row, market=nasty + str(n)) for n, row in enumerate(_rows(markets)))
    return sections | {
        "status": replace(status, run=nasty, venue=nasty, version=nasty),
        "markets": replace(markets, rows=rows),
    }


def _rows(section: Any) -> tuple[Any, ...]:
    return tuple(section.rows)


class Scraper:
    """One exporter's collector, fed by whatever sections it is given."""

    def __init__(self, sections: Sections) -> None:
        self.sections = sections
        self.collector = ViewCollector(self._look, host=HostHealth)

    def _look(self, topic: str) -> AnySection | None:
        return self.sections.get(topic)

    def text(self) -> str:
        """Scrape."""
        return generate_latest(self.collector).decode()

    def samples(self) -> dict[str, float]:
        """Scrape and return the lines that are samples, by what stands before the value."""
        return samples_of(self.text())


def samples_of(text: str) -> dict[str, float]:
    """Read samples by what stands before the value."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(SAMPLE.fullmatch(line) for line in lines), "expected only lines of samples"
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def label_values(text: str) -> set[str]:
    """List all values of all labels."""
    return {value for line in samples_of(text) for _, value in LABEL.findall(line)}
