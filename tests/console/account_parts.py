"""Pieces of the account's views: orders, fills, groups and positions at the fixed time `NOW`."""

from typing import Any

from msgspec.structs import replace

from polytui.engine.core.account_view import (
    BundleRow,
    EdgeView,
    FillRow,
    LegView,
    MarketExposureRow,
    OrderRow,
    PositionRow,
)
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.order_enums import (
    Applied,
    BundleState,
    OrderState,
    OrderType,
    Purpose,
    TradeStatus,
    Witness,
)
from tests.console.parts import MS, NOW, TITLES, S, U, market_id

GATE = (
    (0, OrderState.PROPOSED, Witness.GATE, "box edge .0031"),
    (1, OrderState.APPROVED, Witness.GATE, "25 controls passed"),
    (3, OrderState.JOURNALLED, Witness.JOURNAL, ""),
    (6, OrderState.SIGNED, Witness.SIGNER, ""),
    (7, OrderState.SENT, Witness.WIRE, "612 bytes"),
)
PATHS: dict[OrderState, tuple[tuple[int, OrderState, Witness, str], ...]] = {
    OrderState.LIVE: (*GATE, (61, OrderState.LIVE, Witness.REST_ANSWER, "200 live")),
    OrderState.PARTIAL: (
        *GATE,
        (61, OrderState.LIVE, Witness.REST_ANSWER, "200 live"),
        (3_104, OrderState.PARTIAL, Witness.TRADE, "12 of 40"),
    ),
    OrderState.UNKNOWN: (*GATE, (5_007, OrderState.UNKNOWN, Witness.TIMEOUT, "no answer in 5 s")),
    OrderState.MATCHED: (*GATE, (58, OrderState.MATCHED, Witness.REST_ANSWER, "200 matched")),
    OrderState.VETOED: (
        GATE[0],
        (1, OrderState.VETOED, Witness.GATE, "G17 exposure: 104.20 of 100.00"),
    ),
    OrderState.REFUSED: (*GATE, (44, OrderState.REFUSED, Witness.REST_ANSWER, "400 balance")),
    OrderState.CANCELED: (
        *GATE,
        (60, OrderState.LIVE, Witness.REST_ANSWER, "200 live"),
        (9_200, OrderState.CANCELED, Witness.USER_STREAM, "CANCELLATION"),
    ),
    OrderState.SENT: GATE,
}


def order(
    number: int,
    state: OrderState,
    *,
    age_s: float = 12.0,
    titles: tuple[str, ...] = TITLES,
    **changes: Any,
) -> OrderRow:
    """Make an order of forty shares that came to a state; `changes` are other fields."""
    created = NOW - round(age_s * S) - 10 * S
    path = PATHS[state]
    cancelled = state is OrderState.CANCELED
    row = OrderRow(
        cid=f"r1-88{number:03d}-{number}",
        order_hash=f"0x{number + 7:02x}" + "9a41c2" * 10 + f"{number:02x}",
        strategy="box" if number % 2 else "mm",
        market=market_id(number % 12),
        title=titles[number % 12],
        outcome="Yes" if number % 3 else "No",
        side=Side.BUY,
        px_u6=438_000,
        qty_u6=40 * U,
        filled_u6=0,
        provisional_u6=0,
        remaining_u6=40 * U,
        order_type=OrderType.GTD if not number % 4 else OrderType.FAK,
        purpose=Purpose.OPEN if number % 5 else Purpose.HEDGE,
        state=state,
        external=False,
        created_ns=created,
        updated_ns=NOW - round(age_s * S),
        sent_ns=created + 7 * MS,
        ack_us=54_000 if state in (OrderState.LIVE, OrderState.PARTIAL) else 0,
        expires_ns=NOW + 187 * S,
        cancel_ns=NOW - 4 * S if cancelled else 0,
        cancel_attempts=2 if cancelled else 0,
        probe_ns=NOW + 1_200 * MS if state is OrderState.UNKNOWN else 0,
        why="box edge .0031 over .0020",
        snapshot=88_000 + number,
        bundle="b-88001" if number in (1, 3) else "",
        limbo=False,
        edges=tuple(
            EdgeView(at_ns=created + ms * MS, state=to, witness=witness, detail=detail)
            for ms, to, witness, detail in path
        ),
    )
    return replace(row, **changes)


def usual_orders(titles: tuple[str, ...] = TITLES) -> tuple[OrderRow, ...]:
    """Make the orders of a busy minute, newest first."""
    state = OrderState
    return (
        order(1, state.LIVE, age_s=0.4, titles=titles),
        order(2, state.PARTIAL, px_u6=181_000, filled_u6=12 * U, provisional_u6=6 * U,
              remaining_u6=28 * U, age_s=3.1, titles=titles),
        order(3, state.UNKNOWN, px_u6=327_500, age_s=14.2, limbo=True, titles=titles,
              why="no answer in 5 s; looked up by hash"),
        order(4, state.SENT, side=Side.SELL, px_u6=940_000, age_s=6.0, limbo=True, titles=titles),
        order(5, state.VETOED, age_s=7.0, titles=titles,
              why="G17 exposure: market at 104.20 of 100.00"),
        order(6, state.REFUSED, age_s=9.0, titles=titles,
              why="balance: not enough balance / allowance"),
        order(7, state.MATCHED, px_u6=866_000, filled_u6=40 * U, age_s=31.0, titles=titles),
        order(8, state.CANCELED, px_u6=221_000, age_s=44.0, titles=titles, why="quote moved"),
        order(9, state.LIVE, side=Side.SELL, px_u6=470_000, age_s=120.0, external=True,
              titles=titles, why="found at the venue, not ours"),
        order(10, state.MATCHED, px_u6=3_000, qty_u6=1_234_567_800, filled_u6=1_234_567_800,
              age_s=380.0, titles=titles),
    )  # fmt: skip


def fill(
    number: int,
    status: TradeStatus,
    applied: Applied,
    *,
    age_s: float,
    side: Side = Side.BUY,
    titles: tuple[str, ...] = TITLES,
) -> FillRow:
    """Make a fill."""
    return FillRow(
        trade_id=f"tr-{number:04d}-7c1e",
        cid=f"r1-88{number:03d}-{number}",
        order_hash="0x" + f"{number + 7:02x}" * 32,
        strategy="box" if number % 2 else "mm",
        market=market_id(number % 12),
        title=titles[number % 12],
        outcome="Yes" if number % 3 else "No",
        side=side,
        px_u6=438_000,
        qty_u6=12 * U + number * U // 4,
        cash_u6=5_256_000,
        fee_u6=31_000,
        is_maker=bool(number % 2),
        status=status,
        applied=applied,
        first_ns=NOW - round(age_s * S),
        updated_ns=NOW - round(age_s * S / 2),
        tx_hash="" if status is TradeStatus.NOT_BROADCAST else "0x" + "5e41" * 16,
        reads=number,
    )


def usual_fills(titles: tuple[str, ...] = TITLES) -> tuple[FillRow, ...]:
    """Make fills in every stage of settlement."""
    return (
        fill(2, TradeStatus.MATCHED, Applied.PROVISIONAL, age_s=3.1, titles=titles),
        fill(7, TradeStatus.MINED, Applied.PROVISIONAL, age_s=41.0, titles=titles),
        fill(8, TradeStatus.RETRYING, Applied.STALLED, age_s=143.0, titles=titles),
        fill(1, TradeStatus.CONFIRMED, Applied.PROMOTED, age_s=200.0, titles=titles),
        fill(5, TradeStatus.FAILED, Applied.VOIDED, age_s=260.0, side=Side.SELL, titles=titles),
        fill(10, TradeStatus.FAILED, Applied.FAULT, age_s=300.0, titles=titles),
        fill(11, TradeStatus.NOT_BROADCAST, Applied.NONE, age_s=0.2, titles=titles),
    )


def leg(outcome: str, px_u6: int, filled_u6: int, *, cid: str = "") -> LegView:
    """Make a leg of forty shares."""
    return LegView(
        outcome=outcome,
        side=Side.BUY,
        px_u6=px_u6,
        qty_u6=40 * U,
        filled_u6=filled_u6,
        paid_u6=filled_u6 * px_u6 // U,
        cids=(cid,) if cid else (),
    )


def usual_bundles(titles: tuple[str, ...] = TITLES) -> tuple[BundleRow, ...]:
    """Make a group with a naked side, one that hedges, one that is complete."""
    rows = (
        (1, BundleState.RESIDUE, 40 * U, 28 * U, "sell: bid covers the fee", 12 * U),
        (4, BundleState.HEDGING, 40 * U, 0, "complete: ask within 2 ticks", 0),
        (8, BundleState.COMPLETE, 40 * U, 40 * U, "", 0),
    )
    return tuple(
        BundleRow(
            bundle=f"b-88{number:03d}",
            strategy="box",
            market=market_id(number),
            title=titles[number],
            state=state,
            created_ns=NOW - 20 * S,
            updated_ns=NOW - (number + 2) * S,
            legs=(leg("Yes", 224_000, yes, cid="r1-88001-1"), leg("No", 772_600, no)),
            residue_outcome="Yes" if residue else "",
            residue_u6=residue,
            residue_since_ns=NOW - 8 * S if residue else 0,
            plan=plan,
            why="leg 2 filled 28 of 40 before the ask moved" if residue else "",
        )
        for number, state, yes, no, plan, residue in rows
    )


def position(
    number: int,
    *,
    confirmed_u6: int,
    moving_u6: tuple[int, int] = (0, 0),
    reserved_u6: int = 0,
    oldest_s: float = 0.0,
    mark_u6: int = 440_000,
    titles: tuple[str, ...] = TITLES,
) -> PositionRow:
    """Make a position; `moving_u6` comes in and goes out, not settled."""
    came, goes = moving_u6
    held = confirmed_u6 + came - goes
    return PositionRow(
        strategy="box" if number % 2 else "mm",
        market=market_id(number),
        title=titles[number],
        group="",
        token=f"tok{number}",
        outcome="Yes" if number % 3 else "No",
        side=Outcome.YES if number % 3 else Outcome.NO,
        confirmed_u6=confirmed_u6,
        provisional_in_u6=came,
        provisional_out_u6=goes,
        reserved_u6=reserved_u6,
        sellable_u6=confirmed_u6 - goes - reserved_u6,
        cost_u6=held * 431_000 // U,
        avg_px_u6=431_000,
        mark_u6=mark_u6,
        value_u6=max(held * mark_u6 // U, 0),
        realized_u6=310_000 * (number - 3),
        unrealized_u6=held * 9_000 // U,
        fees_u6=41_000,
        oldest_ns=NOW - round(oldest_s * S) if oldest_s else 0,
        updated_ns=NOW - 3 * S,
    )


def usual_positions(titles: tuple[str, ...] = TITLES) -> tuple[PositionRow, ...]:
    """Make positions: settled, arriving, leaving, stuck, without a bid."""
    return (
        position(0, confirmed_u6=62 * U, reserved_u6=24 * U, titles=titles),
        position(1, confirmed_u6=0, moving_u6=(40 * U, 0), oldest_s=8, titles=titles),
        position(4, confirmed_u6=24 * U, moving_u6=(6 * U, 12 * U), oldest_s=41, titles=titles),
        position(6, confirmed_u6=10 * U, moving_u6=(0, 10 * U), oldest_s=143, titles=titles),
        position(9, confirmed_u6=5 * U + U // 2, mark_u6=-1, titles=titles),
    )


def usual_exposure(titles: tuple[str, ...] = TITLES) -> tuple[MarketExposureRow, ...]:
    """Make exposure with use of its cap from low to over."""
    uses = ((0, 26, 26, 26, 0), (1, 88, 48, 88, 12), (4, 12, 9, 12, 24), (6, 104, 40, 104, 0))
    return tuple(
        MarketExposureRow(
            market=market_id(number),
            title=titles[number],
            group="",
            worst_u6=worst * U,
            settled_u6=settled * U,
            failed_u6=failed * U,
            cap_u6=100 * U,
            pairs_u6=pairs * U,
        )
        for number, worst, settled, failed, pairs in uses
    )
