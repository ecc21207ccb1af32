"""What the exporter shows of a View, and what it never shows."""

import re

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from polytui.engine.core.enums import BookState, Mode, Reason
from polytui.engine.core.order_enums import OrderState, Realm
from polytui.engine.core.section import CountView
from polytui.engine.core.view import DecisionsView, MarketsView, StatusView
from polytui.engine.shell.metrics import labels
from polytui.engine.shell.metrics.families import BY_NAME, FAMILIES, Kind
from polytui.engine.shell.metrics.labels import MARKETS_SHOWN, WORDS_MAX, Counts, Slots, Words
from tests.console import views
from tests.console.parts import HOSTILE, TITLES, market_id, market_row
from tests.engine.shell.metrics.rig import (
    Scraper,
    Sections,
    changed,
    hostile,
    killed,
    label_values,
    trading,
)

S = 10**9


# --- the table -----------------------------------------------------------------------------------


def test_every_family_is_shown_and_nothing_outside_the_table() -> None:
    text = Scraper(trading()).text() + Scraper(killed()).text()
    shown = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    ours = {name for name in shown if name.startswith("polytui_")}
    assert ours == set(BY_NAME)
    assert all(name.startswith(("python_gc_", "process_")) for name in shown - ours)


def test_names_follow_the_conventions() -> None:
    for family in FAMILIES:
        assert re.fullmatch(r"polytui(_[a-z]+)+", family.name), family.name
        assert family.name.endswith("_total") == (family.kind is Kind.COUNTER), family.name
        assert not re.search(r"_(ms|us|ns|u6|usd|percent)(_|$)|_(count|sum|bucket)$", family.name)
        assert re.match(r"[A-Z1].*\.$", family.help), family.name
        assert len(set(family.labels)) == len(family.labels)
    assert len(BY_NAME) == len(FAMILIES)


def test_every_sample_has_the_labels_of_its_family() -> None:
    for name in Scraper(trading()).samples():
        family = BY_NAME.get(name.partition("{")[0])
        if family is not None:
            assert set(re.findall(r'(\w+)="', name)) == set(family.labels), name


# --- what is shown -------------------------------------------------------------------------------


def test_the_account_is_shown_in_dollars_and_seconds() -> None:
    shown = Scraper(trading()).samples()
    assert shown['polytui_equity_dollars{realm="paper"}'] == 1012.4
    assert shown['polytui_exposure_dollars{realm="paper"}'] == 212.4
    assert shown['polytui_exposure_cap_dollars{realm="paper"}'] == 500
    assert shown['polytui_strategy_realized_dollars{realm="paper",strategy="mm"}'] == -0.31
    assert shown['polytui_limit{limit="day_loss_u6",unit="dollars"}'] == 50
    assert shown['polytui_limit_used{limit="market_u6"}'] == 88
    assert shown["polytui_heartbeat_age_seconds"] == 0.9
    assert shown["polytui_user_stream_age_seconds"] == 1.2
    assert shown["polytui_clock_offset_seconds"] == 0.012


def test_a_state_set_has_one_and_zeros() -> None:
    shown = Scraper(trading()).samples()
    modes = {mode: shown[f'polytui_mode{{mode="{mode.value}"}}'] for mode in Mode}
    assert modes == {mode: float(mode is Mode.PAPER) for mode in Mode}
    for name in ("polytui_trading_state", "polytui_venue_state"):
        assert sum(value for key, value in shown.items() if key.startswith(name + "{")) == 1


def test_books_are_counted_by_state_and_reason() -> None:
    shown = Scraper(trading()).samples()
    assert [shown[f'polytui_markets{{state="{state.value}"}}'] for state in BookState] == [1, 10, 1]
    assert shown['polytui_markets_unusable{reason="digest_mismatch"}'] == 1
    assert 'polytui_markets_unusable{reason="ok"}' not in shown


def test_order_counters_go_where_they_belong() -> None:
    shown = Scraper(trading()).samples()
    assert shown['polytui_orders_entered_total{realm="paper",state="vetoed"}'] == 9_204
    assert shown['polytui_order_rejects_total{code="balance",realm="paper"}'] == 7
    assert shown['polytui_order_answers_total{outcome="unknown",realm="paper"}'] == 2
    assert shown['polytui_order_notes_total{note="late_fills",realm="paper"}'] == 1
    assert shown['polytui_orders_entered_total{realm="paper",state="refused"}'] == 0


def test_a_counter_is_there_before_it_first_rises() -> None:
    shown = Scraper(changed(trading(), "orders", counters=())).samples()
    assert shown['polytui_order_rejects_total{code="tick",realm="paper"}'] == 0
    assert shown['polytui_orders_entered_total{realm="paper",state="unknown"}'] == 0
    assert shown["polytui_orders_sent_on_stale_state_total"] == 0


def test_open_orders_are_counted_by_state_and_doubt_has_an_age() -> None:
    shown = Scraper(trading()).samples()
    states = {
        s for s in OrderState if f'polytui_orders{{realm="paper",state="{s.value}"}}' in shown
    }
    assert states == {state for state in OrderState if not state.is_terminal}
    assert shown['polytui_unknown_order_age_seconds{realm="paper"}'] > 0
    assert shown['polytui_bundle_residue_age_seconds{realm="paper"}'] > 0


def test_what_never_happened_has_no_age() -> None:
    status = trading()["status"]
    assert isinstance(status, StatusView)
    never = replace(status, account=replace(status.account, user_ns=0))
    shown = Scraper(trading() | {"status": never}).samples()
    assert "polytui_user_stream_age_seconds" not in shown
    assert "polytui_kill_open_orders" not in shown


def test_a_kill_is_shown_with_what_the_venue_said() -> None:
    shown = Scraper(killed()).samples()
    assert (shown["polytui_killed"], shown["polytui_kill_verified"]) == (1, 0)
    assert shown["polytui_kill_open_orders"] == 3


def test_stages_of_orders_have_latencies() -> None:
    shown = Scraper(trading()).samples()
    for stage in ("loop_lag", "decision", "journal", "sign", "write", "ack", "settle"):
        assert shown[f'polytui_stage_samples{{stage="{stage}"}}'] > 0
        p50, p99 = (
            shown[f'polytui_stage_latency_seconds{{stage="{stage}",stat="{stat}"}}']
            for stat in ("p50", "p99")
        )
        assert 0 < p50 <= p99


def test_without_a_view_there_is_still_a_scrape() -> None:
    shown = Scraper({}).samples()
    assert shown["polytui_scrape_errors_total"] == 0


# --- counters never fall -------------------------------------------------------------------------


def falling(before: dict[str, float], after: dict[str, float]) -> list[str]:
    """List the counters that fell or went."""
    totals = [name for name in before if name.partition("{")[0].endswith("_total")]
    return [name for name in totals if after.get(name, -1.0) < before[name]]


def test_counters_do_not_fall_when_rows_fall_out_of_a_bounded_list() -> None:
    scraper = Scraper(trading())
    first = scraper.samples()
    full = scraper.sections["decisions"]
    assert isinstance(full, DecisionsView)
    scraper.sections = changed(scraper.sections, "decisions", folds=full.folds[:2], incidents=())
    second = scraper.samples()
    assert falling(first, second) == []
    scraper.sections = trading()
    third = scraper.samples()
    looks = [name for name in third if name.startswith("polytui_strategy_looks_total")]
    assert looks
    assert all(third[name] == first[name] for name in looks), "a row that came back counts no twice"


def test_only_what_is_new_is_counted() -> None:
    scraper = Scraper(trading())
    name = 'polytui_strategy_looks_total{reason="one_sided",strategy="box",verdict="hold"}'
    before = scraper.samples()[name]
    view = scraper.sections["decisions"]
    assert isinstance(view, DecisionsView)
    folds = tuple(
        replace(fold, count=fold.count + 5 * (fold.row.reason is Reason.ONE_SIDED))
        for fold in view.folds
    )
    scraper.sections = changed(scraper.sections, "decisions", folds=folds)
    assert scraper.samples()[name] == before + 5


@given(st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=4), max_size=30))
def test_a_counter_is_the_sum_of_what_its_sources_grew(rounds: list[list[tuple[int, int]]]) -> None:
    counts, values, total = Counts(), [0] * 6, 0
    for round_ in rounds:
        for source, grown in round_:
            values[source] += grown
            total += grown
            assert counts.rise(source, values[source], "all") == total


def test_a_source_that_began_again_adds_what_it_has() -> None:
    counts = Counts()
    assert [counts.rise("a", value, "n") for value in (5, 2, 3)] == [5, 7, 8]


def test_another_realm_has_counters_of_its_own() -> None:
    scraper = Scraper(trading())
    scraper.samples()
    scraper.sections = changed(scraper.sections, "orders", realm=Realm.LIVE, counters=())
    shown = scraper.samples()
    assert shown['polytui_orders_entered_total{realm="live",state="sent"}'] == 0


def test_counters_do_not_grow_without_bound() -> None:
    counts = Counts()
    for number in range(labels.COUNTS_MAX + 100):
        counts.rise(number, 1, "n")
    assert len(counts._last) == labels.COUNTS_MAX
    assert counts.rise("last", 1, "n") == labels.COUNTS_MAX + 101


# --- cardinality ---------------------------------------------------------------------------------


def many(number: int, *, at_ns: int = views.NOW) -> Sections:
    """Make an engine that watches many markets."""
    rows = tuple(
        replace(market_row(n, "t"), digest_ok=10, last_ns=at_ns - n * S) for n in range(number)
    )
    view = MarketsView(rev=1, at_ns=at_ns, rows=rows)
    return trading() | {"markets": view}


def test_two_hundred_markets_have_twenty_series_and_other() -> None:
    shown = Scraper(many(200)).samples()
    own = [n for n in shown if n.startswith("polytui_market_book_usable{")]
    assert len(own) == MARKETS_SHOWN
    assert shown["polytui_markets_in_other"] == 200 - MARKETS_SHOWN
    assert shown['polytui_market_digests_total{market="other",result="ok"}'] == 1_800
    ok = [v for n, v in shown.items() if "polytui_market_digests_total" in n and 'result="ok"' in n]
    assert sum(ok) == 2_000, "each digest is counted once"
    assert len(shown) < 1_000


def test_a_market_at_risk_has_series_before_one_that_was_heard_later() -> None:
    now = 10**18
    slots = Slots()
    heard = [(market_id(n), now - n) for n in range(100)]
    at_risk = {market_id(99), market_id(98)}
    assert at_risk <= slots.assign(heard, at_risk=at_risk, now_ns=now)


def test_series_do_not_change_hands_at_each_scrape() -> None:
    slots = Slots()
    heard = [(market_id(n), 10**18 + n) for n in range(100)]
    first = slots.assign(heard, at_risk=set(), now_ns=10**18)
    again = slots.assign(
        [(m, 10**18 + 1_000 - n) for n, (m, _) in enumerate(heard)], at_risk=set(), now_ns=10**18
    )
    assert first == again
    later = 10**18 + 2 * labels.FRESH_NS
    renewed = slots.assign(
        [(m, later if n < 20 else at) for n, (m, at) in enumerate(heard)],
        at_risk=set(),
        now_ns=later,
    )
    assert renewed == {market_id(n) for n in range(20)}
    assert slots.lost == first


def test_a_label_of_words_has_a_number_of_values() -> None:
    words = Words()
    given_ = [words.word("strategy", f"s{n}") for n in range(WORDS_MAX + 10)]
    assert given_[-10:] == ["other"] * 10
    assert words.word("strategy", "s1") == "s1"
    assert words.refused == 10


# --- hostile text (fault D4) ---------------------------------------------------------------------

SAFE = re.compile(r"[A-Za-z0-9_.+/$-]{0,66}", re.ASCII)


def test_d4_no_foreign_text_reaches_a_label() -> None:
    text = Scraper(hostile()).text()
    assert text.isascii()
    assert {value for value in label_values(text) if not SAFE.fullmatch(value)} == set()
    assert "click" not in text
    assert "jndi" not in text
    assert 'market="other"' in text


def test_d4_titles_never_become_labels() -> None:
    values = label_values(Scraper(trading()).text())
    words = {word.lower() for title in TITLES for word in title.split() if len(word) > 6}
    assert not {value for value in values if value.lower() in words}
    assert all(not value.startswith("market-") for value in values), "slugs are titles too"


@given(st.text(max_size=80))
def test_d4_a_word_is_safe_or_invalid(text: str) -> None:
    shown = Words().word("x", text)
    assert shown == "invalid" or (shown == text and SAFE.fullmatch(shown))


@given(st.text(max_size=70) | st.sampled_from(HOSTILE))
def test_d4_only_condition_ids_name_markets(text: str) -> None:
    named = Slots().assign([(text, 1)], at_risk={text}, now_ns=1)
    assert named <= {text}
    assert all(re.fullmatch("0x[0-9a-f]{64}", market) for market in named)


def test_d4_a_status_the_venue_invented_is_one_series() -> None:
    scraper = Scraper(trading())
    for n in range(20):
        names = (CountView(name=f"unknown_status:\x1b[{n}m", value=1),)
        scraper.sections = changed(scraper.sections, "orders", counters=names)
        shown = scraper.samples()
    notes = [name for name in shown if name.startswith("polytui_order_notes_total")]
    assert len(notes) < 20
    assert shown['polytui_order_notes_total{note="unknown_status",realm="paper"}'] == 20
