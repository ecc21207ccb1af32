"""`why` and `whynot`: takes a name as a person has it and answers with the whole chain."""

import json
from pathlib import Path
from typing import Any, Final

from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.shell.why.funnel import funnel
from polytui.engine.shell.why.reading import REALMS, Body, Kept, Reader, reading
from polytui.engine.shell.why.tell import as_text
from polytui.engine.shell.why.trace import find_decision, origin, stages, trace_order, trace_trade

RECENT: Final = 10
HELD_SHOWN: Final = 40
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


def explain(which: str, names: list[str], path: Path, *, as_json: bool) -> str:
    """Answer from the store in a file as the command line asks.

    Raises:
        OperatorError: the names do not fit, or the store does not know them.
    """
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
    if row is None and not _is_traded(reader, name):
        return None
    market = row.subject if row is not None else name
    spec = row.body if row is not None else {}
    kept = ("title", "slug", "group", "outcomes", "end_ns")
    return {
        "about": "market",
        "mkt": market,
        **{key: spec.get(key) for key in kept},
        **_recent(reader, "market", market),
        **_holding(reader.held_in(spec.get("tokens", ()))),
    }


def _is_traded(reader: Reader, market: str) -> bool:
    """Tell whether anything was decided or done in a market that was never listed."""
    kinds = ("order", "decision", "position")
    return any(True for kind in kinds for _ in reader.recent("market", market, kind, 1))


def _strategy(reader: Reader, name: str) -> Body | None:
    if not reader.has_strategy(name):
        return None
    moves = reader.recent("strategy", name, "promotion", RECENT)
    return {
        "about": "strategy",
        "strat": name,
        "promotions": [{"at_ns": row.at_ns, **row.body} for row in moves],
        **_recent(reader, "strategy", name),
        **_holding(reader.held(name)),
    }


def _recent(reader: Reader, by: str, name: str) -> Body:
    """Tell the newest decisions and orders."""
    seen: dict[tuple[str, str], Kept] = {}
    for row in reader.recent(by, name, "order"):
        seen.setdefault((row.realm, row.subject), row)
        if len(seen) == RECENT:
            break
    return {
        "decisions": [
            _decision(reader, row) for row in reader.recent(by, name, "decision", RECENT)
        ],
        "orders": [_brief(reader, row) for row in seen.values()],
    }


def _holding(held: list[Kept]) -> Body:
    """Tell what is held, the largest cost first, and the result of each realm: never of both."""
    rows = sorted(held, key=lambda row: (row.realm, -row.body["cost_u6"]))
    results = [
        {
            "realm": realm,
            "positions": sum(row.realm == realm for row in held),
            **{
                key: sum(row.body[key] for row in held if row.realm == realm)
                for key in ("cost_u6", "realized_u6", "fees_u6")
            },
        }
        for realm in REALMS
        if any(row.realm == realm for row in held)
    ]
    open_ = [row for row in rows if row.body["confirmed_u6"]]
    return {"positions": [_position(row) for row in open_[:HELD_SHOWN]], "results": results}


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
        "realm": row.realm,
        "at_ns": row.at_ns,
        "filled_u6": body.get("filled_u6", 0),
        "refusal": body.get("refusal"),
        "decided": decision is not None,
        **{key: draft[key] for key in kept},
    }


_HELD: Final = (
    "strategy",
    "market",
    "token",
    "outcome",
    "confirmed_u6",
    "cost_u6",
    "realized_u6",
    "fees_u6",
)


def _position(row: Kept) -> Body:
    return {"realm": row.realm, **{key: row.body.get(key) for key in _HELD}}
