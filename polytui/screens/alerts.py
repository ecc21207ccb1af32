"""Alerts: what needs somebody, what was put aside and why, and who did what about it."""

from textual.app import ComposeResult
from textual.containers import Container

from polytui.engine.core.alert_view import ALERTS, AlertState, AlertsView
from polytui.screens import alert_rows
from polytui.screens.page import Page
from polytui.screens.scene import Part, Scene
from polytui.screens.times import TimeBase
from polytui.widgets.lines import Panel
from polytui.widgets.live_table import LiveTable


class Alerts(Page):
    """The page of what a person must know."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.active = LiveTable(
            alert_rows.active_columns(TimeBase.AGE),
            title="a Active",
            empty="Nothing needs anybody.",
            id="alerts-active",
        )
        self.aside = LiveTable(
            alert_rows.ASIDE_COLUMNS,
            title="b Shelved and suppressed",
            empty="Nothing was put aside; `s` shelves an alert.",
            id="alerts-aside",
        )
        self.journal = LiveTable(
            alert_rows.JOURNAL_COLUMNS,
            title="c Journal",
            empty="Nothing has happened yet.",
            id="alerts-journal",
        )
        self.detail = Panel(title="d What to do", id="alerts-detail")
        self._told_by: LiveTable = self.active

    def compose(self) -> ComposeResult:
        """Mount the panels."""
        yield Container(self.active, self.detail, id="alerts-upper")
        yield Container(self.aside, self.journal, id="alerts-lower", classes="pick")

    def parts(self) -> tuple[Part, ...]:
        """Name the panels; the tables before the explanation of their row."""
        return (
            Part(panel=self.active, topic=ALERTS, fill=self._fill_active),
            Part(panel=self.aside, topic=ALERTS, fill=self._fill_aside),
            Part(panel=self.journal, topic=ALERTS, fill=self._fill_journal),
            Part(panel=self.detail, topic=ALERTS, fill=self._fill_detail),
        )

    def topics(self) -> tuple[str, ...]:
        """Only alerts."""
        return (ALERTS,)

    def _state_key(self) -> object:
        if (table := self.table) in (self.active, self.aside) and table is not None:
            self._told_by = table
        return self._told_by.id, self._told_by.cursor

    def _view(self, scene: Scene, panel: Panel) -> AlertsView | None:
        if scene.store.alerts is None:
            self.wait_for(panel, ALERTS, scene)
        return scene.store.alerts

    def _fill_active(self, scene: Scene) -> None:
        view = self._view(scene, self.active)
        if view is not None:
            self.active.columns = alert_rows.active_columns(scene.times.base)
            open_ = sum(r.state in (AlertState.UNACK, AlertState.RTN) for r in view.active)
            note = f"{open_} to acknowledge: a" if open_ else ""
            if view.flood_since_ns:
                ago = scene.times.ago(view.flood_since_ns)
                note = f"FLOOD for {ago}: folded by cause, first out on top"
            made = [alert_rows.active_row(row, scene.times) for row in view.active]
            self.active.set_rows(made, note=note)

    def _fill_aside(self, scene: Scene) -> None:
        view = self._view(scene, self.aside)
        if view is not None:
            made = [alert_rows.aside_row(row, scene.times) for row in view.shelved]
            self.aside.set_rows(made, note="u brings one back" if made else "")

    def _fill_journal(self, scene: Scene) -> None:
        view = self._view(scene, self.journal)
        if view is not None:
            total = len(view.journal)
            made = [
                alert_rows.note_row(total - number, note, scene.times)
                for number, note in enumerate(view.journal)
            ]
            self.journal.set_rows(made)

    def _fill_detail(self, scene: Scene) -> None:
        view = self._view(scene, self.detail)
        if view is not None:
            width = self.detail.inner[0]
            key = self._told_by.cursor
            self.detail.show(alert_rows.explain(view, key, scene.times, width))
