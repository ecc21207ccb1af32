"""The report: safe to show, every trouble with its remedy, the code that scripts need."""

import json
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.shell.doctor import examine
from polytui.engine.shell.doctor.case import Case
from polytui.engine.shell.doctor.examine import CHECKS, Check, judge
from polytui.engine.shell.doctor.report import (
    Finding,
    Report,
    Status,
    as_json,
    as_text,
    fail,
    line_of,
    listed,
    warn,
    well,
)
from tests.engine.shell.doctor.rig import case

HOSTILE = "\x1b]0;owned\x07\x1b[31mred\r\n\u202egnp.exe\u200b\x9b2J[b]bold[/b]"


def report_of(*findings: Finding) -> Report:
    lines = tuple(line_of(f"C{n}", f"check {n}", finding) for n, finding in enumerate(findings))
    return Report(version="1", wall_ns=0, venue="practice", lines=lines)


def test_only_a_failed_check_makes_the_code_1() -> None:
    assert report_of(well("a"), warn("b", "do")).exit_code == 0
    assert report_of(well("a"), warn("b", "do"), fail("c", "do")).exit_code == 1


def test_codes_are_unique_and_stable_words() -> None:
    codes = [check.code for check in CHECKS]
    assert len(set(codes)) == len(codes)
    assert all(code.isascii() and code.isupper() for code in codes)


def test_d2_hostile_text_reaches_neither_the_text_nor_the_json_with_a_control_character() -> None:
    report = report_of(warn(HOSTILE, HOSTILE))
    for text in (as_text(report), as_json(report)):
        bad = {char for char in text if category(char) in ("Cc", "Cf") and char != "\n"}
        assert bad == set()
    assert as_text(report).count("\n") == 2, "one line, its remedy, the summary"


@given(st.text(max_size=900))
def test_any_text_becomes_one_bounded_line(text: str) -> None:
    line = line_of("X", "x", fail(text, text))
    assert len(line.found) <= 400
    assert not any(category(char)[0] == "C" for char in line.found + line.remedy)


def test_json_has_the_counts_and_every_line() -> None:
    read = json.loads(as_json(report_of(well("a"), fail("b", "do that"))))
    assert (read["ok"], read["warn"], read["fail"]) == (1, 0, 1)
    assert read["lines"][1] == {
        "code": "C1",
        "title": "check 1",
        "status": "fail",
        "found": "b",
        "remedy": "do that",
    }


def test_text_puts_the_remedy_below_its_line_and_the_count_last() -> None:
    rows = as_text(report_of(well("fine"), warn("odd", "do this"))).splitlines()
    assert rows[0] == "ok    check 0  fine"
    assert rows[1:3] == ["warn  check 1  odd", "               -> do this"]
    assert rows[3] == "1 ok, 1 warn, 0 fail"


def test_a_check_that_breaks_is_a_failed_line_and_the_others_are_heard() -> None:
    def broken(_: Case) -> Finding:
        raise ZeroDivisionError("a \x1b[31m fault")

    report = judge(case(), (Check("BAD", "bad", broken), Check("OK", "ok", lambda _: well("yes"))))
    assert [line.status for line in report.lines] == [Status.FAIL, Status.OK]
    assert "ZeroDivisionError" in report.lines[0].found
    assert "\x1b" not in report.lines[0].found


def test_d15_with_a_configuration_that_cannot_be_read_nothing_is_guessed() -> None:
    report = examine.examine(None, config=None, why="run.seeed: there is no such key")
    by_code = {line.code: line for line in report.lines}
    assert by_code["CONFIG"].status is Status.FAIL
    assert "run.seeed" in by_code["CONFIG"].found
    assert report.exit_code == 1
    for code in ("STORE", "SIGNER", "VENUE", "LATCH"):
        assert by_code[code].status is Status.WARN
        assert "not looked at" in by_code[code].found


def test_every_line_that_is_not_ok_has_a_remedy() -> None:
    sick = case(config_why="wrong")
    lines = [line for line in judge(sick).lines if line.status is not Status.OK]
    assert len(lines) > 10
    assert [line.code for line in lines if not line.remedy] == []


@pytest.mark.parametrize(("count", "says"), [(0, ""), (2, "0, 1"), (7, "0, 1, 2, 3, 4 and 2 more")])
def test_lists_are_cut_and_say_so(count: int, says: str) -> None:
    assert listed(str(n) for n in range(count)) == says
