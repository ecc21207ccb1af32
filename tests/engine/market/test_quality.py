import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.enums import BookState, Proof, Reason
from polytui.engine.core.runconfig import BookConfig
from polytui.engine.market.quality import NEXT, Evidence, Quality


def test_the_table_is_complete_but_for_the_digest_of_no_book() -> None:
    missing = {(s, e) for s in BookState for e in Evidence} - set(NEXT)
    assert missing == {(BookState.EMPTY, Evidence.DIGEST_EQUAL)}


def test_an_illegal_pair_raises_and_changes_nothing() -> None:
    quality = Quality(BookConfig())
    with pytest.raises(KeyError):
        quality.take(Evidence.DIGEST_EQUAL, 5)
    assert (quality.state, quality.reason) == (BookState.EMPTY, Reason.NO_SNAPSHOT)


@pytest.mark.parametrize(
    "doubt",
    [
        e
        for e in Evidence
        if (BookState.SYNCED, e) in NEXT and NEXT[BookState.SYNCED, e] is BookState.SUSPECT
    ],
)
def test_every_doubt_blocks_under_its_own_name_until_proof(doubt: Evidence) -> None:
    quality = Quality(BookConfig())
    quality.take(Evidence.SNAPSHOT, 1)
    quality.digest_equal(1, recovered=False)
    assert quality.blocked() is None
    quality.take(doubt, 2)
    assert (quality.state, quality.blocked(), quality.since_ns) == (
        BookState.SUSPECT,
        Reason(doubt.value),
        2,
    )
    assert quality.doubts[doubt] == 1
    quality.digest_equal(3, recovered=False)
    assert quality.blocked() is None


def test_digests_that_never_verified_fall_back_to_best_prices_and_say_so() -> None:
    quality = Quality(BookConfig(digest_give_up_after=3))
    quality.take(Evidence.SNAPSHOT, 1)
    for _ in range(2):
        quality.digest_missed(1)
        assert quality.blocked() is Reason.DIGEST_MISMATCH
    quality.digest_missed(1)
    assert (quality.blocked(), quality.proof) == (None, Proof.TOP)


def test_a_mismatch_is_only_observed_until_digests_gate() -> None:
    quality = Quality(BookConfig(digest_gate_after=2))
    quality.take(Evidence.SNAPSHOT, 1)
    quality.digest_equal(1, recovered=False)
    quality.digest_missed(2)
    assert (quality.state, quality.is_observed) == (BookState.SUSPECT, True)
    quality.digest_equal(3, recovered=False)
    quality.digest_equal(3, recovered=True)
    assert quality.is_gating
    quality.digest_missed(4)
    assert not quality.is_observed
    assert (quality.ok, quality.recovered, quality.bad, quality.streak) == (2, 1, 2, 0)


def test_a_lost_connection_voids_everything_learnt_on_it() -> None:
    quality = Quality(BookConfig(digest_gate_after=1))
    quality.take(Evidence.SNAPSHOT, 1)
    quality.digest_equal(1, recovered=False)
    quality.connect_lost(2)
    assert quality.state is BookState.EMPTY
    assert quality.blocked() is Reason.CONNECTION_LOST
    assert (quality.epoch, quality.is_gating, quality.has_verified) == (1, False, False)


STEPS = st.lists(st.sampled_from([*Evidence, "equal", "missed", "lost"]), max_size=40)


@given(STEPS)
def test_a_usable_book_always_has_a_proof(steps: list[Evidence | str]) -> None:
    quality = Quality(BookConfig(digest_give_up_after=3, digest_gate_after=2))
    for at_ns, step in enumerate(steps):
        if step == "lost":
            quality.connect_lost(at_ns)
        elif quality.state is not BookState.EMPTY and step == "equal":
            quality.digest_equal(at_ns, recovered=False)
        elif quality.state is not BookState.EMPTY and step == "missed":
            quality.digest_missed(at_ns)
        elif isinstance(step, Evidence) and (quality.state, step) in NEXT:
            quality.take(step, at_ns)
        if quality.blocked() is None:
            assert quality.state is BookState.SYNCED
            assert quality.proof in (Proof.DIGEST, Proof.TOP)
            assert quality.reason is Reason.OK
        if quality.proof is Proof.TOP:
            assert not quality.has_verified
