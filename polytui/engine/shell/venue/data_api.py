"""The Data API: positions, trades and what else is known of accounts (`venue/polymarket.md` §8)."""

from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from polytui.engine.core.enums import Outcome
from polytui.engine.core.units import U
from polytui.engine.shell.venue.crypto import SignatureFault, address_bytes, checksum
from polytui.engine.shell.venue.gamma_records import Record, iso_text
from polytui.engine.shell.venue.orders import POLYGON
from polytui.engine.shell.venue.refused import Refused
from polytui.engine.shell.venue.user_feed import side_text
from polytui.engine.shell.venue.web_tools import LAST_CURSOR, Desk, page_of, reply
from polytui.engine.sim.exchange.api import PositionView, TradeView
from polytui.engine.sim.exchange.terms import AssetType, MarketTerms, Resolution, Spender

PAGE: Final = 100
PAGE_MAX: Final = 500
SPENDERS: Final = {
    Spender.EXCHANGE_V2: POLYGON.exchange,
    Spender.NEG_RISK_V2: POLYGON.neg_risk_exchange,
    Spender.EXCHANGE_V3: POLYGON.exchange_v3,
}


class DataApi(Desk):
    """The handlers."""

    def routes(self) -> list[web.RouteDef]:
        """List them, relative to the prefix."""
        return [
            web.get("/v2/positions", self.positions),
            web.get("/v2/trades", self.trades),
            web.get("/v2/activity", self.trades),
            web.get("/v2/value", self.value),
            web.get("/v2/approvals", self.approvals),
            web.get("/v2/resolutions", self.resolutions),
            web.get("/positions", self.old_positions),
            web.get("/trades", self.old_trades),
        ]

    # --- positions -------------------------------------------------------------------------------

    async def positions(self, request: web.Request) -> web.StreamResponse:
        """List an account's confirmed holdings."""
        return reply(_page(request, self._positions(request)))

    def _positions(self, request: web.Request) -> list[Record]:
        held = self.venue.exchange.positions(_user(request))
        return [self._position(p) for p in held if p.qty_u6 or p.realized_u6]

    def _position(self, held: PositionView) -> Record:
        terms = self.venue.exchange.market(held.condition)
        assert terms is not None, f"expected the market of a position, {held.condition}"
        ix = 0 if held.outcome is Outcome.YES else 1
        price = self._price_u6(terms, ix) / U
        size = held.qty_u6 / U
        cost, value = held.cost_u6 / U, held.qty_u6 / U * price
        is_over = self.venue.exchange.resolution(held.condition) is not None
        status = "REDEEMABLE" if is_over and held.qty_u6 else "OPEN" if held.qty_u6 else "CLOSED"
        other = self.venue.exchange.balance(held.account, terms.tokens[1 - ix]).balance_u6
        return _about(terms, ix, self._slug(terms)) | {
            "proxy_wallet": checksum(held.account),
            "current_size": size,
            "total_size": size,
            "avg_price": cost / size if size else 0.0,
            "entry_cost_usdc": cost,
            "entry_fees_usdc": held.fees_u6 / U,
            "total_cost_usdc": cost + held.fees_u6 / U,
            "current_price": price,
            "current_value": value,
            "realized_pnl": held.realized_u6 / U,
            "unrealized_pnl": value - cost,
            "total_pnl": value - cost + held.realized_u6 / U,
            "percent_pnl": (value - cost) / cost * 100 if cost else 0.0,
            "percent_realized_pnl": held.realized_u6 / U / cost * 100 if cost else 0.0,
            "status": status,
            "redeemable": status == "REDEEMABLE",
            "mergeable": not is_over and other > 0 and held.qty_u6 > 0,
            "archived": False,
            "verified": False,
        }

    def _price_u6(self, terms: MarketTerms, ix: int) -> int:
        resolution = self.venue.exchange.resolution(terms.condition)
        if resolution is None:
            bid_u6, ask_u6 = self.venue.exchange.best(terms.condition)
            yes_u6 = (bid_u6 + ask_u6) // 2
        else:
            yes_u6 = {Resolution.YES: U, Resolution.NO: 0, Resolution.SPLIT: U // 2}[resolution]
        return yes_u6 if ix == 0 else U - yes_u6

    def _slug(self, terms: MarketTerms) -> str:
        groups = self.venue.exchange.groups()
        return next((g.slug for g in groups if g.id == terms.group), terms.slug)

    async def value(self, request: web.Request) -> web.StreamResponse:
        """Add up what an account's positions are worth."""
        total = sum(row["current_value"] for row in self._positions(request))
        return reply({"data": {"proxy_wallet": checksum(_user(request)), "value": total}})

    # --- trades ----------------------------------------------------------------------------------

    async def trades(self, request: web.Request) -> web.StreamResponse:
        """List trades of an account or a market, newest first."""
        return reply(_page(request, self._trades(request)))

    def _trades(self, request: web.Request) -> list[Record]:
        query = request.query
        user = _user(request) if "user" in query else ""
        condition = query.get("condition_id", query.get("market", ""))
        trades = self.venue.exchange.trades(account=user, condition=condition)
        return [self._trade(trade, user) for trade in trades]

    def _trade(self, trade: TradeView, user: str) -> Record:
        """Write a trade from the side of the account asked for, else of the taker."""
        fill = next((f for f in trade.makers if f.account == user), None)
        is_maker = fill is not None and trade.account != user
        part: Any = fill if is_maker else trade
        terms = self.venue.exchange.market(trade.condition)
        assert terms is not None, f"expected the market of a trade, {trade.condition}"
        ix = terms.tokens.index(part.token)
        return _about(terms, ix, self._slug(terms)) | {
            "type": "TRADE",
            "proxy_wallet": checksum(part.account),
            "side": side_text(part.side),
            "size": part.qty_u6 / U,
            "usdc_size": part.cash_u6 / U,
            "price": part.px_u6 / U,
            "timestamp": trade.matched_ns // 1_000_000_000,
            "transaction_hash": trade.tx_hash or "0x" + "0" * 64,
        }

    # --- the rest --------------------------------------------------------------------------------

    async def approvals(self, request: web.Request) -> web.StreamResponse:
        """List what an account lets the exchanges move."""
        user = _user(request)
        rows = [
            {
                "user": checksum(user),
                "spender": checksum(address),
                "asset_type": asset.value,
                "approved": self.venue.exchange.allowance(user, spender, asset) != 0,
            }
            for spender, address in SPENDERS.items()
            for asset in AssetType
        ]
        return reply(_enveloped(rows))

    async def resolutions(self, request: web.Request) -> web.StreamResponse:
        """List the markets whose outcome is proposed or known."""
        exchange = self.venue.exchange
        rows = []
        for terms in exchange.markets():
            resolution = exchange.resolution(terms.condition)
            status = exchange.oracle(terms.condition).value
            if status or resolution is not None:
                outcome = resolution.value if resolution else None
                rows.append({"condition_id": terms.condition, "status": status, "outcome": outcome})
        return reply(_page(request, rows))

    async def old_positions(self, request: web.Request) -> web.StreamResponse:
        """List holdings in the shape from before September 2026."""
        return reply([_camel(row, _OLD_POSITION) for row in self._positions(request)])

    async def old_trades(self, request: web.Request) -> web.StreamResponse:
        """List trades in the shape from before September 2026."""
        return reply([_camel(row, _OLD_TRADE) for row in self._trades(request)[:PAGE_MAX]])


_OLD_COMMON: Final = {
    "proxyWallet": "proxy_wallet",
    "asset": "token_id",
    "conditionId": "condition_id",
    "title": "title",
    "slug": "slug",
    "eventSlug": "event_slug",
    "outcome": "outcome",
    "outcomeIndex": "outcome_index",
}
_OLD_POSITION: Final = _OLD_COMMON | {
    "size": "current_size",
    "avgPrice": "avg_price",
    "initialValue": "entry_cost_usdc",
    "currentValue": "current_value",
    "cashPnl": "unrealized_pnl",
    "percentPnl": "percent_pnl",
    "realizedPnl": "realized_pnl",
    "curPrice": "current_price",
    "redeemable": "redeemable",
    "mergeable": "mergeable",
    "oppositeAsset": "opposite_token_id",
    "oppositeOutcome": "opposite_outcome",
    "endDate": "end_date",
    "negativeRisk": "negative_risk",
}
_OLD_TRADE: Final = _OLD_COMMON | {
    "side": "side",
    "size": "size",
    "price": "price",
    "timestamp": "timestamp",
    "transactionHash": "transaction_hash",
}


def _camel(row: Record, names: dict[str, str]) -> Record:
    return {old: row[new] for old, new in names.items()}


def _about(terms: MarketTerms, ix: int, event_slug: str) -> Record:
    """Write what every row says of its market."""
    return {
        "token_id": terms.tokens[ix],
        "condition_id": terms.condition,
        "title": terms.question,
        "slug": terms.slug,
        "event_slug": event_slug,
        "event_id": terms.group or None,
        "outcome": terms.outcomes[ix],
        "outcome_index": ix,
        "opposite_outcome": terms.outcomes[1 - ix],
        "opposite_token_id": terms.tokens[1 - ix],
        "negative_risk": terms.neg_risk,
        "end_date": iso_text(terms.end_ns)[:10] if terms.end_ns else None,
    }


def _user(request: web.Request) -> str:
    text = request.query.get("user", "")
    try:
        address_bytes(text)
    except SignatureFault:
        body = {"code": "invalid_user", "retryable": False, "trace_id": "practice"}
        raise Refused(400, "expected an address in `user`", extra=body) from None
    return text.lower()


def _page(request: web.Request, rows: Sequence[Record]) -> Record:
    text = request.query.get("limit", "") or str(PAGE)
    limit = min(int(text), PAGE_MAX) if text.isdecimal() and len(text) < 9 else PAGE
    page, cursor = page_of(rows, request.query.get("cursor", ""), max(1, limit))
    return _enveloped(list(page), None if cursor == LAST_CURSOR else cursor)


def _enveloped(rows: list[Record], cursor: str | None = None) -> Record:
    """Write a page; `cursor` is how the docs call it, `pagination` what the client reads."""
    more = {"has_more": cursor is not None, "next_cursor": cursor}
    return {"data": rows, "cursor": cursor, "pagination": more}
