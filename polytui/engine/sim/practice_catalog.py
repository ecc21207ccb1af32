"""What the practice venue lists: single markets, one group of six, and a row of 5-minute markets.

Titles are invented but plausible; ids are digests of the slug, so that every run names the same
markets by the same ids.
"""

from hashlib import sha256

from polytui.engine.core.events import FeeSchedule, MarketSpec

SECOND_NS = 1_000_000_000
WINDOW_S = 300
"""Length of an up/down market; windows are aligned to it (`venue/polymarket.md` §9)."""

_FEES = {
    "crypto": FeeSchedule(rate_u6=70_000, rebate_u6=200_000),
    "sports": FeeSchedule(rate_u6=50_000, rebate_u6=150_000),
    "politics": FeeSchedule(rate_u6=40_000, rebate_u6=250_000),
    "other": FeeSchedule(rate_u6=50_000, rebate_u6=250_000),
    "geopolitics": FeeSchedule(rate_u6=0),
}
"""Rates by category (`venue/polymarket.md` §6, docs trading/fees 2026-11-21)."""

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

_GROUP = "fed-decision-in-january-2027"
_GROUP_MEMBERS = (
    ("Fed cuts by 75+ bps in January?", 0.02),
    ("Fed cuts by 50 bps in January?", 0.07),
    ("Fed cuts by 25 bps in January?", 0.55),
    ("No change by the Fed in January?", 0.31),
    ("Fed raises by 25 bps in January?", 0.04),
    ("Fed raises by 50+ bps in January?", 0.01),
)
"""Mutually exclusive and exhaustive: the beliefs sum to one."""

_ANNOUNCED = (
    "Will the Danube freeze at Vienna this winter?",
    "Most streamed album of 2026?",
    "Will a magnitude 8 earthquake occur before 2027?",
    "Next host city of the Winter Games announced in 2027?",
)

SINGLES_MAX = 200

FINE_BELOW = 0.04
"""Beyond 0.96 and below 0.04 the grid is ten times finer."""


def singles(count: int) -> list[tuple[MarketSpec, float]]:
    """List that many single markets with the chance the crowd gives each."""
    assert 0 <= count <= SINGLES_MAX, f"expected 0 to {SINGLES_MAX} markets, was {count}"
    rows = list(_SINGLES[:count])
    for n in range(count - len(rows)):
        strike = 60_000 + 500 * n
        chance = min(0.9, max(0.1, 0.9 - n * 0.0045))
        rows.append((f"Will Bitcoin close above ${strike:,} on December 31?", "crypto", chance))
    return [
        (_spec(title, category, tick_u6=_tick_u6(chance)), chance)
        for title, category, chance in rows
    ]


def group() -> list[tuple[MarketSpec, float]]:
    """List the NegRisk group of six outcomes, each a binary market with a book of its own."""
    return [
        (
            _spec(title, "politics", group=_GROUP, neg_risk=True, tick_u6=_tick_u6(chance)),
            chance,
        )
        for title, chance in _GROUP_MEMBERS
    ]


def updown(start_s: int) -> MarketSpec:
    """List the Bitcoin up/down market of the 5-minute window that begins at this second."""
    assert start_s % WINDOW_S == 0, f"expected a window's start, was {start_s}"
    slug = f"btc-updown-5m-{start_s}"
    hour, minute = start_s // 3_600 % 24, start_s // 60 % 60
    title = f"Bitcoin Up or Down - 5 minutes from {hour:02d}:{minute:02d} UTC"
    end_ns = (start_s + WINDOW_S) * SECOND_NS
    return _spec(title, "crypto", slug=slug, outcomes=("Up", "Down"), end_ns=end_ns)


def announced(number: int) -> MarketSpec:
    """Name a market that is broadcast as new and that nobody here trades."""
    title = _ANNOUNCED[number % len(_ANNOUNCED)]
    return _spec(title, "other", slug=f"{_slug(title)}-{number}")


def _spec(
    title: str,
    category: str,
    *,
    slug: str = "",
    group: str = "",
    neg_risk: bool = False,
    outcomes: tuple[str, str] = ("Yes", "No"),
    tick_u6: int = 10_000,
    end_ns: int | None = None,
) -> MarketSpec:
    slug = slug or _slug(title)
    return MarketSpec(
        market="0x" + sha256(f"condition:{slug}".encode()).hexdigest(),
        tokens=(_token(slug, 0), _token(slug, 1)),
        title=title,
        slug=slug,
        outcomes=outcomes,
        group=group or slug,
        tick_u6=tick_u6,
        neg_risk=neg_risk,
        fees=_FEES[category],
        end_ns=end_ns,
    )


def _tick_u6(chance: float) -> int:
    """Choose the grid a market is listed on: near the ends it is the fine one from the start."""
    return 10_000 if FINE_BELOW <= chance <= 1 - FINE_BELOW else 1_000


def _token(slug: str, ix: int) -> str:
    return str(int(sha256(f"token:{ix}:{slug}".encode()).hexdigest(), 16))


def _slug(title: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())
