"""One order, fill or two-leg group in full: what happened when, and what vouches for it. Pure."""

from functools import partial

from polytui import format as fmt
from polytui.engine.core.account_view import BundleRow, FillRow, OrderRow
from polytui.engine.core.order_enums import OrderState
from polytui.screens.bundle_rows import residue_text
from polytui.screens.order_rows import SIDE, next_lookup, order_state
from polytui.screens.rows import name_of
from polytui.screens.times import Times
from polytui.widgets.bits import pair, told
from polytui.widgets.lines import Line
from polytui.widgets.status_bar import late_role

_pair = partial(pair, width=9)
_ID = 30
_INDENT, _EVIDENCE = 7, 30
"""Where evidence begins: on a line of its own, and beside its step."""


def timeline(order: OrderRow, width: int) -> list[Line]:
    """List the steps of an order: when after the first, to what, on whose word."""
    if not order.edges:
        return [(("no step is recorded", "dim"),)]
    start_ns = order.edges[0].at_ns
    lines: list[Line] = [((f"{'after':>6} {'state':<10} {'witness':<11} evidence", "head"),)]
    for edge in order.edges:
        _, word, role = fmt.ORDER_STATE[edge.state]
        detail = fmt.foreign(edge.detail, 80)
        fits = fmt.cells(detail) <= width - _EVIDENCE
        lines.append(
            (
                (fmt.pad(fmt.after(edge.at_ns - start_ns), 6, right=True), "dim"),
                (f" {fmt.pad(word, 10)} ", role),
                (fmt.pad(edge.witness.value.replace("_", " "), 12), ""),
                (detail if fits else "", "dim"),
            )
        )
        if not fits:
            indented = told(detail, width - _INDENT)
            lines += [((" " * _INDENT, ""), *line) for line in indented]
    return lines


def _doubt(order: OrderRow, times: Times, width: int) -> list[Line]:
    """Say what is not known about an order, for how long, and what is done about it."""
    if order.state is not OrderState.UNKNOWN and not order.limbo:
        return []
    age = times.ago(order.updated_ns)
    text = f"older than {order.state.value} may be, for {age}"
    if order.state is OrderState.UNKNOWN:
        text = f"not known for {age}: it may rest or fill; it counts as exposure in full"
    return [
        *told(text, width, "crit"),
        _pair("lookup", next_lookup(order, times), "strong"),
    ]


def order_lines(order: OrderRow, times: Times, width: int) -> list[Line]:
    """Explain an order."""
    side, side_role = SIDE[order.side]
    state, role = order_state(order)
    filled = f"{fmt.shares(order.filled_u6)} of {fmt.shares(order.qty_u6)}"
    unsettled = f"{fmt.shares(order.provisional_u6)} not settled" if order.provisional_u6 else ""
    lines: list[Line] = [
        ((name_of(order.title, order.market), "title"),),
        (
            (f"{side} ", side_role),
            (f"{fmt.foreign(order.outcome, 12)} {fmt.shares(order.qty_u6)}", "strong"),
            (f" @ {fmt.limit_px(order.px_u6)}", "strong"),
            (f"  {order.order_type.value}, {order.purpose.value}", "dim"),
        ),
        (
            (state, role),
            (f"  for {times.ago(order.updated_ns)}", ""),
            ("  EXTERNAL: not ours" if order.external else "", "warn"),
        ),
        *_doubt(order, times, width),
        _pair("filled", filled, more=unsettled),
        _pair("left", fmt.shares(order.remaining_u6)),
    ]
    if order.why:
        refused = role in ("warn", "crit")
        lines += told(fmt.foreign(order.why, 300), width, "warn" if refused else "dim")
    if order.cancel_ns:
        tries = f"{order.cancel_attempts} tries"
        lines.append(_pair("cancel", f"asked {times.ago(order.cancel_ns)} ago", "warn", more=tries))
    if order.expires_ns and not order.state.is_terminal:
        lines.append(_pair("expires", f"in {fmt.age(order.expires_ns - times.now_ns)}"))
    lines += [(), *timeline(order, width), ()]
    ack = fmt.micros(order.ack_us) if order.ack_us else fmt.ABSENT
    return [
        *lines,
        _pair("ack", ack, more="from bytes written to the answer"),
        _pair("order", fmt.short_id(order.cid, _ID)),
        _pair("hash", fmt.short_id(order.order_hash, _ID) or fmt.ABSENT),
        _pair("strategy", fmt.foreign(order.strategy, 24), more=f"snapshot {order.snapshot}"),
        _pair("group", fmt.short_id(order.bundle, _ID) or fmt.ABSENT),
    ]


def fill_lines(fill: FillRow, times: Times, width: int) -> list[Line]:
    """Explain a fill on both axes: the venue's word and our books."""
    side, side_role = SIDE[fill.side]
    status, status_role = fmt.TRADE_STATUS[fill.status]
    glyph, applied, applied_role = fmt.APPLIED[fill.applied]
    age_ns = times.now_ns - fill.first_ns
    late = "" if fill.status.is_terminal else late_role(age_ns)
    lines: list[Line] = [
        ((name_of(fill.title, fill.market), "title"),),
        (
            (f"{side} ", side_role),
            (f"{fmt.foreign(fill.outcome, 12)} {fmt.shares(fill.qty_u6)}", "strong"),
            (f" @ {fmt.limit_px(fill.px_u6)}", "strong"),
            (f"  as {'maker' if fill.is_maker else 'taker'}", "dim"),
        ),
        _pair("venue", status, status_role, more=f"changed {times.ago(fill.updated_ns)} ago"),
        _pair("our books", f"{glyph} {applied}", applied_role),
        _pair("first seen", f"{times.ago(fill.first_ns)} ago", late),
    ]
    if late:
        text = "not settled for more than 30 s: looked up every 15 s after 2 minutes"
        lines += told(text, width, late)
    return [
        *lines,
        _pair("cash", f"${fmt.usd(fill.cash_u6)}", more=f"fee {fmt.usd(fill.fee_u6)}"),
        _pair("reads", str(fill.reads)),
        (),
        _pair("trade", fmt.short_id(fill.trade_id, _ID)),
        _pair("order", fmt.short_id(fill.cid, _ID)),
        _pair("hash", fmt.short_id(fill.order_hash, _ID)),
        _pair("tx", fmt.short_id(fill.tx_hash, _ID) or fmt.ABSENT),
        _pair("strategy", fmt.foreign(fill.strategy, 24)),
    ]


def bundle_lines(bundle: BundleRow, times: Times, width: int) -> list[Line]:
    """Explain a two-leg group: its legs as planned and as they came, and the naked side."""
    glyph, word, role = fmt.BUNDLE_STATE[bundle.state]
    naked, naked_role = residue_text(bundle, times)
    lines: list[Line] = [
        ((name_of(bundle.title, bundle.market), "title"),),
        ((f"{glyph} {word}", role), (f"  for {times.ago(bundle.updated_ns)}", "")),
        _pair("naked", naked, naked_role),
        _pair("plan", fmt.foreign(bundle.plan, 60) or fmt.ABSENT),
        *told(fmt.foreign(bundle.why, 300), width),
        (),
        ((f"{'leg':<9}{'price':>6}{'filled':>9}{'of':>8}{'paid':>9}", "head"),),
    ]
    for leg in bundle.legs:
        side, side_role = SIDE[leg.side]
        lines.append(
            (
                (f"{side:<5}", side_role),
                (fmt.pad(fmt.foreign(leg.outcome, 8), 4), ""),
                (fmt.pad(fmt.limit_px(leg.px_u6), 6, right=True), ""),
                (fmt.pad(fmt.shares(leg.filled_u6), 9, right=True), "strong"),
                (fmt.pad(fmt.shares(leg.qty_u6), 8, right=True), "dim"),
                (fmt.pad(fmt.usd(leg.paid_u6), 9, right=True), ""),
            )
        )
    return [
        *lines,
        (),
        _pair("group", fmt.short_id(bundle.bundle, _ID)),
        _pair("strategy", fmt.foreign(bundle.strategy, 24)),
        _pair("made", f"{times.ago(bundle.created_ns)} ago"),
    ]
