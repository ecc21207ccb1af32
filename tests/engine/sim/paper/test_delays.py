"""The four legs of an order's way: their percentiles, and where they show."""

import pytest

from polytui.engine.core.account_events import OrderAnswered
from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.rng import Rng
from polytui.engine.core.runconfig import PaperConfig
from polytui.engine.sim.paper.delays import Delays, Leg
from tests.engine.sim.paper.rig import AT_ONCE, MS, Rig

DRAWS = 20_000
LEGS = {
    Leg.FEED: (20, 120, 300),
    Leg.SUBMIT: (200, 600, 1_500),
    Leg.RESPONSE: (200, 600, 1_500),
    Leg.SETTLE: (2_000, 10_000, 50_000),
}


@pytest.mark.parametrize("leg", list(Leg))
def test_the_drawn_delays_have_the_configured_percentiles(leg: Leg) -> None:
    delays = Delays(PaperConfig(), Rng(7))
    drawn = [delays.draw_ns(leg, f"order-{n}") / MS for n in range(DRAWS)]
    within = [sum(one <= limit for one in drawn) / DRAWS for limit in LEGS[leg]]
    assert within == pytest.approx([0.5, 0.95, 0.99], abs=0.01)


def test_a_delay_belongs_to_its_name_and_not_to_what_was_drawn_before() -> None:
    one, two = Delays(PaperConfig(), Rng(7)), Delays(PaperConfig(), Rng(7))
    two.draw_ns(Leg.SUBMIT, "another")
    assert one.draw_ns(Leg.SUBMIT, "a") == two.draw_ns(Leg.SUBMIT, "a")
    assert one.draw_ns(Leg.SUBMIT, "a") != one.draw_ns(Leg.SUBMIT, "b")


def test_an_order_meets_the_book_of_its_arrival_as_we_receive_it() -> None:
    """Sent at 0, at the venue at 300 ms, whose book we see 100 ms later; answered at 500 ms."""
    config = PaperConfig(
        feed_ms=(100, 100, 100),
        submit_ms=(300, 300, 300),
        response_ms=(200, 200, 200),
        failed_share=AT_ONCE.failed_share,
        settle_ms=1_000,
        settle_tail_ms=(1_000, 1_000),
    )
    rig = Rig(config)
    rig.book({}, {42: 50})
    terms = rig.terms(Side.BUY, 42, 50, OrderType.FAK)
    rig.send(terms)
    rig.wait(0.149)
    assert rig.trades() == [], "nothing arrives before half the median of the way there"
    rig.wait(0.251)
    assert len(rig.trades()) == 1
    heard = [event for event in rig.wait(0.1) if isinstance(event, OrderAnswered)]
    earlier = [event for event in rig.heard if isinstance(event, OrderAnswered)]
    assert len({event.cid for event in heard + earlier}) == 1
    assert not rig.venue.purse.balances.get("11")
    rig.wait(1)
    assert rig.venue.purse.balances["11"] > 0
