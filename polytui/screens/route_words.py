"""What is known of each other route to a lost engine, in words: findings to states. Pure.

A finding counts for as long as it is fresh. What is older than `OLD_NS` is told with its age and
never in the colour of what works; what the engine never said of itself is unknown, not guessed.
"""

from collections.abc import Mapping

from msgspec import Struct

from polytui import format as fmt
from polytui.engine.core.messages import Hello
from polytui.engine.core.view import StatusView
from polytui.routes import (
    LOG,
    METRICS,
    PROCESS,
    Finding,
    LogFinding,
    MetricsFinding,
    ProcessFinding,
    SocketFinding,
    Target,
)

OLD_NS = 6 * 10**9
"""Three looks missed: nobody knows any more."""
PID_MAX = 2**22
"""The most that Linux gives."""

Word = tuple[str, str, str]
"""State, its role, and what more there is to say."""


class RoutesView(Struct, frozen=True, kw_only=True):
    """Everything that the panel is drawn from."""

    target: Target
    found: Mapping[str, Finding]
    since_ns: int
    """Since when it is looked for."""
    now_ns: int
    lost_s: int
    why: str
    """What the link says of itself."""
    role: str = ""
    """`rw`, `ro`; empty: none was ever given."""


def target_of(path: str, hello: Hello | None, status: StatusView | None) -> Target:
    """Collect what the engine said of where it can be found."""
    if hello is None:
        return Target(path=path)
    pid = hello.pid if 0 < hello.pid <= PID_MAX else 0
    if status is None:
        return Target(path=path, pid=pid)
    shell = status.shell
    return Target(
        path=path,
        pid=pid,
        started_ticks=shell.started_ticks if shell.pid == pid else 0,
        run=status.run,
        metrics_at=shell.metrics_at,
        metrics_why=shell.metrics_why,
        recordings_at=shell.recordings_at,
    )


# --- one route -----------------------------------------------------------------------------------


def socket_word(view: RoutesView, found: SocketFinding) -> Word:
    """Say whether the other socket is there, and for whom."""
    if not found.present:
        return ("absent", "warn", found.why)
    owner = "you" if found.mine else f"uid {found.owner}"
    said = ["not opened: you are RO"] if view.role == "ro" else []
    if found.heard is False:
        return ("dead", "crit", "; ".join(("nobody listens", *said)))
    said.append(f"for {owner} alone" if found.is_private else "OPEN TO OTHERS than its owner")
    return ("present", "" if found.is_private else "warn", "; ".join(said))


def metrics_word(view: RoutesView, found: MetricsFinding) -> Word:
    """Say whether the exporter answers, and the figures of the engine that does."""
    at = view.target.metrics_at
    if found.why:
        return ("FAILS", "crit", f"{at}: {found.why}")
    if not found.run:
        return ("OTHER", "warn", f"{at} answers 200, but it is no engine")
    if found.run != view.target.run:
        return ("OTHER", "warn", f"{at} is another engine, run {found.run}")
    return (f"ok {fmt.age(found.took_ns)}", "ok", ", ".join((at, *figures(found))))


def figures(found: MetricsFinding) -> list[str]:
    """Write the figures that an answer had."""
    said = [] if found.lag_us is None else [f"loop lag {fmt.micros(found.lag_us)}"]
    if found.live_orders is not None:
        said.append(f"orders open {found.live_orders}")
    if found.paper_orders:
        said.append(f"on paper {found.paper_orders}")
    return said if found.up_ns is None else [*said, f"up {fmt.age(found.up_ns)}"]


def process_word(view: RoutesView, found: ProcessFinding) -> Word:
    """Say whether the process lives, and whether the number is still its own."""
    if not found.exists:
        return ("GONE", "crit", "no process has this number")
    if found.is_other:
        return ("OTHER", "crit", f"the engine is gone: this number is now {found.name}")
    used = [] if found.cpu is None else [f"cpu {fmt.percent(found.cpu)}"]
    if found.rss_bytes is not None:
        used.append(f"rss {fmt.size_bytes(found.rss_bytes)}")
    if found.stopped:
        word = f"halted by a signal: kill -CONT {view.target.pid} lets it go on"
        return ("STOPPED", "crit", word)
    if not view.target.started_ticks:
        used.append("by its number alone")
    return ("alive", "ok", ", ".join(used))


def log_word(view: RoutesView, found: LogFinding) -> Word:
    """Say whether the event log grows: the engine that writes it lives and works."""
    del view
    if found.why:
        return ("not found", "warn", found.why)
    if found.grown is None:
        return ("seen", "", f"{found.file}, written {fmt.age(found.written_ns)} ago")
    over = fmt.age(found.over_ns)
    if found.grown > 0:
        return ("growing", "ok", f"+{fmt.size_bytes(found.grown)} in the last {over}")
    return ("NOT GROWING", "warn", f"nothing in {over}; written {fmt.age(found.written_ns)} ago")


def word_of(view: RoutesView, name: str) -> Word:
    """Say what is known of a route now."""
    found = view.found.get(name)
    word: Word
    match found:
        case SocketFinding():
            word = socket_word(view, found)
        case MetricsFinding():
            word = metrics_word(view, found)
        case ProcessFinding():
            word = process_word(view, found)
        case LogFinding():
            word = log_word(view, found)
        case _:
            return _unseen(view, name)
    age_ns = view.now_ns - found.at_ns
    if age_ns <= OLD_NS:
        return word
    return ("? OLD", "stale", f"looked {fmt.age(age_ns)} ago: {word[0]}; no answer since")


def _unseen(view: RoutesView, name: str) -> Word:
    target = view.target
    unknown = {
        METRICS: "" if target.metrics_at else target.metrics_why or "the engine named no address",
        PROCESS: "" if target.pid else "no engine ever named its process",
        LOG: "" if target.recordings_at else "the engine named no recordings",
    }.get(name)
    if unknown:
        return ("unknown", "dim", unknown)
    waited_ns = view.now_ns - view.since_ns
    if waited_ns > OLD_NS:
        return ("NO ANSWER", "warn", f"looked for {fmt.age(waited_ns)}, it hangs")
    return ("looking", "dim", "")


def is_gone(view: RoutesView) -> bool:
    """Tell whether the engine's process was just seen to be gone, its number another's perhaps."""
    found = view.found.get(PROCESS)
    if not isinstance(found, ProcessFinding) or view.now_ns - found.at_ns > OLD_NS:
        return False
    return not found.exists or found.is_other
