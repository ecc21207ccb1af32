"""The names that the console has seen of its engine, for the `:` line."""

from polytui.actions.known import Known, Name
from polytui.screens.store import Store


def known_names(store: Store) -> Known:
    """Collect what completes a line; only what some page has shown is known."""
    markets, orders, risk = store.markets, store.orders, store.risk
    alerts = store.alerts
    top = store.status.alerts.top if store.status is not None else None
    lab = store.lab
    rows = () if alerts is None else (*alerts.active, *alerts.shelved)
    named = tuple(Name(row.alert, (row.alert, row.code)) for row in rows)
    return Known(
        strategies=tuple(map(Name, store.strategies())),
        markets=tuple(
            Name(row.market, (row.slug,) if row.slug else ())
            for row in (markets.rows if markets is not None else ())
        ),
        orders=tuple(
            Name(row.cid)
            for row in (orders.orders if orders is not None else ())
            if row.state.may_rest
        ),
        limits=tuple(Name(row.name) for row in (risk.limits if risk is not None else ())),
        breakers=tuple(
            Name(row.name) for row in (risk.breakers if risk is not None else ()) if row.tripped_ns
        ),
        causes=tuple(
            Name(row.cause.partition(":")[0])
            for row in (risk.causes if risk is not None else ())
            if row.clears == "person"
        ),
        troubles=tuple(Name(row.name) for row in (lab.offers if lab is not None else ())),
        alerts=named or ((Name(top.alert, (top.alert, top.code)),) if top is not None else ()),
    )
