"""The kill's receipt: what was done when, what the venue still shows, what is left to decide.

It comes up by itself when the engine is killed. Its numbers are the venue's answers; while one is
missing the page says so and never that all is well.
"""

from textual.app import ComposeResult
from textual.containers import Container

from polytui import format as fmt
from polytui.engine.core.account_view import POSITIONS, RISK, RiskView
from polytui.screens import kill_rows
from polytui.screens.page import Page
from polytui.screens.scene import Part, Scene
from polytui.widgets.lines import Panel
from polytui.widgets.live_table import LiveTable


class Kill(Page):
    """The page after the chord."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.receipt = Panel(title="Kill receipt", id="kill-receipt")
        self.open = LiveTable(
            kill_rows.OPEN_COLUMNS,
            title="a Still open at the venue",
            empty="Nothing is known to be open; whether that is verified, the receipt says.",
            id="kill-open",
            classes="-last",
        )
        self.routes = Panel(title="b If this does not reach zero", id="kill-routes")
        self.left = LiveTable(
            kill_rows.LEFT_COLUMNS,
            title="c Positions left open",
            empty="No position is held.",
            id="kill-positions",
        )

    def compose(self) -> ComposeResult:
        """Mount the panels."""
        yield self.receipt
        middle = Container(self.open, self.routes, id="kill-middle", classes="pick -last")
        yield Container(middle, self.left, id="kill-rest", classes="pick")

    def parts(self) -> tuple[Part, ...]:
        """Name the panels."""
        return (
            Part(panel=self.receipt, topic=RISK, fill=self._fill_receipt),
            Part(panel=self.open, topic=RISK, fill=self._fill_open),
            Part(panel=self.routes, topic=RISK, fill=self._fill_routes),
            Part(panel=self.left, topic=POSITIONS, fill=self._fill_left),
        )

    def topics(self) -> tuple[str, ...]:
        """Ask for the kill and what is held."""
        return (RISK, POSITIONS)

    def _view(self, scene: Scene, panel: Panel) -> RiskView | None:
        if scene.store.risk is None:
            self.wait_for(panel, RISK, scene)
        return scene.store.risk

    def _fill_receipt(self, scene: Scene) -> None:
        view = self._view(scene, self.receipt)
        if view is not None:
            lines = kill_rows.receipt_lines(view, scene.times, self.receipt.inner[0])
            note = "latched; survives a restart" if view.kill.killed else ""
            self.receipt.show(lines, note=note)

    def _fill_open(self, scene: Scene) -> None:
        view = self._view(scene, self.open)
        if view is not None:
            read = view.kill.read_ns
            note = f"venue read {scene.times.ago(read)} ago" if read else "venue NOT READ yet"
            made = [kill_rows.open_row(order, scene.times) for order in view.venue_rows]
            self.open.set_rows(made, note=note if view.kill.killed else "")

    def _fill_routes(self, scene: Scene) -> None:
        view = self._view(scene, self.routes)
        if view is not None:
            self.routes.show(kill_rows.route_lines(view, self.routes.inner[0]))

    def _fill_left(self, scene: Scene) -> None:
        view = scene.store.positions
        if view is None:
            self.wait_for(self.left, POSITIONS, scene)
            return
        made = [kill_rows.left_row(row) for row in view.rows]
        note = f"at risk {fmt.usd(view.at_risk_u6)}  F flatten" if made else ""
        self.left.set_rows(made, note=note)
