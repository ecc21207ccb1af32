"""What is asked before an action that moves risk: the table of console.md §6.4, mode by mode."""

from typing import Any

import pytest
from msgspec.structs import replace

from polytui.actions import ACTIONS, BY_ID, Danger, Facts, arguments, refusal
from polytui.engine.core.enums import Mode
from polytui.engine.core.messages import Show
from polytui.screens.questions import quit_question, stop_question
from polytui.screens.store import Store
from polytui.screens.trade_questions import QUESTIONS, held_tokens, question_for
from polytui.widgets.confirm import DEAF_NS, SEND, Gate, Question
from tests.console import account_views, views
from tests.console.parts import market_id

MODES = (Mode.SHADOW, Mode.PAPER, Mode.LIVE_DRY_RUN, Mode.LIVE_ARMED, None)
LIVE = (Mode.LIVE_DRY_RUN, Mode.LIVE_ARMED, None)


def store(*topics: str) -> Store:
    made = Store(0)
    for topic, section in account_views.trading(views.live()).items():
        if topic in topics:
            made.take(Show(topic=topic, section=section), 0)
    return made


ALL = store("status", "orders", "positions", "risk")
FACTS = Facts(
    linked=True,
    role="rw",
    page="orders",
    strategy="box",
    strategies=1,
    market=market_id(1),
    title="Will the Fed cut rates",
    subject="order:r1-88001-1",
)


def asked(action: str, mode: Mode | None, known: Store = ALL, **facts: Any) -> Question | None:
    given = replace(FACTS, mode=mode, **facts)
    return question_for(BY_ID[action], given, known)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "action", [a.id for a in ACTIONS if a.danger is Danger.REDUCE and a.directive]
)
def test_less_risk_asks_nothing_in_any_mode(action: str, mode: Mode | None) -> None:
    assert asked(action, mode) is None


@pytest.mark.parametrize("mode", MODES)
def test_every_question_names_what_it_sends_and_enter_never_confirms_it(mode: Mode | None) -> None:
    for action in QUESTIONS:
        question = asked(action, mode, market=market_id(1), subject="limit:total_u6")
        if question is None:
            continue
        assert question.directive == BY_ID[action].directive
        assert question.fields or question.choices
        gate = Gate(question, 0)
        assert gate.answer("enter", DEAF_NS) in (None, "cancel")
        early = Gate(question, 0)
        assert early.answer("y", DEAF_NS - 1, "y") is None, "deaf for the first 400 ms"


def test_cancelling_a_scope_asks_only_live_and_only_when_a_group_loses_a_leg() -> None:
    assert asked("orders.cancel_all", Mode.SHADOW) is None
    assert asked("orders.cancel_all", Mode.PAPER) is None
    for mode in LIVE:
        question = asked("orders.cancel_market", mode)
        assert question is not None
        assert "Will the Fed" in " ".join(map(str, question.lines))
        assert asked("orders.cancel_market", mode, market=market_id(7)) is None
        assert asked("orders.cancel_all", mode, store("status")) is not None, "groups not known"


@pytest.mark.parametrize("mode", MODES)
def test_flattening_all_is_typed_with_the_number_of_tokens_in_every_mode(mode: Mode | None) -> None:
    question = asked("risk.flatten", mode)
    assert question is not None
    assert [field.expect for field in question.fields] == ["FLATTEN 4"]
    assert question.sent({"phrase": "FLATTEN 4"}) == ("all", "FLATTEN 4")


def test_what_is_held_counts_tokens_that_can_be_sold_or_come_in() -> None:
    assert held_tokens(ALL) == 4
    assert held_tokens(ALL, market_id(6)) == 0, "all of it is on its way out"
    assert held_tokens(Store(0)) is None


@pytest.mark.parametrize("mode", MODES)
def test_flattening_a_market_live_is_typed(mode: Mode | None) -> None:
    question = asked("risk.flatten_market", mode)
    assert question is not None
    assert question.args[0] == f"market:{market_id(1)}"
    if mode in LIVE:
        assert [field.expect for field in question.fields] == ["FLATTEN 1"]
    else:
        assert question.choices[0].key == "y"
        assert question.args[1] == "FLATTEN 1"


def test_leaving_the_kill_takes_a_reason_and_says_whether_it_is_verified() -> None:
    question = asked("risk.clear", Mode.PAPER)
    assert question is not None
    assert "NOT VERIFIED" in str(question.lines)
    assert question.sent({"phrase": "CLEAR", "reason": " all is flat "}) == ("CLEAR", "all is flat")


def test_a_limit_tightens_by_y_and_loosens_by_its_phrase_only() -> None:
    question = asked("limit.set", Mode.PAPER, subject="limit:total_u6")
    assert question is not None
    gate = Gate(question, 0)
    assert gate.answer("y", DEAF_NS, "y") is None, "a number is missing"
    for char in "250":
        assert gate.answer(char, DEAF_NS, char) is None
    assert gate.answer("y", DEAF_NS, "y") == SEND
    assert question.sent(gate.texts) == ("total_u6", "250", "")
    gate.answer("tab", DEAF_NS)
    typed = [gate.answer(char, DEAF_NS, char) for char in "LOOSEN total_u6 250"]
    assert typed == [*[None] * 18, SEND]
    assert question.sent(gate.texts) == ("total_u6", "250", "LOOSEN total_u6 250")
    assert "$500.00" in str(question.lines)


def test_a_breaker_needs_the_word_and_a_safer_mode_needs_nothing() -> None:
    question = asked("breaker.reset", Mode.PAPER, subject="breaker:repetition:box")
    assert question is not None
    assert [field.expect for field in question.fields] == ["", "RESET repetition"]
    sent = question.sent({"phrase": "RESET repetition", "reason": "fixed"})
    assert sent == ("repetition:box", "RESET repetition", "fixed")
    assert asked("mode.paper", Mode.SHADOW) is not None
    assert asked("mode.paper", Mode.LIVE_ARMED) is None
    assert asked("mode.live_dry_run", Mode.LIVE_ARMED) is None


ARGUMENTS = {
    "orders.cancel": ("order:r1-88001-1",),
    "orders.cancel_market": (f"market:{market_id(1)}",),
    "orders.cancel_strategy": ("strategy:box",),
    "orders.cancel_all": ("all",),
    "trading.halt": ("operator",),
    "mode.shadow": ("shadow",),
    "mode.disarm": (),
    "strategy.pause": ("box",),
}


@pytest.mark.parametrize("action", ARGUMENTS)
def test_a_directive_says_what_it_is_about(action: str) -> None:
    assert arguments(BY_ID[action], FACTS) == ARGUMENTS[action]


@pytest.mark.parametrize(
    ("action", "facts", "why"),
    [
        ("orders.cancel", {"subject": ""}, "put the cursor on an order"),
        ("orders.cancel", {"over": "the order is matched"}, "the order is matched"),
        ("breaker.reset", {"subject": "breaker:x", "over": "the breaker is closed"}, "closed"),
        ("breaker.reset", {}, "put the cursor on a breaker"),
        ("limit.set", {}, "put the cursor on a limit"),
        ("risk.clear", {}, "not killed"),
        ("mode.arm", {"killed": True}, "clear the kill first"),
        ("mode.arm", {"mode": Mode.PAPER}, "arming starts from LIVE DRY RUN"),
        ("mode.arm", {"mode": Mode.LIVE_ARMED}, "armed already"),
        ("mode.disarm", {"mode": Mode.PAPER}, "not armed"),
        ("mode.abort", {"arm_stage": "idle"}, "no arming is under way"),
        ("mode.paper", {"mode": Mode.PAPER}, "the mode now"),
        ("risk.flatten", {"mode": Mode.REPLAY}, "a recording"),
    ],
)
def test_an_impossible_action_says_why(action: str, facts: dict[str, object], why: str) -> None:
    assert why in (refusal(BY_ID[action], replace(FACTS, **facts)) or "")


def test_leaving_says_what_stays_open_and_stopping_an_armed_engine_is_typed() -> None:
    assert "5 orders open, 1 unknown" in str(quit_question(ALL, owns_engine=True).lines)
    assert "not known" in str(quit_question(Store(0), owns_engine=True).lines)
    made = Store(0)
    for topic, section in account_views.armed(views.live(), practice=True).items():
        made.take(Show(topic=topic, section=section), 0)
    question = stop_question(made, owns_engine=False)
    assert [field.expect for field in question.fields] == ["SHUTDOWN"]
