"""Why: what strategies decided, what they did not, and how little was missing.

Holds are folded by strategy, market and reason, nearest miss first; intents, refusals and blocks
are kept singly. A reason is a code of one taxonomy, the same in metrics and log.
"""

from functools import partial

from textual.app import ComposeResult
from textual.containers import Container

from polytui import format as fmt
from polytui.engine.core.enums import Reason, Verdict
from polytui.engine.core.view import DECISIONS, DecisionsView, DecisionView, FoldView, IncidentView
from polytui.screens import rows, why_rows
from polytui.screens.page import Page
from polytui.screens.reasons import MEANING, VERDICT_MEANING
from polytui.screens.scene import Part, Scene
from polytui.screens.times import TimeBase, Times
from polytui.widgets.bits import gauge, pair, told
from polytui.widgets.lines import Line, Panel
from polytui.widgets.live_table import LiveTable

ID_SHOWN = 14
"""Characters of a condition id that a filter asks for: enough to be unique on a screen."""


_pair = partial(pair, width=9)


def fold_lines(fold: FoldView, times: Times, width: int) -> list[Line]:
    """Explain a fold: measured, needed, missing, the nearest miss, since when."""
    row = fold.row
    glyph, word, role = fmt.VERDICT[fold.verdict]
    lines: list[Line] = [
        ((rows.name_of(fold.title, row.market_key), "title"),),
        ((fmt.short_id(row.market_key, 26), "dim"),),
        ((f"{fmt.foreign(row.strategy)}  {glyph} {word}", role), (f"  {row.reason.value}", role)),
        *told(f"{MEANING[row.reason]}; {VERDICT_MEANING[fold.verdict]}.", width),
    ]
    if fold.verdict is not Verdict.BLOCKED:
        missing = fmt.score(row.margin, row.unit, signed=True)
        ago = f"{times.ago(fold.best_ns)} ago"
        lines += [
            _pair("measured", fmt.score(row.score, row.unit), "strong", more=row.unit.value),
            _pair("needed", fmt.score(row.threshold, row.unit), more=row.metric_family.value),
            _pair("margin", missing, "strong" if row.margin >= 0 else ""),
            _pair("nearest", fmt.margin(fold.best_margin_u6), "strong", more=ago),
        ]
        if row.threshold > 0 and row.score >= 0:
            reached = row.score / row.threshold
            percent = f"  {fmt.gap_percent(row.score, row.threshold)} of what is needed"
            lines.append((*gauge(reached, 20), (percent, "dim")))
    lines += [
        _pair(
            "seen",
            f"{fmt.count(fold.count)} times",
            more=f"first {times.ago(fold.first_ns)} ago",
        ),
        _pair("last", f"{times.text(row.timestamp)}"),
    ]
    return lines


def decision_lines(decision: DecisionView, times: Times, width: int) -> list[Line]:
    """Explain a single decision with its legs."""
    row = decision.row
    glyph, word, role = fmt.VERDICT[decision.verdict]
    reason = "" if row.reason is Reason.OK else f"  {row.reason.value}"
    about = VERDICT_MEANING[decision.verdict]
    if reason:
        about = f"{MEANING[row.reason]}; {about}"
    lines: list[Line] = [
        ((rows.name_of(decision.title, row.market_key), "title"),),
        ((fmt.short_id(row.market_key, 26), "dim"),),
        ((f"{fmt.foreign(row.strategy)}  {glyph} {word}", role), (reason, role)),
        *told(f"{about}.", width),
        *((("  ", ""), (fmt.foreign(leg), "strong")) for leg in decision.legs),
    ]
    if decision.verdict is not Verdict.BLOCKED:
        lines += [
            _pair("measured", fmt.score(row.score, row.unit), "strong", more=row.unit.value),
            _pair("needed", fmt.score(row.threshold, row.unit)),
            _pair("margin", fmt.score(row.margin, row.unit, signed=True), "strong"),
        ]
    lines += [_pair("snapshot", str(decision.snapshot)), _pair("at", times.text(row.timestamp))]
    return lines


def incident_lines(incident: IncidentView, times: Times, width: int) -> list[Line]:
    """Explain a folded incident."""
    return [
        ((rows.name_of(incident.title, incident.market), "title"),),
        ((fmt.short_id(incident.market, 26), "dim"),),
        ((f"! {incident.incident.value}", "warn"),),
        *told(fmt.foreign(incident.detail), width),
        _pair("seen", f"{fmt.count(incident.count)} times"),
        _pair("first", f"{times.ago(incident.first_ns)} ago"),
        _pair("last", f"{times.ago(incident.last_ns)} ago"),
    ]


def explain(table: LiveTable, view: DecisionsView, times: Times, width: int) -> list[Line]:
    """Explain the row under the cursor of a table of this page."""
    key = table.cursor
    for fold in view.folds if table.id == "why-folds" else ():
        if why_rows.fold_key(fold) == key:
            return fold_lines(fold, times, width)
    for decision in view.recent if table.id == "why-recent" else ():
        if why_rows.decision_row(decision, times).key == key:
            return decision_lines(decision, times, width)
    for incident in view.incidents if table.id == "why-incidents" else ():
        if why_rows.incident_row(incident, times).key == key:
            return incident_lines(incident, times, width)
    return told("Nothing is under the cursor. Tab changes the panel, j and k the row.", width)


class Decisions(Page):
    """The page that answers why and why not."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.folds = LiveTable(
            why_rows.FOLD_COLUMNS,
            title="a Why and why not, nearest miss first",
            empty="No strategy has looked at a market yet. It does once a book is synced: page 1.",
            id="why-folds",
        )
        self.recent = LiveTable(
            why_rows.decision_columns(TimeBase.AGE),
            title="b Latest decisions",
            empty="No decision yet. Repeated holds are folded above.",
            id="why-recent",
            classes="-last",
        )
        self.detail = Panel(title="d Explained", id="why-detail")
        self.incidents = LiveTable(
            why_rows.INCIDENT_COLUMNS,
            title="c Data incidents",
            empty="No data incident since the engine started.",
            id="why-incidents",
        )
        self._told_by: LiveTable = self.folds

    def compose(self) -> ComposeResult:
        """Mount the panels."""
        yield self.folds
        left = Container(self.recent, self.incidents, id="why-left", classes="pick -last")
        yield Container(left, self.detail, id="why-lower", classes="pick")

    def parts(self) -> tuple[Part, ...]:
        """Name the panels; the tables first, so that the explanation sees their cursor."""
        return (
            Part(panel=self.folds, topic=DECISIONS, fill=self._fill_folds),
            Part(panel=self.recent, topic=DECISIONS, fill=self._fill_recent),
            Part(panel=self.incidents, topic=DECISIONS, fill=self._fill_incidents),
            Part(panel=self.detail, topic=DECISIONS, fill=self._fill_detail),
        )

    def topics(self) -> tuple[str, ...]:
        """Only decisions."""
        return (DECISIONS,)

    def open_market(self, market: str) -> None:
        """Show the decisions about one market: a filter that Esc removes."""
        text = f"id:{fmt.foreign(market)[:ID_SHOWN]}"
        for table in (self.folds, self.recent, self.incidents):
            table.set_filter(text)
        self.go_to_panel(self.folds)

    def _state_key(self) -> object:
        table = self.table
        if table is not None:
            self._told_by = table
        return self._told_by.id, self._told_by.cursor

    def _view(self, scene: Scene, panel: Panel) -> DecisionsView | None:
        if scene.store.decisions is None:
            self.wait_for(panel, DECISIONS, scene)
        return scene.store.decisions

    def _fill_folds(self, scene: Scene) -> None:
        view = self._view(scene, self.folds)
        if view is not None:
            made = [
                why_rows.fold_row(fold, scene.times) for fold in why_rows.nearest_first(view.folds)
            ]
            total = sum(fold.count for fold in view.folds)
            self.folds.set_rows(made, note=f"{fmt.count(total)} looks" if made else "")

    def _fill_recent(self, scene: Scene) -> None:
        view = self._view(scene, self.recent)
        if view is not None:
            self.recent.columns = why_rows.decision_columns(scene.times.base)
            self.recent.set_rows([why_rows.decision_row(item, scene.times) for item in view.recent])

    def _fill_incidents(self, scene: Scene) -> None:
        view = self._view(scene, self.incidents)
        if view is not None:
            made = [why_rows.incident_row(item, scene.times) for item in view.incidents]
            self.incidents.set_rows(made)

    def _fill_detail(self, scene: Scene) -> None:
        view = self._view(scene, self.detail)
        if view is not None:
            width = self.detail.inner[0]
            self.detail.show(explain(self._told_by, view, scene.times, width))
