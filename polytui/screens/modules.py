"""System: every module and its heartbeat, the engine's latency, the engine itself, the link.

While the link is lost the other routes to the engine stand beside the modules; on a small screen
they take the page, and Tab leads to the rest.
"""

from textual.app import ComposeResult
from textual.containers import Container

from polytui import format as fmt
from polytui.engine.core.enums import ModuleStatus
from polytui.engine.core.view import MODULES, STATUS, Percentiles, ShellView, StatusView
from polytui.screens import rows
from polytui.screens.page import Page
from polytui.screens.route_rows import route_lines
from polytui.screens.scene import Part, Scene, seconds
from polytui.screens.store import Phase
from polytui.screens.times import Times
from polytui.widgets.bits import pair
from polytui.widgets.lines import Line, Panel, fit
from polytui.widgets.live_table import LiveTable

LOOP_BUDGET_US = 5_000
DECISION_BUDGET_US = 5_000
"""Budgets of the engine at p99 (`design.md` §2, `performance.md`); shown, not judged here."""


def _stage(name: str, value: Percentiles, budget_us: int) -> Line:
    late = value.count > 0 and value.p99_us > budget_us
    numbers = (value.p50_us, value.p99_us, value.p999_us, value.max_us)
    cells = [fmt.micros(n) if value.count else fmt.ABSENT for n in numbers]
    return (
        (fmt.pad(name, 11), ""),
        (fmt.pad(cells[0], 7, right=True), "dim"),
        (fmt.pad(cells[1], 7, right=True), "warn" if late else "strong"),
        ("!" if late else " ", "warn"),
        (fmt.pad(cells[2], 7, right=True), "dim"),
        (fmt.pad(cells[3], 7, right=True), "dim"),
        (fmt.pad(fmt.micros(budget_us), 8, right=True), "dim"),
    )


def latency_lines(status: StatusView) -> list[Line]:
    """Draw what the engine's shell measured about itself, with the budget beside it."""
    heads = "".join(fmt.pad(text, 7, right=True) for text in ("p50", "p99"))
    tail = "".join(fmt.pad(text, 7, right=True) for text in ("p99.9", "max"))
    shell = status.shell
    return [
        ((fmt.pad("stage", 11), "head"), (f"{heads} {tail}", "head"), ("  budget", "head")),
        _stage("loop lag", shell.loop_lag, LOOP_BUDGET_US),
        _stage("decision", shell.decision, DECISION_BUDGET_US),
        (),
        (
            (f"samples {fmt.count(shell.loop_lag.count)} loop, ", "dim"),
            (f"{fmt.count(shell.decision.count)} decisions", "dim"),
        ),
    ]


def outlet_lines(shell: ShellView) -> list[Line]:
    """Draw what the store takes on disk, and who outside is told."""
    posts = shell.posts
    counts = f"{fmt.count(posts.posted)} posted, {posts.waiting} waiting"
    told = f"{counts}, {fmt.count(posts.lost)} LOST" if posts.lost else counts
    told = f"{told}: {fmt.foreign(posts.why, 80)}" if posts.why else told
    why = fmt.foreign(shell.metrics_why, 80)
    return [
        pair("store", fmt.size_bytes(shell.store_bytes)),
        pair("metrics", why or "served", "warn" if why else ""),
        pair("webhook", told if posts.on else "off", "warn" if posts.why or posts.lost else ""),
    ]


def engine_lines(status: StatusView, times: Times) -> list[Line]:
    """Draw the facts about the engine's process."""
    shell = status.shell
    lost = shell.capture_lost
    capture = f"{fmt.size_bytes(shell.capture_bytes)} of {fmt.size_bytes(shell.recordings_bytes)}"
    capture += f"  LOST {fmt.count(lost)}" if lost else ""
    return [
        pair("mode", f"{status.mode.value.upper()} on {fmt.foreign(status.venue, 20)}", "strong"),
        pair("run", f"{fmt.foreign(status.run, 30)}  version {fmt.foreign(status.version, 16)}"),
        pair("up", f"{times.ago(status.started_ns)}  pid {shell.pid}"),
        pair("memory", fmt.size_bytes(shell.rss_bytes)),
        pair("events", f"{status.seq} so far"),
        pair("inbox", f"{fmt.count(shell.inbox)} waiting, {fmt.count(shell.dropped)} dropped",
             "crit" if shell.dropped else ""),
        pair("recorded", capture, "crit" if lost else ""),
        pair("decisions", f"{fmt.count(status.decisions)}, {status.intents} intents, "
             f"{status.refused} refused"),
        pair("paused", ", ".join(map(fmt.foreign, status.paused)) or "nobody",
             "warn" if status.paused else ""),
        pair("consoles", str(shell.clients)),
        *outlet_lines(shell),
    ]  # fmt: skip


def link_lines(scene: Scene, width: int) -> list[Line]:
    """Draw the link: how it is, and what became of it, latest first."""
    store = scene.store
    hello = store.hello
    who = "none has answered"
    if hello is not None:
        who = f"boot {fmt.short_id(hello.boot)}  role {hello.role.upper()}  pid {hello.pid}"
    silence = store.silence_s(scene.now_mono_ns)
    lines = [
        pair("engine", who),
        pair("last word", f"{seconds(int(silence))} ago", "warn" if silence >= 2 else ""),
        pair("console", f"{store.ui_errors} panel errors", "warn" if store.ui_errors else "dim"),
    ]
    for at_ns, text in reversed(store.history):
        age = fmt.age(scene.now_mono_ns - at_ns)
        lines.append(fit(((fmt.pad(age, 6, right=True), "dim"), (f"  {text}", "")), width))
    return lines


class Modules(Page):
    """The page for when something is slow or silent."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.modules = LiveTable(
            rows.MODULE_COLUMNS,
            title="a Modules",
            empty="The engine has named no module yet; it does so with its first event.",
            id="system-modules",
        )
        self.latency = Panel(title="b Latency, last 10 s", id="system-latency", classes="-last")
        self.engine = Panel(title="c Engine", id="system-engine")
        self.link = Panel(title="d Link", id="system-link")
        self.routes = Panel(title="e Routes to the engine", id="system-routes", classes="-absent")
        self._before_loss: Panel | None = None
        """The current panel when the link was lost."""

    def compose(self) -> ComposeResult:
        """Mount the panels."""
        yield Container(self.modules, self.routes, id="system-upper")
        sides = (self.latency, self.engine, self.link)
        yield Container(*sides, id="system-sides", classes="pick")

    def parts(self) -> tuple[Part, ...]:
        """Name the panels."""
        return (
            Part(panel=self.modules, topic=MODULES, fill=self._fill_modules),
            Part(panel=self.latency, topic=STATUS, fill=self._fill_latency),
            Part(panel=self.engine, topic=STATUS, fill=self._fill_engine),
            Part(panel=self.link, topic="", fill=self._fill_link, is_own=True),
            Part(panel=self.routes, topic="", fill=self._fill_routes, is_own=True),
        )

    def topics(self) -> tuple[str, ...]:
        """Only the modules; the status always comes."""
        return (MODULES,)

    def apply(self, scene: Scene) -> None:
        """Bring the panels up to date; the routes are there while the link is lost."""
        lost = scene.phase is Phase.LOST and scene.routes is not None
        if lost is not self.has_class("-lost"):
            self.set_class(lost, "-lost")
            self.routes.set_class(not lost, "-absent")
            self._turn(lost=lost)
        super().apply(scene)

    def _turn(self, *, lost: bool) -> None:
        """Turn to the routes when they appear, and back when they are gone."""
        panel = self.routes
        if lost:
            self._before_loss = self.panel
        elif self.panel is self.routes:
            panel = self._before_loss or self.modules
        else:
            return
        if self.screen.focused in [part.panel for part in self.parts()]:
            self.go_to_panel(panel)
        else:
            self.turn_to(panel)

    def _may_appear(self, panel: Panel) -> bool:
        if panel is self.routes:
            return self.has_class("-lost")
        return super()._may_appear(panel)

    def _fill_modules(self, scene: Scene) -> None:
        view = scene.store.modules
        if view is None:
            self.wait_for(self.modules, MODULES, scene)
            return
        online = sum(module.status is ModuleStatus.ONLINE for module in view.rows)
        made = [rows.module_row(module, scene.times) for module in view.rows]
        self.modules.set_rows(made, note=f"{online} of {len(made)} online" if made else "")

    def _fill_latency(self, scene: Scene) -> None:
        status = scene.store.status
        if status is None:
            self.wait_for(self.latency, STATUS, scene)
            return
        self.latency.show(latency_lines(status))

    def _fill_engine(self, scene: Scene) -> None:
        status = scene.store.status
        if status is None:
            self.wait_for(self.engine, STATUS, scene)
            return
        self.engine.show(engine_lines(status, scene.times))

    def _fill_link(self, scene: Scene) -> None:
        self.link.show(link_lines(scene, self.link.inner[0]))

    def _fill_routes(self, scene: Scene) -> None:
        if scene.routes is not None:
            self.routes.show(route_lines(scene.routes, self.routes.inner[0]), note="live")
