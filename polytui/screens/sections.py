"""The latest section of each topic, by its name and type."""

from typing import TypeVar

from polytui.engine.core.account_view import (
    ORDERS,
    POSITIONS,
    RISK,
    OrdersView,
    PositionsView,
    RiskView,
)
from polytui.engine.core.alert_view import ALERTS, AlertsView
from polytui.engine.core.section import Section
from polytui.engine.core.view import (
    DECISIONS,
    MARKETS,
    MODULES,
    STATUS,
    VENUE_LAB,
    AnySection,
    BookView,
    DecisionsView,
    MarketsView,
    ModulesView,
    StatusView,
    VenueLabView,
    book_topic,
)

_Kind = TypeVar("_Kind", bound=Section)


class Sections:
    """What the engine last said, topic by topic."""

    def __init__(self) -> None:
        self.sections: dict[str, AnySection] = {}

    def get(self, topic: str, kind: type[_Kind]) -> _Kind | None:
        """Give the latest section of a topic, if there is one."""
        section = self.sections.get(topic)
        return section if isinstance(section, kind) else None

    @property
    def status(self) -> StatusView | None:
        """The latest status."""
        return self.get(STATUS, StatusView)

    @property
    def markets(self) -> MarketsView | None:
        """The latest market table."""
        return self.get(MARKETS, MarketsView)

    @property
    def decisions(self) -> DecisionsView | None:
        """The latest decisions."""
        return self.get(DECISIONS, DecisionsView)

    @property
    def modules(self) -> ModulesView | None:
        """The latest modules."""
        return self.get(MODULES, ModulesView)

    @property
    def orders(self) -> OrdersView | None:
        """The latest orders."""
        return self.get(ORDERS, OrdersView)

    @property
    def positions(self) -> PositionsView | None:
        """The latest positions."""
        return self.get(POSITIONS, PositionsView)

    @property
    def risk(self) -> RiskView | None:
        """The latest of the gate, the kill and the arming."""
        return self.get(RISK, RiskView)

    @property
    def alerts(self) -> AlertsView | None:
        """The latest alerts."""
        return self.get(ALERTS, AlertsView)

    @property
    def lab(self) -> VenueLabView | None:
        """The latest of the practice venue."""
        return self.get(VENUE_LAB, VenueLabView)

    def book(self, market: str) -> BookView | None:
        """Give the latest book of a market."""
        return self.get(book_topic(market), BookView)
