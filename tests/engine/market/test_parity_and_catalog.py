from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.enums import Incident
from polytui.engine.market import catalog as catalog_module
from polytui.engine.market.catalog import Catalog
from polytui.engine.market.incidents import KINDS_MAX, IncidentLog
from polytui.engine.market.parity import ParityClock
from tests.support.floor import NO, YES, spec

S = 1_000_000_000


def test_an_unobserved_mirror_has_share_zero() -> None:
    assert ParityClock(60).share(5 * S) == 0.0


def test_the_share_counts_broken_time_only_inside_the_window() -> None:
    clock = ParityClock(10)
    clock.observe(0, holds=True)
    clock.observe(5 * S, holds=False)
    assert clock.share(7 * S) == 1 - 2 / 7
    clock.observe(8 * S, holds=True)
    assert clock.share(10 * S) == 1 - 3 / 10
    assert clock.share(17 * S) == 1 - 1 / 10
    assert clock.share(30 * S) == 1.0
    assert clock.breaks == 1


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=50))
def test_the_share_agrees_with_counting_seconds(steps: list[tuple[int, bool]]) -> None:
    clock, now = ParityClock(30), 0
    held: list[bool] = []
    state: bool | None = None
    for wait, holds in steps:
        if state is not None:
            held += [state] * wait
        now += wait
        clock.observe(now * S, holds=holds)
        state = holds
    window = held[-30:]
    expected = sum(window) / len(window) if window else float(bool(state))
    assert abs(clock.share(now * S) - expected) < 1e-9


def test_a_token_belongs_to_one_market_for_ever() -> None:
    catalog = Catalog()
    assert catalog.enter(spec("0xa")) == 0
    assert catalog.enter(spec("0xb")) is None, "the tokens are taken"
    assert catalog.enter(spec("0xa", tokens=(NO, YES))) is None, "the order is fixed"
    assert catalog.enter(spec("0xa", title="renamed")) == 0
    assert catalog.titles["0xa"] == "renamed"
    assert catalog.enter(spec("0xc", tokens=("7", "7"))) is None
    assert catalog.refused == 3


def test_a_second_token_is_adopted_once() -> None:
    catalog = Catalog()
    ix = catalog.enter(spec("0xa", tokens=(YES, "")))
    assert ix is not None
    assert catalog.adopt(ix, NO)
    assert catalog.adopt(ix, YES)
    assert not catalog.adopt(ix, "3")
    assert catalog.specs[ix].tokens == (YES, NO)


def test_a_full_catalog_refuses_and_counts() -> None:
    catalog = Catalog()
    for n in range(catalog_module.MARKETS_MAX + 3):
        catalog.enter(spec(f"0x{n}", tokens=(f"{n}1", f"{n}2")))
    assert len(catalog.specs) == catalog_module.MARKETS_MAX
    assert catalog.refused == 3


def test_incidents_fold_and_the_log_is_bounded() -> None:
    log = IncidentLog()
    for n in range(KINDS_MAX + 10):
        log.note(Incident.CROSSED, f"m{n}", n, "x")
    log.note(Incident.CROSSED, "m5000", 10**6, "again")
    assert log.total == KINDS_MAX + 11
    assert log.dropped == 11
    rows = log.views({"m5000": "title"})
    assert len(rows) == KINDS_MAX
    assert (rows[0].market, rows[0].title, rows[0].detail) == ("m5000", "title", "again")
    assert log.by_market["m5000"] == 1
