"""The trace of one order: from what the strategy saw to what came of it."""

from typing import Any, Final

import msgspec

from polytui.engine.shell.why.reading import Body, Kept, Reader

MS: Final = 1_000_000
_RESULT: Final = (
    "SELECT at_ns, body FROM bulk WHERE run = ? AND seq = ? AND kind = 'attribution' "
    "AND strategy = ? AND reason = ? ORDER BY n DESC LIMIT 1"
)
"""`seq` of such a row is the snapshot, `reason` the realm."""
_SAID: Final = {"approved": "every control passed"}
"""What a state means that says nothing itself."""
NO_MODEL: Final = "none"
"""No strategy asks a model: each decides by its rules."""


def trace_order(reader: Reader, order: Kept) -> Body:
    """Walk from an order back to its snapshot and forward to its profit."""
    body = order.body
    draft = body["draft"]
    run = run_of(body["cid"], order.run)
    decision = find_decision(reader, run, draft) or _of_bundle(reader, run, draft)
    trades = [trace_trade(reader, row) for row in reader.named(body["order_hash"], "trade")]
    return {
        "trace": body["cid"],
        "snap": draft["snapshot"],
        "strat": draft["strategy"],
        "mkt": draft["market"],
        "title": reader.title(draft["market"]),
        "realm": order.realm,
        "verdict": verdict_of(body),
        "decided_ns": decision.at_ns if decision is not None else 0,
        **origin(reader, run, decision),
        "sight": decision.body.get("sight") if decision is not None else None,
        "intent": _intent(decision, draft),
        "stages": stages(reader, run, decision, body),
        "order": _order(body),
        "bundle": _bundle(reader, draft.get("bundle", "")),
        "trades": trades,
        "outcome": _outcome(reader, run, order, trades),
        "rows": {"order": order.n, "decision": decision.n if decision is not None else 0},
    }


def run_of(cid: str, otherwise: str) -> str:
    """Read the run out of an order's own name: `<run>-<seq>-<n>`."""
    parts = cid.rsplit("-", 2)
    return parts[0] if len(parts) == 3 else otherwise


def find_decision(reader: Reader, run: str, draft: Body) -> Kept | None:
    """Find the decision an order rests on: recorded by the step that took the snapshot."""
    return reader.decision(run, int(draft["snapshot"]), draft["strategy"], draft["market"])


def _of_bundle(reader: Reader, run: str, draft: Body) -> Kept | None:
    """Find the decision that a later order of a bundle goes back to: that of its first legs."""
    bundle = draft.get("bundle", "")
    for order in reader.named(bundle, "order") if bundle else ():
        if (found := find_decision(reader, run, order.body["draft"])) is not None:
            return found
    return None


def origin(reader: Reader, run: str, decision: Kept | None) -> Body:
    """Say which code, configuration, model and mode it was."""
    row = reader.latest("run", run)
    told = row.body if row is not None else {}
    made = decision.body if decision is not None else {}
    return {
        "run": run,
        "cfg": made.get("config") or told.get("config_hash", ""),
        "code": told.get("version", ""),
        "mode": made.get("mode") or told.get("mode", ""),
        "model": NO_MODEL,
        "capture": told.get("capture", ""),
    }


def verdict_of(order: Body) -> str:
    """Say in one word how far an order came."""
    state = str(order["state"])
    if state == "vetoed":
        return "VETO"
    if state == "refused":
        return "REJECT"
    sent = any(edge["state"] == "sent" for edge in order.get("edges", ()))
    return "SENT" if sent else state.upper()


def stages(reader: Reader, run: str, decision: Kept | None, order: Body | None) -> list[Body]:
    """List every stage with its value, limit, unit, verdict and time since the snapshot."""
    found: list[Body] = []
    began_ns = decision.at_ns if decision is not None else 0
    if decision is not None:
        found += _decided(reader, run, decision)
    for edge in (order or {}).get("edges", ()):
        at_ms = round((edge["at_ns"] - began_ns) / MS, 3) if began_ns else None
        stage = {"s": edge["state"], "by": edge["witness"], "t_ms": at_ms, "seq": edge["seq"]}
        found.append({**stage, "text": edge.get("detail") or _SAID.get(edge["state"], "")})
    refusal = (order or {}).get("refusal")
    if refusal is not None:
        stage = {"s": refusal["control"], "v": refusal["value"], "lim": refusal["limit"]}
        found.append({**stage, "r": "FAIL", "text": refusal.get("detail", "")})
    return found


def _decided(reader: Reader, run: str, row: Kept) -> list[Body]:
    decision, sight = row.body["decision"], row.body.get("sight") or {}
    stages: list[Body] = []
    if sight:
        limit = _limit(reader, run, decision["strategy"], "age_ms_max")
        stages.append({"s": "fresh", "u": "ms", **_compared(sight["age_ns"] / MS, limit)})
        stages.append({"s": "proof", "v": sight["proof"]})
    score, threshold = decision["score_u6"], decision["threshold_u6"]
    stage = {"s": "edge", "v": score / 1e6, "lim": threshold / 1e6, "u": decision.get("unit")}
    stages.append({**stage, "r": "PASS" if score >= threshold else "FAIL"})
    passed = "PASS" if decision["verdict"] == "intent" else "FAIL"
    stages.append({"s": "arbiter", "v": decision["reason"], "r": passed, "seq": row.seq})
    return stages


def _compared(value: float, limit: float | None) -> Body:
    """Compare a value with the most it may be; without a limit there is nothing to pass."""
    if limit is None:
        return {"v": value}
    return {"v": value, "lim": limit, "r": "PASS" if value <= limit else "FAIL"}


def _limit(reader: Reader, run: str, strategy: str, key: str) -> int | None:
    row = reader.latest("run", run)
    config = row.body.get("config", {}) if row is not None else {}
    section = config.get(strategy, {})
    return section.get(key) if isinstance(section, dict) else None


def _intent(decision: Kept | None, draft: Body) -> Body | None:
    if decision is None:
        return None
    for intent in decision.body["decision"].get("intents", ()):
        if (intent["token"], intent["side"]) == (draft["token"], draft["side"]):
            return dict(intent)
    return None


def _order(body: Body) -> Body:
    draft = body["draft"]
    return {
        "id": body["order_hash"],
        "cid": body["cid"],
        "state": body["state"],
        "why": draft.get("why", ""),
        "purpose": draft.get("purpose", "open"),
        "outcome": draft["outcome"],
        "side": draft["side"],
        "type": draft["order_type"],
        "px_u6": draft["px_u6"],
        "qty_u6": _shares(body),
        "wanted_u6": draft["qty_u6"],
        "filled_u6": body.get("filled_u6", 0),
        "filled_cash_u6": body.get("filled_cash_u6", 0),
        "venue_text": body.get("venue_text", ""),
    }


def _shares(body: Body) -> int:
    """Return the shares that were signed; those drafted when nothing was."""
    draft, terms = body["draft"], body.get("terms")
    if terms is None:
        return int(draft["qty_u6"])
    return int(terms["taker_amount_u6" if draft["side"] == "buy" else "maker_amount_u6"])


def _bundle(reader: Reader, bundle: str) -> Body | None:
    row = reader.latest("bundle", bundle) if bundle else None
    if row is None:
        return None
    kept = ("bundle", "state", "plan", "residue_u6", "orders")
    return {key: row.body.get(key) for key in kept}


def trace_trade(reader: Reader, row: Kept) -> Body:
    """Tell a trade's settlement and what the ledger booked for it."""
    trade, change = row.body, row.body["change"]
    entries = reader.named(f"{trade['trade_id']}/{trade['order_hash']}", "entry")
    return {
        "trade": trade["trade_id"],
        "order": trade["order_hash"],
        "cid": trade.get("cid", ""),
        "status": trade["status"],
        "applied": trade["applied"],
        "first_ns": trade["first_ns"],
        "updated_ns": trade["updated_ns"],
        "tx": trade.get("tx_hash", ""),
        "realm": row.realm,
        "side": change["side"],
        "outcome": change["outcome"],
        "px_u6": change["px_u6"],
        "qty_u6": change["qty_u6"],
        "cash_u6": change["cash_u6"],
        "fee_u6": change["fee_u6"],
        "maker": change["is_maker"],
        "row": row.n,
        "ledger": [_entry(entry) for entry in entries],
    }


def _entry(row: Kept) -> Body:
    body = row.body
    posted = [(p["account"], p["asset"], p["amount_u6"]) for p in body["postings"]]
    return {"row": row.n, "kind": body["kind"], "at_ns": body["at_ns"], "postings": posted}


def _outcome(reader: Reader, run: str, order: Kept, trades: list[Body]) -> dict[str, Any]:
    """Add up what came of it: shares, cash, fees, and the realised profit of its snapshot."""
    body, draft = order.body, order.body["draft"]
    who, snapshot = draft["strategy"], int(draft["snapshot"])
    subject = f"{who}:{draft['token']}"
    position = reader.latest("position", subject, order.realm)
    held = position.body if position is not None and position.realm == order.realm else {}
    outcome: dict[str, Any] = {
        "fill_u6": body.get("filled_u6", 0),
        "cash_u6": body.get("filled_cash_u6", 0),
        "fees_u6": sum(t["fee_u6"] for t in trades if t["applied"] != "voided"),
        "settled": bool(trades) and all(t["applied"] == "promoted" for t in trades),
        "position": {
            key: held.get(key) for key in ("confirmed_u6", "cost_u6", "realized_u6", "fees_u6")
        },
    }
    found = reader.all(_RESULT, run, snapshot, who, order.realm) if snapshot > 0 else []
    if found:
        at_ns, told = found[0][0], msgspec.json.decode(found[0][1])
        outcome["real_u6"] = told["realized_u6"] - told["fees_u6"]
        outcome["result"] = {"at_ns": at_ns, "snap": snapshot, **told}
    return outcome
