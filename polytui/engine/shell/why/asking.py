"""`why` and `whynot`: takes a name as a person has it and answers with the whole chain."""

import json
from pathlib import Path
from typing import Any, Final

from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.runconfig import Settings
from polytui.engine.shell.store.files import FILE_NAME
from polytui.engine.shell.why.funnel import funnel
from polytui.engine.shell.why.reading import Body, Kept, Reader, reading
from polytui.engine.shell.why.tell import as_text
from polytui.engine.shell.why.trace import find_decision, origin, stages, trace_order, trace_trade

RECENT: Final = 10
NAMES_MAX: Final = 200


def why(path: Path, name: str) -> Body:
    """Explain an order (cid or hash), a fill (trade id), a market or a strategy.

    Raises:
        OperatorError: the store has no such thing, or cannot be read.
    """
    _check(name)
    with reading(path) as db:
        reader = Reader(db)
        return _answer(reader, name) or _answer(reader, reader.whole(name)) or _unknown(name)


def whynot(path: Path, strategy: str, market: str = "") -> Body:
    """Explain why a strategy did not act, on a market or anywhere.

    Raises:
        OperatorError: nothing is known of it, or the store cannot be read.
    """
    _check(strategy, market)
    with reading(path) as db:
        reader = Reader(db)
        found = reader.named(market, "market") if market else []
        return {"about": "whynot", **funnel(reader, strategy, found[0].market if found else market)}


def explain(which: str, names: list[str], settings: Settings, *, as_json: bool) -> str:
    """Answer as the command line asks.

    Raises:
        OperatorError: the names do not fit, or the store does not know them.
    """
    path = Path(settings.store.directory) / FILE_NAME
    names = [name for name in names if name]
    if which == "why" and len(names) == 1:
        told = why(path, names[0])
    elif which == "whynot" and 1 <= len(names) <= 2:
        told = whynot(path, *names)
    else:
        raise OperatorError("expected `why NAME` or `whynot STRATEGY [MARKET]`")
    return json.dumps(told) if as_json else as_text(told)


def _check(*names: str) -> None:
    for name in names:
        if len(name) > NAMES_MAX:
            raise OperatorError(f"expected a name of at most {NAMES_MAX} characters")


def _unknown(name: str) -> Body:
    raise OperatorError(
        f"expected an order, trade, market or strategy of the store, {shown(name)} is none of them"
    )


def _answer(reader: Reader, name: str) -> Body | None:
    for find in (_order, _fill, _market, _strategy):
        if (found := find(reader, name)) is not None:
            return found
    return None


def _order(reader: Reader, name: str) -> Body | None:
    row = reader.latest("order", name)
    if row is None:
        found = reader.named(name, "order")
        row = found[0] if len(found) == 1 else None
    return None if row is None else {"about": "order", **trace_order(reader, row)}


def _fill(reader: Reader, name: str) -> Body | None:
    rows = reader.all(
        "SELECT subject FROM latest WHERE kind = 'trade' AND realm IN ('live', 'paper') "
        "AND subject >= ?1 || ':' AND subject < ?1 || ';' LIMIT 20",
        name,
    )
    trades = [row for (subject,) in rows if (row := reader.latest("trade", subject)) is not None]
    if not trades:
        return None
    told: Body = {"about": "fill", "fills": [trace_trade(reader, trade) for trade in trades]}
    orders = [o for trade in trades for o in reader.named(trade.body["order_hash"], "order")]
    return {**told, "orders": [trace_order(reader, order) for order in orders]}


def _market(reader: Reader, name: str) -> Body | None:
    row = reader.latest("market", name)
    if row is None:
        named = reader.named(name, "market")
        row = named[0] if named else None
    if row is None and not reader.recent("market", name, ("order", "decision", "position"), 1):
        return None
    market = row.subject if row is not None else name
    spec = row.body if row is not None else {}
    kept = ("title", "slug", "group", "outcomes", "end_ns")
    return {
        "about": "market",
        "mkt": market,
        **{key: spec.get(key) for key in kept},
        **_recent(reader, "market", market),
    }


def _strategy(reader: Reader, name: str) -> Body | None:
    if not reader.has_strategy(name):
        return None
    moves = reader.recent("strategy", name, ("promotion",), RECENT)
    return {
        "about": "strategy",
        "strat": name,
        "promotions": [{"at_ns": row.at_ns, **row.body} for row in moves],
        **_recent(reader, "strategy", name),
    }


def _recent(reader: Reader, by: str, name: str) -> Body:
    """Tell the newest decisions and orders, and what is held."""
    seen: dict[str, Kept] = {}
    for row in reader.recent(by, name, ("order",), 200):
        seen.setdefault(row.subject, row)
    held: dict[str, Kept] = {}
    for row in reader.recent(by, name, ("position",), 500):
        held.setdefault(row.subject, row)
    decided = reader.recent(by, name, ("decision",), RECENT)
    return {
        "decisions": [_decision(reader, row) for row in decided],
        "orders": [_brief(reader, row) for row in list(seen.values())[:RECENT]],
        "positions": [_position(row) for row in held.values()],
        "realized_u6": sum(row.body.get("realized_u6", 0) for row in held.values()),
        "fees_u6": sum(row.body.get("fees_u6", 0) for row in held.values()),
    }


def _decision(reader: Reader, row: Kept) -> Body:
    decision: dict[str, Any] = row.body["decision"]
    return {
        "at_ns": row.at_ns,
        "snap": decision["snapshot"],
        "strat": row.strategy,
        "mkt": row.market,
        "title": reader.title(row.market),
        "verdict": decision["verdict"],
        **origin(reader, row.run, row),
        "stages": stages(reader, row.run, row, None),
    }


def _brief(reader: Reader, row: Kept) -> Body:
    body, draft = row.body, row.body["draft"]
    cid = str(body["cid"])
    decision = find_decision(reader, cid.rsplit("-", 2)[0], draft)
    kept = ("strategy", "market", "outcome", "side", "px_u6", "qty_u6", "snapshot")
    return {
        "cid": cid,
        "id": body["order_hash"],
        "state": body["state"],
        "at_ns": row.at_ns,
        "filled_u6": body.get("filled_u6", 0),
        "refusal": body.get("refusal"),
        "decided": decision is not None,
        **{key: draft[key] for key in kept},
    }


def _position(row: Kept) -> Body:
    kept = ("strategy", "market", "outcome", "confirmed_u6", "cost_u6", "realized_u6", "fees_u6")
    return {"realm": row.realm, **{key: row.body.get(key) for key in kept}}
