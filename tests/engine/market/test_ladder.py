from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.units import U, parse_u6, text_u6
from polytui.engine.market.ladder import Ladder

LEVEL = st.tuples(
    st.integers(1, 99), st.sampled_from(["0", "5", "12.5", "100", "0.01"]), st.booleans()
)


def levels(ladder: Ladder) -> dict[int, tuple[int, str, str]]:
    return {
        px: (qty, own, mirror)
        for px, qty, own, mirror in zip(
            ladder.px, ladder.qty, ladder.own_text, ladder.mirror_text, strict=True
        )
    }


def expected(book: dict[int, str]) -> dict[int, tuple[int, str, str]]:
    """Build the same from a plain dictionary of cents to size texts."""
    return {
        cents * 10_000: (
            parse_u6(size),
            f'{{"price":"{text_u6(cents * 10_000)}","size":"{size}"}},',
            f'{{"price":"{text_u6(U - cents * 10_000)}","size":"{size}"}},',
        )
        for cents, size in book.items()
    }


@given(st.lists(LEVEL, max_size=60))
def test_a_ladder_is_a_sorted_dictionary_with_two_spellings(
    changes: list[tuple[int, str, bool]],
) -> None:
    ladder, plain = Ladder(), dict[int, str]()
    for cents, size, is_own in changes:
        px_u6 = cents * 10_000
        shown = text_u6(px_u6 if is_own else U - px_u6)
        ladder.set_level(px_u6, parse_u6(size), shown, size, is_own=is_own)
        if parse_u6(size):
            plain[cents] = size
        else:
            plain.pop(cents, None)
        assert ladder.px == sorted(cents * 10_000 for cents in plain)
        assert levels(ladder) == expected(plain)
    assert ladder.best_u6() == max(plain, default=0) * 10_000
    best = [(c * 10_000, parse_u6(plain[c])) for c in sorted(plain, reverse=True)[:3]]
    assert list(ladder.top(3)) == best


BOOK = st.dictionaries(st.integers(1, 99), st.sampled_from(["0", "5", "12.5", "100"]), max_size=20)


@given(before=BOOK, after=BOOK, is_own=st.booleans())
def test_loading_a_full_book_leaves_exactly_that_book(
    before: dict[int, str], after: dict[int, str], *, is_own: bool
) -> None:
    ladder = Ladder()
    for book in (before, after):
        full = [
            (px, parse_u6(size), text_u6(px), size)
            for cents, size in book.items()
            for px in [cents * 10_000 if is_own else U - cents * 10_000]
        ]
        ladder.load(tuple(full), is_own=is_own)
        held = {cents: size for cents, size in book.items() if parse_u6(size)}
        assert levels(ladder) == expected(held)
        assert ladder.size_text == [held[px // 10_000] for px in ladder.px]


def test_a_price_in_another_spelling_is_kept_as_received() -> None:
    ladder = Ladder()
    ladder.load(((480_000, 5_000_000, ".48", "5"),), is_own=True)
    assert ladder.own_text == ['{"price":".48","size":"5"},']
    assert ladder.is_odd
    ladder.load(((480_000, 5_000_000, "0.48", "5"),), is_own=True)
    assert ladder.own_text == ['{"price":"0.48","size":"5"},']
    assert not ladder.is_odd


def test_the_second_entry_of_a_message_changes_nothing_but_an_unusual_spelling() -> None:
    ladder = Ladder()
    ladder.set_level(480_000, 5_000_000, "0.48", "5", is_own=True)
    ladder.set_level(480_000, 5_000_000, "0.52", "5", is_own=False)
    assert (ladder.own_bytes(), ladder.is_odd) == (b'{"price":"0.48","size":"5"}', False)
    ladder.set_level(480_000, 5_000_000, ".52", "5", is_own=False)
    assert ladder.mirror_bytes() == b'{"price":".52","size":"5"}'
    assert ladder.own_bytes() == b'{"price":"0.48","size":"5"}'


def test_a_level_that_a_full_book_removed_can_be_set_again() -> None:
    ladder = Ladder()
    ladder.set_level(480_000, 5_000_000, "0.48", "5", is_own=True)
    ladder.load(((470_000, 5_000_000, "0.47", "5"),), is_own=True)
    ladder.set_level(480_000, 5_000_000, "0.48", "5", is_own=True)
    assert ladder.px == [470_000, 480_000]


def test_the_same_level_named_twice_keeps_the_last() -> None:
    ladder = Ladder()
    ladder.load(((480_000, 5_000_000, "0.48", "5"), (480_000, 7_000_000, "0.48", "7")), is_own=True)
    assert ladder.qty == [7_000_000]
