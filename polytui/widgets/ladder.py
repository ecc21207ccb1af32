"""The ladder: prices down the middle, best in the middle, size and depth to either side.

Only levels that exist are drawn, and the middle row stays where it is, so that the eye can rest on
it. Bars compare sizes with the largest in view; the number beside them is the fact.
"""

from polytui import format as fmt
from polytui.engine.core.view import LevelView, TokenBookView
from polytui.widgets.lines import Line, Panel, Part, fit

_SIZE = 5
_PRICE = 7
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int, *, leftward: bool) -> str:
    """Draw a bar of a share of the width, growing to the right or to the left."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    if leftward:  # there are no left-growing eighths; half a block is as fine as it gets
        text = ("▐" if rest >= 4 else "") + "█" * full
        return fmt.pad(text, width, right=True)
    return fmt.pad("█" * full + (_EIGHTHS[rest] if rest else ""), width)


def _widths(width: int) -> tuple[bool, int]:
    """Tell whether the cumulated sizes fit, and how wide a bar is."""
    with_cum = width >= 2 * (2 * _SIZE + 2) + _PRICE
    numbers = (2 * _SIZE + 2) if with_cum else _SIZE + 1
    return with_cum, max((width - _PRICE) // 2 - numbers, 0)


def _level(level: LevelView, *, bid: bool, tick_u6: int, top_u6: int, width: int) -> Line:
    with_cum, bar_width = _widths(width)
    role = "buy" if bid else "sell"
    qty = (fmt.pad(fmt.qty(level.qty_u6), _SIZE, right=True), role)
    cum = (fmt.pad(fmt.qty(level.cum_u6), _SIZE, right=True), "dim")
    share = level.qty_u6 / top_u6 if top_u6 else 0.0
    price = (fmt.pad(fmt.price(level.px_u6, tick_u6), _PRICE - 1, right=True) + " ", "strong")
    drawn = (bar(share, bar_width, leftward=bid), f"{role}-bar")
    space: Part = (" ", "")
    half = (width - _PRICE) // 2
    if bid:
        return (*((cum, space) if with_cum else ()), qty, space, drawn, price)
    numbers = (qty, space, cum) if with_cum else (qty,)
    return ((" " * half, ""), price, drawn, space, *numbers)


def head(width: int) -> Line:
    """Draw the heads of the columns."""
    with_cum, bar_width = _widths(width)
    bid, ask = fmt.pad("bid", _SIZE, right=True), fmt.pad("ask", _SIZE, right=True)
    cum = fmt.pad("depth", _SIZE, right=True)
    left = f"{cum} {bid} " if with_cum else f"{bid} "
    right = f" {ask} {cum}" if with_cum else f" {ask}"
    return ((left + " " * bar_width + fmt.pad(" price", _PRICE) + " " * bar_width + right, "head"),)


def middle(book: TokenBookView, tick_u6: int, width: int) -> Line:
    """Draw the row between the sides: the mid price and the spread, or what is missing."""
    if not book.bids or not book.asks:
        text = "no bids, no asks" if not book.bids and not book.asks else "one side is empty"
        return _rule(((f" {text} ", "warn"),), width)
    bid, ask = book.bids[0].px_u6, book.asks[0].px_u6
    gap = fmt.spread(bid, ask, tick_u6)
    if ask <= bid:
        return _rule(((f" CROSSED by {gap.removeprefix('-')} ticks ", "warn"),), width)
    mid = fmt.price((bid + ask) // 2, tick_u6)
    word = "tick" if gap == "1" else "ticks"
    return _rule(((f" mid {mid} ", "strong"), (f" spread {gap} {word} ", "dim")), width)


def _rule(parts: tuple[Part, ...], width: int) -> Line:
    room = width - sum(fmt.cells(text) for text, _ in parts)
    left = max(room // 2, 0)
    return (("─" * left, "faint"), *parts, ("─" * max(room - left, 0), "faint"))


def ladder_lines(book: TokenBookView, tick_u6: int, width: int, height: int) -> list[Line]:
    """Draw a book in a width and height: asks above, bids below, the middle in the middle."""
    rows = max(height - 2, 0)
    above, below = rows // 2, rows - rows // 2
    asks, bids = book.asks[:above], book.bids[:below]
    top_u6 = max((level.qty_u6 for level in (*asks, *bids)), default=0)
    lines: list[Line] = [head(width)]
    lines += [()] * (above - len(asks))
    lines += [
        _level(level, bid=False, tick_u6=tick_u6, top_u6=top_u6, width=width)
        for level in reversed(asks)
    ]
    lines.append(middle(book, tick_u6, width))
    lines += [
        _level(level, bid=True, tick_u6=tick_u6, top_u6=top_u6, width=width) for level in bids
    ]
    return [fit(line, width) for line in lines]


class Ladder(Panel):
    """A panel that shows one token's book."""

    def show_book(self, book: TokenBookView, tick_u6: int) -> None:
        """Show a book."""
        width, height = self.inner
        foot = f"{len(book.bids)} bids  {len(book.asks)} asks"
        note = f"tick {fmt.price(tick_u6, tick_u6)}"
        self.show(ladder_lines(book, tick_u6, width, height), note=note, foot=foot)
