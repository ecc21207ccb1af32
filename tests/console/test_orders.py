"""Orders, positions and risk on the screen: doubt first, and keys act on the row that is seen."""

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from polytui import format as fmt
from polytui.engine.core.account_view import BreakerRow, LimitRow, OrdersView
from polytui.engine.core.messages import Confirm
from polytui.engine.core.order_enums import (
    Anomaly,
    Applied,
    BundleState,
    KillStep,
    OrderState,
    TradeStatus,
    TradingState,
)
from polytui.screens import kill_rows, order_rows, position_rows, risk_rows
from polytui.screens.order_detail import timeline
from polytui.screens.times import Times
from polytui.widgets.live_table import LiveTable
from tests.console import account_views, views
from tests.console.account_parts import order, position, usual_orders
from tests.console.parts import NOW, S, U, market_id
from tests.console.stage import Stage, play, screen_text, settle

TIMES = Times(now_ns=NOW, wall_ahead_ns=0)


def on(page: str, *, role: str = "rw") -> Stage:
    hello = replace(views.HELLO, role=role)
    return Stage(account_views.trading(views.live()), page=page, hello=hello)


def test_every_word_of_the_account_has_a_glyph_or_a_word_of_its_own() -> None:
    assert set(fmt.ORDER_STATE) == set(OrderState)
    assert set(fmt.TRADE_STATUS) == set(TradeStatus)
    assert set(fmt.APPLIED) == set(Applied)
    assert set(fmt.BUNDLE_STATE) == set(BundleState)
    assert set(fmt.TRADING_STATE) == set(TradingState)
    assert set(kill_rows.STEP) == set(KillStep)
    assert set(position_rows.ANOMALY_NAME) == set(Anomaly)
    for table in (fmt.ORDER_STATE, fmt.APPLIED, fmt.BUNDLE_STATE):
        words = [entry[1] for entry in table.values()]
        assert len(words) == len(set(words))


def test_what_is_not_known_comes_first_and_says_how_long_and_when_next() -> None:
    ordered = order_rows.working_first(usual_orders())
    assert [o.state for o in ordered[:2]] == [OrderState.UNKNOWN, OrderState.SENT]
    over = [o.state.is_terminal for o in ordered]
    assert over == sorted(over)
    row = order_rows.unknown_row(ordered[0], TIMES)
    assert row.mark == "?"
    texts = [cell[0] for cell in row.cells]
    assert "? UNKNOWN!" in texts
    assert "14s" in texts
    assert "in 1.2s" in texts


def test_an_order_that_is_over_cannot_be_cancelled_and_says_why() -> None:
    assert order_rows.order_row(order(1, OrderState.MATCHED), TIMES).over == "the order is matched"
    assert order_rows.order_row(order(1, OrderState.UNKNOWN), TIMES).over == ""


def test_the_timeline_counts_from_the_first_step_and_names_the_witness() -> None:
    text = ["".join(part for part, _ in line) for line in timeline(order(1, OrderState.LIVE), 60)]
    assert "+0ms proposed   gate" in text[1]
    assert any("+61ms live       rest answer" in line and "200 live" in line for line in text)


def test_evidence_that_does_not_fit_gets_lines_of_its_own() -> None:
    lines = timeline(order(1, OrderState.VETOED), 40)
    text = "\n".join("".join(part for part, _ in line) for line in lines)
    assert "G17 exposure: 104.20 of 100.00" in text.replace("\n       ", " ")


def test_ages_of_what_is_not_settled_turn_amber_and_red_with_a_mark() -> None:
    roles = {}
    for seconds in (29, 31, 121):
        row = position_rows.position_row(
            position(1, confirmed_u6=0, moving_u6=(U, 0), oldest_s=seconds), TIMES
        )
        roles[seconds] = (row.mark, row.cells[5][1], row.cells[5][0][-1])
    assert roles[29] == (" ", "dim", "s")
    assert roles[31] == ("!", "warn", "!")
    assert roles[121] == ("!", "crit", "!")


def test_a_value_without_a_bid_is_not_known() -> None:
    row = position_rows.position_row(position(1, confirmed_u6=U, mark_u6=-1), TIMES)
    assert row.cells[10][0] == fmt.UNKNOWN
    assert row.cells[11][0] == fmt.UNKNOWN


def test_exposure_shows_both_worlds_and_marks_what_is_over_its_cap() -> None:
    rows = [position_rows.exposure_row(row) for row in account_views.positions_view().markets]
    assert [row.mark for row in rows] == [" ", " ", " ", "!"]
    assert rows[1].cells[3][0].endswith("48%")
    assert rows[1].cells[4][0].endswith("88%!")


@pytest.mark.parametrize(
    ("micro", "text"), [(0, "0.00"), (5_000, "0.01"), (-50_000, "-0.05"), (3_410_000, "3.41")]
)
def test_dollars_are_written_to_the_cent(micro: int, text: str) -> None:
    assert fmt.usd(micro) == text


def test_risk_in_a_bar_is_rounded_up_and_sizes_are_exact() -> None:
    assert fmt.usd_short(212_000_001) == "213"
    assert fmt.shares(1_234_567_800) == "1234.5678"
    assert fmt.shares(4_000) == ".004"
    assert fmt.shares(-U) == "-1"


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "over"), (12, "12s"), (2_460, "41m"), (13_260, "3h41")]
)
def test_time_left_is_written_to_the_minute(seconds: int, text: str) -> None:
    assert fmt.left(seconds * S) == text


def test_x_cancels_the_order_under_the_cursor_at_once() -> None:
    stage = on("orders")

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("j", "j", "x")
        assert stage.link.asked == [("orders.cancel", ("order:r1-88001-1",))]

    play(stage, script)


def test_x_on_an_order_that_is_over_asks_nothing() -> None:
    stage = on("orders")

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("G", "x")
        await settle(stage, pilot)
        assert "Cancel: no, the order is matched" in screen_text(stage)

    play(stage, script)
    assert stage.link.asked == []


def test_capital_x_cancels_the_market_and_paper_does_not_ask() -> None:
    stage = on("orders")

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("X")
        assert stage.link.asked == [("orders.cancel", (f"market:{market_id(3)}",))]

    play(stage, script)


def test_a_read_only_console_cancels_nothing() -> None:
    stage = on("orders", role="ro")

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("x", "X", "f")
        await settle(stage, pilot)
        assert "read-only" in screen_text(stage)

    play(stage, script)
    assert stage.link.asked == []


def test_held_rows_stand_still_and_a_key_acts_on_the_row_that_is_seen() -> None:
    stage = on("orders")

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("j", "j", "h")
        view = stage.link.sections["orders"]
        assert isinstance(view, OrdersView)
        stage.link.sections["orders"] = replace(view, rev=9, orders=view.orders[::-1][:3])
        stage.link.show("orders")
        stage.clock.pass_s(1.5)
        stage.link.beat()
        await settle(stage, pilot)
        assert "HELD 1s of 10s" in screen_text(stage)
        await pilot.press("x")
        assert stage.link.asked == [("orders.cancel", ("order:r1-88001-1",))]
        stage.clock.pass_s(1.0)
        for _ in range(9):
            stage.clock.pass_s(1.0)
            stage.link.beat()
        await settle(stage, pilot)
        table = stage.app.page.table
        assert isinstance(table, LiveTable)
        assert "HELD" not in screen_text(stage)
        assert len(table.shown) == 3

    play(stage, script)


def test_the_explanation_follows_the_cursor_through_every_panel() -> None:
    stage = on("orders")
    told = []

    async def script(pilot: Pilot[str]) -> None:
        for _ in range(4):
            detail = stage.app.page.parts()[-1].panel
            told.append("\n".join("".join(p for p, _ in line) for line in detail.lines))
            await pilot.press("tab")
            await settle(stage, pilot)

    play(stage, script, size=(200, 60))
    assert "it may rest or fill" in told[0]
    assert "our books" in told[1]
    assert "paid" in told[2]
    assert "lookup" in told[3]


def test_the_filter_finds_orders_by_state_and_by_hash() -> None:
    stage = on("orders")

    async def script(pilot: Pilot[str]) -> None:
        table = stage.app.page.table
        assert isinstance(table, LiveTable)
        await pilot.press("slash", *"state:unknown", "enter")
        assert [row.key for row in table.shown] == ["r1-88003-3"]
        await pilot.press("slash", *["backspace"] * 20, *"id:0x0b9a", "enter")
        assert [row.key for row in table.shown] == ["r1-88004-4"]

    play(stage, script)


def test_enter_and_w_follow_the_row_to_its_market() -> None:
    stage = on("orders")

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("enter")
        await settle(stage, pilot)
        assert stage.app.page.page == "book"
        assert stage.app.page.market == market_id(3)

    play(stage, script)


def test_a_limit_and_a_breaker_are_changed_from_their_rows() -> None:
    stage = on("risk")

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("tab", "j", "c")
        stage.clock.pass_s(0.5)
        stage.link.beat()
        await pilot.press(*"60", "enter", "y")
        await settle(stage, pilot)
        assert stage.link.asked == [("limit.set", ("market_u6", "60"))]
        await pilot.press("tab", "tab", "R")
        assert stage.link.asked[-1] == ("breaker.reset", ("repetition:box",))
        stage.link.challenge("RESET repetition", "paper repetition tripped", wants_reason=True)
        await settle(stage, pilot)
        stage.clock.pass_s(0.5)
        stage.link.beat()
        await pilot.press(*"fixed", "tab", *"RESET repetition")
        assert stage.link.asked[-1] == ("breaker.reset", ("repetition:box",))
        sent = Confirm(challenge="c2", typed="RESET repetition", reason="fixed")
        assert stage.link.confirms[-1] == sent

    play(stage, script)


def test_halting_asks_nothing_and_resuming_asks_for_a_reason() -> None:
    stage = on("risk")

    async def script(pilot: Pilot[str]) -> None:
        await pilot.press("H")
        assert stage.link.asked == [("trading.halt", ("operator",))]
        await pilot.press("U")
        assert stage.link.asked[-1] == ("trading.resume", ("all",))
        stage.link.challenge("RESUME", "clears paper operator: asked", wants_reason=True)
        await settle(stage, pilot)
        assert "Clears paper operator" in screen_text(stage)
        stage.clock.pass_s(0.5)
        stage.link.beat()
        await pilot.press(*"cause gone", "tab", *"RESUME")
        assert stage.link.asked[-1] == ("trading.resume", ("all",))
        sent = Confirm(challenge="c2", typed="RESUME", reason="cause gone")
        assert stage.link.confirms[-1] == sent

    play(stage, script)


def test_all_controls_are_listed_in_the_order_they_are_asked() -> None:
    view = account_views.RISK_VIEW
    codes = [risk_rows.control_row(row, TIMES).key for row in view.controls]
    assert codes == [f"G{number:02}" for number in range(1, 26)]


def test_a_limit_is_explained_as_itself_when_a_breaker_is_called_the_same() -> None:
    limit = LimitRow(name="drawdown", value=U // 10, configured=U // 10, unit="share", used=-1)
    breaker = BreakerRow(name="drawdown", tripped_ns=1, why="fell from the peak")
    view = replace(account_views.RISK_VIEW, limits=(limit,), breakers=(breaker,))
    keys = [risk_rows.limit_row(limit).key, risk_rows.breaker_row(breaker, TIMES).key]
    told = [str(risk_rows.explain(view, key, TIMES, 50)) for key in keys]
    assert ["fell from the peak" in text for text in told] == [False, True]
    assert ["c changes it" in text for text in told] == [True, False]


def test_the_causes_say_who_clears_them() -> None:
    lines = risk_rows.state_lines(account_views.RISK_VIEW, TIMES, 50)
    text = "\n".join("".join(part for part, _ in line) for line in lines)
    assert "30s itself loop lag" in text
    assert "5m person day loss" in text


def test_one_changed_order_paints_one_row() -> None:
    stage = on("orders")

    async def script(pilot: Pilot[str]) -> None:
        table = stage.app.page.table
        assert table is not None
        before = table.painted
        view = stage.link.sections["orders"]
        assert isinstance(view, OrdersView)
        orders = list(view.orders)
        orders[1] = replace(orders[1], filled_u6=13 * U)
        stage.link.sections["orders"] = replace(view, rev=7, orders=tuple(orders))
        stage.link.show("orders")
        await settle(stage, pilot)
        assert table.painted == before + 1

    play(stage, script)


@pytest.mark.parametrize("page", ["orders", "positions", "risk", "kill"])
def test_every_panel_of_a_page_can_be_reached_at_eighty_columns(page: str) -> None:
    stage = on(page)
    seen: set[str] = set()

    async def script(pilot: Pilot[str]) -> None:
        parts = stage.app.page.parts()
        for _ in parts:
            panel = stage.app.page.panel
            assert panel is not None
            assert panel.size.width > 70
            assert panel.size.height > 3
            seen.add(panel.id or "")
            await pilot.press("tab")
            await settle(stage, pilot)
        assert seen == {part.panel.id for part in parts}

    play(stage, script, size=(80, 24))
