"""Book: one market's order book, its trades, and how far the book can be trusted.

The market is the one under the cursor of the list; only its topic is watched.
"""

from textual.app import ComposeResult
from textual.containers import Container

from polytui import format as fmt
from polytui.engine.core.view import MARKETS, BookView, book_topic
from polytui.screens import rows
from polytui.screens.page import Page
from polytui.screens.scene import Part, Scene
from polytui.widgets.ladder import Ladder
from polytui.widgets.lines import Line, Panel
from polytui.widgets.live_table import LiveTable, Row
from polytui.widgets.quality_strip import counter_lines, feature_line, quality_lines
from polytui.widgets.tape import tape_lines


class Book(Page):
    """The page about one book."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.picker = LiveTable(
            rows.PICKER_COLUMNS,
            title="a Markets",
            empty="No market is watched. Name some under [universe] in config.toml and restart.",
            id="book-picker",
        )
        self.ladder = Ladder(title="b Ladder", id="book-ladder", classes="-last")
        self.other = Ladder(title="b Other token", id="book-other")
        self.trades = Panel(title="c Trades", id="book-trades")
        self.quality = Panel(title="d Quality", id="book-quality", classes="-last")
        self.features = Panel(title="e Features", id="book-features")
        self.swapped = False
        """Whether the NO token's book is the main one."""

    def compose(self) -> ComposeResult:
        """Mount the panels."""
        yield self.picker
        ladders = Container(self.ladder, self.other, id="book-ladders", classes="-last")
        yield Container(ladders, self.trades, id="book-middle", classes="pick")
        yield Container(self.quality, self.features, id="book-right", classes="pick")

    def parts(self) -> tuple[Part, ...]:
        """Name the panels; all but the list read the book under its cursor."""
        topic = book_topic(self.picker.cursor)
        return (
            Part(panel=self.picker, topic=MARKETS, fill=self._fill_picker),
            Part(panel=self.ladder, topic=topic, fill=self._fill_ladder),
            Part(panel=self.other, topic=topic, fill=self._fill_other),
            Part(panel=self.trades, topic=topic, fill=self._fill_trades),
            Part(panel=self.quality, topic=topic, fill=self._fill_quality),
            Part(panel=self.features, topic=topic, fill=self._fill_features),
        )

    def topics(self) -> tuple[str, ...]:
        """Name the list, and the one book in view."""
        if not self.picker.cursor:
            return (MARKETS,)
        return (MARKETS, book_topic(self.picker.cursor))

    @property
    def market(self) -> str:
        """The market in view, whichever panel has the focus."""
        return self.picker.cursor

    @property
    def row(self) -> Row | None:
        """The market's row."""
        return self.picker.current

    @property
    def two_books(self) -> bool:
        """Whether the screen is wide enough for both tokens."""
        return self.other.size.width > 0

    def open_market(self, market: str) -> None:
        """Turn to a market."""
        self.picker.put_cursor(market)

    def perform(self, action_id: str) -> bool:
        """Show the other token."""
        if action_id == "book.token":
            self.swapped = not self.swapped
            return True
        return False

    def _state_key(self) -> object:
        return self.picker.cursor, self.swapped

    def _book(self, scene: Scene, panel: Panel) -> BookView | None:
        market = self.picker.cursor
        book = scene.store.book(market) if market else None
        if book is None:
            if scene.store.markets is not None and not scene.store.markets.rows:
                panel.show([(("No market to show.", "dim"),)])
            else:
                self.wait_for(panel, book_topic(market), scene)
        return book

    def _fill_picker(self, scene: Scene) -> None:
        view = scene.store.markets
        if view is None:
            self.wait_for(self.picker, MARKETS, scene)
            return
        made = [rows.picker_row(row, scene.times) for row in view.rows]
        self.picker.set_rows(made, note=f"{len(made)}" if made else "")

    def _show_ladder(self, panel: Ladder, book: BookView, *, no_token: bool) -> None:
        token = book.no if no_token else book.yes
        name = rows.name_of(book.row.title, book.row.market)
        letter = "b" if panel is self.ladder else " "
        panel.set_title(f"{letter} {fmt.cut(fmt.foreign(token.outcome), 12)}  {name}".strip())
        panel.show_book(token, book.row.tick_u6)

    def _fill_ladder(self, scene: Scene) -> None:
        book = self._book(scene, self.ladder)
        if book is None:
            self.ladder.set_title("b Ladder")
        else:
            self._show_ladder(self.ladder, book, no_token=self.swapped)

    def _fill_other(self, scene: Scene) -> None:
        book = self._book(scene, self.other)
        if book is not None:
            self._show_ladder(self.other, book, no_token=not self.swapped)

    def _fill_trades(self, scene: Scene) -> None:
        book = self._book(scene, self.trades)
        if book is None:
            return
        width, height = self.trades.inner
        lines = tape_lines(
            book.trades, book.row.tick_u6, scene.times.text, width=width, height=height
        )
        self.trades.show(lines, note=f"{len(book.trades)} kept" if book.trades else "")

    def _fill_quality(self, scene: Scene) -> None:
        book = self._book(scene, self.quality)
        if book is not None:
            counters = counter_lines(book)
            space: list[Line] = [()] if counters else []
            lines = [*quality_lines(book, scene.times.ago), *space, *counters]
            self.quality.show(lines, note=fmt.short_id(book.row.market, 18))

    def _fill_features(self, scene: Scene) -> None:
        book = self._book(scene, self.features)
        if book is None:
            return
        width = self.features.inner[0]
        lines = [feature_line(feature, width) for feature in book.features]
        if not lines:
            lines = [(("No feature yet: they need a synced book.", "dim"),)]
        self.features.show(lines, note=f"as of {scene.times.ago(book.features_as_of_ns)} ago")
