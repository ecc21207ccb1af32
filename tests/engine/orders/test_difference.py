"""The difference report: lines open and close by evidence, and are bounded."""

from typing import Any

from polytui.engine.core.order_enums import Anomaly, Realm
from polytui.engine.core.units import U
from polytui.engine.orders.difference import OPEN_MAX, RESOLVED_MAX, Line, Report
from polytui.engine.portfolio.settlement import Difference


def line(subject: str = "0xa", **other: Any) -> Line:
    facts: dict[str, Any] = {"ours": "a", "theirs": "b", "market": "0xm", **other}
    facts.setdefault("since_ns", 5)
    return Line(anomaly=Anomaly.ORDER_MISMATCH, subject=subject, evidence="e", **facts)


def test_a_line_keeps_its_beginning_moves_its_numbers_and_is_recorded_when_they_move() -> None:
    report = Report(Realm.LIVE)
    assert report.note(line())
    assert not report.note(line(since_ns=9))
    assert len(report.drain(1)) == 1
    assert not report.note(line(since_ns=9, theirs="c"))
    (record,) = report.drain(2)
    assert (record.theirs, record.cause) == ("c", 2)
    assert report.lines["0xa", Anomaly.ORDER_MISMATCH].since_ns == 5
    report.resolve("0xa", Anomaly.ORDER_MISMATCH, at_ns=11)
    report.resolve("0xa", Anomaly.ORDER_MISMATCH, at_ns=12)
    assert [one.resolved_ns for one in report.resolved] == [11]


def test_an_open_question_halts_nothing_yet() -> None:
    report = Report(Realm.LIVE)
    report.note(line(is_question=True))
    report.note(line("0xb", market=""))
    assert report.halting() == {}
    report.note(line())
    assert report.halting() == {("0xm", "order_mismatch 0xa"): "ours a, theirs b"}


def test_the_report_is_bounded_and_counts_what_it_leaves_out() -> None:
    report = Report(Realm.LIVE)
    for n in range(OPEN_MAX + 5):
        report.note(line(f"0x{n}"))
    assert (len(report.lines), report.overflow) == (OPEN_MAX, 5)
    for n in range(RESOLVED_MAX + 5):
        report.told(line(f"0y{n}"))
    assert len(report.resolved) == RESOLVED_MAX


def test_equality_in_the_audit_closes_no_line_of_the_chains_own() -> None:
    report = Report(Realm.LIVE)
    rows = [
        Difference(anomaly=Anomaly.POSITION_MISMATCH, subject="111", ours_u6=U, theirs_u6=2 * U)
    ]
    common: dict[str, Any] = {"markets": {"111": "0xm"}, "at_ns": 1}
    assert report.compare(rows, source="balances", equal=set(), **common) == 1
    report.compare([], source="audit", equal={"111"}, **common)
    assert len(report.lines) == 1
    report.compare([], source="balances", equal=set(), **common)
    assert len(report.lines) == 1, "left out is not equal"
    report.compare([], source="balances", equal={"111"}, **common)
    assert report.lines == {}
