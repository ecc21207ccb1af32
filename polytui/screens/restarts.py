"""What is different about an engine that came back: said once, because everything else is new."""

from polytui import format as fmt
from polytui.engine.core.messages import Hello
from polytui.engine.core.view import StatusView


def changes(before: Hello, now: Hello) -> tuple[str, ...]:
    """Name what differs between two engines' greetings."""
    pairs = (
        ("version", before.version, now.version),
        ("protocol", before.protocol, now.protocol),
        ("commands", before.registry[7:15], now.registry[7:15]),
    )
    return tuple(
        f"{name} {fmt.foreign(old, 16)} -> {fmt.foreign(new, 16)}"
        for name, old, new in pairs
        if old != new
    )


def moved(before: StatusView, now: StatusView) -> tuple[str, ...]:
    """Name what an operator must know of a restart: mode, kill, orders."""
    said = []
    if before.mode is not now.mode:
        said.append(f"mode {before.mode.value} -> {now.mode.value}")
    if before.account.killed is not now.account.killed:
        said.append("KILLED now" if now.account.killed else "no longer killed")
    if before.account.open_orders != now.account.open_orders:
        said.append(f"orders {before.account.open_orders} -> {now.account.open_orders}")
    return tuple(said)
