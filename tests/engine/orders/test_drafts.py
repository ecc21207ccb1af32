"""Orders on their way out: stated, named, checked, staged, or ended before they leave."""

import pytest
from msgspec import structs

from polytui.engine.core.commands import CancelOrders
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.order_enums import (
    Control,
    OrderState,
    SendOutcome,
)
from polytui.engine.core.trading import Refusal
from polytui.engine.core.units import U
from polytui.engine.orders.hashing import Hasher, salt_of
from tests.engine.orders.desk import (
    BUY,
    GTC,
    GTD,
    IDENTITY,
    SPEC,
    START_NS,
    YES,
    Desk,
    S,
    state_of,
)

REFUSAL = Refusal(control=Control.KILLED, limit="clear", value="latched")


# --- our own steps -------------------------------------------------------------------------------


def test_a_draft_is_stated_hashed_and_named_by_run_and_seq() -> None:
    order = Desk().draft(BUY, "0.29", "10", GTC)
    terms = order.terms
    assert terms is not None
    assert state_of(order) is OrderState.PROPOSED
    assert (order.cid, terms.salt) == ("r1-1-l1", salt_of("r1-1-l1"))
    assert (terms.maker_amount_u6, terms.taker_amount_u6) == (2_900_000, 10 * U)
    assert terms.order_hash == order.order_hash == "0x" + Hasher(IDENTITY).digest(terms).hex()


def test_the_same_run_and_seq_mint_the_same_order_again() -> None:
    first, again = Desk().draft(BUY, "0.5", "10", GTC), Desk().draft(BUY, "0.5", "10", GTC)
    assert first.terms == again.terms


def test_a_gtd_order_states_its_end_sixty_seconds_late_and_on_the_venues_clock() -> None:
    desk = Desk()
    order = desk.draft(BUY, "0.5", "10", GTD, expires_ns=START_NS + 200 * S)
    later = desk.orders.draft(
        structs.replace(order.draft), SPEC, 10_000, venue_offset_ns=3 * S, **desk.stamp
    )
    assert order.terms is not None
    assert later.terms is not None
    assert order.terms.expiration_s == START_NS // S + 260
    assert later.terms.expiration_s == START_NS // S + 263
    assert later.terms.timestamp_ms == order.terms.timestamp_ms + 3_000


def test_a_gtd_order_without_an_end_gets_the_configured_life() -> None:
    order = Desk().draft(BUY, "0.5", "10", GTD)
    assert order.draft.expires_ns == START_NS + 240 * S


def test_a_draft_that_cannot_be_stated_is_vetoed_by_the_grid_control() -> None:
    desk = Desk()
    order = desk.draft(BUY, "0.505", "10", GTC)
    assert state_of(order) is OrderState.VETOED
    assert order.refusal is not None
    assert order.refusal.control is Control.GRID
    assert "grid" in order.refusal.detail
    assert not desk.orders.counted()


def test_a_draft_without_a_port_is_vetoed() -> None:
    desk = Desk()
    desk.orders.identity = None
    order = desk.draft(BUY, "0.5", "10", GTC)
    assert order.refusal is not None
    assert (state_of(order), order.refusal.control) == (OrderState.VETOED, Control.MODE)


def test_an_unchecked_order_cannot_be_staged() -> None:
    desk = Desk()
    order = desk.draft(BUY, "0.5", "10", GTC)
    desk.stage(order, OrderState.JOURNALLED)
    assert state_of(order) is OrderState.PROPOSED
    desk.orders.approve(order, **desk.stamp)
    with pytest.raises(EngineBug):
        desk.stage(order, OrderState.SENT)
    assert state_of(order) is OrderState.APPROVED


def test_a_vetoed_order_never_moves_again() -> None:
    desk = Desk()
    order = desk.draft(BUY, "0.5", "10", GTC)
    desk.orders.veto(order, REFUSAL, **desk.stamp)
    with pytest.raises(EngineBug):
        desk.orders.approve(order, **desk.stamp)
    assert (state_of(order), order.refusal) == (OrderState.VETOED, REFUSAL)


def test_an_order_may_leave_only_while_nothing_overtook_it() -> None:
    desk = Desk()
    order = desk.draft(BUY, "0.5", "10", GTC)
    assert not desk.orders.may_leave(order.cid)
    desk.orders.approve(order, **desk.stamp)
    assert desk.orders.may_leave(order.cid)
    desk.cancel(order)
    assert not desk.orders.may_leave(order.cid)
    other = desk.draft(BUY, "0.4", "10", GTC)
    desk.orders.approve(other, **desk.stamp)
    desk.wait(5_000)
    assert state_of(other) is OrderState.UNKNOWN
    assert not desk.orders.may_leave(other.cid)


def test_exposure_counts_from_approval_to_the_end() -> None:
    desk = Desk()
    order = desk.draft(BUY, "0.5", "10", GTC, post_only=True)
    assert desk.orders.reserved_cash_u6 == 0
    desk.orders.approve(order, **desk.stamp)
    assert desk.orders.reserved_cash_u6 == 5 * U
    assert desk.orders.in_flight() == desk.orders.open_on(YES) == [order]
    desk.stage(order, OrderState.JOURNALLED)
    desk.answer(order, SendOutcome.NOT_SENT, refusal=REFUSAL)
    assert (state_of(order), order.refusal) == (OrderState.REFUSED, REFUSAL)
    assert desk.orders.reserved_cash_u6 == 0
    assert not desk.orders.open_on(YES)


def test_a_dry_run_ends_dropped() -> None:
    desk = Desk()
    order = desk.draft(BUY, "0.5", "10", GTC)
    desk.orders.approve(order, **desk.stamp)
    desk.stage(order, OrderState.JOURNALLED)
    desk.stage(order, OrderState.SIGNED)
    desk.answer(order, SendOutcome.DROPPED)
    assert state_of(order) is OrderState.DROPPED
    desk.audit()


@pytest.mark.parametrize("outcome", [SendOutcome.NOT_SENT, SendOutcome.DROPPED])
def test_word_that_it_never_left_ends_the_doubt_of_a_late_order(outcome: SendOutcome) -> None:
    desk = Desk()
    order = desk.draft(BUY, "0.5", "10", GTC)
    desk.orders.approve(order, **desk.stamp)
    desk.wait(5_000)
    assert state_of(order) is OrderState.UNKNOWN
    desk.answer(order, outcome)
    assert state_of(order) is OrderState.REFUSED


def test_word_that_it_never_left_is_no_proof_once_bytes_were_written() -> None:
    desk = Desk()
    order = desk.send()
    desk.answer(order, SendOutcome.NOT_SENT)
    assert state_of(order) is OrderState.UNKNOWN
    assert desk.orders.counts["contradictions"] == 1


def test_bytes_written_for_an_order_that_was_said_not_to_have_left_are_hunted_down() -> None:
    desk = Desk()
    order = desk.draft(BUY, "0.5", "10", GTC)
    desk.orders.approve(order, **desk.stamp)
    desk.answer(order, SendOutcome.NOT_SENT)
    assert state_of(order) is OrderState.REFUSED
    desk.stage(order, OrderState.SENT)
    assert order in desk.orders.open()
    assert any(isinstance(one, CancelOrders) for one in desk.due())
    desk.audit()
