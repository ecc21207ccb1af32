"""Writes an explanation as text: short lines in columns, plain numbers, foreign words cleaned."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from polytui.engine.core.text import sanitise
from polytui.engine.shell.why.reading import Body
from polytui.engine.shell.why.trace import NO_MODEL

LINE_MAX: Final = 200
FEATURES: Final = 4
"""Features on a line."""
_U: Final = 1_000_000
_S: Final = 1_000_000_000


def as_text(told: Body) -> str:
    """Write what `why` or `whynot` found; nothing in it can act on a terminal."""
    return "\n".join(_clean(line).rstrip() for line in _TELLERS[told["about"]](told))


_GAP: Final = re.compile(r"( {2,}|^ +)")


def _clean(line: str) -> str:
    """Keep the gaps between columns, clean what stands in them."""
    return "".join(
        piece if at % 2 else sanitise(piece, limit=LINE_MAX)
        for at, piece in enumerate(_GAP.split(line))
    )


def _w(text: Any) -> str:
    """Clean a foreign word: it makes no columns of its own."""
    return sanitise(str(text), limit=LINE_MAX)


# --- numbers -------------------------------------------------------------------------------------


def _u(value_u6: Any) -> str:
    """Write micro-units exactly, without zeros that say nothing."""
    if not isinstance(value_u6, int):
        return "-"
    sign, whole = "-" if value_u6 < 0 else "", abs(value_u6)
    text = f"{whole // _U}.{whole % _U:06d}".rstrip("0").rstrip(".")
    return sign + text


def _n(value: Any) -> str:
    """Write a number plainly, never with an exponent."""
    if not isinstance(value, float):
        return _w(value)
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _when(at_ns: Any) -> str:
    if not isinstance(at_ns, int) or at_ns <= 0:
        return "-"
    seconds, rest = divmod(at_ns, _S)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{rest // 1_000_000:03d}Z"


# --- one order -----------------------------------------------------------------------------------


def _order(told: Body) -> Iterator[str]:
    order, of = told["order"], told["realm"].upper()
    yield (
        f"{told['verdict']}  {of}  {order['side']} {order['outcome']} {_u(order['qty_u6'])} @ "
        f"{_u(order['px_u6'])}  {order['type']}  {order['state']}"
    )
    yield f"  order     {order['cid']}  {order['id'] or 'no hash: it was never made'}"
    if order["wanted_u6"] != order["qty_u6"]:
        yield f"  wanted    {_u(order['wanted_u6'])}: the venue takes amounts in cents"
    yield f"  market    {_w(told['title']) or '?'}  ({told['mkt']})"
    yield f"  strategy  {told['strat']}  model {_model(told['model'])}"
    yield f"  running   code {told['code']}  config {told['cfg']}  mode {told['mode']}"
    if order["why"]:
        yield f"  because   {_w(order['why'])}"
    yield f"  snapshot  {told['snap']} of run {told['run']}, frames in {_w(told['capture']) or '?'}"
    yield f"  decided   {_decided(told)}"
    yield from _sight(told["sight"])
    yield from _intent(told["intent"])
    yield "  stages"
    yield from (_stage(stage) for stage in told["stages"])
    if told["bundle"]:
        bundle = told["bundle"]
        yield f"  bundle    {bundle['bundle']}  {bundle['state']}  {bundle['plan'] or ''}"
    for trade in told["trades"]:
        yield from _trade(trade)
    if told["trades"]:
        yield from _outcome(told["outcome"], order)
    else:
        yield "  outcome   nothing filled"


def _model(model: str) -> str:
    return "none: it decides by rules" if model == NO_MODEL else model


def _decided(told: Body) -> str:
    """Say when and by whom, or that no strategy asked for it."""
    if told["decided_ns"]:
        return _when(told["decided_ns"])
    return f"by no strategy: made to {told['order']['purpose']}"


def _sight(sight: Body | None) -> Iterator[str]:
    if not sight:
        return
    sides = []
    for name in ("yes", "no"):
        best = sight[name][-1:] or [(None, None)]
        sides.append(f"{name} bid {_u(best[0][0])} x {_u(best[0][1])}")
    yield f"    book      {', '.join(sides)}, tick {_u(sight['tick_u6'])}, proof {sight['proof']}"
    known = [
        f"{name} {_n(value)} {unit}"
        for name, _, value, unit in sight["features"]
        if value is not None
    ]
    for at in range(0, len(known), FEATURES):
        label = "features" if not at else ""
        yield f"    {label:<8}  {', '.join(known[at : at + FEATURES])}"


def _intent(intent: Body | None) -> Iterator[str]:
    if intent:
        yield (
            f"  intent    leg {intent['leg']}, expected {_u(intent['ev_u6'])} USD, "
            f"confidence {_n(intent['confidence'])}, at risk {_u(intent['risk_cost_u6'])} USD"
        )


def _stage(stage: Body) -> str:
    parts = [f"    {stage['s']:<11}"]
    if "r" in stage:
        parts.append(stage["r"])
    if stage.get("v") is not None:
        parts.append(f"value {_n(stage['v'])}")
    if stage.get("lim") is not None:
        parts.append(f"limit {_n(stage['lim'])}")
    if stage.get("u"):
        parts.append(str(stage["u"]))
    if stage.get("by"):
        parts.append(f"by {stage['by']}")
    if stage.get("t_ms") is not None:
        parts.append(f"after {stage['t_ms']:g} ms")
    if stage.get("text"):
        parts.append(_w(stage["text"]))
    return "  ".join(parts)


def _trade(trade: Body) -> Iterator[str]:
    role = "maker" if trade["maker"] else "taker"
    yield (
        f"  trade     {trade['trade']}  {trade['side']} {trade['outcome']} {_u(trade['qty_u6'])} @ "
        f"{_u(trade['px_u6'])}  cash {_u(trade['cash_u6'])}  fee {_u(trade['fee_u6'])}  {role}"
    )
    took_s = (trade["updated_ns"] - trade["first_ns"]) / _S
    yield (
        f"    settled   {trade['status']}, {trade['applied']}  {_when(trade['updated_ns'])}, "
        f"{took_s:.1f} s after it was first heard of  tx {_w(trade['tx']) or '-'}"
    )
    for entry in trade["ledger"]:
        posted = ", ".join(f"{a} {_asset(s)} {_u(n)}" for a, s, n in entry["postings"])
        yield f"    ledger    {entry['kind']}: {posted}"


def _asset(asset: str) -> str:
    return asset if len(asset) <= 10 else f"{asset[:4]}…{asset[-4:]}"


def _outcome(outcome: Body, order: Body) -> Iterator[str]:
    settled = "settled" if outcome["settled"] else "NOT settled yet"
    yield (
        f"  outcome   filled {_u(outcome['fill_u6'])} of {_u(order['qty_u6'])} for "
        f"{_u(outcome['cash_u6'])} USD, fees {_u(outcome['fees_u6'])}, {settled}"
    )
    held = outcome["position"]
    if held.get("confirmed_u6") is not None:
        yield (
            f"  holding   {_u(held['confirmed_u6'])} shares, cost {_u(held['cost_u6'])}, realised "
            f"{_u(held['realized_u6'])}, fees {_u(held['fees_u6'])} (of this strategy and token)"
        )
    result = outcome.get("result")
    if result is not None:
        yield (
            f"  profit    {_u(outcome['real_u6'])} USD realised after fees, of all "
            f"{result['fills']} fills of snapshot {result['snap']}, as of {_when(result['at_ns'])}"
        )


# --- fills, markets, strategies ------------------------------------------------------------------


def _fill(told: Body) -> Iterator[str]:
    for trade in told["fills"]:
        yield from _trade(trade)
    for order in told["orders"]:
        yield from _order(order)
    if not told["orders"]:
        yield "  order     not ours: no row of this store"


def _market(told: Body) -> Iterator[str]:
    yield f"{_w(told['title']) or '?'}  ({told['mkt']})"
    yield f"  slug      {_w(told['slug']) or '-'}  event {_w(told['group']) or '-'}"
    yield from _recent(told)


def _strategy(told: Body) -> Iterator[str]:
    yield f"strategy {told['strat']}"
    for move in told["promotions"]:
        gates = f"{move['before']} -> {move['gate']}"
        yield f"  gate      {_when(move['at_ns'])}  {gates}  {_w(move['reason'])}"
    yield from _recent(told)


def _recent(told: Body) -> Iterator[str]:
    for decision in told["decisions"]:
        yield (
            f"  decision  {_when(decision['at_ns'])}  {decision['strat']}  {decision['verdict']}  "
            f"{_w(decision['title']) or decision['mkt']}  snapshot {decision['snap']}"
        )
        yield from (_stage(stage) for stage in decision["stages"])
    for order in told["orders"]:
        refusal = order["refusal"]
        why = f"  {refusal['control']}: {_w(refusal['value'])}" if refusal else ""
        yield (
            f"  order     {_when(order['at_ns'])}  {order['realm'].upper():<5}  {order['cid']}  "
            f"{order['side']} {order['outcome']} {_u(order['qty_u6'])} @ {_u(order['px_u6'])}  "
            f"{order['state']}{why}"
        )
    for held in told["positions"]:
        yield (
            f"  holding   {held['realm'].upper():<5}  {held['strategy'] or 'nobody'}  "
            f"{held['outcome']} {_u(held['confirmed_u6'])}, cost {_u(held['cost_u6'])}, realised "
            f"{_u(held['realized_u6'])}  ({held['market']})"
        )
    for result in told["results"]:
        yield (
            f"  result    {result['realm'].upper():<5}  realised {_u(result['realized_u6'])} USD, "
            f"fees {_u(result['fees_u6'])}, cost {_u(result['cost_u6'])} in "
            f"{result['positions']} positions"
        )


# --- why not -------------------------------------------------------------------------------------


def _whynot(told: Body) -> Iterator[str]:
    where = f" on {_w(told['title']) or told['mkt']}" if told["mkt"] else ""
    yield f"{told['strat']}{where}: {told['decisions']} decisions in run {told['run']}"
    for miss in told["nearest"]:
        of_limit = miss["of_limit"]
        share = f" ({of_limit:.0%} of it)" if of_limit is not None and of_limit >= 0 else ""
        yield f"  {miss['reason']}  {_w(miss['title']) or miss['mkt']}"
        yield (
            f"    value {_n(miss['v'])}  limit {_n(miss['lim'])}  short by {_n(miss['distance'])} "
            f"{miss['u']}{share}  snapshot {miss['snap']}"
        )
        yield (
            f"    {miss['count']} times since {_when(miss['since_ns'])}, last "
            f"{_when(miss['last_ns'])}"
        )
    for veto in told["vetoes"]:
        yield (
            f"  gate {veto['control']} refused {veto['count']}, last {_when(veto['at_ns'])}: value "
            f"{_w(veto['value'])}, limit {_w(veto['limit'])}  {_w(veto.get('detail', ''))}"
        )
    yield "  by reason"
    for row in told["funnel"]:
        yield (
            f"    {row['count']:>10}  {row['verdict']:<8} {row['reason']:<24} "
            f"{row['markets']} markets, since {_when(row['since_ns'])}"
        )


_TELLERS: Final[dict[str, Callable[[Body], Iterator[str]]]] = {
    "order": _order,
    "fill": _fill,
    "market": _market,
    "strategy": _strategy,
    "whynot": _whynot,
}
