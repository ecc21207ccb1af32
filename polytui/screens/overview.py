"""Overview: every market, what strategies made of it, the feeds, and what went wrong."""

from textual.app import ComposeResult
from textual.containers import Container

from polytui import format as fmt
from polytui.engine.core.enums import FeedState
from polytui.engine.core.view import DECISIONS, MARKETS, MODULES, STATUS
from polytui.screens import rows, why_rows
from polytui.screens.account_lines import account_lines
from polytui.screens.page import Page
from polytui.screens.scene import Part, Scene
from polytui.screens.times import TimeBase
from polytui.widgets.lines import Panel
from polytui.widgets.live_table import LiveTable


class Overview(Page):
    """The page an operator leaves open."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.markets = LiveTable(
            rows.market_columns(TimeBase.AGE),
            title="a Markets",
            empty="No market is watched. Name some under [universe] in config.toml and restart.",
            id="markets",
        )
        self.strategies = LiveTable(
            rows.STRATEGY_COLUMNS,
            title="b Strategies",
            empty="No strategy has decided anything yet. See [box] in config.toml.",
            id="strategies",
            classes="-last",
        )
        self.feeds = LiveTable(
            rows.FEED_COLUMNS,
            title="c Feeds",
            empty="No feed is configured. See [reference] in config.toml.",
            id="feeds",
        )
        self.incidents = LiveTable(
            why_rows.INCIDENT_COLUMNS,
            title="d Data incidents",
            empty="No data incident since the engine started.",
            id="incidents",
        )
        self.recent = LiveTable(
            why_rows.decision_columns(TimeBase.AGE),
            title="e Latest decisions",
            empty="No decision yet. Repeated holds are folded: see page 5.",
            id="overview-recent",
        )

        self.account = Panel(title="f Account", id="account")

    def compose(self) -> ComposeResult:
        """Mount the panels."""
        yield Container(self.account, self.markets, self.recent, id="overview-left")
        sides = (self.strategies, self.feeds, self.incidents)
        yield Container(*sides, id="overview-sides", classes="pick")

    def parts(self) -> tuple[Part, ...]:
        """Name the panels."""
        return (
            Part(panel=self.markets, topic=MARKETS, fill=self._fill_markets),
            Part(panel=self.strategies, topic=DECISIONS, fill=self._fill_strategies),
            Part(panel=self.feeds, topic=STATUS, fill=self._fill_feeds),
            Part(panel=self.incidents, topic=DECISIONS, fill=self._fill_incidents),
            Part(panel=self.recent, topic=DECISIONS, fill=self._fill_recent),
            Part(panel=self.account, topic=STATUS, fill=self._fill_account),
        )

    def topics(self) -> tuple[str, ...]:
        """Everything but the books."""
        return (MARKETS, DECISIONS, MODULES)

    def _fill_markets(self, scene: Scene) -> None:
        view = scene.store.markets
        if view is None:
            self.wait_for(self.markets, MARKETS, scene)
            return
        self.markets.columns = rows.market_columns(scene.times.base)
        usable = sum(row.reason.value == "ok" for row in view.rows)
        made = [rows.market_row(row, scene.times) for row in view.rows]
        self.markets.set_rows(made, note=f"{usable} of {len(made)} usable" if made else "")

    def _fill_strategies(self, scene: Scene) -> None:
        store = scene.store
        if store.decisions is None:
            self.wait_for(self.strategies, DECISIONS, scene)
            return
        paused = store.status.paused if store.status is not None else ()
        made = [
            rows.strategy_row(name, store.decisions, paused=name in paused)
            for name in store.strategies()
        ]
        self.strategies.set_rows(made)

    def _fill_feeds(self, scene: Scene) -> None:
        status = scene.store.status
        if status is None:
            self.wait_for(self.feeds, STATUS, scene)
            return
        made = [rows.feed_row(feed, scene.times) for feed in status.feeds]
        live = sum(feed.state is FeedState.LIVE for feed in status.feeds)
        self.feeds.set_rows(made, note=f"{live} of {len(made)} live" if made else "")

    def _fill_incidents(self, scene: Scene) -> None:
        view = scene.store.decisions
        if view is None:
            self.wait_for(self.incidents, DECISIONS, scene)
            return
        total = sum(incident.count for incident in view.incidents)
        made = [why_rows.incident_row(incident, scene.times) for incident in view.incidents]
        self.incidents.set_rows(made, note=f"{fmt.count(total)} seen" if total else "")

    def _fill_account(self, scene: Scene) -> None:
        status = scene.store.status
        if status is None:
            self.wait_for(self.account, STATUS, scene)
            return
        self.account.show(account_lines(status, scene.times, self.account.inner[0]))

    def _fill_recent(self, scene: Scene) -> None:
        view = scene.store.decisions
        if view is None:
            self.wait_for(self.recent, DECISIONS, scene)
            return
        self.recent.columns = why_rows.decision_columns(scene.times.base)
        self.recent.set_rows([why_rows.decision_row(item, scene.times) for item in view.recent])
