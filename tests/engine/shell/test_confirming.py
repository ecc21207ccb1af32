"""The confirmation rule: challenge, impact, typed text, one person, one use, one ask, in time."""

import pytest
from msgspec.structs import replace

from polytui.engine.account.impact import NOTHING, Impact
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.messages import Answer, Ask, Confirm
from polytui.engine.shell.confirming import (
    CHALLENGES_MAX,
    EXPIRES_S,
    TYPING_S,
    Answered,
    Confirming,
)

S = 1_000_000_000
ANA, BEN = "uid 1000 pid 4711", "uid 1001 pid 4712"
FLATTEN = Ask(id="1", action="risk.flatten", args=("all",))
CLEAR = Ask(id="1", action="risk.clear")


class Floor:
    """What an ask would do, as the test says."""

    def __init__(self, typed: str = "y", *lines: str, why: str = "") -> None:
        self.impact = Impact(lines=lines, typed=typed)
        self.why = why
        self.desk = Confirming(self.look)

    def look(self, action: str, args: tuple[str, ...]) -> Impact:
        del action, args
        if self.why:
            raise OperatorError(self.why)
        return self.impact

    def ask(self, ask: Ask, actor: str = ANA, at_s: float = 0) -> Ask | Answer:
        return self.desk.judge(ask, actor, now_ns=int(at_s * S))

    def challenge(self, ask: Ask, at_s: float = 0) -> Answer:
        answer = self.ask(ask, at_s=at_s)
        assert isinstance(answer, Answer)
        assert answer.code == "confirm_required"
        return answer


def with_confirm(ask: Ask, answer: Answer, typed: str | None = None, reason: str = "") -> Ask:
    said = answer.typed if typed is None else typed
    return replace(ask, confirm=Confirm(challenge=answer.challenge, typed=said, reason=reason))


def refused(answer: Ask | Answer) -> str:
    assert isinstance(answer, Answer)
    assert (answer.ok, answer.code) == (False, "refused")
    return answer.text


def test_what_asks_nothing_goes_through_as_it_is() -> None:
    floor = Floor()
    floor.impact = NOTHING
    assert floor.ask(FLATTEN) is FLATTEN


def test_a_challenge_says_what_would_happen_and_the_second_ask_is_let_in() -> None:
    floor = Floor("FLATTEN 3", "cancels first: 5 orders open", "sells 3 positions")
    answer = floor.challenge(FLATTEN)
    assert answer.typed == "FLATTEN 3"
    assert answer.impact == ("cancels first: 5 orders open", "sells 3 positions")
    assert answer.expires_s == TYPING_S
    assert "sells 3 positions" in answer.text
    taken = floor.ask(with_confirm(FLATTEN, answer))
    assert taken == Ask(id="1", action="risk.flatten", args=("all", "FLATTEN 3"))


def test_a_reason_goes_only_to_those_that_take_one() -> None:
    floor = Floor("FLATTEN 3")
    said = with_confirm(FLATTEN, floor.challenge(FLATTEN), reason="tired of it")
    assert floor.ask(said) == replace(FLATTEN, args=("all", "FLATTEN 3", "tired of it"))
    promote = Ask(id="2", action="gate.promote", args=("box",))
    floor.impact = Impact(typed="PROMOTE box")
    said = with_confirm(promote, floor.challenge(promote), reason="tired of it")
    assert floor.ask(said) == replace(promote, args=("box", "PROMOTE box"))


def test_a_plain_yes_adds_no_argument() -> None:
    floor = Floor("y")
    answer = floor.challenge(FLATTEN)
    assert answer.expires_s == EXPIRES_S
    assert floor.ask(with_confirm(FLATTEN, answer)) == FLATTEN


def test_a_challenge_is_used_once() -> None:
    floor = Floor()
    answer = floor.challenge(FLATTEN)
    assert floor.ask(with_confirm(FLATTEN, answer)) == FLATTEN
    assert "spent" in refused(floor.ask(with_confirm(FLATTEN, answer)))


def test_what_was_typed_wrong_spends_the_challenge_too() -> None:
    floor = Floor("FLATTEN 3")
    answer = floor.challenge(FLATTEN)
    said = refused(floor.ask(with_confirm(FLATTEN, answer, "flatten 3")))
    assert "expected FLATTEN 3, was 'flatten 3'" in said
    assert "spent" in refused(floor.ask(with_confirm(FLATTEN, answer)))


@pytest.mark.parametrize(("typed", "expires_s"), [("y", EXPIRES_S), ("FLATTEN 3", TYPING_S)])
def test_a_challenge_expires(typed: str, expires_s: int) -> None:
    floor = Floor(typed)
    late = with_confirm(FLATTEN, floor.challenge(FLATTEN))
    assert "expired" in refused(floor.ask(late, at_s=expires_s))
    early = with_confirm(FLATTEN, floor.challenge(FLATTEN))
    assert isinstance(floor.ask(early, at_s=expires_s - 0.1), Ask)


def test_a_challenge_belongs_to_one_person_whichever_process_they_use() -> None:
    floor = Floor()
    assert "somebody else" in refused(
        floor.ask(with_confirm(FLATTEN, floor.challenge(FLATTEN)), BEN)
    )
    again = with_confirm(FLATTEN, floor.challenge(FLATTEN))
    assert floor.ask(again, "uid 1000 pid 99") == FLATTEN


@pytest.mark.parametrize(
    "other",
    [
        replace(FLATTEN, args=("market:0x1",)),
        replace(FLATTEN, action="orders.cancel"),
        replace(FLATTEN, args=("all", "FLATTEN 3")),
    ],
)
def test_a_challenge_is_for_one_action_and_its_arguments(other: Ask) -> None:
    floor = Floor()
    answer = floor.challenge(FLATTEN)
    assert "another ask" in refused(floor.ask(with_confirm(other, answer)))


def test_a_reason_is_wanted_where_the_verb_has_one_and_none_was_given() -> None:
    floor = Floor("CLEAR")
    answer = floor.challenge(CLEAR)
    assert answer.wants_reason
    assert "say why" in refused(floor.ask(with_confirm(CLEAR, answer)))
    answer = floor.challenge(CLEAR)
    taken = floor.ask(with_confirm(CLEAR, answer, reason="the feed is back"))
    assert taken == Ask(id="1", action="risk.clear", args=("CLEAR", "the feed is back"))
    said = replace(CLEAR, args=("the", "feed", "is", "back"))
    answer = floor.challenge(said)
    assert not answer.wants_reason
    taken = floor.ask(with_confirm(said, answer))
    assert isinstance(taken, Ask)
    assert taken.args == ("CLEAR", "the", "feed", "is", "back")


@pytest.mark.parametrize("phrase", [("FLATTEN 3",), ("FLATTEN", "3"), ("FLATTEN", "9")])
def test_a_phrase_among_the_arguments_is_the_engines_to_judge(phrase: tuple[str, ...]) -> None:
    ask = replace(FLATTEN, args=("all", *phrase))
    assert Floor("FLATTEN 3").ask(ask) is ask


@pytest.mark.parametrize("said", [("CLEAR",), ("CLEAR", "x"), ("CLEAR", "", " ")])
def test_a_phrase_among_the_arguments_needs_its_reason_as_well(said: tuple[str, ...]) -> None:
    ask = replace(CLEAR, args=said)
    assert "say why" in refused(Floor("CLEAR").ask(ask))
    ask = replace(CLEAR, args=("CLEAR", "the feed is back"))
    assert Floor("CLEAR").ask(ask) is ask


def test_nobody_is_asked_to_confirm_what_would_be_refused() -> None:
    assert refused(Floor(why="there is nothing to flatten").ask(FLATTEN)) == (
        "there is nothing to flatten"
    )


def test_what_changed_meanwhile_is_asked_again() -> None:
    floor = Floor("FLATTEN 3")
    answer = floor.challenge(FLATTEN)
    floor.impact = Impact(typed="FLATTEN 4")
    assert "now take FLATTEN 4" in refused(floor.ask(with_confirm(FLATTEN, answer)))


def test_challenges_are_bounded() -> None:
    floor = Floor()
    first = floor.challenge(FLATTEN)
    for _ in range(CHALLENGES_MAX):
        floor.challenge(FLATTEN)
    assert "spent" in refused(floor.ask(with_confirm(FLATTEN, first)))


def test_a_repeated_ask_is_answered_with_the_first_result() -> None:
    answered, told = Answered(), []
    result = Answer(id="1", ok=True, code="done", text="Flattening.")

    def reply(answer: Answer) -> None:
        told.append(answer)

    assert not answered.repeat(FLATTEN, ANA, reply)
    answered.begin(FLATTEN, ANA)
    assert answered.repeat(FLATTEN, ANA, reply), "while it is under way: told when it is done"
    assert told == []
    answered.end(FLATTEN, ANA, result)
    assert answered.repeat(FLATTEN, "uid 1000 pid 99", reply)
    assert told == [result, result]
    assert not answered.repeat(FLATTEN, BEN, reply), "ids of others are others' ids"
    assert answered.repeat(replace(FLATTEN, args=("market:0x1",)), ANA, reply)
    assert told[-1].code == "bad_request"
