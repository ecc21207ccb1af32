"""What the practice venue lists: single markets, a ladder of strikes, one group of six, windows.

Titles are invented but plausible; ids are digests of the slug, so that every run names the same
markets by the same ids. With each market comes the chance its hidden truth starts from.
"""

from hashlib import sha256

from msgspec import Struct

from polytui.engine.core.events import FeeSchedule, MarketSpec
from polytui.engine.core.text import sanitise
from polytui.engine.core.units import U, text_u6
from polytui.engine.sim.exchange.terms import (
    GroupTerms,
    MarketDefaults,
    MarketTerms,
    RewardTerms,
    SeriesTerms,
)

SYMBOL = "btc/usd"
"""The reference that windows and strikes follow, as the exchange is told of it."""
PRICE_START = 91_240.0

FEES = {
    "crypto": FeeSchedule(rate_u6=70_000, rebate_u6=200_000),
    "sports": FeeSchedule(rate_u6=50_000, rebate_u6=150_000),
    "politics": FeeSchedule(rate_u6=40_000, rebate_u6=250_000),
    "other": FeeSchedule(rate_u6=50_000, rebate_u6=250_000),
    "geopolitics": FeeSchedule(rate_u6=0),
}
"""Rates by category (`venue/polymarket.md` §6, docs trading/fees 2026-11-21)."""

REWARDS = RewardTerms(min_qty_u6=50 * U, max_spread_u6=45_000, pool_day_u6=25 * U)
FINE_TICK_U6 = 1_000
COARSE_TICK_U6 = 10_000
FINE_BELOW = 0.04
"""Beyond 0.96 and below 0.04 the grid is ten times finer."""

SINGLES_MAX = 200
END_S = 1_861_920_000
"""2029-01-01: no practice run lives to see a single market end."""
STRIKE_FIRST = 60_000
STRIKE_STEP = 500

_SINGLES = (
    ("Will Bitcoin reach $150,000 by December 31, 2026?", "crypto", 0.18),
    ("Will the Fed cut rates at its January meeting?", "politics", 0.64),
    ("US government shutdown before February 2027?", "politics", 0.33),
    ("Will it snow in Central Park before December 15?", "other", 0.94),
    ("Will the Lakers win on Christmas Day?", "sports", 0.55),
    ("Will Ethereum close above $4,000 on November 30?", "crypto", 0.41),
    ("Ceasefire extended through the end of 2026?", "geopolitics", 0.72),
    ("New frontier model released before March 2027?", "politics", 0.87),
    ("US recession declared by the end of 2027?", "other", 0.22),
    ("Will gold close above $4,500 in 2026?", "politics", 0.29),
    ("Will the S&P 500 close higher this week?", "politics", 0.52),
    ("Crewed lunar flyby completed before May 2027?", "other", 0.62),
    ("Will Solana reach a new all-time high in 2026?", "crypto", 0.08),
    ("Will Arsenal win the Premier League?", "sports", 0.38),
    ("Hottest year on record: 2026?", "other", 0.47),
    ("Will CPI exceed 3.0% in November?", "other", 0.44),
)

GROUP = "fed-decision-in-january-2027"
GROUP_ID = "77001"
_GROUP_TITLE = "Fed decision in January 2027?"
_GROUP_MEMBERS = (
    ("Fed cuts by 75+ bps in January?", "75+ bps cut", 0.02),
    ("Fed cuts by 50 bps in January?", "50 bps cut", 0.07),
    ("Fed cuts by 25 bps in January?", "25 bps cut", 0.55),
    ("No change by the Fed in January?", "No change", 0.31),
    ("Fed raises by 25 bps in January?", "25 bps raise", 0.04),
    ("Fed raises by 50+ bps in January?", "50+ bps raise", 0.01),
)
"""Mutually exclusive and exhaustive: the chances sum to one."""

SERIES = SeriesTerms(
    symbol=SYMBOL,
    ahead=1,
    market=MarketDefaults(
        fees=FEES["crypto"],
        fine_tick_u6=FINE_TICK_U6,
        rewards=RewardTerms(max_spread_u6=45_000),
        tags=("crypto", "up-or-down"),
    ),
)


class Listed(Struct, frozen=True, kw_only=True):
    """A market to list, and what its hidden truth is."""

    terms: MarketTerms
    chance: float
    strike: float = 0.0
    """Set on a claim about the reference price at a far day: its chance follows the price."""


def singles(count: int) -> list[Listed]:
    """List that many markets that stand by themselves; beyond the named ones, strikes."""
    assert 0 <= count <= SINGLES_MAX, f"expected 0 to {SINGLES_MAX} markets, was {count}"
    rows = [
        Listed(
            terms=_terms(title, category, number=n, tick_u6=_tick_u6(chance), group=_slug(title)),
            chance=chance,
        )
        for n, (title, category, chance) in enumerate(_SINGLES[:count])
    ]
    for n in range(count - len(rows)):
        strike = STRIKE_FIRST + STRIKE_STEP * n
        title = f"Will Bitcoin close above ${strike:,} on December 31?"
        terms = _terms(title, "crypto", number=100 + n, group=_slug(title))
        rows.append(Listed(terms=terms, chance=0.5, strike=float(strike)))
    return rows


def group() -> tuple[GroupTerms, list[Listed]]:
    """List the NegRisk group of six outcomes, each a binary market with a book of its own."""
    terms = GroupTerms(
        id=GROUP_ID,
        slug=GROUP,
        title=_GROUP_TITLE,
        tags=("politics", "fed"),
        neg_risk=True,
        neg_risk_market="0x" + sha256(f"neg-risk:{GROUP}".encode()).hexdigest(),
    )
    members = [
        Listed(
            terms=_terms(
                title,
                "politics",
                number=500 + ix,
                tick_u6=_tick_u6(chance),
                group=terms.id,
                group_ix=ix,
                group_item=item,
                neg_risk=True,
            ),
            chance=chance,
        )
        for ix, (title, item, chance) in enumerate(_GROUP_MEMBERS)
    ]
    return terms, members


def group_of(listed: Listed) -> GroupTerms:
    """Write the venue's event around a market that stands by itself."""
    terms = listed.terms
    return GroupTerms(id=terms.group, slug=terms.slug, title=terms.question, tags=terms.tags)


def spec_of(terms: MarketTerms, group_slug: str) -> MarketSpec:
    """Describe a market as the engine's catalog would know it from Gamma."""
    return MarketSpec(
        market=terms.condition,
        tokens=terms.tokens,
        title=sanitise(terms.question),
        slug=terms.slug,
        outcomes=terms.outcomes,
        group=group_slug or terms.slug,
        tick_u6=terms.tick_u6,
        min_qty_u6=terms.min_qty_u6,
        min_order_text=text_u6(terms.min_qty_u6),
        neg_risk=terms.neg_risk,
        protocol=terms.protocol,
        fees=terms.fees,
        accepting=terms.accepting,
        end_ns=terms.end_ns or None,
    )


def _terms(
    title: str,
    category: str,
    *,
    number: int,
    group: str,
    tick_u6: int = COARSE_TICK_U6,
    group_ix: int = 0,
    group_item: str = "",
    neg_risk: bool = False,
) -> MarketTerms:
    slug = _slug(title)
    return MarketTerms(
        condition=_digest(f"condition:{slug}"),
        tokens=(_token(slug, 0), _token(slug, 1)),
        question=title,
        slug=slug,
        gamma_id=str(990_000 + number),
        question_id=_digest(f"question:{slug}"),
        description=f"This market resolves according to the practice venue: {title}",
        tags=(category,),
        group=group,
        group_index=group_ix,
        group_item=group_item,
        neg_risk=neg_risk,
        tick_u6=tick_u6,
        fine_tick_u6=FINE_TICK_U6 if tick_u6 == COARSE_TICK_U6 else 0,
        fees=FEES[category],
        fee_type=f"{category}_fees" if FEES[category].rate_u6 else "",
        seconds_delay=1 if category == "sports" else 0,
        rewards=REWARDS,
        end_ns=END_S * 1_000_000_000,
    )


def _tick_u6(chance: float) -> int:
    """Choose the grid a market is listed on: near the ends it is the fine one from the start."""
    return COARSE_TICK_U6 if FINE_BELOW <= chance <= 1 - FINE_BELOW else FINE_TICK_U6


def _digest(name: str) -> str:
    return "0x" + sha256(name.encode()).hexdigest()


def _token(slug: str, ix: int) -> str:
    return str(int(sha256(f"token:{ix}:{slug}".encode()).hexdigest(), 16))


def _slug(title: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())
