"""What one scrape writes on: samples by family, checked against the table."""

from collections.abc import Hashable, Iterable, Mapping
from enum import Enum
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from polytui.engine.shell.metrics.families import BY_NAME, FAMILIES, Family, Kind
from polytui.engine.shell.metrics.labels import Counts, Slots, Words

PREFIX: Final = "polytui_"
_U: Final = 1_000_000


class Memory:
    """What the exporter remembers between scrapes: counters, label values, who has series."""

    __slots__ = ("counts", "slots", "words")

    def __init__(self) -> None:
        """Start empty."""
        self.counts = Counts()
        self.words = Words()
        self.slots = Slots()


class Sheet:
    """One scrape. Names come without the prefix; an unknown one is our bug."""

    __slots__ = ("_samples", "at_risk", "memory", "shown")

    def __init__(self, memory: Memory) -> None:
        """Begin a scrape."""
        self.memory = memory
        self._samples: dict[str, dict[tuple[str, ...], float]] = {}
        self.at_risk: set[str] = set()
        """Markets in which we hold or risk something."""
        self.shown: frozenset[str] = frozenset()
        """Markets with series of their own in this scrape."""

    # --- writing ---------------------------------------------------------------------------------

    def gauge(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge; the same labels twice add up."""
        family = BY_NAME[PREFIX + name]
        assert family.kind is Kind.GAUGE, f"expected {name} to be a gauge"
        where = self._labels(family, labels)
        row = self._samples.setdefault(family.name, {})
        row[where] = row.get(where, 0.0) + value

    def dollars(self, name: str, value_u6: int, *labels: str) -> None:
        """Set a gauge of micro-units, shown in units."""
        self.gauge(name, value_u6 / _U, *labels)

    def states(self, name: str, states: type[Enum], now: Enum, *labels: str) -> None:
        """Set a state set: 1 for the state that holds, 0 for each of the others."""
        for state in states:
            self.gauge(name, float(state is now), *labels, str(state.value))

    def age(self, name: str, since_ns: int | None, now_ns: int, *labels: str) -> None:
        """Set an age in seconds; what never happened (None or 0) has no age and no sample."""
        if since_ns:
            self.gauge(name, max(0, now_ns - since_ns) / 1e9, *labels)

    def count(self, name: str, value: int, *labels: str, source: Hashable = None) -> None:
        """Set a counter from a number that only grows; several sources of one counter add up."""
        family = BY_NAME[PREFIX + name]
        assert family.kind is Kind.COUNTER, f"expected {name} to be a counter"
        where = self._labels(family, labels)
        key = (name, where if source is None else source)
        self.memory.counts.rise(key, value, family.name, where)

    def _labels(self, family: Family, labels: tuple[str, ...]) -> tuple[str, ...]:
        assert len(labels) == len(family.labels), f"expected {family.labels} of {family.name}"
        words = self.memory.words
        return tuple(
            value if label == "market" else words.word(f"{family.name}.{label}", value)
            for label, value in zip(family.labels, labels, strict=True)
        )

    # --- reading ---------------------------------------------------------------------------------

    def families(self) -> Iterable[Metric]:
        """Hand out what was written, and counters written before, in the order of the table."""
        for family in FAMILIES:
            row: Mapping[tuple[str, ...], float]
            if family.kind is Kind.COUNTER:
                row = self.memory.counts.of(family.name)
            else:
                row = self._samples.get(family.name, {})
            if row:
                yield _metric(family, row)


def _metric(family: Family, row: Mapping[tuple[str, ...], float]) -> Metric:
    made: CounterMetricFamily | GaugeMetricFamily
    if family.kind is Kind.COUNTER:
        made = CounterMetricFamily(family.name, family.help, labels=family.labels)
    else:
        made = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for labels, value in row.items():
        made.add_metric(labels, value)
    return made
