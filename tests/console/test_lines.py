from hypothesis import given
from hypothesis import strategies as st

from polytui.format import cells, foreign
from polytui.widgets.lines import (
    DOUBLE,
    PLAIN,
    Line,
    fit,
    frame_bottom,
    frame_top,
    line_cells,
    spread_out,
    strip_of,
    to_ascii,
)
from polytui.widgets.themes import Skin, read_looks
from tests.console.views import HOSTILE

parts = st.tuples(st.text(max_size=40).map(foreign), st.sampled_from(["", "buy", "stale"]))
lines = st.lists(parts, max_size=6).map(tuple)


@given(lines, st.integers(min_value=0, max_value=60))
def test_a_line_fits_its_width_exactly(line: Line, width: int) -> None:
    assert line_cells(fit(line, width)) == width


@given(lines, lines, st.integers(min_value=0, max_value=60))
def test_two_ends_never_take_more_than_the_width(left: Line, right: Line, width: int) -> None:
    assert line_cells(spread_out(left, right, width)) == width


@given(
    st.text(max_size=60).map(foreign),
    st.text(max_size=30).map(foreign),
    st.integers(min_value=1, max_value=100),
)
def test_a_frame_is_as_wide_as_its_panel(title: str, note: str, width: int) -> None:
    top = frame_top(title, note, width, PLAIN, "faint", "head")
    assert line_cells(top) == width
    assert line_cells(frame_bottom(width, DOUBLE, "faint", note)) == width


@given(st.text(max_size=60).map(foreign))
def test_ascii_takes_as_many_cells(text: str) -> None:
    plain = to_ascii(text)
    assert plain.isascii()
    assert cells(plain) == cells(text)


def test_every_strip_has_a_style_and_no_control_byte() -> None:
    for look in read_looks().values():
        skin = Skin(styles=look.styles)
        for title in HOSTILE:
            strip = strip_of(((foreign(title), "warn"), ("x", "")), 40, skin)
            assert strip.cell_length == 40
            assert all(segment.style is not None for segment in strip)
            assert strip.text.isprintable()
