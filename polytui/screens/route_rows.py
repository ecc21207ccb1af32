"""The panel of the other routes to a lost engine, and their lines of the banner. Pure."""

from pathlib import Path
from shlex import quote

from polytui import format as fmt
from polytui.routes import LOG, METRICS, OTHER_SOCKET, PROCESS, ProcessFinding
from polytui.screens.route_words import OLD_NS, RoutesView, Word, is_gone, word_of
from polytui.screens.scene import seconds
from polytui.widgets.lines import Line
from polytui.widgets.live_table import wrap

NAME_CELLS, STATE_CELLS = 13, 12
DETAIL_MAX = 300


def kill_ways(view: RoutesView) -> list[str]:
    """List the ways to kill from a shell; a number that is not the engine's is never offered."""
    target = view.target
    path = Path(target.path)
    ways = [
        f"polytui-kill --runtime-dir {quote(str(path.parent))}",
        f"polytui ctl --socket {quote(str(path.with_name('admin.sock')))} kill",
    ]
    found = view.found.get(PROCESS)
    term = f"kill -TERM {target.pid}"
    if not target.pid:
        return ways
    if is_gone(view):
        return [*ways, f"send {target.pid} no signal: it is not the engine any more"]
    if not isinstance(found, ProcessFinding) or view.now_ns - found.at_ns > OLD_NS:
        return [*ways, f"{term}   (look first whether it is still the engine)"]
    if found.stopped:
        return [*ways, f"{term}   (acts after kill -CONT {target.pid})"]
    return [*ways, f"{term}   (cancels, then ends)"]


def rows_of(view: RoutesView) -> list[tuple[str, Word]]:
    """Name the routes, this console's own first, with what is known of each."""
    target = view.target
    return [
        (Path(target.path).name, (f"LOST {seconds(view.lost_s)}", "crit", view.why)),
        (Path(target.other_path).name, word_of(view, OTHER_SOCKET)),
        ("/metrics", word_of(view, METRICS)),
        (f"pid {target.pid or fmt.UNKNOWN}", word_of(view, PROCESS)),
        ("event log", word_of(view, LOG)),
    ]


def route_lines(view: RoutesView, width: int) -> list[Line]:
    """Draw a row for each route and the ways to kill; in a narrow panel the details come last."""
    rows, lines = rows_of(view), list[Line]()
    used = NAME_CELLS + STATE_CELLS
    is_narrow = width < 2 * used
    for name, word in rows:
        state, role, detail = word
        said = [] if is_narrow else _broken(detail, width - used)
        first, *rest = said or [""]
        gap = " " * (STATE_CELLS - len(state))
        head: Line = ((fmt.pad(fmt.foreign(name), NAME_CELLS), ""), (state, role), (gap, ""))
        lines.append((*head, (first, "dim")))
        lines += [((" " * used, ""), (more, "dim")) for more in rest]
    rights = " with rights" if view.role == "ro" else ""
    lines += [(), ((f"kill from a shell{rights}:", "head"),)]
    for way in kill_ways(view):
        lines += [((f"  {more}", ""),) for more in _broken(way, width - 2)]
    for name, (_, _, detail) in rows if is_narrow else ():
        if detail:
            lines += [(), ((fmt.foreign(name), "head"),)]
            lines += [((f"  {more}", "dim"),) for more in _broken(detail, width - 2)]
    return lines


def _broken(text: str, width: int) -> list[str]:
    """Break a text at its spaces, and a word that is longer than a line wherever it must be."""
    room, words = max(width, 10), fmt.foreign(text, DETAIL_MAX).split()
    pieces = (word[at : at + room] for word in words for at in range(0, len(word), room))
    return wrap(" ".join(pieces), room)


# --- the banner ----------------------------------------------------------------------------------


def banner_words(view: RoutesView, name: str) -> str:
    """Say in one line what is known of a route; empty while nothing is."""
    if name not in view.found:
        return ""
    state, _, detail = word_of(view, name)
    return f"{state}: {detail}" if detail else state
