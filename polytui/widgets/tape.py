"""The tape: public trades, newest first, in the terms of the token each names."""

from collections.abc import Callable

from polytui import format as fmt
from polytui.engine.core.view import TradeView
from polytui.widgets.lines import Line

SIDE = {"buy": ("B", "buy"), "sell": ("S", "sell"), "": ("?", "dim")}
"""Letter and role of the taker's side as the venue claims it."""


def tape_line(trade: TradeView, tick_u6: int, when: Callable[[int], str], width: int) -> Line:
    """Draw one trade."""
    letter, role = SIDE.get(trade.side, SIDE[""])
    room = max(width - 29, 3)
    return (
        (fmt.pad(when(trade.at_ns), 8, right=True), "dim"),
        (f"  {letter} ", role),
        (fmt.pad(fmt.price(trade.px_u6, tick_u6), 6, right=True), "strong"),
        (fmt.pad(fmt.qty(trade.qty_u6), 8, right=True), ""),
        (f"  {fmt.pad(fmt.foreign(trade.outcome), room)}", "dim"),
    )


def tape_lines(
    trades: tuple[TradeView, ...],
    tick_u6: int,
    when: Callable[[int], str],
    *,
    width: int,
    height: int,
) -> list[Line]:
    """Draw the newest trades that fit."""
    heads = f"{'at':>8}    {'price':>6}{'size':>8}  token"
    if not trades:
        return [(("No trade has been seen yet.", "dim"),)]
    lines: list[Line] = [((heads, "head"),)]
    lines += [tape_line(trade, tick_u6, when, width) for trade in trades[: max(height - 1, 0)]]
    return lines
