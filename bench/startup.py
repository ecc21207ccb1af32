"""How long a person waits: first picture of the console, answers of quick commands."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter_ns, sleep

from bench.measure import spread
from bench.processes import console, engine, polytui
from bench.report import ROOT, Result
from polytui.engine.core.messages import Answer, Confirm
from polytui.engine.shell.dial import Dialled, Unreachable
from polytui.engine.shell.places import ADMIN_SOCKET

PRACTICE = "practice venue, 40 messages/s"
_PAINT_S = 30.0
_ROWS = 8
"""Markets the overview must show before it counts as painted: the practice venue lists more."""


def is_overview(text: str) -> bool:
    """Tell whether the overview is on the screen with live books in it."""
    return text.count(" synced ") >= _ROWS and "SHADOW" in text


# --- quick commands ------------------------------------------------------------------------------


def run_startup(*, quick: bool) -> Iterator[Result]:
    """Time commands that ask one thing and leave."""
    times = 5 if quick else 20
    with engine({}) as running:
        commands = {
            "python": [sys.executable, "-c", "pass"],
            "help": polytui("--help"),
            "status": polytui("status", "--socket", str(running.directory / "view.sock")),
            "no-engine": polytui("status", "--socket", str(running.directory / "none.sock")),
        }
        taken: dict[str, list[int]] = {name: [] for name in commands}
        used: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(times):
            for name, command in commands.items():
                before_s = _children_s()
                taken[name].append(_wall_ns(command))
                used[name].append(_children_s() - before_s)
    for name, values in taken.items():
        yield Result(
            name=f"startup/{name}",
            value=median(values) / 1e6,
            unit="ms, median",
            n=times,
            stream=PRACTICE,
            spread=spread(values),
            baseline="python -c pass",
            ratio=median(values) / median(taken["python"]),
            note=f"{median(used[name]) * 1e3:.0f} ms CPU",
        )


def _children_s() -> float:
    """Read the processor time of all children that have ended."""
    usage = getrusage(RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _wall_ns(command: list[str]) -> int:
    began_ns = perf_counter_ns()
    subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    return perf_counter_ns() - began_ns


# --- the first picture ---------------------------------------------------------------------------


def run_first_frame(*, quick: bool) -> Iterator[Result]:
    """Time from starting the console until the overview stands on the screen."""
    times = 2 if quick else 7
    bare = [_bare_app_ns() for _ in range(times)]
    with engine({}) as running:
        sleep(3)
        attach = polytui("attach", "--socket", str(running.admin))
        attached = [_painted_ns(attach) for _ in range(times)]
    alone = [_cold_ns() for _ in range(times)]
    cases = {
        "textual": ("an empty Textual app until it writes", bare),
        "attach": ("polytui attach, engine running", attached),
        "cold": ("polytui, which starts its engine first", alone),
    }
    for name, (what, values) in cases.items():
        yield Result(
            name=f"first-frame/{name}",
            value=median(values) / 1e6,
            unit="ms, median",
            n=times,
            stream=PRACTICE,
            console="attached" if name != "textual" else "not attached",
            spread=spread(values),
            baseline="an empty Textual app",
            ratio=median(values) / median(bare),
            note=what,
        )


_BARE = (
    "from textual.app import App\n"
    "from textual.widgets import Static\n"
    "class Bare(App):\n"
    "    def compose(self):\n"
    "        yield Static('painted')\n"
    "Bare().run()\n"
)


def _bare_app_ns() -> int:
    return _painted_ns([sys.executable, "-c", _BARE], lambda text: "painted" in text)


def _painted_ns(arguments: list[str], shows: Callable[[str], bool] = is_overview) -> int:
    with console(arguments, shows=shows) as running:
        assert running.painted.wait(_PAINT_S), f"expected a picture, was:\n{running.text()}"
        return running.painted_ns - running.started_ns


def _cold_ns() -> int:
    """Start the console where no engine runs; stop the engine that it started."""
    with TemporaryDirectory(prefix="pt-", ignore_cleanup_errors=True) as name:
        sets = (f"--set=runtime_dir={name}", f"--set=capture.directory={name}/capture")
        try:
            return _painted_ns(polytui(*sets))
        finally:
            _stop_engine(name)


def yes(challenge: Answer) -> Confirm:
    """Confirm what was asked back."""
    return Confirm(challenge=challenge.challenge, typed=challenge.typed)


def _stop_engine(directory: str) -> None:
    path = Path(directory) / ADMIN_SOCKET
    try:
        with Dialled(path) as running:
            running.ask("engine.stop", (), yes)
    except Unreachable:
        return
    while path.exists():
        sleep(0.02)
