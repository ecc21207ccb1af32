"""The confirmation rule held by the real engine, in each mode: nothing that asks is done unasked.

Every verb of the registry whose rule asks for something is sent as any program on the socket could
send it, without a confirmation and with phrases that are almost right. None may take effect.
"""

from collections.abc import Iterator, Sequence

import pytest
from msgspec.structs import replace

from polytui.engine.core.enums import Mode
from polytui.engine.core.messages import CONFIRM_REQUIRED, Answer, Confirm
from polytui.engine.core.registry import REGISTRY, VERBS
from polytui.engine.core.verbs import Need, Verb, need_of
from polytui.engine.shell.dial import Dialled
from tests.process.rig import Trader, stage, trading
from tests.process.test_kill import wait_for_orders
from tests.support.engines import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

ARGS: dict[str, tuple[str, ...]] = {
    "risk.flatten": ("all",),
    "strategy.resume": ("scripted",),
    "gate.promote": ("scripted",),
    "trading.resume": ("all",),
    "mode.set": ("paper",),
    "limit.set": ("total_u6", "100000"),
    "breaker.reset": ("live.drawdown",),
    "orders.cancel": ("all",),
}
"""What each verb is about here."""
ALMOST = ("{0} x", "{0}x", "x{0}", " {0}", "{0}.")
"""Phrases that only look right."""
ASKS = frozenset({Need.YES, Need.TYPED, Need.LOOSENS})
"""Needs that do not depend on what is open: a cancel asks only where a pair would break."""


def args_of(verb: Verb, mode: Mode) -> tuple[str, ...]:
    """Name what a verb is about; the mode one goes up to is the next one."""
    up = {Mode.SHADOW: "paper", Mode.PAPER: "live_dry_run"}
    return (up.get(mode, "live_armed"),) if verb.id == "mode.set" else ARGS.get(verb.id, ())


def attempts(verb: Verb, mode: Mode) -> Iterator[tuple[str, ...]]:
    """Give the arguments alone, and with every phrase that is almost the one."""
    args = args_of(verb, mode)
    yield args
    if verb.phrase_at >= 0:
        phrase = verb.phrase.replace("<strategy>", "scripted").replace("<name>", "total_u6")
        phrase = phrase.replace("<value>", "100001").replace("<n>", "977")
        yield from ((*args, form.format(phrase.replace("<kind>", "nothing"))) for form in ALMOST)
        yield (*args, verb.phrase.split()[0])
        yield (*args, phrase.lower(), "because")


def asking(mode: Mode) -> list[Verb]:
    return [verb for verb in VERBS if need_of(verb, args_of(verb, mode), mode) in ASKS]


def assert_nothing_is_done(running: Trader, mode: Mode) -> None:
    """Send everything that asks, unconfirmed; then look whether anything changed."""
    assert len(asking(mode)) >= 6
    before = running.risk()
    for verb in asking(mode):
        with Dialled(running.admin) as engine:
            for args in attempts(verb, mode):
                answer = engine.send(verb.id, args, None)
                assert not answer.ok, f"{verb.id} {args} was done in {mode}: {answer.text}"
                made_up = Confirm(challenge="c1-1", typed="y", reason="because")
                answer = engine.send(verb.id, args, made_up)
                assert not answer.ok, f"{verb.id} {args} with a made-up challenge in {mode}"
    after = running.risk()
    assert after.mode is mode
    assert [(row.name, row.value) for row in after.limits] == [
        (row.name, row.value) for row in before.limits
    ]
    assert [row.gate for row in after.gates] == [row.gate for row in before.gates]
    assert running.process.poll() is None


def assert_a_challenge_is_spent_by_its_use(running: Trader) -> None:
    """Answer a challenge wrongly, late to another ask, and twice: it opens nothing."""
    with Dialled(running.admin) as engine, Dialled(running.admin) as other:
        asked = engine.send("engine.stop", (), None)
        assert asked.code == CONFIRM_REQUIRED
        right = Confirm(challenge=asked.challenge, typed=asked.typed)
        assert not other.send("limit.set", ARGS["limit.set"], right).ok, "of another ask"
        assert not engine.send("engine.stop", (), right).ok, "spent by that"
        asked = engine.send("engine.stop", (), None)
        wrong = replace(right, challenge=asked.challenge, typed=asked.typed + " ")
        assert not engine.send("engine.stop", (), wrong).ok
        assert not engine.send("engine.stop", (), replace(wrong, typed=asked.typed)).ok
    assert running.process.poll() is None


def climbed(running: Trader) -> Sequence[Mode]:
    """Take the modes from the bottom to the top, and look in each."""
    seen = []
    running.wait_for_account()
    running.must("strategy.pause", "scripted")
    for mode in (Mode.SHADOW, Mode.PAPER, Mode.LIVE_DRY_RUN, Mode.LIVE_ARMED):
        if mode is Mode.PAPER:
            running.promote()
        elif mode is Mode.LIVE_DRY_RUN:
            wait_until(running._is_dry, "LIVE DRY RUN")
        elif mode is Mode.LIVE_ARMED:
            running.arm()
        running.must("trading.halt", "so that there is something to resume")
        assert_nothing_is_done(running, mode)
        running.must("trading.resume", "all")
        seen.append(mode)
    return seen


def test_what_asks_in_a_mode_is_not_done_unasked_by_the_real_engine() -> None:
    with stage() as (home, venue), trading(home, most=4, armed=False) as running:
        assert len(climbed(running)) == 4
        assert_a_challenge_is_spent_by_its_use(running)
        running.must("strategy.resume", "scripted")
        wait_for_orders(running, venue, 4)
        answer: Answer = running.ctl("engine.stop")
        assert answer.ok, answer.text
        assert running.process.wait(30) == 0


def test_the_rules_that_ask_are_those_of_the_table() -> None:
    asked = {verb.id for mode in Mode for verb in asking(mode) if mode is not Mode.REPLAY}
    wanted = {verb.id for verb in VERBS if set(verb.confirm) - {Need.NONE, Need.LEGS}}
    assert asked == wanted
    assert set(ARGS) <= set(REGISTRY)
