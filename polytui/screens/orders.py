"""Orders: what works, what filled, what belongs together, and what is not known.

An order whose fate is not known is never drawn as working or done: it leads its table, has a panel
of its own, and says for how long and when it is looked up next.
"""

from textual.app import ComposeResult
from textual.containers import Container

from polytui.engine.core.account_view import ORDERS, OrdersView
from polytui.engine.core.enums import Mode
from polytui.screens import bundle_rows, order_detail, order_rows
from polytui.screens.page import Page
from polytui.screens.scene import Part, Scene
from polytui.screens.times import TimeBase, Times
from polytui.widgets.bits import told
from polytui.widgets.lines import Line, Panel
from polytui.widgets.live_table import LiveTable


def explain(table: LiveTable, view: OrdersView, times: Times, width: int) -> list[Line]:
    """Explain the row under the cursor of a table of this page."""
    key = table.cursor
    if table.id == "orders-fills":
        for fill in view.fills:
            if order_rows.fill_key(fill) == key:
                return order_detail.fill_lines(fill, times, width)
    elif table.id == "orders-bundles":
        for bundle in view.bundles:
            if bundle.bundle == key:
                return order_detail.bundle_lines(bundle, times, width)
    else:
        for order in view.orders:
            if order.cid == key:
                return order_detail.order_lines(order, times, width)
    return told("Nothing is under the cursor. Tab changes the panel, j and k the row.", width)


NO_ORDER = "No order has been made in this mode."
SHADOW_MAKES_NONE = "SHADOW makes none: see mode on page 6."


def left_out(more: int) -> str:
    """Say how many rows the engine did not send."""
    return f"  +{more} not shown" if more else ""


class Orders(Page):
    """The page that says what is at the venue, and how we know."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.working = LiveTable(
            order_rows.order_columns(TimeBase.AGE),
            title="a Orders, working first",
            empty=NO_ORDER,
            id="orders-working",
        )
        self.fills = LiveTable(
            order_rows.fill_columns(TimeBase.AGE),
            title="b Fills",
            empty="No fill yet.",
            id="orders-fills",
        )
        self.bundles = LiveTable(
            bundle_rows.BUNDLE_COLUMNS,
            title="c Two-leg groups",
            empty="No two-leg group has been planned yet.",
            id="orders-bundles",
            classes="-last",
        )
        self.unknown = LiveTable(
            order_rows.UNKNOWN_COLUMNS,
            title="d Unknown, reconciling",
            empty="Every order's state is known.",
            id="orders-unknown",
        )
        self.detail = Panel(title="e Explained", id="orders-detail")
        self._told_by: LiveTable = self.working

    def compose(self) -> ComposeResult:
        """Mount the panels."""
        tables = Container(self.working, self.fills, id="orders-tables", classes="pick -last")
        self.working.add_class("-last")
        yield Container(tables, self.detail, id="orders-upper", classes="pick")
        yield Container(self.bundles, self.unknown, id="orders-lower", classes="pick")

    def parts(self) -> tuple[Part, ...]:
        """Name the panels; the tables first, so that the explanation sees their cursor."""
        return (
            Part(panel=self.working, topic=ORDERS, fill=self._fill_working),
            Part(panel=self.fills, topic=ORDERS, fill=self._fill_fills),
            Part(panel=self.bundles, topic=ORDERS, fill=self._fill_bundles),
            Part(panel=self.unknown, topic=ORDERS, fill=self._fill_unknown),
            Part(panel=self.detail, topic=ORDERS, fill=self._fill_detail),
        )

    def topics(self) -> tuple[str, ...]:
        """Only orders."""
        return (ORDERS,)

    def _state_key(self) -> object:
        table = self.table
        if table is not None:
            self._told_by = table
        return self._told_by.id, self._told_by.cursor

    def _view(self, scene: Scene, panel: Panel) -> OrdersView | None:
        if scene.store.orders is None:
            self.wait_for(panel, ORDERS, scene)
        return scene.store.orders

    def _fill_working(self, scene: Scene) -> None:
        view = self._view(scene, self.working)
        if view is not None:
            self.working.columns = order_rows.order_columns(scene.times.base)
            status = scene.store.status
            shadow = status is not None and status.mode is Mode.SHADOW
            self.working.empty = f"{NO_ORDER} {SHADOW_MAKES_NONE}" if shadow else NO_ORDER
            ordered = order_rows.working_first(view.orders)
            working = sum(not order.state.is_terminal for order in ordered)
            over = len(ordered) - working
            note = f"{view.realm.value}  {working} working  {over} over{left_out(view.more_orders)}"
            self.working.set_rows(
                [order_rows.order_row(order, scene.times) for order in ordered], note=note
            )

    def _fill_fills(self, scene: Scene) -> None:
        view = self._view(scene, self.fills)
        if view is not None:
            self.fills.columns = order_rows.fill_columns(scene.times.base)
            made = [order_rows.fill_row(fill, scene.times) for fill in view.fills]
            unsettled = sum(not fill.status.is_terminal for fill in view.fills)
            note = f"{unsettled} not settled" if unsettled else "all settled" if made else ""
            self.fills.set_rows(made, note=note + left_out(view.more_fills))

    def _fill_bundles(self, scene: Scene) -> None:
        view = self._view(scene, self.bundles)
        if view is not None:
            made = [bundle_rows.bundle_row(bundle, scene.times) for bundle in view.bundles]
            naked = sum(bundle.residue_u6 > 0 for bundle in view.bundles)
            note = f"{naked} NAKED" if naked else ""
            self.bundles.set_rows(made, note=note + left_out(view.more_bundles))

    def _fill_unknown(self, scene: Scene) -> None:
        view = self._view(scene, self.unknown)
        if view is not None:
            doubtful = [order for order in view.orders if order_rows.is_doubtful(order)]
            made = [order_rows.unknown_row(order, scene.times) for order in doubtful]
            self.unknown.set_rows(made, note=f"{len(made)} NOT KNOWN" if made else "")

    def _fill_detail(self, scene: Scene) -> None:
        view = self._view(scene, self.detail)
        if view is not None:
            width = self.detail.inner[0]
            self.detail.show(explain(self._told_by, view, scene.times, width))
