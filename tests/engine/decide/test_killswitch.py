"""KILL and CANCEL: proven by the venue's own answer or not at all (invariants 3 and 31)."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytui.engine.core.account_events import CancelAnswered, OpenOrdersRead, SentinelSaid
from polytui.engine.core.commands import (
    CancelAll,
    CancelMarket,
    CancelOrders,
    Command,
    Notify,
    ReadOpenOrders,
    RecordControl,
    SetLatch,
)
from polytui.engine.core.enums import Side
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.order_enums import KillStep, Realm, SendOutcome, VenueCode
from polytui.engine.core.trading import VenueOrder
from polytui.engine.decide.cancels import Cancels, CancelScope, OpenOrder, preview
from polytui.engine.decide.killswitch import KillSwitch
from polytui.engine.decide.sweep import NOTHING, Reach, Standing, Sweep

MS = 1_000_000
S = 1_000_000_000
LIVE = Realm.LIVE


def standing(
    *,
    open_orders: int = 0,
    in_flight: int = 0,
    unknown: int = 0,
    sent_ms: int = 0,
    ack_ms: int = 40,
) -> Standing:
    return Standing(
        open_orders=open_orders,
        in_flight=in_flight,
        unknown=unknown,
        last_sent_ns=sent_ms * MS,
        ack_max_ns=ack_ms * MS,
    )


def killed(state: Standing, *, at_ms: int = 1_000) -> tuple[KillSwitch, list[Command]]:
    switch = KillSwitch()
    commands = switch.trigger(
        "ana", "looks wrong", strategies=("box", "mm"), standings={LIVE: state},
        at_ns=at_ms * MS, seq=7,
    )  # fmt: skip
    return switch, commands


def answered(command: Command, *, code: VenueCode = VenueCode.NONE) -> CancelAnswered:
    assert isinstance(command, CancelAll | CancelOrders | CancelMarket)
    outcome = SendOutcome.REFUSED if code is not VenueCode.NONE else SendOutcome.ACCEPTED
    return CancelAnswered(realm=LIVE, request=command.request, outcome=outcome, code=code)


def row(order_hash: str, market: str = "m") -> VenueOrder:
    return VenueOrder(
        order_hash=order_hash, market=market, token="1", side=Side.BUY, px_u6=1, qty_u6=1,
        matched_u6=0, status="LIVE",
    )  # fmt: skip


def read(
    *hashes: str, asked_ms: int, request: str = "other", ok: bool = True, market: str = "m"
) -> OpenOrdersRead:
    orders = tuple(row(h, market) for h in hashes)
    return OpenOrdersRead(realm=LIVE, request=request, asked_ns=asked_ms * MS, ok=ok, orders=orders)


def only(commands: list[Command], kind: type[Command]) -> Command:
    (command,) = [c for c in commands if isinstance(c, kind)]
    return command


def has_one(commands: list[Command], kind: type[Command]) -> bool:
    return sum(isinstance(c, kind) for c in commands) == 1


def proven(switch: KillSwitch) -> bool:
    """Ask again: a checker that narrows attributes would believe the first answer for ever."""
    return switch.verified


def latched(switch: KillSwitch) -> bool:
    """As `proven`."""
    return switch.killed


def test_k1_the_latch_and_the_cancel_come_before_the_record_and_the_news() -> None:
    switch, commands = killed(standing(open_orders=3))
    kinds = [type(c) for c in commands]
    assert kinds == [SetLatch, CancelAll, RecordControl, Notify]
    assert latched(switch)
    gate, strategies, *rest = switch.receipt()
    assert (gate.step, gate.done, gate.after_us) == (KillStep.GATE, True, 0)
    assert strategies.text == "box mm"
    assert [line.done for line in rest] == [True, False, True, False]


def test_k2_a_kill_with_nothing_in_flight_is_proven_in_two_round_trips() -> None:
    switch, commands = killed(standing(open_orders=500))
    cancel = only(commands, CancelAll)
    asked = switch.on_cancel(answered(cancel), at_ns=1_030 * MS, seq=8)
    request = only(asked, ReadOpenOrders)
    assert isinstance(request, ReadOpenOrders)
    assert not proven(switch)
    switch.on_open(read(asked_ms=1_031, request=request.request), at_ns=1_061 * MS, seq=9)
    assert proven(switch)
    lines = {line.step: line for line in switch.receipt()}
    assert lines[KillStep.CANCEL_SENT].after_us == 0
    assert lines[KillStep.CANCEL_CONFIRMED].after_us == 30_000
    assert (lines[KillStep.VERIFIED].done, lines[KillStep.VERIFIED].after_us) == (True, 61_000)


def test_a_read_that_started_before_the_last_possible_arrival_proves_nothing() -> None:
    switch, _ = killed(standing(in_flight=1, sent_ms=990, ack_ms=40))
    switch.update(LIVE, standing(sent_ms=990, ack_ms=40), at_ns=1_005 * MS)
    switch.on_open(read(asked_ms=1_069), at_ns=1_080 * MS, seq=8)
    assert not proven(switch), "bytes sent at 990 may arrive until 1070"
    switch.on_open(read(asked_ms=1_070), at_ns=1_090 * MS, seq=8)
    assert proven(switch)


def test_a_read_that_started_before_the_kill_proves_nothing() -> None:
    switch, _ = killed(NOTHING)
    switch.on_open(read(asked_ms=999), at_ns=1_050 * MS, seq=8)
    assert switch.view().open_orders == -1
    assert not proven(switch)


@pytest.mark.parametrize("doubt", [{"unknown": 1}, {"in_flight": 1}])
def test_an_order_in_doubt_keeps_the_kill_unproven_until_it_is_accounted_for(
    doubt: dict[str, int],
) -> None:
    switch, _ = killed(standing(**doubt, sent_ms=999))
    switch.on_open(read(asked_ms=5_000), at_ns=5_040 * MS, seq=8)
    assert not proven(switch)
    with pytest.raises(OperatorError, match="live 1 in doubt"):
        switch.clear("CLEAR", "go on", seq=9)
    switch.update(LIVE, standing(sent_ms=999), at_ns=6_000 * MS)
    assert not proven(switch), "the empty read started before it was accounted for"
    switch.on_open(read(asked_ms=6_000), at_ns=6_040 * MS, seq=10)
    assert proven(switch)


def test_a_failed_read_is_not_an_empty_one() -> None:
    switch, _ = killed(NOTHING)
    switch.on_open(read(asked_ms=1_100, ok=False), at_ns=1_150 * MS, seq=8)
    assert not proven(switch)
    assert switch.view().open_orders == -1


def test_cancels_repeat_at_200_500_1000_2000_ms_until_proven() -> None:
    switch, _ = killed(standing(open_orders=2))
    sent, now_ms = list[int](), 1_000
    while now_ms < 9_000:
        now_ms += 1
        if any(isinstance(c, CancelAll) for c in switch.due(at_ns=now_ms * MS, seq=8)):
            sent.append(now_ms - 1_000)
    assert sent == [200, 700, 1_700, 3_700, 5_700, 7_700]
    assert switch.next_due_ns() == 10_700 * MS


def test_stragglers_are_swept_after_twice_the_largest_ack() -> None:
    switch, _ = killed(standing(in_flight=1, sent_ms=995, ack_ms=45))
    assert switch.next_due_ns() == 1_085 * MS
    commands = switch.due(at_ns=1_085 * MS, seq=8)
    cancel = only(commands, CancelAll)
    assert has_one(commands, ReadOpenOrders)
    switch.on_cancel(answered(cancel), at_ns=1_120 * MS, seq=9)
    line = {line.step: line for line in switch.receipt()}[KillStep.STRAGGLERS]
    assert (line.done, line.after_us, line.text) == (True, 120_000, "1 in flight or unknown")


def test_b6_a_venue_that_refuses_cancels_is_named_and_asked_again() -> None:
    switch, commands = killed(standing(open_orders=4))
    refusal = answered(only(commands, CancelAll), code=VenueCode.DISABLED)
    assert switch.on_cancel(refusal, at_ns=1_030 * MS, seq=8) == []
    text = {line.step: line.text for line in switch.receipt()}[KillStep.CANCEL_CONFIRMED]
    assert text == "0 of 4 confirmed; the venue refuses cancels: disabled"
    again = switch.due(at_ns=1_200 * MS, seq=9)
    assert has_one(again, CancelAll)
    with pytest.raises(OperatorError, match=r"venue refuses cancels \(disabled\)"):
        switch.clear("CLEAR", "go on", seq=10)


def test_what_turns_up_after_the_proof_ends_it_and_is_cancelled_at_once() -> None:
    switch, _ = killed(NOTHING)
    switch.on_open(read(asked_ms=1_001), at_ns=1_030 * MS, seq=8)
    assert proven(switch)
    commands = switch.on_open(read("0x1", asked_ms=2_000), at_ns=2_030 * MS, seq=9)
    assert has_one(commands, CancelAll)
    assert not proven(switch)
    assert switch.open_hashes() == ("0x1",)


def test_the_proof_is_renewed_while_the_latch_is_closed() -> None:
    switch, _ = killed(NOTHING)
    switch.on_open(read(asked_ms=1_001), at_ns=1_030 * MS, seq=8)
    due_ns = switch.next_due_ns()
    assert due_ns == 6_030 * MS
    commands = switch.due(at_ns=due_ns, seq=9)
    assert [type(c) for c in commands] == [ReadOpenOrders]


def test_d18_a_second_press_tries_again_at_once_and_keeps_the_first_time() -> None:
    switch, _ = killed(standing(open_orders=1))
    commands = switch.trigger(
        "bob", "again", strategies=(), standings={LIVE: standing(open_orders=1)},
        at_ns=1_050 * MS, seq=8,
    )  # fmt: skip
    assert [type(c) for c in commands] == [SetLatch, CancelAll]
    assert (switch.state.at_ns, switch.state.actor) == (1_000 * MS, "ana")


def test_the_latch_opens_by_phrase_and_reason_after_the_proof_only() -> None:
    switch, _ = killed(NOTHING)
    with pytest.raises(OperatorError, match="not proven yet: live not read back yet"):
        switch.clear("CLEAR", "go on", seq=8)
    switch.on_open(read(asked_ms=1_001), at_ns=1_030 * MS, seq=8)
    for phrase, reason in (("", "x"), ("clear", "x"), ("CLEAR", "")):
        with pytest.raises(OperatorError, match=r"type CLEAR|say why"):
            switch.clear(phrase, reason, seq=9)
    assert latched(switch)
    commands = switch.clear("CLEAR", "false alarm", seq=9)
    assert [type(c) for c in commands] == [RecordControl, SetLatch]
    assert not latched(switch)
    with pytest.raises(OperatorError, match="nothing is killed"):
        switch.clear("CLEAR", "again", seq=10)


def test_a_restart_finds_the_latch_closed_and_proves_everything_anew() -> None:
    switch, commands = killed(standing(open_orders=1))
    switch.on_open(read(asked_ms=1_001), at_ns=1_030 * MS, seq=8)
    record = only(commands, RecordControl)
    assert isinstance(record, RecordControl)
    again = KillSwitch()
    started = again.restore(record.value, {}, at_ns=9_000 * MS, seq=1)
    assert [type(c) for c in started] == [SetLatch, CancelAll]
    assert latched(again)
    assert not proven(again)
    again.on_open(read(asked_ms=9_010), at_ns=9_050 * MS, seq=2)
    assert proven(again)
    fresh = KillSwitch()
    assert fresh.restore(KillSwitch().dump(), {}, at_ns=0, seq=1) == []


def test_what_the_last_run_knew_does_not_open_a_latch_that_this_run_closed_before() -> None:
    switch, _ = killed(standing(open_orders=1))
    was = switch.state
    assert switch.restore(KillSwitch().dump(), {}, at_ns=2_000 * MS, seq=9) == []
    assert latched(switch)
    assert switch.state == was


def said(state: str, **other: Any) -> SentinelSaid:
    return SentinelSaid(realm=LIVE, state=state, **other)


def test_k3_what_the_sentinel_did_stands_on_the_receipt() -> None:
    switch, _ = killed(standing(open_orders=3))
    assert switch.on_sentinel(said("fired", why="the kill latch is closed"), at_ns=S)
    for canceled in (7, 2):
        assert not switch.on_sentinel(said("swept", canceled=canceled), at_ns=S)
    done = said("verified", why="the kill latch is closed", attempts=2, took_ms=340)
    text = switch.on_sentinel(done, at_ns=2 * S)
    assert text.startswith("verified: 9 orders cancelled in 340 ms, 2 attempts; the kill latch")
    line = switch.receipt()[-1]
    assert (line.step, line.text, line.done) == (KillStep.SENTINEL, text, True)


def test_k3_what_it_did_before_the_kill_is_told_and_is_not_on_its_receipt() -> None:
    switch = KillSwitch()
    assert "no healthy beat" in switch.on_sentinel(said("fired", why="no healthy beat"), at_ns=1)
    switch.trigger("a", "b", strategies=(), standings={}, at_ns=S, seq=1)
    assert KillStep.SENTINEL not in [line.step for line in switch.receipt()]
    assert (
        switch.on_sentinel(said("refused", why="no place"), at_ns=S) == "does not watch: no place"
    )


def test_fills_after_the_kill_are_counted_and_the_disk_latch_is_shown() -> None:
    switch, _ = killed(NOTHING)
    switch.on_fill()
    assert "has not confirmed" in switch.receipt()[0].text
    switch.on_latch(is_clear=False, at_ns=1_000 * MS + 400_000)
    assert switch.receipt()[0].text.endswith("after 0.4 ms")
    assert switch.view().fills_after == 1


class World:
    """A venue that delays, loses and delivers late, to hold the proof against the truth."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.now_ms = 1_000
        self.book = {f"0x{n}" for n in range(self.dice.randrange(5))}
        self.flying = {f"0xf{n}": self.dice.randrange(1, 60) for n in range(self.dice.randrange(3))}
        self.todo: list[tuple[int, Command]] = []
        self.unanswered = set(self.flying)
        self.switch, commands = killed(self.standing())
        self.take(commands)

    def standing(self) -> Standing:
        return standing(
            open_orders=len(self.book), in_flight=len(self.unanswered), sent_ms=999, ack_ms=60
        )

    def take(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, CancelAll | ReadOpenOrders) and self.dice.random() < 0.8:
                self.todo.append((self.now_ms + self.dice.randrange(1, 80), command))

    def step(self) -> None:
        self.now_ms += 1
        at_ns = self.now_ms * MS
        for order_hash, delay_ms in list(self.flying.items()):
            if self.now_ms >= 999 + delay_ms:
                del self.flying[order_hash]
                self.book.add(order_hash)
        if self.unanswered and not self.flying and self.dice.random() < 0.05:
            self.unanswered.clear()
        self.switch.update(LIVE, self.standing(), at_ns=at_ns)
        for due in [item for item in self.todo if item[0] <= self.now_ms]:
            self.todo.remove(due)
            self.take(self.carry_out(due[1], at_ns))
        self.take(self.switch.due(at_ns=at_ns, seq=self.now_ms))

    def carry_out(self, command: Command, at_ns: int) -> list[Command]:
        """Act at the venue now; the answer comes back now as well, or is lost."""
        if isinstance(command, CancelAll):
            self.book.clear()
            answer: Any = answered(command)
            lost = self.dice.random() < 0.2
            return [] if lost else self.switch.on_cancel(answer, at_ns=at_ns, seq=1)
        assert isinstance(command, ReadOpenOrders)
        seen = read(*self.book, asked_ms=self.now_ms, request=command.request,
                    ok=self.dice.random() < 0.8)  # fmt: skip
        return self.switch.on_open(seen, at_ns=at_ns, seq=1)


@pytest.mark.parametrize("seed", range(60))
def test_random_walks_a_kill_is_verified_only_when_the_venue_is_empty_and_stays_so(
    seed: int,
) -> None:
    world = World(seed)
    for _ in range(8_000):
        world.step()
        if proven(world.switch):
            assert not world.book
            assert not world.flying
            assert not world.unanswered
            break
    assert proven(world.switch), "every kill completes (invariant 31)"
    for _ in range(300):
        world.step()
        assert not world.book


@given(st.lists(st.integers(0, 4), max_size=40))
def test_nothing_but_clear_opens_the_latch(steps: list[int]) -> None:
    switch, commands = killed(standing(open_orders=1))
    now_ms = 1_000
    for step in steps:
        now_ms += 100
        at_ns = now_ms * MS
        if step == 0:
            switch.due(at_ns=at_ns, seq=1)
        elif step == 1:
            switch.on_open(read(asked_ms=now_ms - 1), at_ns=at_ns, seq=1)
        elif step == 2:
            switch.on_cancel(answered(only(commands, CancelAll)), at_ns=at_ns, seq=1)
        elif step == 3:
            switch.on_latch(is_clear=True, at_ns=at_ns)
        else:
            stored, switch = switch.dump(), KillSwitch()
            switch.restore(stored, {LIVE: NOTHING}, at_ns=at_ns, seq=1)
        assert latched(switch)


# --- CANCEL ---

OPEN = [
    OpenOrder(cid="a1", order_hash="0xa1", strategy="box", market="m", bundle="b1"),
    OpenOrder(cid="a2", order_hash="0xa2", strategy="box", market="n"),
    OpenOrder(cid="a3", order_hash="0xa3", strategy="mm", market="m"),
    OpenOrder(cid="", order_hash="0xe1", strategy="", market="m", is_external=True),
]


@pytest.mark.parametrize(
    ("scope", "name", "hashes", "kind"),
    [
        (CancelScope.ORDER, "a1", ("0xa1",), CancelOrders),
        (CancelScope.ORDER, "0xe1", ("0xe1",), CancelOrders),
        (CancelScope.STRATEGY, "box", ("0xa1", "0xa2"), CancelOrders),
        (CancelScope.MARKET, "m", ("0xa1", "0xa3", "0xe1"), CancelMarket),
        (CancelScope.ALL, "", ("0xa1", "0xa2", "0xa3", "0xe1"), CancelAll),
    ],
)
def test_cancel_previews_its_scope_and_sends_the_request_that_fits(
    scope: CancelScope, name: str, hashes: tuple[str, ...], kind: type[Command]
) -> None:
    asked = preview(scope, name, OPEN)
    assert asked.hashes == hashes
    assert asked.external == ("0xe1" in hashes)
    assert asked.bundles == (("b1",) if "0xa1" in hashes else ())
    cancels = Cancels(LIVE)
    commands = cancels.begin("q1", asked, NOTHING, at_ns=MS, seq=1)
    assert [type(c) for c in commands] == [kind]


def test_cancel_of_nothing_is_refused_with_a_sentence() -> None:
    with pytest.raises(OperatorError, match="there is no open order of 'zz' to cancel"):
        preview(CancelScope.ORDER, "zz", OPEN)


def test_cancel_is_proven_when_its_orders_are_gone_though_others_quote_on() -> None:
    cancels = Cancels(LIVE)
    asked = preview(CancelScope.STRATEGY, "box", OPEN)
    cancels.begin("q1", asked, standing(open_orders=2), at_ns=1_000 * MS, seq=1)
    cancels.on_open(read("0xa2", "0xnew", asked_ms=1_100), at_ns=1_150 * MS, seq=2)
    (receipt,) = cancels.receipts()
    assert (receipt.is_verified, receipt.left) == (False, 1)
    assert has_one(cancels.due(at_ns=1_200 * MS, seq=3), CancelOrders)
    cancels.on_open(read("0xnew", asked_ms=1_250), at_ns=1_300 * MS, seq=4)
    (receipt,) = cancels.receipts()
    assert receipt.is_verified
    assert cancels.next_due_ns() is None
    assert cancels.working() == ()


def test_many_hashes_go_in_requests_of_a_thousand_and_repeat_only_what_is_left() -> None:
    sweep = Sweep("q", LIVE, Reach.HASHES, targets=[f"0x{n:04}" for n in range(2_100)])
    commands = sweep.begin(NOTHING, at_ns=1_000 * MS, seq=1)
    sizes = [len(c.hashes) for c in commands if isinstance(c, CancelOrders)]
    assert sizes == [1_000, 1_000, 100]
    first = commands[0]
    assert isinstance(first, CancelOrders)
    sweep.on_cancel(
        CancelAnswered(
            realm=LIVE, request=first.request, outcome=SendOutcome.ACCEPTED, canceled=first.hashes
        ),
        at_ns=1_030 * MS,
        seq=2,
    )
    again = [c for c in sweep.due(at_ns=1_200 * MS, seq=3) if isinstance(c, CancelOrders)]
    assert [len(c.hashes) for c in again] == [1_000, 100]


def test_a_market_sweep_is_not_kept_open_by_other_markets() -> None:
    sweep = Sweep("q", LIVE, Reach.MARKET, market="m")
    sweep.begin(NOTHING, at_ns=MS, seq=1)
    sweep.on_open(read("0x1", asked_ms=2, market="elsewhere"), at_ns=3 * MS, seq=2)
    assert sweep.verified_ns == 3 * MS
