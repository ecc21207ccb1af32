"""The banner above a page: a stripe when the engine falls silent, a frame when it is gone."""

from msgspec import Struct

from polytui import format as fmt
from polytui.engine.core.enums import Mode
from polytui.engine.core.messages import PROTOCOL, Hello
from polytui.engine.core.view import StatusView
from polytui.widgets.lines import (
    DOUBLE,
    Line,
    LineWidget,
    fit,
    frame_bottom,
    frame_top,
)
from polytui.widgets.status_bar import mode_word


class Loss(Struct, frozen=True, kw_only=True):
    """What is known about a lost engine."""

    silence_s: int
    why: str
    frozen: bool
    """True once the page counts as lost, not merely silent."""
    hello: Hello | None
    status: StatusView | None
    frozen_clock: str
    process: str = ""
    """What is known of the engine's process now; empty: nothing."""
    metrics: str = ""
    """What its exporter answers now."""
    log: str = ""
    """Whether its event log grows now."""
    is_gone: bool = False
    """Whether the process is known to be gone: then no signal is for it."""


class Restart(Struct, frozen=True, kw_only=True):
    """An engine that came back as another one."""

    boots: str
    """Old and new boot id."""
    changed: tuple[str, ...]
    age_s: int


def restart_line(restart: Restart) -> Line:
    """Say in one line that the engine is another one now, and what is different."""
    changed = "; ".join(restart.changed) or "same version, mode and orders"
    return (
        (" !H RESTART ", "crit"),
        (f" the engine restarted {restart.age_s} s ago: boot {restart.boots}", "warn"),
        (f"   {fmt.foreign(changed, 120)}", "strong"),
    )


def stripe(loss: Loss) -> Line:
    """Say in one line that nothing has come for a while."""
    text = f" no sign of life from the engine for {loss.silence_s} s"
    return ((" !H LINK ", "crit"), (text, "warn"), (f"   {fmt.foreign(loss.why, 60)}", "dim"))


def left_open(status: StatusView) -> str:
    """Say what was open when we last knew; real money is never left out."""
    account = status.account
    if status.mode is Mode.SHADOW and not account.open_orders:
        return f"{status.intents} intents, nothing was sent"
    money = f"exposure {fmt.usd(account.exposure_u6)}"
    return f"{account.open_orders} orders open then, {account.unknown} unknown, {money}"


def _known(loss: Loss) -> list[tuple[str, str]]:
    hello, status = loss.hello, loss.status
    if hello is None or status is None:
        return [
            ("engine", "none has answered yet"),
            ("link", loss.why),
            ("you can", "start one with `polytui serve`, or run `polytui`, which starts its own"),
        ]
    theirs = fmt.foreign(hello.protocol, 8)
    protocol = f"role {hello.role.upper()}, protocol {theirs} (ours {PROTOCOL})"
    mode = mode_word(status.mode, status.venue)
    signal = "" if loss.is_gone else f", kill -TERM {hello.pid} (cancels, ends)"
    found = (("process", loss.process), ("/metrics", loss.metrics), ("event log", loss.log))
    return [
        ("last seen", f"{loss.silence_s} s ago at {loss.frozen_clock}Z, seq {status.seq}"),
        ("last mode", f"{mode} (not known now), {left_open(status)}"),
        ("link", loss.why),
        ("kill", f"polytui-kill, polytui ctl risk.kill{signal}"),
        *((name, text) for name, text in found if text),
        ("engine", f"pid {hello.pid}, boot {fmt.short_id(hello.boot)}, {protocol}"),
        ("you can", "wait (retries by itself), `polytui status`, look at the service's log"),
    ]


def loss_lines(loss: Loss, width: int, height: int) -> tuple[Line, ...]:
    """Draw the frame: what is known, from when, and what the operator can do."""
    if height < 5 or width < 40:
        return (fit(stripe(loss), width),)
    title = "DISCONNECTED  this console does not know the state of the engine"
    known = _known(loss)[: height - 2]
    side = (DOUBLE[3], "warn")
    rows = [
        (
            side,
            *fit(((f"  {fmt.pad(name, 11)}", "head"), (fmt.foreign(text, 160), "")), width - 2),
            side,
        )
        for name, text in known
    ]
    top = frame_top(title, "", width, DOUBLE, "warn", "head")
    return (top, *rows, frame_bottom(width, DOUBLE, "warn"))


class Banner(LineWidget):
    """Above the page; takes no room while all is well."""

    DEFAULT_CSS = """
    Banner { height: 0; display: none; }
    """

    def tell(self, loss: Loss | None, restart: Restart | None = None) -> None:
        """Show what was lost, or that the engine is another one now, or nothing."""
        if loss is None and restart is not None:
            self.styles.height = 1
            self.display = True
            self.lay_out((fit(restart_line(restart), self.app.size.width),))
            return
        if loss is None:
            if self.display:
                self.display = False
                self.lay_out(())
            return
        size = self.app.size
        room = max(size.height - 4, 1) // 3
        lines = loss_lines(loss, size.width, room) if loss.frozen else (stripe(loss),)
        self.styles.height = len(lines)
        self.display = True
        self.lay_out(lines)
