from polytui.widgets.filters import matches, parse
from polytui.widgets.lines import line_cells
from polytui.widgets.live_table import Column, Row, lay_out_columns, row_line, wrap

COLUMNS = (
    Column(key="market", head="market", width=20, least=8, most=30),
    Column(key="state", head="state", width=8),
    Column(key="age", head="age", width=5, right=True),
    Column(key="why", head="why", width=10, drop=1),
    Column(key="extra", head="extra", width=10, drop=6),
)


def keys(width: int) -> list[str]:
    return [column.key for _, column, _ in lay_out_columns(COLUMNS, width)]


def test_luxuries_drop_first_then_the_title_shrinks_then_the_rest_drops() -> None:
    assert keys(80) == ["market", "state", "age", "why", "extra"]
    assert keys(57) == ["market", "state", "age", "why"]
    assert keys(40) == ["market", "state", "age", "why"]
    assert keys(30) == ["market", "state", "age"]
    assert keys(5) == ["market", "state", "age"]


def test_columns_fill_the_width_until_they_have_enough() -> None:
    for width in range(24, 60):
        layout = lay_out_columns(COLUMNS, width)
        used = 1 + sum(w for _, _, w in layout) + len(layout) - 1
        assert used <= width
    assert lay_out_columns(COLUMNS, 200)[0][2] == 30


def test_a_row_takes_the_width_of_its_layout_whatever_its_text() -> None:
    texts = ("東京は晴れますか？ 한국어", "x" * 99, "ok", "e\u0301tat", "")
    row = Row(key="k", cells=tuple((text, "") for text in texts))
    layout = lay_out_columns(COLUMNS, 80)
    wanted = 1 + sum(w for _, _, w in layout) + len(layout) - 1
    assert line_cells(row_line(row, layout, cursor=False)) == wanted


def test_a_stale_row_says_so_in_front_and_in_every_cell() -> None:
    row = Row(key="k", cells=tuple(("x", "buy") for _ in COLUMNS), stale=True)
    line = row_line(row, lay_out_columns(COLUMNS, 80), cursor=False)
    assert line[0] == ("~", "stale")
    assert {role for _, role in line} == {"stale"}


def test_words_are_joined_by_and_and_can_be_excluded() -> None:
    row = {"market": "Will Bitcoin rise?", "state": "! suspect", "id": "0x9e"}
    assert matches(parse("bitcoin suspect"), row)
    assert matches(parse("!fed"), row)
    assert matches(parse("state:suspect !state:synced"), row)
    assert matches(parse("id:0x9e"), row)
    assert not matches(parse("!bitcoin"), row)
    assert not matches(parse("market:suspect"), row)
    assert matches(parse("  ! "), row)


def test_a_sentence_is_wrapped_at_words() -> None:
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("", 7) == []
