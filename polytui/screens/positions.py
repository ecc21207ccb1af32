"""Positions: what is held and settled, what still moves, and what we could lose in both worlds."""

from textual.app import ComposeResult
from textual.containers import Container

from polytui.engine.core.account_view import POSITIONS, PositionsView
from polytui.screens import position_rows
from polytui.screens.page import Page
from polytui.screens.scene import Part, Scene
from polytui.widgets.lines import Panel
from polytui.widgets.live_table import LiveTable


class Positions(Page):
    """The inventory page."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.positions = LiveTable(
            position_rows.POSITION_COLUMNS,
            title="a Positions",
            empty="No position is held.",
            id="positions-held",
        )
        self.markets = LiveTable(
            position_rows.EXPOSURE_COLUMNS,
            title="b Worst case against the cap",
            empty="No market has any exposure.",
            id="positions-markets",
            classes="-last",
        )
        self.account = Panel(title="c Account", id="positions-account")
        self.strategies = LiveTable(
            position_rows.SCOPE_COLUMNS,
            title="d Profit by strategy",
            empty="No strategy has traded yet.",
            id="positions-strategies",
            classes="-last",
        )
        self.anomalies = LiveTable(
            position_rows.ANOMALY_COLUMNS,
            title="e Ours against theirs",
            empty="No difference with the venue is known.",
            id="positions-anomalies",
        )

    def compose(self) -> ComposeResult:
        """Mount the panels."""
        yield self.positions
        middle = (self.markets, self.account)
        lower = (self.strategies, self.anomalies)
        yield Container(
            Container(*middle, id="positions-middle", classes="pick -last"),
            Container(*lower, id="positions-lower", classes="pick"),
            id="positions-rest",
            classes="pick",
        )

    def parts(self) -> tuple[Part, ...]:
        """Name the panels."""
        return (
            Part(panel=self.positions, topic=POSITIONS, fill=self._fill_positions),
            Part(panel=self.markets, topic=POSITIONS, fill=self._fill_markets),
            Part(panel=self.account, topic=POSITIONS, fill=self._fill_account),
            Part(panel=self.strategies, topic=POSITIONS, fill=self._fill_strategies),
            Part(panel=self.anomalies, topic=POSITIONS, fill=self._fill_anomalies),
        )

    def topics(self) -> tuple[str, ...]:
        """Only positions."""
        return (POSITIONS,)

    def _view(self, scene: Scene, panel: Panel) -> PositionsView | None:
        if scene.store.positions is None:
            self.wait_for(panel, POSITIONS, scene)
        return scene.store.positions

    def _fill_positions(self, scene: Scene) -> None:
        view = self._view(scene, self.positions)
        if view is not None:
            made = [position_rows.position_row(row, scene.times) for row in view.rows]
            moving = sum(bool(row.oldest_ns) for row in view.rows)
            self.positions.set_rows(
                made, note=f"{moving} of {len(made)} not settled" if moving else ""
            )

    def _fill_markets(self, scene: Scene) -> None:
        view = self._view(scene, self.markets)
        if view is not None:
            made = [position_rows.exposure_row(row) for row in view.markets]
            over = sum(row.worst_u6 > row.cap_u6 > 0 for row in view.markets)
            self.markets.set_rows(made, note=f"{over} OVER ITS CAP" if over else "")

    def _fill_account(self, scene: Scene) -> None:
        view = self._view(scene, self.account)
        if view is not None:
            width = self.account.inner[0]
            self.account.show(position_rows.account_lines(view, scene.times, width))

    def _fill_strategies(self, scene: Scene) -> None:
        view = self._view(scene, self.strategies)
        if view is not None:
            made = [position_rows.scope_row(row) for row in view.strategies]
            self.strategies.set_rows(made)

    def _fill_anomalies(self, scene: Scene) -> None:
        view = self._view(scene, self.anomalies)
        if view is not None:
            made = [position_rows.anomaly_row(row, scene.times) for row in view.anomalies]
            still = sum(not row.resolved_ns for row in view.anomalies)
            self.anomalies.set_rows(made, note=f"{still} open" if still else "")
