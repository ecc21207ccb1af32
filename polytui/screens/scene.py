"""What a page is applied with, and what every panel says alike."""

from collections.abc import Callable

from msgspec import Struct

from polytui import format as fmt
from polytui.engine.core.enums import Mode
from polytui.engine.core.view import StatusView
from polytui.screens.route_words import RoutesView
from polytui.screens.store import Phase, Store
from polytui.screens.times import Times
from polytui.widgets.lines import Line, Panel
from polytui.widgets.live_table import wrap

_S = 10**9


class Scene(Struct, frozen=True, kw_only=True):
    """What a page is applied with."""

    store: Store
    times: Times
    phase: Phase
    now_mono_ns: int
    routes: RoutesView | None = None
    """How else the engine can be reached; None while the link holds."""


class Part(Struct, frozen=True, kw_only=True):
    """One panel and how to fill it."""

    panel: Panel
    topic: str
    fill: Callable[[Scene], None]
    is_own: bool = False
    """Whether the console knows it by itself: it goes on when the engine is lost."""


def seconds(value_s: float) -> str:
    """Write whole seconds, or more when there are many."""
    return f"{value_s:.0f}s" if value_s < 100 else fmt.age(int(value_s) * _S)


def waiting_lines(scene: Scene, topic: str, width: int) -> list[Line]:
    """Say what a panel without its section waits for."""
    waited_s = scene.store.silence_s(scene.now_mono_ns)
    if scene.phase is Phase.WAITING:
        text = f"waiting for an engine {waited_s:.0f} s; it is started by polytui or polytui serve"
    elif topic in scene.store.absent:
        text = f"{topic}: {fmt.foreign(scene.store.absent[topic])}"
    else:
        text = f"waiting for first snapshot of {fmt.short_id(topic, 24)}"
    return [((line, "dim"),) for line in wrap(text, max(width, 8))]


def look_of(status: StatusView | None) -> str:
    """Name the frames of a mode: killed before armed, and practice money never as real."""
    if status is None:
        return ""
    if status.account.killed:
        return "killed"
    if status.mode is Mode.LIVE_ARMED:
        return "practice" if status.account.is_practice else "armed"
    return "replay" if status.mode is Mode.REPLAY else ""
