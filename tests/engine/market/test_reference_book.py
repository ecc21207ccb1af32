"""Exchange books against a plain dict, and the depth bridge against the truth it must reach."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.enums import Feed, Reason
from polytui.engine.core.events import RefDelta, RefLevel
from polytui.engine.market import reference_book
from polytui.engine.market.reference_book import (
    ANSWER_NS,
    ODD_NS,
    REFETCH_NS,
    WAITING_MAX,
    DepthBridge,
    ReferenceBook,
)
from tests.support.reference_rig import S, book, delta

BN = Feed.BINANCE
LEVELS = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3)), max_size=8)


class SlowBook:
    """The oracle: two dicts and a search."""

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}

    def set(self, bids: list[RefLevel], asks: list[RefLevel]) -> None:
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for px, qty in levels:
                side[px] = qty
            for px in [px for px, qty in side.items() if not qty]:
                del side[px]

    def best(self) -> tuple[int, int, int, int] | None:
        if not self.bids or not self.asks:
            return None
        bid, ask = max(self.bids), min(self.asks)
        return bid, self.bids[bid], ask, self.asks[ask]


@given(LEVELS, LEVELS, st.lists(st.tuples(LEVELS, LEVELS), max_size=12))
def test_the_book_agrees_with_a_plain_dict(
    bids: list[RefLevel], asks: list[RefLevel], changes: list[tuple[list[RefLevel], list[RefLevel]]]
) -> None:
    fast, slow = ReferenceBook(), SlowBook()
    fast.load(book(BN, bids, asks), 0)
    slow.set(bids, asks)
    for more_bids, more_asks in [([], []), *changes]:
        fast.apply(delta(BN, more_bids, more_asks), 0)
        slow.set(more_bids, more_asks)
        assert dict(fast.bids) == slow.bids
        assert dict(fast.asks) == slow.asks
        top = fast.top()
        best = top and (top.bid_u6, top.bid_qty_u6, top.ask_u6, top.ask_qty_u6)
        assert best == slow.best()


def test_a_snapshot_replaces_everything() -> None:
    fast = ReferenceBook()
    fast.load(book(BN, [(1, 1), (2, 1)], [(5, 1)]), 0)
    fast.load(book(BN, [(3, 1)], [(4, 1)]), 0)
    assert (dict(fast.bids), dict(fast.asks)) == ({3: 1}, {4: 1})


def test_beyond_the_limit_the_worst_level_goes_and_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reference_book, "LEVELS_MAX", 3)
    fast = ReferenceBook()
    fast.load(book(BN, [(n, 1) for n in range(1, 6)], [(n, 1) for n in range(10, 15)]), 0)
    fast.apply(delta(BN, [(6, 1)], [(9, 1)]), 0)
    assert (list(fast.bids), list(fast.asks)) == ([4, 5, 6], [9, 10, 11])
    assert fast.trimmed == 6


def test_a_product_too_fine_for_micro_units_is_not_doubted_only_counted() -> None:
    fast = ReferenceBook()
    fast.load(book(BN, [(335, 1), (335, 2)], [(335, 1)]), 0)
    assert fast.merged == 1
    assert fast.doubt(10 * ODD_NS) is None


def test_a_locked_book_is_doubted_like_a_crossed_one() -> None:
    fast = ReferenceBook()
    fast.load(book(BN, [(335, 1)], [(335, 1)]), 0)
    assert fast.doubt(ODD_NS - 1) is None
    assert fast.doubt(ODD_NS) is Reason.CROSSED


# --- bridge --------------------------------------------------------------------------------------

Update = tuple[int, int, list[RefLevel], list[RefLevel]]


@st.composite
def streams(draw: st.DrawFn) -> list[Update]:
    """Make a gapless stream of updates: (first id, last id, bids, asks)."""
    updates: list[Update] = []
    last = draw(st.integers(0, 5))
    for _ in range(draw(st.integers(1, 12))):
        first, last = last + 1, last + draw(st.integers(1, 3))
        updates.append((first, last, draw(LEVELS), draw(LEVELS)))
    return updates


def as_delta(update: Update) -> RefDelta:
    first, last, bids, asks = update
    return delta(BN, bids, asks, ids=(first, last))


def truth(updates: list[Update]) -> SlowBook:
    slow = SlowBook()
    for _, _, bids, asks in updates:
        slow.set(bids, asks)
    return slow


def snapshot_after(bridge: DepthBridge, updates: list[Update], count: int) -> None:
    """Answer with the book as it was after so many updates."""
    slow = truth(updates[:count])
    last_id = updates[count - 1][1] if count else updates[0][0] - 1
    answer = book(BN, slow.bids.items(), slow.asks.items(), update_id=last_id)
    bridge.load(answer, 0)


@given(streams(), st.data())
def test_any_fresh_enough_snapshot_leads_to_the_true_book(
    updates: list[Update], data: st.DataObject
) -> None:
    """Both the adjacent case and the overlap: the snapshot may end anywhere in what waits."""
    answered = data.draw(st.integers(0, len(updates)))
    contains = data.draw(st.integers(0, len(updates)))
    bridge = DepthBridge(ReferenceBook())
    for update in updates[:answered]:
        bridge.apply(as_delta(update), 0)
    snapshot_after(bridge, updates, contains)
    for update in updates[answered:]:
        bridge.apply(as_delta(update), 0)
    slow = truth(updates)
    assert (dict(bridge.book.bids), dict(bridge.book.asks)) == (slow.bids, slow.asks)
    assert (bridge.gaps, bridge.too_old) == (0, 0)


@given(streams(), st.data())
def test_a_lost_update_is_found_and_the_next_snapshot_heals_it(
    updates: list[Update], data: st.DataObject
) -> None:
    bridge = DepthBridge(ReferenceBook())
    snapshot_after(bridge, updates, 0)
    lost = data.draw(st.integers(0, len(updates) - 1))
    for update in updates[:lost] + updates[lost + 1 :]:
        bridge.apply(as_delta(update), 0)
    noticed = lost < len(updates) - 1
    assert bridge.gaps == noticed
    assert bridge.is_waiting is noticed
    snapshot_after(bridge, updates, len(updates))
    slow = truth(updates)
    if noticed:
        assert (dict(bridge.book.bids), dict(bridge.book.asks)) == (slow.bids, slow.asks)


def test_an_update_that_straddles_the_snapshot_is_applied() -> None:
    bridge = DepthBridge(ReferenceBook())
    bridge.apply(delta(BN, [(7, 9)], ids=(10, 20)), 0)
    bridge.load(book(BN, [(7, 1)], [(8, 1)], update_id=15), 0)
    assert bridge.book.bids[7] == 9
    assert bridge.book.update_id == 20


def test_a_snapshot_older_than_the_stream_is_refused_and_asked_for_again_later() -> None:
    bridge = DepthBridge(ReferenceBook())
    bridge.apply(delta(BN, ids=(10, 20)), 0)
    assert bridge.wants_snapshot(S)
    bridge.load(book(BN, update_id=8), 2 * S)
    assert bridge.is_waiting
    assert bridge.too_old == 1
    assert not bridge.wants_snapshot(S + REFETCH_NS - 1)
    assert bridge.wants_snapshot(S + REFETCH_NS)
    bridge.load(book(BN, update_id=9), 5 * S)
    assert bridge.book.update_id == 20


def test_a_snapshot_is_asked_for_once_and_again_when_no_answer_comes() -> None:
    bridge = DepthBridge(ReferenceBook())
    assert not bridge.wants_snapshot(0)
    bridge.apply(delta(BN, ids=(10, 20)), 0)
    assert bridge.wants_snapshot(0)
    assert not bridge.wants_snapshot(ANSWER_NS - 1)
    assert bridge.wants_snapshot(ANSWER_NS)


def test_a_gap_among_the_waiting_updates_starts_again() -> None:
    bridge = DepthBridge(ReferenceBook())
    bridge.apply(delta(BN, ids=(10, 20)), 0)
    bridge.apply(delta(BN, ids=(31, 40)), 0)
    bridge.load(book(BN, update_id=9), 0)
    assert (bridge.gaps, bridge.is_waiting) == (1, True)
    bridge.load(book(BN, update_id=30), 0)
    assert bridge.book.update_id == 40


def test_an_answer_nobody_waits_for_changes_nothing() -> None:
    bridge = DepthBridge(ReferenceBook())
    bridge.load(book(BN, update_id=5), 0)
    bridge.load(book(BN, [(1, 1)], update_id=99), 0)
    assert bridge.book.update_id == 5


def test_waiting_updates_are_bounded_and_the_oldest_goes() -> None:
    bridge = DepthBridge(ReferenceBook())
    for n in range(WAITING_MAX + 5):
        bridge.apply(delta(BN, ids=(n, n)), 0)
    assert bridge.dropped == 5
    bridge.load(book(BN, update_id=3), 0)
    assert bridge.too_old == 1
    bridge.load(book(BN, update_id=4), 0)
    assert bridge.book.update_id == WAITING_MAX + 4
