"""A page: panels that are applied one by one, so that one fault spoils one panel.

A page names the topics it needs while visible, and its parts: a panel, the topic it reads, and the
function that fills it. A part runs only when its section moved, a second passed or its size
changed. What a part raises ends on its panel as `UI_ERROR` and is counted; the others live on.
"""

from textual.containers import Container
from textual.widget import Widget

from polytui.screens.scene import Part, Scene, look_of, seconds, waiting_lines
from polytui.screens.store import Phase
from polytui.widgets.lines import Panel
from polytui.widgets.live_table import LiveTable, Row

_S = 10**9
HOLD_S = 10
"""How long rows are held still at most: what is under the cursor must not grow old unseen."""


class Page(Container):
    """Base of the pages."""

    DEFAULT_CSS = """
    Page { layout: vertical; height: 1fr; width: 1fr; overflow: hidden; }
    Page Container { overflow: hidden; }
    """

    def __init__(self, name: str) -> None:
        super().__init__(id=name)
        self.page = name
        self.frozen_at: int | None = None
        """Monotonic time since which the operator holds the page still."""
        self.held: tuple[Panel, int] | None = None
        """The panel whose rows stand still, and since when."""
        self._keys: dict[str, tuple[object, ...]] = {}
        self._errors: dict[str, str] = {}

    # --- what subclasses give -------------------------------------------------------------------

    def parts(self) -> tuple[Part, ...]:
        """Name the panels in the order of Tab, and how each is filled."""
        raise NotImplementedError

    def topics(self) -> tuple[str, ...]:
        """Name the topics the page needs while it is visible."""
        raise NotImplementedError

    def open_market(self, market: str) -> None:
        """Turn to a market; pages without one ignore it."""

    def perform(self, action_id: str) -> bool:
        """Do an action that belongs to this page only; tell whether it was one."""
        del action_id
        return False

    @property
    def market(self) -> str:
        """Condition id the page is about: the row under the cursor."""
        row = self.row
        return row.market if row is not None else ""

    @property
    def two_books(self) -> bool:
        """Whether both tokens' books are in view."""
        return False

    # --- applying -------------------------------------------------------------------------------

    def apply(self, scene: Scene) -> None:
        """Bring the visible panels up to date."""
        frozen = self.frozen_at is not None
        if self.held is not None and scene.now_mono_ns - self.held[1] >= HOLD_S * _S:
            self.hold(None)
        held = self.held[0] if self.held is not None else None
        for part in self.parts():
            panel = part.panel
            self._mark(part, scene)
            still = frozen and not part.is_own
            if still or panel is held or not panel.size.width:
                continue
            key = self._key_of(part, scene)
            if self._keys.get(part.panel.id or "") != key:
                self._keys[part.panel.id or ""] = key
                self._fill(part, scene)

    def _key_of(self, part: Part, scene: Scene) -> tuple[object, ...]:
        section = scene.store.sections.get(part.topic)
        return (
            None if section is None else section.rev,
            scene.now_mono_ns // _S,
            scene.times.base,
            scene.phase,
            scene.store.hello.boot if scene.store.hello is not None else "",
            part.panel.size,
            scene.routes if part.is_own else None,
            self._state_key(),
        )

    def _state_key(self) -> object:
        """Give whatever else the panels depend on."""
        return None

    def _fill(self, part: Part, scene: Scene) -> None:
        panel = part.panel
        try:
            part.fill(scene)
        # The one broad except of the console: a fault in a panel must not end the screen that the
        # operator watches money through. It is shown on the panel and counted in the store.
        except Exception as error:  # noqa: BLE001  (see above: any fault)
            scene.store.ui_errors += 1
            self._errors[panel.id or ""] = f"UI_ERROR {type(error).__name__}"
            self.log.error(error)
        else:
            self._errors.pop(panel.id or "", None)
        self._mark(part, scene)

    def _mark(self, part: Part, scene: Scene) -> None:
        panel = part.panel
        state = self._errors.get(panel.id or "", "")
        is_old = scene.phase in (Phase.SILENT, Phase.LOST) and not part.is_own
        if not state and is_old and scene.store.sections:
            silence = seconds(int(scene.store.silence_s(scene.now_mono_ns)))
            state = f"STALE {silence}" if scene.phase is Phase.SILENT else f"frozen, {silence} old"
        elif not state and self.frozen_at is not None and not part.is_own:
            state = f"FROZEN {seconds((scene.now_mono_ns - self.frozen_at) // _S)}"
        elif not state and self.held is not None and self.held[0] is panel:
            state = f"HELD {seconds((scene.now_mono_ns - self.held[1]) // _S)} of {HOLD_S}s"
        panel.set_state(state, fade=scene.phase is Phase.LOST and not part.is_own)
        panel.set_look(look_of(scene.store.status))

    def wait_for(self, panel: Panel, topic: str, scene: Scene) -> None:
        """Say on a panel what it waits for."""
        lines = waiting_lines(scene, topic, panel.inner[0])
        if isinstance(panel, LiveTable):
            panel.wait(lines)
        else:
            panel.show(lines)

    def hold(self, since_mono_ns: int | None) -> None:
        """Hold the rows of the current panel still, or let those that are held go."""
        if self.held is not None:
            self._keys.pop(self.held[0].id or "", None)
            self.held = None
        elif since_mono_ns is not None and self.table is not None:
            self.held = (self.table, since_mono_ns)

    def refill(self) -> None:
        """Fill every panel at the next apply, whatever moved."""
        self._keys.clear()

    # --- panels and the cursor ------------------------------------------------------------------

    @property
    def panel(self) -> Panel | None:
        """The panel that has, or last had, the focus."""
        for part in self.parts():
            if part.panel.has_class("-current"):
                return part.panel
        return None

    @property
    def table(self) -> LiveTable | None:
        """The table with the cursor."""
        panel = self.panel
        return panel if isinstance(panel, LiveTable) else None

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        table = self.table
        return table.current if table is not None else None

    def on_mount(self) -> None:
        """Make the first panel current."""
        self.turn_to(self.parts()[0].panel)

    def step_panel(self, steps: int) -> None:
        """Go to the next or previous panel, bringing it into view."""
        panels = [part.panel for part in self.parts() if self._reachable(part.panel)]
        current = self.panel
        at = panels.index(current) if current in panels else 0
        self.go_to_panel(panels[(at + steps) % len(panels)])

    def _reachable(self, panel: Panel) -> bool:
        """Tell whether Tab may bring a panel into view."""
        return panel.size.width > 0 or self._may_appear(panel)

    def _may_appear(self, panel: Panel) -> bool:
        """Tell whether a hidden panel appears when it becomes current."""
        if any(self.screen.has_class(name) for name in ("-xs", "-tiny")):
            return True
        picked = panel is self.parts()[0].panel or any(n.has_class("pick") for n in panel.ancestors)
        return picked and self.screen.has_class("-s")

    def go_to_panel(self, panel: Panel) -> None:
        """Focus a panel."""
        self.turn_to(panel)
        self.call_after_refresh(panel.focus)

    def take_focus(self) -> None:
        """Give the focus to the current panel."""
        if (panel := self.panel) is not None:
            panel.focus()

    def turn_to(self, panel: Panel) -> None:
        """Make a panel the current one, in view; the focus stays where it is."""
        chosen: set[Widget] = {panel}
        parent = panel.parent
        while isinstance(parent, Widget) and parent is not self:
            chosen.add(parent)
            parent = parent.parent
        for widget in self.query("*"):
            if isinstance(widget, Panel):
                widget.set_current(widget is panel)
            else:
                widget.set_class(widget in chosen, "-current")
        for part in self.parts():
            self.set_class(part.panel is panel, f"-at-{part.panel.id}")
        for widget in chosen:
            siblings = widget.parent.children if widget.parent is not None else ()
            for other in siblings:
                other.set_class(other is widget, "-last")
