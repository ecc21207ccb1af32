"""Bytes to books to decisions, in one thread: what a message costs at each depth of checking.

- `book`: decoded and applied, nothing checked.
- `one`, `both`: besides, best prices compared with the venue's, and the digest of one or of both
  tokens recomputed.
- `engine`: the whole engine as the runner drives it, with a turn after every message: sequencing,
  quality, digests, snapshot, strategy, arbiter, record.
"""

from collections.abc import Callable, Iterator
from functools import partial

from bench import stream as streams
from bench.baseline import PlainBooks
from bench.measure import Handle, Lap, Prepare, race
from bench.report import Result
from bench.stream import START_NS, Shape, Stream
from polytui.engine.core.enums import Feed
from polytui.engine.core.events import (
    BookDelta,
    BookFrame,
    ConnOpened,
    Event,
    MarketListed,
    PublicTrade,
    RunStarted,
    TickChanged,
    Turn,
)
from polytui.engine.core.ids import ConnId
from polytui.engine.core.runconfig import BookConfig, RunConfig
from polytui.engine.core.units import text_u6
from polytui.engine.machine import Engine
from polytui.engine.market.book import Book
from polytui.engine.shell.clock import Anchor
from polytui.engine.shell.sequencer import Sequencer
from polytui.engine.wire.polymarket import decode

CONN = ConnId(1)
BASELINE = "json.loads + SortedDict"
SHAPES = {
    "shallow": Shape(levels=10),
    "deep": Shape(levels=50),
    "wide": Shape(levels=50, markets=200),
}
"""Generated streams; `wide` has twice the markets."""


def baseline(_stream: Stream) -> Handle:
    """Prepare the plain books."""
    take = PlainBooks().take
    return lambda _at_ns, data: take(data)


def _books(stream: Stream) -> dict[str, Book]:
    return {spec.market: Book(spec, text_u6(spec.tick_u6)) for spec in stream.markets}


def book_only(stream: Stream) -> Handle:
    """Prepare our decoder and books, nothing checked."""
    books = _books(stream)

    def handle(_at_ns: int, data: bytes) -> None:
        for event in decode(CONN, data):
            if type(event) is BookDelta:
                books[event.market].apply(event.changes)
            elif type(event) is BookFrame:
                books[event.market].replace(event)

    return handle


class Checked:
    """Our decoder and books with every best price and digest compared."""

    def __init__(self, stream: Stream, *, claims: int) -> None:
        """Check the first `claims` tokens of each message."""
        self._books = _books(stream)
        self._claims = claims
        self.equal = 0
        self.unequal = 0
        """Digests of groups that were still open; at the end of a group none may be."""
        self.wrong_tops = 0
        self._handlers: dict[type, Callable[[Book, Event], None]] = {
            BookDelta: self._delta,  # type: ignore[dict-item]  # the table pairs types with handlers
            BookFrame: self._frame,  # type: ignore[dict-item]  # the table pairs types with handlers
            PublicTrade: _trade,  # type: ignore[dict-item]  # the table pairs types with handlers
            TickChanged: _tick,  # type: ignore[dict-item]  # the table pairs types with handlers
        }

    def handle(self, _at_ns: int, data: bytes) -> None:
        """Take one message."""
        books, handlers = self._books, self._handlers
        for event in decode(CONN, data):
            handlers[type(event)](books[event.market], event)  # type: ignore[attr-defined]  # all four name their market

    def _delta(self, book: Book, event: BookDelta) -> None:
        book.apply(event.changes)
        for token, _, bid_u6, ask_u6 in event.claims:
            if book.touch_u6(token) != (bid_u6, ask_u6):
                self.wrong_tops += 1
        for token, digest, _, _ in event.claims[: self._claims]:
            self._count(result=book.verify(token, event.venue_ms, digest))

    def _frame(self, book: Book, event: BookFrame) -> None:
        if event.tick_u6 and event.tick_text != book.tick_text:
            book.set_terms(book.spec, tick_u6=event.tick_u6, tick_text=event.tick_text)
        book.replace(event)
        if event.last_trade_text is not None:
            book.set_last_trade(event.last_trade_text)
        self._count(result=book.verify(event.token, event.venue_ms, event.digest))

    def _count(self, *, result: bool | None) -> None:
        if result is False:
            self.unequal += 1
        else:
            self.equal += 1


def _trade(book: Book, event: PublicTrade) -> None:
    book.note_trade(event.px_u6)


def _tick(book: Book, event: TickChanged) -> None:
    book.set_terms(book.spec, tick_u6=event.new_tick_u6, tick_text=event.new_tick_text)


def checked(stream: Stream, *, claims: int) -> Handle:
    """Prepare our books with every check on."""
    return Checked(stream, claims=claims).handle


class Driven:
    """A whole engine behind a sequencer, with a turn after every message."""

    def __init__(self, stream: Stream, config: RunConfig) -> None:
        """Start a run and list the stream's markets."""
        self.engine = Engine()
        self._sequencer = Sequencer(Anchor(wall_ns=0, mono_ns=0))
        self.commands = 0
        first_ns = stream.frames[0][0] if stream.frames else START_NS
        self._tell(first_ns, RunStarted(run="bench", version="0", config=config))
        self._tell(first_ns, ConnOpened(conn=CONN, feed=Feed.POLYMARKET, url="bench"))
        for spec in stream.markets:
            self._tell(first_ns, MarketListed(spec=spec))

    def _tell(self, at_ns: int, event: Event) -> None:
        self.commands += len(self.engine.step(self._sequencer.stamp(at_ns, event)))

    def handle(self, at_ns: int, data: bytes) -> None:
        """Take one message and a turn."""
        sequencer, step = self._sequencer, self.engine.step
        for stamped in sequencer.frame(conn=CONN, feed=Feed.POLYMARKET, mono_ns=at_ns, data=data):
            self.commands += len(step(stamped))
        self.commands += len(step(sequencer.stamp(at_ns, Turn())))


def engine(stream: Stream, *, check: str) -> Handle:
    """Prepare the whole engine."""
    return Driven(stream, RunConfig(book=BookConfig(digest_check=check))).handle


RIVALS: dict[str, Prepare] = {
    "baseline": baseline,
    "book": book_only,
    "one": partial(checked, claims=1),
    "both": partial(checked, claims=2),
    "engine": partial(engine, check="both"),
}
GOALS: dict[str, tuple[str, Callable[[Lap, float], bool]]] = {
    "book": ("ratio <= 1/5", lambda _, ratio: ratio <= 1 / 5),
    "one": ("<= 4 µs", lambda lap, _: lap.best_ns <= 4_000),
    "both": ("<= 4 µs", lambda lap, _: lap.best_ns <= 4_000),
    "engine": ("ratio <= 1/2", lambda _, ratio: ratio <= 1 / 2),
}
_PER_MESSAGE = {"one", "both"}
"""Their goals are for messages of two entries, which the derived tape does not have."""


def generated(*, quick: bool) -> dict[str, Stream]:
    """Make the generated streams."""
    return {
        name: streams.generate(
            name, Shape(levels=s.levels, markets=s.markets, messages=4_000 if quick else 50_000)
        )
        for name, s in SHAPES.items()
    }


def run(*, quick: bool) -> Iterator[Result]:
    """Race everything on every stream."""
    for stream in generated(quick=quick).values():
        yield from _race(stream, rounds=2 if quick else 5)
    for name in streams.TAPES:
        if why := streams.why_absent(name):
            yield Result(
                name=f"hotpath/{name}", value=0, unit="skipped", n=0, stream=name, note=why
            )
        else:
            tape = streams.load_tape(name, 3_000 if quick else None)
            yield from _race(tape, rounds=2 if quick else 3)


def _race(stream: Stream, rounds: int) -> Iterator[Result]:
    laps = race(stream, RIVALS, rounds)
    for name, lap in laps.items():
        compared = lap.best_ns / laps["baseline"].best_ns
        goal, holds = GOALS.get(name, ("", None))
        if name in _PER_MESSAGE and stream.name not in SHAPES:
            goal, holds = "", None
        yield Result(
            name=f"hotpath/{name}/{stream.name}",
            value=lap.best_ns,
            unit="ns CPU/message",
            n=len(stream.frames) * rounds,
            stream=f"{stream.name}: {stream.about}",
            spread=lap.spread,
            per_s=1e9 / lap.best_ns,
            baseline=BASELINE,
            ratio=compared,
            goal=goal,
            met=None if holds is None else holds(lap, compared),
        )
