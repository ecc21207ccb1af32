"""What may be asked of an engine, and the sentence for what may not."""

import pytest

from polytui.engine.account.directives import Reply
from polytui.engine.core.messages import Answer, Ask
from polytui.engine.shell.directives import FAULT, done, refuse


def judged(action: str, *args: str, practice: bool = True) -> Answer | None:
    troubles = ("torn", "heal") if practice else ()
    return refuse(Ask(id="1", action=action, args=args), strategies=("box",), troubles=troubles)


@pytest.mark.parametrize(
    ("action", "args"),
    [
        ("strategy.pause", ("box",)),
        ("strategy.pause_all", ()),
        ("engine.stop", ()),
        (FAULT, ("torn",)),
    ],
)
def test_what_makes_sense_is_let_in(action: str, args: tuple[str, ...]) -> None:
    assert judged(action, *args) is None


@pytest.mark.parametrize(
    ("action", "args", "code", "text"),
    [
        (FAULT, (), "bad_request", "expected the name of a trouble, was none"),
        (FAULT, ("boom",), "refused", "expected one of torn, heal, was 'boom'"),
        (FAULT, ("torn", "heal"), "bad_request", "expected one trouble, was 2"),
        ("strategy.pause", ("who",), "refused", "expected one of box, was 'who'"),
        ("strategy.pause", (), "bad_request", "expected the name of a strategy, was none"),
        ("engine.stop", ("now",), "bad_request", "expected no arguments, was 'now'"),
    ],
)
def test_what_makes_none_is_refused_with_a_sentence(
    action: str, args: tuple[str, ...], code: str, text: str
) -> None:
    answer = judged(action, *args)
    assert answer is not None
    assert (answer.ok, answer.code, answer.text) == (False, code, text)


def test_only_the_practice_venue_gets_into_trouble_on_request() -> None:
    answer = judged(FAULT, "torn", practice=False)
    assert answer is not None
    assert "none, as this is not the practice venue" in answer.text


def test_an_answer_names_what_was_done() -> None:
    def said(action: str, *args: str, ok: bool = True, text: str = "") -> tuple[bool, str, str]:
        answer = done(Ask(id="1", action=action, args=args), Reply(ok=ok, text=text))
        return answer.ok, answer.code, answer.text

    assert said(FAULT, "torn") == (True, "done", "The practice venue plays: torn.")
    assert said("mode.set", "paper", text="PAPER.") == (True, "done", "PAPER.")
    assert said("mode.set", "x", ok=False, text="No.") == (False, "refused", "No.")
