"""The recorded Polymarket tapes, as a test reads them: receive time, slug, bytes."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import msgspec

from polytui.engine.core.events import BookFrame, MarketSpec
from polytui.engine.core.ids import ConnId
from polytui.engine.wire import polymarket
from tests.support.floor import CRYPTO, Floor

RAW = "pm-btc5m-book-raw-20260413T1535-1625.jsonl.gz"
DERIVED = "pm-btc5m-twotoken-derived-20260413.jsonl.gz"
TRUTH = "pm-btc5m-twotoken-derived-20260413.truth.csv.gz"


class Line(msgspec.Struct):
    """One line of a tape."""

    t_ms: msgspec.Raw
    slug: str
    raw: msgspec.Raw

    @property
    def at_ns(self) -> int:
        """Receive time, exact: the text has at most three decimals."""
        whole, _, frac = bytes(self.t_ms).decode().partition(".")
        return int(whole + frac.ljust(6, "0"))


def read(path: Path) -> list[Line]:
    """Read a whole tape."""
    decoder = msgspec.json.Decoder(Line)
    with gzip.open(path) as lines:
        return [decoder.decode(line) for line in lines]


def specs(lines: list[Line]) -> Iterator[MarketSpec]:
    """Make catalog facts: tokens in the order the tape names them."""
    tokens: dict[str, list[str]] = {}
    slugs: dict[str, str] = {}
    for line in lines:
        for event in polymarket.decode(ConnId(0), bytes(line.raw)):
            if isinstance(event, BookFrame):
                slugs[event.market] = line.slug
                known = tokens.setdefault(event.market, [])
                if event.token not in known:
                    known.append(event.token)
    for market, known in tokens.items():
        yield MarketSpec(
            market=market,
            tokens=(known[0], known[1] if len(known) > 1 else ""),
            title=slugs[market],
            slug=slugs[market],
            fees=CRYPTO,
        )


def floor_for(lines: list[Line]) -> Floor:
    """Start an engine that knows the tape's markets."""
    floor = Floor(None, *specs(lines))
    floor.now_ns = max(floor.now_ns, 0)
    return floor


def deliver(floor: Floor, line: Line, base_ns: int) -> None:
    """Feed one line at its receive time, counted from the start of the tape."""
    floor.now_ns = max(floor.now_ns, base_ns + line.at_ns)
    floor.frame(bytes(line.raw), after_ms=0)


def base_of(floor: Floor, lines: list[Line]) -> int:
    """Return what to add to receive times so that the first line comes now."""
    return floor.now_ns - lines[0].at_ns
