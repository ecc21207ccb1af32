"""Limits tighten at once, loosen with a phrase, and never pass what is compiled in (D15, D17)."""

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields, replace

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.order_enums import Control
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.units import U
from polytui.engine.decide.limits import LIMITS, LOOSEN_WAIT_NS, Change, LimitBook, Safer
from tests.conftest import ROOT

S = 1_000_000_000


def ask(
    book: LimitBook, name: str, text: str, *, phrase: str = "", armed: bool = False, at_ns: int = 0
) -> Change:
    return book.ask(name, text, phrase=phrase, is_armed=armed, actor="ana", at_ns=at_ns)


def documented_ranges() -> dict[str, tuple[float, float]]:
    """Read the ranges out of the prose under each field of the configuration."""
    source = (Path(ROOT) / "polytui/engine/core/runconfig.py").read_text(encoding="utf-8")
    found: dict[str, tuple[float, float]] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and node.name == "LimitsConfig":
            for field, prose in zip(node.body, node.body[1:], strict=False):
                match field, prose:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name)),
                        ast.Expr(value=ast.Constant(value=str(text))),
                    ):
                        low, high = re.findall(r"([\d.^]+) … ([\d.^]+)", text.rstrip("."))[0]
                        found[name] = (number(low), number(high))
    return found


def number(text: str) -> float:
    base, power, exponent = text.rstrip(".").partition("^")
    return float(base) ** int(exponent) if power else float(base)


def test_every_limit_of_the_configuration_has_its_row_and_the_range_its_prose_states() -> None:
    assert list(LIMITS) == [field.name for field in fields(LimitsConfig)]
    assert {n: (row.low, row.high) for n, row in LIMITS.items()} == documented_ranges()


def test_the_defaults_lie_inside_the_ranges() -> None:
    assert LimitBook(LimitsConfig()).now == LimitsConfig()


@pytest.mark.parametrize("name", LIMITS)
def test_d15_a_configured_limit_outside_its_range_is_refused_with_a_sentence(name: str) -> None:
    row = LIMITS[name]
    for value in (row.high * 2 + 1, row.low / 2 - 1):
        with pytest.raises(OperatorError, match=f"expected {name} from .* to .*, was"):
            LimitBook(replace(LimitsConfig(), **{name: type(row.low)(value)}))


def test_a_limit_tightens_at_once_without_a_phrase() -> None:
    book = LimitBook(LimitsConfig())
    change = ask(book, "market_u6", "50", armed=True)
    assert book.now.market_u6 == 50 * U
    assert (change.is_loosened, change.text) == (False, "market_u6 $100 -> $50")
    ask(book, "end_min_s", "900", armed=True)
    assert book.now.end_min_s == 900, "for some, higher is safer"


def test_a_limit_loosens_with_its_phrase_and_not_without() -> None:
    book = LimitBook(LimitsConfig())
    for phrase in ("", "loosen market_u6 150", "LOOSEN market_u6 151", "LOOSEN total_u6 150"):
        with pytest.raises(OperatorError, match=r"\$150 loosens \$100: type LOOSEN market_u6 150"):
            ask(book, "market_u6", "150", phrase=phrase)
    assert book.now.market_u6 == 100 * U
    assert ask(book, "market_u6", "150", phrase="LOOSEN market_u6 150").is_loosened
    assert book.now.market_u6 == 150 * U


def test_while_armed_a_loosening_waits_ten_seconds_and_can_be_aborted() -> None:
    book = LimitBook(LimitsConfig())
    phrase = "LOOSEN market_u6 200"
    change = ask(book, "market_u6", "200", phrase=phrase, armed=True, at_ns=S)
    assert change.due_ns == S + LOOSEN_WAIT_NS == book.next_due_ns()
    assert book.due(change.due_ns - 1) == []
    assert book.now.market_u6 == 100 * U
    assert book.abort() == ["market_u6"]
    assert book.due(change.due_ns) == []
    ask(book, "market_u6", "200", phrase=phrase, armed=True, at_ns=2 * S)
    assert [c.value for c in book.due(12 * S)] == [200 * U]
    assert book.now.market_u6 == 200 * U
    assert book.next_due_ns() is None


def test_while_armed_one_step_at_most_doubles_a_limit() -> None:
    book = LimitBook(LimitsConfig())
    with pytest.raises(OperatorError, match="factor of 2 at most"):
        ask(book, "market_u6", "200.01", phrase="LOOSEN market_u6 200.01", armed=True)
    with pytest.raises(OperatorError, match="factor of 2 at most"):
        ask(book, "end_min_s", "299", phrase="LOOSEN end_min_s 299", armed=True)


def test_a_tightening_ends_a_loosening_that_still_waits() -> None:
    book = LimitBook(LimitsConfig())
    ask(book, "market_u6", "200", phrase="LOOSEN market_u6 200", armed=True)
    ask(book, "market_u6", "40", armed=True)
    assert book.due(60 * S) == []
    assert book.now.market_u6 == 40 * U


def test_d15_an_unknown_limit_is_refused_and_the_nearest_is_named() -> None:
    with pytest.raises(OperatorError, match="did you mean market_u6"):
        ask(LimitBook(LimitsConfig()), "market_u7", "50")
    with pytest.raises(OperatorError, match="there is no limit '; rm'"):
        ask(LimitBook(LimitsConfig()), "; rm", "50")


@pytest.mark.parametrize("text", ["", "-1", "1e3", "NaN", "٣", "50.5", "0x10", "1_000"])
def test_a_value_that_is_no_plain_number_in_its_unit_is_refused(text: str) -> None:
    book = LimitBook(LimitsConfig())
    with pytest.raises(OperatorError, match="book_age_ms"):
        ask(book, "book_age_ms", text, phrase=f"LOOSEN book_age_ms {text}")
    assert book.now == LimitsConfig()


def test_a_restart_keeps_what_was_tightened_and_forgets_what_was_loosened() -> None:
    book = LimitBook(LimitsConfig())
    ask(book, "market_u6", "50")
    ask(book, "total_u6", "900", phrase="LOOSEN total_u6 900")
    again = LimitBook(LimitsConfig())
    assert again.restore(book.dump()) == ["market_u6"]
    assert (again.now.market_u6, again.now.total_u6) == (50 * U, 500 * U)
    tighter_file = LimitBook(LimitsConfig(market_u6=10 * U))
    assert tighter_file.restore(book.dump()) == []
    assert tighter_file.now.market_u6 == 10 * U


def test_a_stored_state_with_names_or_values_of_another_build_does_no_harm() -> None:
    book = LimitBook(LimitsConfig())
    stored = '{"changed": {"gone": 1, "market_u6": -5, "end_min_s": 99999999, "drawdown": 0.04}}'
    assert book.restore(stored) == ["drawdown"]
    assert book.now.drawdown == 0.04


def test_every_control_shows_its_limits_with_their_units() -> None:
    book = LimitBook(LimitsConfig())
    assert book.text_of(Control.ORDER_SIZE) == "order_qty_u6 100 shares, order_cash_u6 $25"
    assert book.text_of(Control.FUNDS) == "hard"
    rows = {row.name: row for row in book.rows({"total_u6": 7 * U})}
    assert (rows["total_u6"].value, rows["total_u6"].used) == (500 * U, 7 * U)
    assert (rows["drawdown"].value, rows["book_age_ms"].used) == (50_000, -1)


def is_looser(name: str, before: float, after: float) -> bool:
    safer = LIMITS[name].safer
    return after > before if safer is Safer.LOWER else after < before


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(LIMITS)),
            st.integers(0, 10**6),
            st.sampled_from(["", "LOOSEN", "LOOSEN {name}", "YES", "{name} {text}"]),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_without_the_phrase_no_walk_of_directives_loosens_anything(
    asks: list[tuple[str, int, str, bool]],
) -> None:
    book = LimitBook(LimitsConfig())
    for at_s, (name, value, phrase, armed) in enumerate(asks):
        before = book.now
        said = phrase.format(name=name, text=value)
        try:
            ask(book, name, str(value), phrase=said, armed=armed, at_ns=at_s * 60 * S)
        except OperatorError:
            assert book.now == before
        book.due(at_s * 60 * S + 59 * S)
        for limit in LIMITS:
            if LIMITS[limit].safer is not Safer.NEITHER:
                now, was = getattr(book.now, limit), getattr(before, limit)
                assert not is_looser(limit, was, now)
