"""What a strategy answers: intents or a hold, always with a number and a reason."""

from msgspec import Struct

from polytui.engine.core.enums import MetricFamily, Outcome, Reason, Side, Unit, Verdict


class Intent(Struct, frozen=True, kw_only=True, gc=False):
    """One wish of a strategy; the arbiter decides whether it may become an order."""

    strategy: str
    tier: int
    """0 arbitrage, 1 market making, 2 directional: lower wins."""
    market: str
    token: str
    outcome: Outcome
    side: Side
    px_u6: int
    """Limit price, on the grid."""
    qty_u6: int
    snapshot: int
    """Seq that caused the snapshot it was made from."""
    bundle: str
    """Legs with the same bundle belong together."""
    leg: int
    """0 goes first: the leg less likely to fill."""
    ev_u6: int
    """Expected value of the whole bundle in micro-dollars, after fees."""
    confidence: float
    """Our probability that the edge is real, 0 … 1."""
    risk_cost_u6: int
    """Worst-case outlay of the bundle in micro-dollars."""
    tags: tuple[str, ...] = ()


class Decision(Struct, frozen=True, kw_only=True, gc=False):
    """One look of one strategy at one snapshot."""

    strategy: str
    market: str
    snapshot: int
    at_ns: int
    verdict: Verdict
    reason: Reason
    score_u6: int
    """What the strategy measured, in micro-units of `unit`."""
    threshold_u6: int
    """What it would have needed."""
    unit: Unit = Unit.USD_PER_SHARE
    family: MetricFamily = MetricFamily.NET_EDGE
    intents: tuple[Intent, ...] = ()

    @property
    def margin_u6(self) -> int:
        """Distance to the threshold: negative while short of it."""
        return self.score_u6 - self.threshold_u6


class ScanRow(Struct, frozen=True, kw_only=True, gc=False):
    """The normalised row every strategy's decision becomes (requirements P1.2)."""

    strategy: str
    market_key: str
    score: float
    threshold: float
    margin: float
    unit: Unit
    metric_family: MetricFamily
    reason: Reason
    timestamp: int
    """`at_ns` of the decision."""


def scan_row(decision: Decision) -> ScanRow:
    """Turn a decision's facts into the floats people compare."""
    return ScanRow(
        strategy=decision.strategy,
        market_key=decision.market,
        score=decision.score_u6 / 1_000_000,
        threshold=decision.threshold_u6 / 1_000_000,
        margin=decision.margin_u6 / 1_000_000,
        unit=decision.unit,
        metric_family=decision.family,
        reason=decision.reason,
        timestamp=decision.at_ns,
    )
