"""What the bars say: status, tabs, banner, alert line, footer, on every page alike."""

from polytui import format as fmt
from polytui.actions import PAGES, Facts
from polytui.routes import LOG, METRICS, PROCESS
from polytui.screens.main import MainScreen
from polytui.screens.route_rows import banner_words
from polytui.screens.route_words import is_gone
from polytui.screens.scene import Scene
from polytui.screens.store import Phase, Store
from polytui.widgets.alert_line import condition
from polytui.widgets.banner import Loss, Restart
from polytui.widgets.footer import footer_line
from polytui.widgets.lines import Line, fit
from polytui.widgets.status_bar import LinkFacts, status_line
from polytui.widgets.tabs import KILL_HINT, kill_places, tab_line

BANNER = (PROCESS, METRICS, LOG)
"""Routes that the banner tells of, on every page."""
RESTART_NS = 30 * 10**9
"""How long the banner tells of a restart."""


def link_facts(scene: Scene) -> LinkFacts:
    """Sum up the link; without a status in hand it does not count as up."""
    store, phase = scene.store, scene.phase
    lost = phase in (Phase.SILENT, Phase.LOST)
    return LinkFacts(
        up=phase is Phase.LIVE and store.status is not None,
        lost_s=int(store.silence_s(scene.now_mono_ns)) if lost else 0,
        why=store.trouble(),
        role=store.role,
        lease_holder=store.lease_holder,
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
    routes = scene.routes
    told = {name: "" if routes is None else banner_words(routes, name) for name in BANNER}
    return Loss(
        silence_s=link.lost_s,
        why=link.why,
        frozen=scene.phase is Phase.LOST,
        hello=store.hello,
        status=store.status,
        frozen_clock=wall_clock(scene),
        process=told[PROCESS],
        metrics=told[METRICS],
        log=told[LOG],
        is_gone=routes is not None and is_gone(routes),
    )


def restart_of(scene: Scene) -> Restart | None:
    """Tell of a restart of the engine, for as long as it is news."""
    store = scene.store
    age_ns = scene.now_mono_ns - store.restarted_ns
    if not store.restarted_ns or age_ns > RESTART_NS:
        return None
    return Restart(boots=store.restarted, changed=store.changed, age_s=age_ns // 10**9)


def alert(store: Store, lost: Loss | None) -> Line:
    """State what most needs a look."""
    if lost is not None:
        why = fmt.foreign(lost.why, 60)
        return ((" !C ", "crit"), (f" LINK {why}: values are old, retrying", "warn"))
    if store.ui_errors:
        text = f" {store.ui_errors} faults in this console's panels: see UI_ERROR"
        return ((" !L ", "warn"), (text, ""))
    return condition(store.status)


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
    if notice and not main.alert_line.size.height:
        line = fit(((" ", ""), *notice), width)
    main.status_bar.lay_out((line,))
    mode = status.mode if link.up and status is not None else None
    places = kill_places(mode, killed=killed, read_only=facts.role == "ro")
    pages = PAGES if facts.page in PAGES else (*PAGES, facts.page)
    main.tabs.lay_out((tab_line(pages, facts.page, places, width),))
    lost = loss_of(scene, link)
    main.banner.tell(lost, restart_of(scene))
    main.alert_line.lay_out((notice or alert(scene.store, lost),))
    main.bottom.lay_out((footer_line(facts, width),))
