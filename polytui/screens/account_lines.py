"""The account in three lines, for the page that an operator leaves open. Pure."""

from polytui import format as fmt
from polytui.engine.core.account_view import NO_ACCOUNT
from polytui.engine.core.view import StatusView
from polytui.screens.times import Times
from polytui.widgets.bits import flow, told, use_gauge
from polytui.widgets.lines import Line
from polytui.widgets.status_bar import order_parts, user_part


def _doubt(name: str, count: int) -> Line:
    return ((f"{name} ", "head"), (str(count), "warn" if count else "dim"))


def account_lines(status: StatusView, times: Times, width: int) -> list[Line]:
    """Draw what may be traded, what is at stake, and what is in doubt."""
    account = status.account
    if account == NO_ACCOUNT:
        text = "No account is known: the engine makes no orders in this mode, or cannot say."
        return told(text, width)
    word, role = fmt.TRADING_STATE[account.trading]
    if account.killed:
        word, role = "KILLED", "crit"
    venue, venue_role = fmt.venue_state(account.venue_state)
    intake = ("intake open", "") if account.intake_open else ("intake CLOSED", "warn")
    day = account.day_u6
    day_role = "buy" if day > 0 else "sell" if day < 0 else ""
    parts: list[Line] = [
        ((word, role),),
        (("venue ", "head"), (venue, venue_role)),
        (intake,),
        *order_parts(account, times.now_ns),
        _doubt("limbo", account.limbo) if not account.limbo else (),
        _doubt("naked legs", account.residues),
        _doubt("differences", account.anomalies),
        user_part(account, times.now_ns),
        (
            ("exposure ", "head"),
            (f"{fmt.usd(account.exposure_u6)}/{fmt.usd_short(account.cap_u6)} ", "strong"),
            *use_gauge(account.exposure_u6, account.cap_u6, 10),
        ),
        (("day ", "head"), (fmt.usd(day, signed=True), day_role)),
        (("equity ", "head"), (fmt.usd(account.equity_u6), "")),
        ((f"{account.realm.value} account", "dim"),),
    ]
    return flow([part for part in parts if part], width)
