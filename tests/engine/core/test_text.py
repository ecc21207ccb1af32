from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.text import TITLE_MAX, sanitise


@given(st.text(max_size=2000))
def test_nothing_that_acts_or_hides_survives(text: str) -> None:
    clean = sanitise(text)
    assert len(clean) <= TITLE_MAX
    assert not any(category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for char in clean)
    assert sanitise(clean) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("\x1b]0;owned\x07title", "]0;ownedtitle"),
        ("a\x9b31mb", "a31mb"),
        ("\u202eevil\u202c", "evil"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("two\nlines\ttab", "two lines tab"),
        ("[/b] [@click=app.quit]x[/]", "[/b] [@click=app.quit]x[/]"),
        ("e\u0301", "é"),
        ("z" + "\u0335" * 50, "z" + "\u0335" * 2),
        ("   spaced   out   ", "spaced out"),
    ],
)
def test_hostile_titles_become_plain(text: str, clean: str) -> None:
    assert sanitise(text) == clean


def test_ten_kilobytes_are_cut_with_a_mark() -> None:
    clean = sanitise("x" * 10_000)
    assert len(clean) == TITLE_MAX
    assert clean.endswith("…")
