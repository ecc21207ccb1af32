from polytui.screens.questions import quit_question, stop_question
from polytui.widgets.confirm import DEAF_NS, EXPIRES_NS, Gate, dialog_lines
from polytui.widgets.lines import line_cells

MS = 10**6


def test_enter_never_confirms() -> None:
    gate = Gate(stop_question(owns_engine=True), 0)
    assert gate.answer("enter", DEAF_NS) == "cancel"


def test_only_the_named_key_confirms() -> None:
    gate = Gate(stop_question(owns_engine=True), 0)
    assert gate.answer("n", DEAF_NS) is None
    assert gate.answer("space", DEAF_NS) is None
    assert gate.answer("y", DEAF_NS) == "stop"


def test_keys_are_ignored_at_first_and_while_they_repeat() -> None:
    gate = Gate(stop_question(owns_engine=True), 0)
    for at_ms in range(0, 2_000, 50):
        assert gate.answer("y", at_ms * MS) is None
    assert gate.answer("y", 1_950 * MS + DEAF_NS) == "stop"


def test_escape_cancels_at_once() -> None:
    assert Gate(quit_question(owns_engine=True), 0).answer("escape", 1) == "cancel"


def test_a_question_expires_and_then_nothing_confirms_it() -> None:
    gate = Gate(stop_question(owns_engine=True), 0)
    assert gate.left_s(0) == 15
    assert gate.expired(EXPIRES_NS)
    assert gate.answer("y", EXPIRES_NS) == "cancel"


def test_only_the_console_that_started_the_engine_offers_to_stop_it() -> None:
    assert [c.key for c in quit_question(owns_engine=True).choices] == ["d", "s"]
    assert [c.key for c in quit_question(owns_engine=False).choices] == ["d"]


def test_a_dialog_shows_the_directive_and_the_cancel_at_every_size() -> None:
    for height in (4, 6, 20):
        lines = dialog_lines(stop_question(owns_engine=False), 9, 60, height)
        text = "\n".join("".join(part for part, _ in line) for line in lines)
        assert {line_cells(line) for line in lines} == {60}
        assert len(lines) <= height
        assert "[ Cancel ]" in text
        assert "expires 9 s" in text
    assert "engine.stop" in text
