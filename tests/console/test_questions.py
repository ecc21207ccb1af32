"""What the screen asks: forms for what is missing, and challenges as the engine states them."""

from typing import Any

import pytest
from msgspec.structs import replace

from polytui.actions import ACTIONS, BY_ID, Facts, arguments, refusal
from polytui.engine.core.enums import Mode
from polytui.engine.core.messages import CONFIRM_REQUIRED, Answer, Show
from polytui.screens.asking import Asked
from polytui.screens.questions import FORMS, challenge_question, form_for, quit_question
from polytui.screens.store import Store
from polytui.widgets.confirm import DEAF_NS, SEND, Gate, Question
from tests.console import account_views, views
from tests.console.parts import HOSTILE, market_id


def store(*topics: str) -> Store:
    made = Store(0)
    for topic, section in account_views.trading(views.live()).items():
        if topic in topics:
            made.take(Show(topic=topic, section=section), 0)
    return made


ALL = store("status", "orders", "positions", "risk", "alerts")
FACTS = Facts(
    linked=True,
    role="rw",
    page="orders",
    strategy="box",
    strategies=1,
    market=market_id(1),
    title="Will the Fed cut rates",
    subject="order:r1-88001-1",
    alert="a1",
)


def asked_back(typed: str, *impact: str, **fields: Any) -> Question:
    answer = Answer(
        id="1",
        ok=False,
        code=CONFIRM_REQUIRED,
        text="",
        challenge="c7",
        typed=typed,
        impact=impact,
        expires_s=15,
        **fields,
    )
    return challenge_question(Asked(directive="risk.flatten", args=("all",)), answer)


def test_a_challenge_of_y_is_answered_by_y_alone() -> None:
    question = asked_back("y", "cancels first: 5 orders open")
    gate = Gate(question, 0)
    assert gate.answer("enter", DEAF_NS) == "cancel"
    assert Gate(question, 0).answer("y", DEAF_NS - 1, "y") is None, "deaf for the first 400 ms"
    assert Gate(question, 0).answer("y", DEAF_NS, "y") == SEND
    assert "Cancels first: 5 orders open" in question.lines
    assert question.command == "risk.flatten all"


def test_a_challenge_with_a_phrase_is_typed_to_the_letter_with_its_reason() -> None:
    question = asked_back("FLATTEN 4", wants_reason=True)
    assert [field.expect for field in question.fields] == ["", "FLATTEN 4"]
    assert question.choices == ()
    gate = Gate(question, 0)
    for char in "all out":
        gate.answer(char, DEAF_NS, char)
    gate.answer("tab", DEAF_NS)
    assert [gate.answer(char, DEAF_NS, char) for char in "FLATTEN 4"] == [*[None] * 8, SEND]


def test_what_an_engine_writes_into_a_challenge_stays_text() -> None:
    question = asked_back("y", *HOSTILE)
    assert all(str(line).isprintable() for line in question.lines)


@pytest.mark.parametrize("action", [a.id for a in ACTIONS if a.directive and a.id not in FORMS])
def test_whether_to_confirm_is_not_decided_by_the_screen(action: str) -> None:
    assert form_for(BY_ID[action], FACTS, ALL) is None


def test_a_limit_is_asked_for_its_value_and_nothing_else() -> None:
    question = form_for(BY_ID["limit.set"], replace(FACTS, subject="limit:total_u6"), ALL)
    assert question is not None
    gate = Gate(question, 0)
    assert gate.answer("y", DEAF_NS, "y") is None, "a number is missing"
    for char in "250":
        assert gate.answer(char, DEAF_NS, char) is None
    assert gate.answer("y", DEAF_NS, "y") == SEND
    assert question.sent(gate.texts) == ("total_u6", "250")
    assert "$500.00" in str(question.lines)


def test_shelving_asks_for_a_time_and_a_reason() -> None:
    question = form_for(BY_ID["alert.shelve"], FACTS, ALL)
    assert question is not None
    gate = Gate(question, 0)
    for key in ("3", "0", "tab", *"the venue said so"):
        assert gate.answer(key, DEAF_NS, key if len(key) == 1 else None) is None
    assert gate.answer("enter", DEAF_NS) == SEND
    assert question.sent(gate.texts) == ("a1", "30", "the venue said so")


ARGUMENTS = {
    "orders.cancel": ("order:r1-88001-1",),
    "orders.cancel_market": (f"market:{market_id(1)}",),
    "orders.cancel_strategy": ("strategy:box",),
    "orders.cancel_all": ("all",),
    "risk.flatten": ("all",),
    "risk.flatten_market": (f"market:{market_id(1)}",),
    "trading.halt": ("operator",),
    "trading.resume": ("all",),
    "mode.shadow": ("shadow",),
    "mode.disarm": (),
    "strategy.pause": ("box",),
    "alert.ack": ("a1",),
    "alert.ack_low": ("low",),
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
        ("alert.ack", {"alert": ""}, "no alert"),
        ("alert.unshelve", {}, "put the cursor on a shelved alert"),
        ("orders.cancel_all", {"lease_holder": "uid 1 pid 2"}, "holds the write lease"),
        ("lease.take", {}, "may write already"),
    ],
)
def test_an_impossible_action_says_why(action: str, facts: dict[str, object], why: str) -> None:
    assert why in (refusal(BY_ID[action], replace(FACTS, **facts)) or "")


@pytest.mark.parametrize("action", ["strategy.pause", "trading.halt", "orders.cancel"])
def test_less_risk_needs_no_lease(action: str) -> None:
    assert refusal(BY_ID[action], replace(FACTS, lease_holder="uid 1 pid 2")) is None


def test_leaving_says_what_stays_open() -> None:
    assert "5 orders open, 1 unknown" in str(quit_question(ALL, owns_engine=True).lines)
    assert "not known" in str(quit_question(Store(0), owns_engine=True).lines)
