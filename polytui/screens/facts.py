"""The facts of a moment that decide which actions are possible: the store, the page, its cursor."""

from polytui.actions import VENUE_LAB, Facts
from polytui.screens.page import Page
from polytui.screens.store import Phase, Store

PRACTICE = "practice"
"""What the status calls the venue that has a lab."""


def facts_of(store: Store, page: Page, now_mono_ns: int) -> Facts:
    """Collect what decides whether an action is possible."""
    strategies = store.strategies()
    paused = store.status.paused if store.status is not None else ()
    row, table = page.row, page.table
    strategy = row.strategy if row is not None else ""
    if not strategy and len(strategies) == 1:
        strategy = strategies[0]
    status, risk = store.status, store.risk
    return Facts(
        page=page.page,
        linked=store.phase(now_mono_ns) is Phase.LIVE and store.hello is not None,
        role=store.role,
        strategy=strategy,
        strategies=len(strategies),
        paused=strategy in paused,
        all_paused=bool(strategies) and set(strategies) <= set(paused),
        market=page.market,
        title=row.title if row is not None else "",
        subject=row.subject if row is not None else "",
        over=row.over if row is not None else "",
        copyable=row is not None,
        filterable=table is not None,
        filtered=table is not None and bool(table.filter_text),
        holdable=table is not None,
        two_books=page.two_books,
        practice=status is not None and status.venue == PRACTICE,
        trouble=row.key if row is not None and page.page == VENUE_LAB else "",
        mode=status.mode if status is not None else None,
        killed=status is not None and status.account.killed,
        arm_stage=risk.arm.stage if risk is not None else "",
        alert=_alert_of(store, row.subject if row is not None else ""),
        lease_holder=store.lease_holder,
    )


def _alert_of(store: Store, subject: str) -> str:
    """Name the alert under the cursor, or the one on the alert line."""
    kind, _, name = subject.partition(":")
    if kind == "alert":
        return name
    top = store.status.alerts.top if store.status is not None else None
    return top.alert if top is not None else ""
