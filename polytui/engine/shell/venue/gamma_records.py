"""Markets and events as Gamma and the CLOB list them (`venue/polymarket.md` §3.2, §8). Pure."""

from datetime import UTC, datetime
from typing import Any

from msgspec.json import encode

from polytui.engine.core.units import U, text_u6
from polytui.engine.shell.venue.history import History
from polytui.engine.sim.exchange.api import BookView
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.exchange.terms import GroupTerms, MarketTerms, Resolution

Record = dict[str, Any]

_FINAL_U6 = {Resolution.YES: U, Resolution.NO: 0, Resolution.SPLIT: U // 2}
REWARDS_ASSET = "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB"
"""Rewards are paid in pUSD."""


def gamma_market(terms: MarketTerms, exchange: Exchange, history: History) -> Record:
    """Write a market as Gamma does: lists inside strings, prices as numbers, dates ISO."""
    resolution = exchange.resolution(terms.condition)
    book = exchange.book(terms.condition)
    bid_u6, ask_u6 = exchange.best(terms.condition) if book is not None else (0, U)
    price_u6 = (bid_u6 + ask_u6) // 2 if resolution is None else _FINAL_U6[resolution]
    group = next((g for g in exchange.groups() if g.id == terms.group), None)
    volume = history.volume_u6(terms.condition, exchange.now_ns) / U
    is_v2 = terms.protocol == "v2"
    record = {
        "id": terms.gamma_id,
        "version": terms.protocol,
        "slug": terms.slug,
        "conditionId": terms.condition,
        "questionID": terms.question_id,
        "question": terms.question,
        "description": terms.description,
        "outcomes": _packed(terms.outcomes),
        "outcomePrices": _packed((text_u6(price_u6), text_u6(U - price_u6))),
        "clobTokenIds": "[]" if is_v2 else _packed(terms.tokens),
        "positionIds": list(terms.tokens) if is_v2 else [],
        "active": True,
        "closed": resolution is not None,
        "archived": False,
        "enableOrderBook": resolution is None,
        "acceptingOrders": terms.accepting and resolution is None,
        "negRisk": terms.neg_risk,
        "negRiskOther": terms.is_other,
        "negRiskMarketID": group.neg_risk_market if group else "",
        "groupItemTitle": terms.group_item,
        "startDate": iso_text(terms.start_ns),
        "endDate": iso_text(terms.end_ns) if terms.end_ns else None,
        "gameStartTime": None,
        "secondsDelay": terms.seconds_delay,
        "orderPriceMinTickSize": (book.tick_u6 if book else terms.tick_u6) / U,
        "orderMinSize": terms.min_qty_u6 // U,
        "umaResolutionStatus": exchange.oracle(terms.condition).value,
        "customLiveness": 0,
        "bestBid": bid_u6 / U,
        "bestAsk": ask_u6 / U,
        "spread": (ask_u6 - bid_u6) / U,
        "lastTradePrice": history.prices.get(terms.condition, 0) / U,
        "volume": str(volume),
        "volumeNum": volume,
        "volume24hr": volume,
        "liquidityNum": _liquidity_u6(book) / U,
        "restricted": True,
        "events": [_event_head(group)] if group else [],
    }
    return record | _fee_members(terms) | _reward_members(terms)


def _fee_members(terms: MarketTerms) -> Record:
    fees = terms.fees
    if not fees.rate_u6:
        return {"feesEnabled": False}
    return {
        "feesEnabled": True,
        "feeType": terms.fee_type,
        "feeSchedule": {
            "exponent": fees.exponent,
            "rate": fees.rate_u6 / U,
            "takerOnly": True,
            "rebateRate": fees.rebate_u6 / U,
        },
        "makerBaseFee": 1_000,
        "takerBaseFee": 1_000,
    }


def _reward_members(terms: MarketTerms) -> Record:
    rewards = terms.rewards
    return {
        "rewardsMinSize": rewards.min_qty_u6 // U,
        "rewardsMaxSpread": rewards.max_spread_u6 / 10_000,
        "clobRewards": [_clob_reward(terms)] if rewards.pool_day_u6 else [],
        "holdingRewardsEnabled": False,
    }


def _clob_reward(terms: MarketTerms) -> Record:
    return {
        "id": terms.gamma_id,
        "conditionId": terms.condition,
        "assetAddress": REWARDS_ASSET,
        "rewardsAmount": 0,
        "rewardsDailyRate": terms.rewards.pool_day_u6 / U,
        "startDate": iso_text(terms.start_ns)[:10],
        "endDate": "2500-12-31",
    }


def _event_head(group: GroupTerms) -> Record:
    return {
        "id": group.id,
        "slug": group.slug,
        "ticker": group.slug,
        "title": group.title,
        "negRisk": group.neg_risk,
        "enableNegRisk": group.neg_risk,
        "negRiskAugmented": group.augmented,
    }


def gamma_event(group: GroupTerms, exchange: Exchange, history: History) -> Record:
    """Write a group of markets as Gamma's event."""
    members = [terms for terms in exchange.markets() if terms.group == group.id]
    end_ns = max((terms.end_ns for terms in members), default=0)
    closed = bool(members) and all(exchange.resolution(t.condition) is not None for t in members)
    series = [{"id": group.series, "slug": group.series}] if group.series else []
    return _event_head(group) | {
        "description": group.description,
        "negRiskMarketID": group.neg_risk_market,
        "negRiskFeeBips": group.fee_bips,
        "cumulativeMarkets": False,
        "active": True,
        "closed": closed,
        "archived": False,
        "startDate": iso_text(min((t.start_ns for t in members), default=0)),
        "startTime": iso_text(group.start_ns) if group.start_ns else None,
        "endDate": iso_text(end_ns) if end_ns else None,
        "seriesSlug": group.series,
        "series": series,
        "tags": [{"id": tag, "label": tag.title(), "slug": tag} for tag in group.tags],
        "eventMetadata": _window_metadata(members, exchange),
        "markets": [gamma_market(terms, exchange, history) for terms in members],
    }


def _window_metadata(members: list[MarketTerms], exchange: Exchange) -> Record:
    """Write the opening and final average of an up/down window, once they are known."""
    found: Record = {}
    if len(members) == 1:
        opening_u6, final_u6 = exchange.window(members[0].condition)
        if opening_u6 is not None:
            found["priceToBeat"] = opening_u6 / U
        if final_u6 is not None:
            found["finalPrice"] = final_u6 / U
    return found


def clob_market(terms: MarketTerms, book: BookView | None) -> Record:
    """Write `/clob-markets/{condition}`: the compact truth about trading."""
    fees, rewards = terms.fees, terms.rewards
    record: Record = {
        "gst": None,
        "r": {
            "mi": rewards.min_qty_u6 // U,
            "ma": rewards.max_spread_u6 / 10_000,
            "moas": rewards.min_age_ms / 1_000,
            "e": rewards.pool_day_u6 > 0,
        },
        "t": [{"t": t, "o": o} for t, o in zip(terms.tokens, terms.outcomes, strict=True)],
        "c": terms.condition,
        "mos": terms.min_qty_u6 // U,
        "mts": (book.tick_u6 if book else terms.tick_u6) / U,
        "mbf": 1_000 if fees.rate_u6 else 0,
        "tbf": 1_000 if fees.rate_u6 else 0,
        "nr": terms.neg_risk,
        "ao": terms.accepting and book is not None,
        "oas": 0,
        "cbos": False,
        "ibce": False,
        "rfqe": False,
        "itode": terms.itode,
        "sd": terms.seconds_delay,
    }
    if fees.rate_u6:
        record["fd"] = {"r": fees.rate_u6 / U, "e": fees.exponent, "to": True}
    return record


def simplified_market(terms: MarketTerms, exchange: Exchange) -> Record:
    """Write a market as the CLOB's own lists do."""
    resolution = exchange.resolution(terms.condition)
    bid_u6, ask_u6 = (0, U) if resolution is not None else exchange.best(terms.condition)
    yes_u6 = (bid_u6 + ask_u6) // 2 if resolution is None else _FINAL_U6[resolution]
    prices = (yes_u6, U - yes_u6)
    rewards = terms.rewards
    rate = {"asset_address": REWARDS_ASSET, "rewards_daily_rate": rewards.pool_day_u6 / U}
    return {
        "enable_order_book": resolution is None,
        "active": True,
        "closed": resolution is not None,
        "archived": False,
        "accepting_orders": terms.accepting and resolution is None,
        "accepting_order_timestamp": iso_text(terms.start_ns),
        "minimum_order_size": terms.min_qty_u6 // U,
        "minimum_tick_size": terms.tick_u6 / U,
        "condition_id": terms.condition,
        "question_id": terms.question_id,
        "question": terms.question,
        "description": terms.description,
        "market_slug": terms.slug,
        "end_date_iso": iso_text(terms.end_ns) if terms.end_ns else None,
        "game_start_time": None,
        "seconds_delay": terms.seconds_delay,
        "fpmm": "",
        "maker_base_fee": 0,
        "taker_base_fee": 0,
        "notifications_enabled": True,
        "neg_risk": terms.neg_risk,
        "neg_risk_market_id": "",
        "neg_risk_request_id": "",
        "icon": "",
        "image": "",
        "rewards": {
            "rates": [rate] if rewards.pool_day_u6 else None,
            "min_size": rewards.min_qty_u6 // U,
            "max_spread": rewards.max_spread_u6 / 10_000,
        },
        "is_50_50_outcome": resolution is Resolution.SPLIT,
        "tokens": [
            {
                "token_id": token,
                "outcome": outcome,
                "price": price / U,
                "winner": resolution is not None and price == U,
            }
            for token, outcome, price in zip(terms.tokens, terms.outcomes, prices, strict=True)
        ],
        "tags": list(terms.tags),
    }


def _liquidity_u6(book: BookView | None) -> int:
    if book is None:
        return 0
    bids = sum(px * qty // U for px, qty in book.bids)
    return bids + sum((U - px) * qty // U for px, qty in book.asks)


def _packed(texts: tuple[str, ...]) -> str:
    """Write a list the way Gamma does: as JSON inside a string, blanks after commas."""
    return f"[{', '.join(encode(text).decode() for text in texts)}]"


def iso_text(at_ns: int) -> str:
    """Write a time as Gamma does."""
    return datetime.fromtimestamp(at_ns // 1_000_000_000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
