"""Risk: who executes, what the gate lets through and why not more, and who may change it."""

from textual.app import ComposeResult
from textual.containers import Container

from polytui import format as fmt
from polytui.engine.core.account_view import RISK, RiskView
from polytui.screens import risk_rows
from polytui.screens.page import Page
from polytui.screens.scene import Part, Scene
from polytui.widgets.lines import Panel
from polytui.widgets.live_table import LiveTable


class Risk(Page):
    """The page of the gate."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.state = Panel(title="a Mode and trading", id="risk-state", classes="-last")
        self.limits = LiveTable(
            risk_rows.LIMIT_COLUMNS,
            title="b Limits",
            empty="The engine has named no limit yet.",
            id="risk-limits",
        )
        self.controls = LiveTable(
            risk_rows.CONTROL_COLUMNS,
            title="c Controls, in their order",
            empty="The engine has named no control yet.",
            id="risk-controls",
        )
        self.breakers = LiveTable(
            risk_rows.BREAKER_COLUMNS,
            title="d Breakers",
            empty="No breaker is configured.",
            id="risk-breakers",
            classes="-last",
        )
        self.gates = LiveTable(
            risk_rows.GATE_COLUMNS,
            title="e Release gates",
            empty="No strategy is on the release ladder.",
            id="risk-gates",
        )
        self.detail = Panel(title="f Explained", id="risk-detail")
        self._told_by: LiveTable = self.controls

    def compose(self) -> ComposeResult:
        """Mount the panels."""
        left = Container(self.state, self.limits, id="risk-left", classes="pick -last")
        yield Container(left, self.controls, id="risk-upper", classes="pick")
        lower = (self.breakers, self.gates, self.detail)
        yield Container(*lower, id="risk-lower", classes="pick")

    def parts(self) -> tuple[Part, ...]:
        """Name the panels; the tables before the explanation of their row."""
        return (
            Part(panel=self.state, topic=RISK, fill=self._fill_state),
            Part(panel=self.limits, topic=RISK, fill=self._fill_limits),
            Part(panel=self.controls, topic=RISK, fill=self._fill_controls),
            Part(panel=self.breakers, topic=RISK, fill=self._fill_breakers),
            Part(panel=self.gates, topic=RISK, fill=self._fill_gates),
            Part(panel=self.detail, topic=RISK, fill=self._fill_detail),
        )

    def topics(self) -> tuple[str, ...]:
        """Only risk."""
        return (RISK,)

    def _state_key(self) -> object:
        if (table := self.table) is not None:
            self._told_by = table
        return self._told_by.id, self._told_by.cursor

    def _view(self, scene: Scene, panel: Panel) -> RiskView | None:
        if scene.store.risk is None:
            self.wait_for(panel, RISK, scene)
        return scene.store.risk

    def _fill_state(self, scene: Scene) -> None:
        view = self._view(scene, self.state)
        if view is not None:
            note = "KILLED" if view.kill.killed else fmt.TRADING_STATE[view.trading][0]
            lines = risk_rows.state_lines(view, scene.times, self.state.inner[0])
            self.state.show(lines, note=note)

    def _fill_limits(self, scene: Scene) -> None:
        view = self._view(scene, self.limits)
        if view is not None:
            changed = sum(row.value != row.configured for row in view.limits)
            note = f"{changed} changed *" if changed else "c changes one"
            self.limits.set_rows([risk_rows.limit_row(row) for row in view.limits], note=note)

    def _fill_controls(self, scene: Scene) -> None:
        view = self._view(scene, self.controls)
        if view is not None:
            made = [risk_rows.control_row(row, scene.times) for row in view.controls]
            total = sum(row.refused for row in view.controls)
            self.controls.set_rows(made, note=f"{fmt.count(total)} refused" if made else "")

    def _fill_breakers(self, scene: Scene) -> None:
        view = self._view(scene, self.breakers)
        if view is not None:
            made = [risk_rows.breaker_row(row, scene.times) for row in view.breakers]
            tripped = sum(row.tripped_ns > 0 for row in view.breakers)
            self.breakers.set_rows(made, note=f"{tripped} TRIPPED" if tripped else "")

    def _fill_gates(self, scene: Scene) -> None:
        view = self._view(scene, self.gates)
        if view is not None:
            self.gates.set_rows([risk_rows.gate_row(row, scene.times) for row in view.gates])

    def _fill_detail(self, scene: Scene) -> None:
        view = self._view(scene, self.detail)
        if view is not None:
            width = self.detail.inner[0]
            key = self._told_by.cursor
            self.detail.show(risk_rows.explain(view, key, scene.times, width))
