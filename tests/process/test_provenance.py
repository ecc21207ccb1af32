"""What `why` says of a run, from its store alone, is what the engine showed while it ran."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from polytui.engine.core.account_view import (
    ORDERS,
    POSITIONS,
    FillRow,
    OrderRow,
    OrdersView,
    PositionsView,
)
from polytui.engine.core.order_enums import Applied, Realm
from polytui.engine.core.view import DECISIONS, DecisionsView
from polytui.engine.shell.dial import Dialled
from polytui.engine.shell.places import VIEW_SOCKET
from polytui.engine.shell.store.files import FILE_NAME
from polytui.engine.shell.store.verify import verify_file
from polytui.engine.shell.why.asking import why, whynot
from tests.conftest import ROOT
from tests.process.rig import Trader, stage
from tests.support.engines import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

QUICK = ("run.orders.quiet_ms=0", "store.fold_s=1", "store.health_s=1")
FILLS = 3
"""Fills waited for in each account."""
STAGES = ["fresh", "proof", "edge", "arbiter", "approved", "journalled", "signed", "sent"]


def views(running: Trader) -> tuple[OrdersView, PositionsView]:
    orders, positions = running.look(ORDERS), running.look(POSITIONS)
    assert isinstance(orders, OrdersView)
    assert isinstance(positions, PositionsView)
    return orders, positions


def trade_for_a_while(running: Trader, realm: Realm) -> OrdersView:
    """Let the script trade in an account, stop it, and hold what is shown against the store."""
    path = running.store / FILE_NAME
    running.must("strategy.resume", "scripted")

    def has_settled_fills() -> bool:
        orders, positions = views(running)
        settled = [fill for fill in orders.fills if fill.applied is Applied.PROMOTED]
        return positions.realm is realm and len(settled) >= FILLS

    wait_until(has_settled_fills, f"{FILLS} settled fills in {realm.value}", deadline_s=120)
    running.must("strategy.pause", "scripted")
    running.must("orders.cancel", "all")
    wait_until(lambda: not running.status().account.open_orders, "no open order")
    held: list[OrdersView] = []
    wrong: list[str] = []

    def is_equal() -> bool:
        orders, positions = views(running)
        wrong[:] = wrong_figures(path, orders, positions)
        held[:] = [orders]
        return not wrong

    try:
        wait_until(is_equal, "the store to say what is shown", deadline_s=20)
    except AssertionError:
        raise AssertionError("\n".join(wrong)) from None
    return held[0]


# --- one figure at a time ------------------------------------------------------------------------


def wrong_orders(path: Path, rows: tuple[OrderRow, ...], realm: Realm) -> list[str]:
    wrong = []
    for row in rows:
        told = why(path, row.cid)
        order, outcome = told["order"], told["outcome"]
        shown = (realm.value, row.order_hash, row.state.value, row.px_u6, row.qty_u6, row.filled_u6)
        found = (told["realm"], order["id"], order["state"], order["px_u6"], order["qty_u6"])
        if shown != (*found, order["filled_u6"]) or outcome["fill_u6"] != row.filled_u6:
            wrong.append(f"{row.cid}: shown {shown}, told {found} {outcome['fill_u6']}")
        edges = [(edge.state.value, edge.witness.value) for edge in row.edges]
        if edges != [(s["s"], s["by"]) for s in told["stages"] if "by" in s]:
            wrong.append(f"{row.cid}: shown {edges}, told {told['stages']}")
    return wrong


def wrong_fills(path: Path, rows: tuple[FillRow, ...], realm: Realm) -> list[str]:
    wrong = []
    for row in rows:
        told = why(path, row.trade_id)
        (fill,) = [fill for fill in told["fills"] if fill["cid"] == row.cid]
        shown = (
            *(realm.value, row.side.value, row.px_u6, row.qty_u6, row.cash_u6, row.fee_u6),
            *(row.is_maker, row.status.value, row.applied.value, row.tx_hash),
        )
        names = ("realm", "side", "px_u6", "qty_u6", "cash_u6", "fee_u6")
        found = tuple(fill[name] for name in (*names, "maker", "status", "applied", "tx"))
        if shown != found:
            wrong.append(f"{row.trade_id}: shown {shown}, told {found}")
        if not fill["ledger"] or sum(
            amount for entry in fill["ledger"] for _, asset, amount in entry["postings"]
            if asset == "pUSD"
        ):  # fmt: skip
            wrong.append(f"{row.trade_id}: booked as {fill['ledger']}")
    return wrong


def wrong_holdings(path: Path, view: PositionsView) -> list[str]:
    told = why(path, "scripted")
    shown = {
        (row.token, row.confirmed_u6, row.cost_u6, row.realized_u6, row.fees_u6)
        for row in view.rows
        if row.confirmed_u6
    }
    realm = view.realm.value
    names = ("token", "confirmed_u6", "cost_u6", "realized_u6", "fees_u6")
    found = {
        tuple(row[name] for name in names) for row in told["positions"] if row["realm"] == realm
    }
    (result,) = [row for row in told["results"] if row["realm"] == realm]
    (of,) = [row for row in view.strategies if row.strategy == "scripted"]
    sums = (result["realized_u6"], result["fees_u6"])
    return [
        f"{realm}: shown {one}, told {other}"
        for one, other in ((shown, found), ((of.realized_u6, of.fees_u6), sums))
        if one != other
    ]


def wrong_figures(path: Path, orders: OrdersView, positions: PositionsView) -> list[str]:
    realm = positions.realm
    return [
        *wrong_orders(path, orders.orders, realm),
        *wrong_fills(path, orders.fills, realm),
        *wrong_holdings(path, positions),
    ]


def expect_a_whole_chain(path: Path, fill: FillRow, realm: Realm) -> None:
    """From the snapshot to the profit, no link missing."""
    told = why(path, fill.cid)
    assert [stage["s"] for stage in told["stages"]][: len(STAGES)] == STAGES
    assert told["model"] == "none"
    assert told["decided_ns"] > 0
    assert told["sight"]["yes"]
    assert told["sight"]["no"]
    assert {name for name, *_ in told["sight"]["features"]} >= {"mid", "time_left"}
    assert told["intent"]["token"]
    assert told["mode"] == ("paper" if realm is Realm.PAPER else "live_armed")
    outcome = told["outcome"]
    assert outcome["cash_u6"] == sum(trade["cash_u6"] for trade in told["trades"])
    assert outcome["position"]["confirmed_u6"] is not None
    assert outcome["result"]["fills"] >= len(told["trades"])


def shell(home: Path, *words: str) -> str:
    """Ask as a person does, with no engine running."""
    done = subprocess.run(
        [sys.executable, "-m", "polytui", *words],
        cwd=home,
        env={"PYTHONPATH": str(ROOT), "POLYTUI_STORE__DIRECTORY": str(home / "store")},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


# --- the run -------------------------------------------------------------------------------------


def test_every_figure_of_why_is_the_one_that_the_engine_showed_in_both_accounts() -> None:
    with stage(rate=120) as (home, _):
        path = home / "store" / FILE_NAME
        running = Trader(home, *QUICK, script="both", most=10)
        try:
            running.wait_until_up()
            running.promote()
            paper = trade_for_a_while(running, Realm.PAPER)
            running.arm()
            live = trade_for_a_while(running, Realm.LIVE)
            folds = running.look(DECISIONS)
            assert isinstance(folds, DecisionsView)
            with Dialled(running.runtime / VIEW_SOCKET) as looking:
                assert looking.ask("strategy.resume", ("scripted",)).code == "read_only"
            running.must("engine.stop")
            assert running.process.wait(30) == 0
        finally:
            running.close()
        assert verify_file(path).ok
        for orders, realm in ((paper, Realm.PAPER), (live, Realm.LIVE)):
            for fill in orders.fills:
                if fill.applied is Applied.PROMOTED:
                    expect_a_whole_chain(path, fill, realm)
        expect_the_same_holds(path, folds)
        expect_what_was_asked(home)
        text = shell(home, "ctl", "why", live.fills[0].order_hash)
        assert "LIVE" in text.splitlines()[0]
        assert live.fills[0].trade_id in text


def expect_the_same_holds(path: Path, view: DecisionsView) -> None:
    """Each fold as shown is in the funnel of its market, as often or, since then, more often."""
    assert view.folds
    for fold in view.folds:
        told = whynot(path, fold.row.strategy, fold.row.market_key)
        (found,) = [row for row in told["funnel"] if row["reason"] == fold.row.reason.value]
        assert found["since_ns"] == fold.first_ns
        assert found["count"] >= fold.count


def expect_what_was_asked(home: Path) -> None:
    """Who asked for what and was refused or not is in the chain."""
    sql = "SELECT action, ok, actor, text FROM directives"
    rows: list[dict[str, Any]] = [
        json.loads(line) for line in shell(home, "journal", "query", sql).splitlines()
    ]
    said = {(row["action"], bool(row["ok"])) for row in rows}
    assert said >= {("strategy.pause", True), ("engine.stop", False), ("engine.stop", True)}
    (read_only,) = [row for row in rows if "read-only" in row["text"]]
    assert read_only["action"] == "strategy.resume"
    assert all(row["actor"].startswith("uid ") for row in rows if row["action"] != "engine.drain")
