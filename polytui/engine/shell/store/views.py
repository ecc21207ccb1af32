"""Views over the chain: the names that people query, made of the bodies of rows."""

from typing import Final

_B: Final = "CAST(body AS TEXT)"


def _get(path: str, *, name: str = "") -> str:
    return f"json_extract({_B}, '$.{path}') AS {name or path.rpartition('.')[2]}"


def _log(view: str, kind: str, *columns: str) -> str:
    """Rows of one kind as they came, oldest first."""
    picked = ", ".join(("n", "at_ns", "run", "seq", "realm", "subject", *columns))
    return f"CREATE VIEW {view} AS SELECT {picked} FROM log WHERE kind = '{kind}'"  # noqa: S608  names of ours


def _latest(view: str, kind: str, *columns: str) -> str:
    """Show what each subject of one kind is now."""
    picked = ", ".join(("log.n", "log.at_ns", "run", "seq", "log.realm", "log.subject", *columns))
    return (
        f"CREATE VIEW {view} AS SELECT {picked} FROM latest JOIN log ON log.n = latest.n "  # noqa: S608  names of ours
        f"WHERE latest.kind = '{kind}'"
    )


def _bulk(view: str, kind: str, *columns: str) -> str:
    picked = ", ".join(("n", "at_ns", "run", "seq", "strategy", "market", *columns))
    return f"CREATE VIEW {view} AS SELECT {picked} FROM bulk WHERE kind = '{kind}'"  # noqa: S608  names of ours


_DRAFT: Final = tuple(
    _get(f"draft.{name}")
    for name in (
        "outcome",
        "side",
        "px_u6",
        "qty_u6",
        "order_type",
        "purpose",
        "snapshot",
        "bundle",
        "why",
    )
)
_FILL: Final = tuple(
    _get(f"change.{name}")
    for name in ("outcome", "side", "px_u6", "qty_u6", "cash_u6", "fee_u6", "is_maker", "snapshot")
)
_DECISION: Final = tuple(
    _get(f"decision.{name}")
    for name in ("verdict", "reason", "score_u6", "threshold_u6", "unit", "family", "snapshot")
)

VIEWS: Final = (
    _latest("runs", "run", _get("version"), _get("config_hash"), _get("mode"), _get("capture")),
    _log("directives", "directive", _get("actor"), _get("action"), _get("ok"), _get("text")),
    _log("decisions", "decision", "strategy", "market", *_DECISION),
    (
        "CREATE VIEW intents AS SELECT n, at_ns, run, seq, log.strategy, log.market, "
        "json_each.value AS intent FROM log, json_each(CAST(body AS TEXT), '$.decision.intents') "
        "WHERE kind = 'decision'"
    ),
    _latest(
        "orders",
        "order",
        "strategy",
        "market",
        _get("order_hash"),
        _get("state"),
        *_DRAFT,
        _get("filled_u6"),
        _get("filled_cash_u6"),
        _get("refusal.control"),
        _get("venue_text"),
    ),
    (
        "CREATE VIEW order_edges AS SELECT log.n, run, log.realm, log.subject AS cid, "
        "json_extract(json_each.value, '$.at_ns') AS at_ns, "
        "json_extract(json_each.value, '$.seq') AS seq, "
        "json_extract(json_each.value, '$.state') AS state, "
        "json_extract(json_each.value, '$.witness') AS witness, "
        "json_extract(json_each.value, '$.detail') AS detail "
        "FROM latest JOIN log ON log.n = latest.n, json_each(CAST(body AS TEXT), '$.edges') "
        "WHERE latest.kind = 'order'"
    ),
    _latest(
        "trades",
        "trade",
        "strategy",
        "market",
        _get("trade_id"),
        _get("order_hash"),
        _get("cid"),
        _get("status"),
        _get("applied"),
        _get("tx_hash"),
    ),
    _latest(
        "fills",
        "trade",
        "strategy",
        "market",
        _get("trade_id"),
        _get("cid"),
        _get("applied"),
        *_FILL,
    ),
    _latest("bundles", "bundle", "strategy", "market", _get("state"), _get("plan")),
    _log("ledger", "entry", "strategy", "market", _get("kind"), _get("ref"), _get("note")),
    (
        "CREATE VIEW postings AS SELECT n, at_ns, run, seq, realm, strategy, market, "
        "json_extract(CAST(body AS TEXT), '$.kind') AS kind, "
        "json_extract(json_each.value, '$.account') AS account, "
        "json_extract(json_each.value, '$.asset') AS asset, "
        "json_extract(json_each.value, '$.amount_u6') AS amount_u6 "
        "FROM log, json_each(CAST(body AS TEXT), '$.postings') WHERE log.kind = 'entry'"
    ),
    _latest(
        "positions",
        "position",
        "strategy",
        "market",
        _get("token"),
        _get("outcome"),
        _get("confirmed_u6"),
        _get("cost_u6"),
        _get("fees_u6"),
        _get("realized_u6"),
    ),
    _latest("controls", "control", "CAST(body AS TEXT) AS value"),
    _log("anomalies", "anomaly", _get("anomaly"), _get("ours"), _get("theirs"), _get("detail")),
    _log("promotions", "promotion", "strategy", _get("before"), _get("gate"), _get("reason")),
    _log("events", "event", _get("type"), "CAST(body AS TEXT) AS event"),
    _latest("markets", "market", _get("title"), _get("slug"), _get("group", name="event")),
    _bulk("blocks", "block", "reason", "margin_u6", _get("snapshot"), _get("unit")),
    _bulk("scans", "scan", "reason", "margin_u6", _get("score_u6"), _get("threshold_u6")),
    _bulk("attribution", "attribution", _get("fills"), _get("realized_u6"), _get("fees_u6")),
    _bulk("health", "health", "CAST(body AS TEXT) AS status"),
    _bulk("metrics", "metrics", "CAST(body AS TEXT) AS metrics"),
)
