"""What the bars say: status, tabs, banner, alert line, footer, on every page alike."""

from polytui import format as fmt
from polytui.actions import PAGES, Facts
from polytui.screens.main import MainScreen
from polytui.screens.scene import Scene
from polytui.screens.store import Phase, Store
from polytui.widgets.alert_line import condition
from polytui.widgets.banner import Loss
from polytui.widgets.footer import footer_line
from polytui.widgets.lines import Line
from polytui.widgets.status_bar import LinkFacts, status_line
from polytui.widgets.tabs import KILL_HINT, kill_places, tab_line


def link_facts(scene: Scene) -> LinkFacts:
    """Sum up the link; without a status in hand it does not count as up."""
    store, phase = scene.store, scene.phase
    lost = phase in (Phase.SILENT, Phase.LOST)
    return LinkFacts(
        up=phase is Phase.LIVE and store.status is not None,
        lost_s=int(store.silence_s(scene.now_mono_ns)) if lost else 0,
        why=store.trouble(),
        role=store.role,
        waiting=store.hello is None,
    )


def wall_clock(scene: Scene) -> str:
    """Write the engine's wall time, which stands still when we stop knowing it."""
    ahead = scene.times.wall_ahead_ns
    return "" if ahead is None else fmt.clock(scene.times.now_ns + ahead)


def loss_of(scene: Scene, link: LinkFacts) -> Loss | None:
    """Tell what was lost, if anything was."""
    store = scene.store
    if not link.lost_s or (scene.phase is not Phase.LOST and store.hello is None):
        return None
    return Loss(
        silence_s=link.lost_s,
        why=link.why,
        frozen=scene.phase is Phase.LOST,
        hello=store.hello,
        status=store.status,
        frozen_clock=wall_clock(scene),
    )


def alert(store: Store, lost: Loss | None, now_ns: int) -> Line:
    """State what most needs a look."""
    if lost is not None:
        why = fmt.foreign(lost.why, 60)
        return ((" !C ", "crit"), (f" LINK {why}: values are old, retrying", "warn"))
    if store.ui_errors:
        text = f" {store.ui_errors} faults in this console's panels: see UI_ERROR"
        return ((" !L ", "warn"), (text, ""))
    return condition(store.status, now_ns)


def draw_bars(main: MainScreen, scene: Scene, facts: Facts, notice: Line, width: int) -> None:
    """Draw every bar; a notice takes the alert line while it lasts."""
    status = scene.store.status
    link = link_facts(scene)
    clock = wall_clock(scene)
    now_ns = scene.times.now_ns
    killed = status is not None and status.account.killed
    line = status_line(
        status,
        link,
        now_ns=now_ns,
        shown_clock=clock,
        width=width,
        kill_hint="" if main.tabs.display and main.tabs.size.height else KILL_HINT,
    )
    main.status_bar.lay_out((line,))
    mode = status.mode if link.up and status is not None else None
    places = kill_places(mode, killed=killed, read_only=facts.role == "ro")
    pages = PAGES if facts.page in PAGES else (*PAGES, facts.page)
    main.tabs.lay_out((tab_line(pages, facts.page, places, width),))
    lost = loss_of(scene, link)
    main.banner.tell(lost)
    main.alert_line.lay_out((notice or alert(scene.store, lost, now_ns),))
    main.bottom.lay_out((footer_line(facts, width),))
