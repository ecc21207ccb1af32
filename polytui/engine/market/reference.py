"""The reference desk: which feed plays which role, and whether it may be believed.

Feeds are roles, not vendors: a primary, a secondary that only cross-checks it, and a settlement
feed that is never a lead signal. The desk gives each feed's events to its `FeedDesk` and holds the
feeds against each other: content frozen while another moves, primary and secondary further apart
than their basis. A value older than its limit is absent, never "last known" (`faults.md` A12).

All times are engine time: events and, between them, `on_time` tell what it is.
"""

from polytui.engine.core.commands import Command
from polytui.engine.core.enums import Feed, FeedState, Reason
from polytui.engine.core.events import RefIndex, Stamped
from polytui.engine.core.runconfig import ReferenceConfig
from polytui.engine.core.section import CountView
from polytui.engine.core.view import FeedView, Percentiles
from polytui.engine.market.reference_book import ReferenceQuote
from polytui.engine.market.reference_feed import FeedDesk
from polytui.engine.market.reference_health import CrossCheck, Stillness

FEEDS = (Feed.COINBASE, Feed.COINBASE_ADVANCED, Feed.BINANCE, Feed.CHAINLINK)

COMPARE_NS = 100_000_000
"""Feeds are compared at most this often; the limits of the comparisons are seconds."""


class ReferenceDesk:
    """Owner of the state of all reference feeds."""

    def __init__(self, config: ReferenceConfig) -> None:
        """Start without connections."""
        roles = {
            config.settlement: "settlement",
            config.secondary: "secondary",
            config.primary: "primary",
        }
        self._roles = {feed: roles.get(feed.value, "none") for feed in FEEDS}
        self._feeds = {
            feed: FeedDesk(feed, config.symbol, configured=self._roles[feed] != "none")
            for feed in FEEDS
        }
        self._primary = _feed(config.primary)
        self._secondary = _feed(config.secondary)
        self._stillness = {feed: Stillness() for feed in FEEDS}
        self._cross = CrossCheck()
        self._now_ns = 0
        self._compared_ns = 0

    # --- in -----------------------------------------------------------------------------------

    def apply(self, stamped: Stamped) -> list[Command]:
        """Take one event, if it belongs to a reference feed."""
        desk = self._feeds.get(getattr(stamped.event, "feed", Feed.POLYMARKET))
        if desk is None:
            return []
        self._now_ns = max(self._now_ns, stamped.at_ns)
        commands = desk.apply(stamped)
        self._compare()
        return commands

    def on_time(self, now_ns: int, cause_seq: int) -> list[Command]:
        """Let time pass: silence is noticed here when no event comes."""
        self._now_ns = max(self._now_ns, now_ns)
        commands: list[Command] = []
        if not any(desk.opened for desk in self._feeds.values()):
            return commands  # a feed never heard of has neither age nor content
        for desk in self._feeds.values():
            commands += desk.on_time(self._now_ns, cause_seq)
        self._compare()
        return commands

    # --- out ----------------------------------------------------------------------------------

    def state(self, feed: Feed) -> FeedState:
        """Return the state of a feed."""
        return self._feeds[feed].health.state

    def is_live(self, feed: Feed) -> bool:
        """Tell whether decisions may use the feed."""
        return self.state(feed) is FeedState.LIVE

    def is_flow_complete(self, feed: Feed) -> bool:
        """Tell whether no trade was lost within the window that trade features look back."""
        return self._feeds[feed].is_flow_complete(self._now_ns)

    def last_quote(self, feed: Feed) -> ReferenceQuote | None:
        """Return the best prices of our symbol, or None when there are none to be believed."""
        return self._feeds[feed].quote(self._now_ns)

    def mid_u6(self, feed: Feed) -> int | None:
        """Return the mid of `last_quote`, floored; None when it is absent."""
        quote = self.last_quote(feed)
        return None if quote is None else (quote.bid_u6 + quote.ask_u6) // 2

    def last_index(self, window_s: int = 0) -> RefIndex | None:
        """Return the newest settlement value with this averaging window; history never counts."""
        return self._feeds[Feed.CHAINLINK].index(window_s, self._now_ns)

    def index_series(self, window_s: int = 0) -> tuple[tuple[int, int], ...]:
        """List the settlement series, history included: (time it is for, micro-dollars)."""
        return self._feeds[Feed.CHAINLINK].points(window_s)

    @property
    def basis_u6(self) -> int | None:
        """Median of primary minus secondary over 10 minutes; None until it is known."""
        return self._cross.basis_u6

    def lag(self, feed: Feed) -> Percentiles:
        """Summarise received minus claimed time, clock difference included."""
        return self._feeds[feed].lag.percentiles()

    def feed_views(self) -> tuple[FeedView, ...]:
        """Show every feed, the unused ones too."""
        return tuple(
            FeedView(
                feed=feed,
                role=self._roles[feed],
                state=desk.health.state,
                reason=desk.health.reason,
                last_ns=desk.last_ns,
                messages=desk.messages,
                faults=desk.faults,
                ignored=desk.ignored,
                gaps=desk.gaps,
                reconnects=max(0, desk.opened - 1),
            )
            for feed, desk in self._feeds.items()
        )

    def counters(self) -> tuple[CountView, ...]:
        """Count what limits and rules kept out, over all feeds."""
        totals: dict[str, int] = {}
        for desk in self._feeds.values():
            for name, value in desk.counters():
                totals[name] = totals.get(name, 0) + value
        return tuple(CountView(name=name, value=value) for name, value in totals.items())

    def checkpoint(self) -> tuple[object, ...]:
        """Give the whole state as plain values in a fixed order, for a digest."""
        feeds = tuple((feed.value, desk.checkpoint()) for feed, desk in self._feeds.items())
        return (self._now_ns, self._cross.basis_u6, *feeds)

    # --- between feeds ------------------------------------------------------------------------

    def _compare(self) -> None:
        """Hold the feeds against each other; what is found makes them DEGRADED."""
        now_ns = self._now_ns
        if now_ns - self._compared_ns < COMPARE_NS:
            return
        self._compared_ns = now_ns
        values = {
            feed: value
            for feed, desk in self._feeds.items()
            if (value := desk.value_u6(now_ns)) is not None
        }
        for feed, desk in self._feeds.items():
            others = {other: value for other, value in values.items() if other is not feed}
            frozen = self._stillness[feed].is_frozen(desk.mark(now_ns), now_ns, others)
            desk.doubt("content", Reason.FROZEN, holds=frozen, now_ns=now_ns)
        if self._primary is None or self._secondary is None:
            return
        apart = self._cross.are_apart(
            now_ns, values.get(self._primary), values.get(self._secondary)
        )
        for feed in (self._primary, self._secondary):
            desk = self._feeds[feed]
            desk.doubt("cross", Reason.REFERENCE_CROSSED, holds=apart, now_ns=now_ns)


def _feed(name: str) -> Feed | None:
    return next((feed for feed in FEEDS if feed.value == name), None)
