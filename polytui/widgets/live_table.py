"""LiveTable: rows of live values with a cursor that belongs to a key, not to a row number.

Columns have declared widths and an order in which they drop when there is no room; the columns an
operator cannot do without have drop 0 and stay. Rows are tuples: an equal row costs a comparison, a
changed one the painting of one line. The order of rows is the caller's.
"""

from collections.abc import Sequence

from msgspec import Struct
from textual.message import Message

from polytui.format import pad
from polytui.widgets.filters import matches, parse
from polytui.widgets.lines import Line, Panel, Part, faded

GAP = 1
ROWS_MAX = 2_000
"""Rows kept; the rest is counted in the frame."""


class Column(Struct, frozen=True, kw_only=True):
    """One column."""

    key: str
    head: str
    width: int
    least: int = 0
    """Width it may shrink to before a column with drop below `LUXURY` goes; 0: fixed."""
    most: int = 0
    """Width it may grow to when there is room; 0: fixed."""
    right: bool = False
    drop: int = 0
    """0 never drops; the others drop from the highest number down."""


class Row(Struct, frozen=True, kw_only=True):
    """One row: as many cells as the table has columns."""

    key: str
    cells: tuple[Part, ...]
    mark: str = " "
    """In front of the row when the cursor is elsewhere."""
    stale: bool = False
    """Shown dim and marked `~`."""
    extra: str = ""
    """Text that the filter finds but the table does not show."""
    market: str = ""
    """Condition id the row is about: where Enter goes."""
    strategy: str = ""
    """Strategy the row is about: what `p` pauses."""
    subject: str = ""
    """What else it is about, for the actions: `order:<cid>`, `limit:<name>`, `breaker:<name>`."""
    over: str = ""
    """Why nothing can be done to the subject any more; empty: it can."""
    title: str = ""
    """Name of the market, safe to show."""


LUXURY = 5
"""Columns with this drop or more go before any column shrinks."""

Layout = tuple[tuple[int, Column, int], ...]
"""Index of the cell, its column, its width."""


def lay_out_columns(columns: Sequence[Column], width: int) -> Layout:
    """Choose the columns that fit and share out what is left to those that may grow."""
    kept = _drop(list(enumerate(columns)), width, LUXURY, shrunk=False)
    kept = _drop(kept, width, 1, shrunk=True)
    spare = width - _needed(kept, shrunk=False)
    laid = []
    for index, column in kept:
        if spare < 0:
            change = -min(-spare, column.width - (column.least or column.width))
        else:
            change = min(spare, max(column.most - column.width, 0))
        spare -= change
        laid.append((index, column, column.width + change))
    return tuple(laid)


Numbered = list[tuple[int, Column]]


def _drop(kept: Numbered, width: int, from_rank: int, *, shrunk: bool) -> Numbered:
    while _needed(kept, shrunk=shrunk) > width:
        candidates = [pair for pair in kept if pair[1].drop >= from_rank]
        if not candidates:
            break
        kept.remove(max(candidates, key=lambda pair: pair[1].drop))
    return kept


def _needed(kept: Numbered, *, shrunk: bool) -> int:
    widths = [(c.least or c.width) if shrunk else c.width for _, c in kept]
    return 1 + sum(widths) + GAP * (len(kept) - 1)


def head_line(layout: Layout) -> Line:
    """Draw the column heads; the first cell is the mark's."""
    parts: list[Part] = [(" ", "")]
    for place, (_, column, width) in enumerate(layout):
        parts.append((" " * GAP if place else "", ""))
        parts.append((pad(column.head, width, right=column.right), "head"))
    return tuple(part for part in parts if part[0])


def row_line(row: Row, layout: Layout, *, cursor: bool) -> Line:
    """Draw one row."""
    mark = ">" if cursor else "~" if row.stale else row.mark
    parts: list[Part] = [(mark, "strong" if cursor else "stale")]
    for place, (index, column, width) in enumerate(layout):
        text, role = row.cells[index]
        if place:
            parts.append((" " * GAP, ""))
        parts.append((pad(text, width, right=column.right), role))
    line = tuple(parts)
    return (parts[0], *faded(line[1:])) if row.stale else line


class LiveTable(Panel):
    """A table panel. Posts `Moved` when the cursor comes to another key."""

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, table: "LiveTable", key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        title: str,
        empty: str,
        id: str | None = None,  # noqa: A002  (Textual names it so)
        classes: str | None = None,
    ) -> None:
        super().__init__(title=title, id=id, classes=classes)
        self.columns = tuple(columns)
        self.empty = empty
        """Shown when there is no row: one sentence with what to do next."""
        self.filter_text = ""
        self.cursor = ""
        """Key of the row under the cursor."""
        self._rows: tuple[Row, ...] = ()
        self._shown: tuple[Row, ...] = ()
        self._cursor_row = -1
        self._waits = True
        self._cache: dict[str, tuple[Row, Layout, Line]] = {}
        self._note = ""

    # --- what it holds --------------------------------------------------------------------------

    @property
    def shown(self) -> tuple[Row, ...]:
        """Rows that pass the filter."""
        return self._shown

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        at = self._index()
        return self._shown[at] if at >= 0 else None

    def set_rows(self, rows: Sequence[Row], *, note: str = "") -> None:
        """Take new rows; the cursor stays with its key, or near its place if the key is gone."""
        self._note = note
        self._waits = False
        if len(rows) > ROWS_MAX:
            self._note = f"first {ROWS_MAX} of {len(rows)}"
        before = self._index()
        self._rows = tuple(rows[:ROWS_MAX])
        self._choose(before)

    def wait(self, lines: Sequence[Line]) -> None:
        """Show a sentence instead of rows, because there is no section yet."""
        self._rows = self._shown = ()
        self._waits = True
        self._note = ""
        self._cursor_row = -1
        self.show(lines)

    def set_filter(self, text: str) -> None:
        """Filter the rows."""
        if text != self.filter_text:
            before = self._index()
            self.filter_text = text
            self._choose(before)

    def _choose(self, before: int) -> None:
        terms = parse(self.filter_text)
        if terms:
            names = [column.key for column in self.columns]
            self._shown = tuple(
                row
                for row in self._rows
                if matches(
                    terms,
                    {**dict(zip(names, (c[0] for c in row.cells), strict=True)), "id": row.extra},
                )
            )
        else:
            self._shown = self._rows
        if self._shown and self._index() < 0:
            at = min(max(before, 0), len(self._shown) - 1)
            self._set_cursor(self._shown[at].key)
        elif not self._shown and self.cursor and not self._rows:
            self._set_cursor("")
        self._relay()

    # --- the cursor -----------------------------------------------------------------------------

    def _index(self) -> int:
        for at, row in enumerate(self._shown):
            if row.key == self.cursor:
                return at
        return -1

    def _set_cursor(self, key: str) -> None:
        if key != self.cursor:
            self.cursor = key
            self.post_message(self.Moved(self, key))

    def put_cursor(self, key: str) -> None:
        """Put the cursor on a key, shown now or to come."""
        self._set_cursor(key)
        self._relay()

    def move_cursor(self, steps: int) -> None:
        """Move the cursor by rows; it stops at both ends."""
        if self._shown:
            at = min(max(self._index() + steps, 0), len(self._shown) - 1)
            self._set_cursor(self._shown[at].key)
            self._relay()

    @property
    def page_rows(self) -> int:
        """Rows that fit at once."""
        height = self.inner[1]
        return max(height - 1, 1) if height > 2 else max(height, 0)

    # --- drawing --------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """Lay out anew."""
        super().on_resize()
        self._relay()

    def _relay(self) -> None:
        width, height = self.inner
        if not width or not height or self._waits:
            return
        layout = lay_out_columns(self.columns, width)
        with_head = height > 2
        room = self.page_rows
        at = self._index()
        last = max(len(self._shown) - room, 0)
        self._top = min(max(self._top, at - room + 1), max(at, 0), last)
        visible = self._shown[self._top : self._top + room]
        lines = [head_line(layout)] if with_head else []
        lines += [self._line(row, layout) for row in visible]
        if not self._shown:
            lines = [*lines[:1], *self._nothing(width)]
        self._cursor_row = at - self._top + (1 if with_head else 0) if at >= 0 else -1
        self._say(room)
        if self.fade:
            heads = [faded(line) for line in lines[: int(with_head)]]
            lines = heads + [_old(line) for line in lines[int(with_head) :]]
        self.lay_out(lines)

    def _line(self, row: Row, layout: Layout) -> Line:
        cursor = row.key == self.cursor and self.has_class("-current")
        if cursor:
            return row_line(row, layout, cursor=True)
        cached = self._cache.get(row.key)
        if cached is not None and cached[0] == row and cached[1] == layout:
            return cached[2]
        if len(self._cache) > 2 * ROWS_MAX:
            self._cache.clear()
        line = row_line(row, layout, cursor=False)
        self._cache[row.key] = (row, layout, line)
        return line

    def _nothing(self, width: int) -> list[Line]:
        text = self.empty
        if self.filter_text and self._rows:
            text = f"No row matches /{self.filter_text}. Esc clears the filter."
        return [((part, "dim"),) for part in wrap(text, width)]

    def _say(self, room: int) -> None:
        note = f"/{self.filter_text}  {self._note}".strip() if self.filter_text else self._note
        total, all_rows = len(self._shown), len(self._rows)
        foot = ""
        if total > room:
            foot = f"{self._top + 1}-{min(self._top + room, total)} of {total}"
        if self.filter_text:
            foot = f"{total} of {all_rows} match"
        self.say(note=note, foot=foot)

    def set_state(self, state: str, *, fade: bool) -> None:
        """Mark the table as a whole; when it fades, every row with it."""
        changed = fade != self.fade
        super().set_state(state, fade=fade)
        if changed:
            self._relay()

    def set_current(self, current: bool) -> None:
        """Show the cursor only in the table that has it."""
        super().set_current(current)
        self._relay()

    def inner_ground(self, row: int) -> str:
        """Give the cursor row its ground while the table has the focus."""
        return "cursor" if row == self._cursor_row and self.has_focus else self.GROUND


def _old(line: Line) -> Line:
    """Mark a line as no longer known: dim, and `~` in front unless the cursor is there."""
    first, *rest = faded(line) or ((" ", "stale"),)
    return (("~", "stale") if first[0] == " " else first, *rest)


def wrap(text: str, width: int) -> list[str]:
    """Break a sentence of ours into lines."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line] if line else lines
