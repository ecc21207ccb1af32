import pytest

from polytui.screens.questions import quit_question
from polytui.screens.store import Store
from polytui.widgets.confirm import (
    DEAF_NS,
    EXPIRES_LAST_NS,
    EXPIRES_NS,
    SEND,
    Choice,
    Field,
    Gate,
    Question,
    dialog_lines,
)
from polytui.widgets.lines import line_cells

MS = 10**6
STORE = Store(0)
YES = (Choice(key="y", text="yes", answer=SEND),)
STOP = Question(
    title="STOP ENGINE",
    lines=("5 orders are cancelled first.",),
    choices=(Choice(key="y", text="yes, stop it", answer=SEND),),
    directive="engine.stop",
    challenge="c1",
    typed="y",
)
TYPED = Question(
    title="LEAVE KILLED",
    lines=("What happens.",),
    fields=(
        Field(name="reason", label="reason", least=3),
        Field(name="phrase", label="type CLEAR", expect="CLEAR"),
    ),
    directive="risk.clear",
    args=("=phrase", "=reason"),
)


def typed(gate: Gate, text: str, at_ns: int = DEAF_NS) -> list[str | None]:
    """Type a text, letter by letter."""
    return [gate.answer(char, at_ns, char) for char in text]


def test_enter_never_confirms() -> None:
    gate = Gate(STOP, 0)
    assert gate.answer("enter", DEAF_NS) == "cancel"


def test_only_the_named_key_confirms() -> None:
    gate = Gate(STOP, 0)
    assert gate.answer("n", DEAF_NS) is None
    assert gate.answer("space", DEAF_NS) is None
    assert gate.answer("y", DEAF_NS) == SEND


def test_keys_are_ignored_at_first_and_while_they_repeat() -> None:
    gate = Gate(STOP, 0)
    for at_ms in range(0, 2_000, 50):
        assert gate.answer("y", at_ms * MS) is None
    assert gate.answer("y", 1_950 * MS + DEAF_NS) == SEND


def test_escape_cancels_at_once() -> None:
    assert Gate(quit_question(STORE, owns_engine=True), 0).answer("escape", 1) == "cancel"


def test_a_question_expires_and_then_nothing_confirms_it() -> None:
    gate = Gate(STOP, 0)
    assert gate.left_s(0) == 15
    assert gate.expired(EXPIRES_NS)
    assert gate.answer("y", EXPIRES_NS) == "cancel"


def test_only_the_console_that_started_the_engine_offers_to_stop_it() -> None:
    assert [c.key for c in quit_question(STORE, owns_engine=True).choices] == ["d", "s"]
    assert [c.key for c in quit_question(STORE, owns_engine=False).choices] == ["d"]


def test_a_dialog_shows_the_directive_and_the_cancel_at_every_size() -> None:
    for height in (4, 6, 20):
        gate = Gate(STOP, 0)
        lines = dialog_lines(gate, 9, 60, height)
        text = "\n".join("".join(part for part, _ in line) for line in lines)
        assert {line_cells(line) for line in lines} == {60}
        assert len(lines) <= height
        assert "[ Cancel ]" in text
        assert "expires 9 s" in text
    assert "engine.stop" in text


def test_a_phrase_sends_when_it_is_complete_and_nothing_else_is_missing() -> None:
    gate = Gate(TYPED, 0)
    assert not any(typed(gate, "all is flat"))
    assert gate.answer("tab", DEAF_NS) is None
    assert typed(gate, "CLEAR") == [None, None, None, None, SEND]
    assert TYPED.sent(gate.texts) == ("CLEAR", "all is flat")
    assert TYPED.command == "risk.clear <phrase> <reason>"


def test_a_phrase_without_a_reason_sends_nothing() -> None:
    gate = Gate(TYPED, 0)
    gate.answer("tab", DEAF_NS)
    assert not any(typed(gate, "CLEAR"))
    assert "reason" in gate.problem()


@pytest.mark.parametrize("text", ["clear", "CLEAR ", "CLEA", "XCLEAR"])
def test_a_phrase_that_is_not_exact_sends_nothing(text: str) -> None:
    gate = Gate(TYPED, 0)
    typed(gate, "why not")
    gate.answer("tab", DEAF_NS)
    assert SEND not in typed(gate, text)[-1:]


def test_enter_does_nothing_in_a_question_with_fields_however_complete_it_is() -> None:
    gate = Gate(TYPED, 0)
    for name, text in (("reason", "all is flat"), ("phrase", "CLEAR")):
        gate.texts[name] = text
    assert gate.problem() == ""
    for _ in range(5):
        assert gate.answer("enter", DEAF_NS) is None


def test_a_field_of_digits_leaves_letters_to_the_choices() -> None:
    gate = Gate(
        Question(
            title="t", lines=(), fields=(Field(name="n", label="n", numeric=True),), choices=YES
        ),
        0,
    )
    assert gate.answer("y", DEAF_NS, "y") is None
    typed(gate, "12.5")
    assert gate.texts["n"] == "12.5"
    assert gate.answer("y", DEAF_NS, "y") == SEND


def test_typing_keeps_a_question_open_but_not_for_ever() -> None:
    gate = Gate(TYPED, 0)
    for at_ns in range(DEAF_NS, EXPIRES_LAST_NS, EXPIRES_NS // 2):
        assert not gate.expired(at_ns)
        gate.answer("a", at_ns, "a")
    assert gate.expired(EXPIRES_LAST_NS)
    assert gate.answer("a", EXPIRES_LAST_NS, "a") == "cancel"
    idle = Gate(TYPED, 0)
    assert idle.expired(EXPIRES_NS)


def test_a_typed_dialog_keeps_its_fields_and_its_way_out_at_every_size() -> None:
    for height in (6, 8, 20):
        lines = dialog_lines(Gate(TYPED, 0), 9, 40, height)
        text = "\n".join("".join(part for part, _ in line) for line in lines)
        assert {line_cells(line) for line in lines} == {40}
        assert "type CLEAR" in text
        assert "[ Cancel ]" in text
