"""The execution port of the LIVE realm: carries out commands at the venue, answers with events.

Every command is answered, whatever happens. Orders go journal → signer → gate → bytes; gate, kill
latch, arming and rate budget are asked in one stretch of code without a pause, the last thing
before the bytes leave. What has left and got no answer is unknown, never refused.

There are two ports, by type (design decision D16): a `LivePort` cannot be built without an `Armed`,
a `DryRunPort` has no means to send. Signatures live as long as their request.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from msgspec import Struct

from polytui.engine.core import commands
from polytui.engine.core.account_events import AccountReady, OrderAnswered, OrderStaged, PairsMoved
from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import Control, OrderState, SendOutcome, VenueCode
from polytui.engine.core.trading import Refusal, Terms
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns
from polytui.engine.shell.polymarket.answers import Answer, read_batch, read_placed
from polytui.engine.shell.polymarket.armed import Armed
from polytui.engine.shell.polymarket.codes import read_complaint, verdict
from polytui.engine.shell.polymarket.entry import BATCH_MAX, Placing
from polytui.engine.shell.polymarket.http import NoAnswer, NotSent, Reply, Wire
from polytui.engine.shell.polymarket.port_cancels import PortCancels
from polytui.engine.shell.polymarket.port_fallback import fallback, not_sent
from polytui.engine.shell.polymarket.port_parts import Parts
from polytui.engine.shell.polymarket.port_reads import PortReads
from polytui.engine.shell.polymarket.practice_moves import NO_MOVES

JOURNAL_S: Final = 5.0
SIGN_S: Final = 2.0
LEASE_S: Final = 2.0
JOBS_MAX: Final = 64
"""Commands carried out at a time, cancels and heartbeats not counted: those always go."""
STANDING_NS: Final = 10 * SECOND_NS
"""Version, place and standing are read again at most this often."""

_URGENT: Final = (
    commands.CancelAll,
    commands.CancelMarket,
    commands.CancelOrders,
    commands.SendHeartbeat,
)
_ASK_AGAIN: Final = frozenset(
    {VenueCode.AUTH, VenueCode.VERSION, VenueCode.BANNED, VenueCode.CLOSED_ONLY}
)
"""Refusals that put our standing in question: it is read at once."""


class Leg(Struct, gc=False):
    """One order on its way."""

    terms: Terms
    signature: str = ""
    is_sent: bool = False
    is_answered: bool = False

    def __repr__(self) -> str:
        """Show everything but the signature."""
        return f"Leg({self.terms.cid}, sent={self.is_sent}, answered={self.is_answered})"


class Port:
    """What both ports can do: everything but letting an order leave."""

    def __init__(self, parts: Parts) -> None:
        """Carry out commands with these parts."""
        self._parts = parts
        self._reads = PortReads(parts)
        self._cancels = PortCancels(parts)
        self._jobs: set[asyncio.Task[None]] = set()
        self._ordinary = 0
        self._standing_ns = 0
        self.exits = False
        """An operator flattens: sells may leave though the latch is closed."""
        self._doers: dict[type[commands.Command], Callable[[Any], Coroutine[Any, Any, None]]] = {
            commands.PlaceOrders: self._place,
            commands.CancelOrders: self._cancels.several,
            commands.CancelMarket: self._cancels.market,
            commands.CancelAll: self._cancels.everything,
            commands.SendHeartbeat: self._cancels.beat,
            commands.ReadOrder: self._reads.order,
            commands.ReadOpenOrders: self._reads.open_orders,
            commands.ReadTrades: self._reads.trades,
            commands.ReadBalances: self._reads.balances,
            commands.ReadPositions: self._reads.positions,
            commands.ReadClock: self._reads.clock,
            commands.MovePairs: self._move,
        }

    def ready(self, *, is_practice: bool, can_send: bool) -> AccountReady:
        """Introduce this port to the engine."""
        return AccountReady(
            realm=self._parts.realm,
            identity=self._parts.identity,
            port="practice" if is_practice else "polymarket",
            is_practice=is_practice,
            can_send=can_send,
        )

    def execute(self, command: commands.PortCommand) -> None:
        """Carry out a command; its answer comes as an event. Never raises."""
        is_urgent = isinstance(command, _URGENT)
        if not is_urgent and self._ordinary >= JOBS_MAX:
            self._give_up(command, f"the port is busy with {JOBS_MAX} commands")
            return
        self._ordinary += not is_urgent
        task = asyncio.get_running_loop().create_task(self._do(command, is_urgent=is_urgent))
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    def check_standing(self) -> None:
        """Read version, place and standing; the answer is a `VenueChecked`."""
        task = asyncio.get_running_loop().create_task(self._check())
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    def disarm(self) -> None:
        """Let nothing leave from now on; what has left is still answered."""

    async def settled(self) -> None:
        """Wait until every command so far is answered."""
        while self._jobs:
            await asyncio.wait(self._jobs)

    async def close(self) -> None:
        """End what is under way: unanswered orders are unknown to whoever looks next."""
        for job in tuple(self._jobs):
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        self._cancels.close()

    async def _do(self, command: commands.PortCommand, *, is_urgent: bool) -> None:
        try:
            await self._doers[type(command)](command)
        except Exception as bug:  # noqa: BLE001  a bug here must not leave a command unanswered
            if not isinstance(command, commands.PlaceOrders):
                self._give_up(command, "our fault: see the log", outcome=SendOutcome.UNKNOWN)
            self._parts.on_bug(bug)
        finally:
            self._ordinary -= not is_urgent

    async def _check(self) -> None:
        await self._reads.standing()

    def _give_up(
        self,
        command: commands.PortCommand,
        why: str,
        *,
        outcome: SendOutcome = SendOutcome.NOT_SENT,
    ) -> None:
        parts = self._parts
        if isinstance(command, commands.PlaceOrders):
            for terms in command.orders:
                parts.emit(not_sent(parts.realm, terms, why))
            return
        at_ns = parts.client.clock()
        for event in fallback(command, why, outcome=outcome, at_ns=at_ns):
            parts.emit(event)

    async def _move(self, command: commands.MovePairs) -> None:
        mover = self._parts.mover
        if mover is not None:
            self._parts.emit(await mover(command))
            return
        self._parts.emit(
            PairsMoved(
                realm=command.realm,
                request=command.request,
                outcome=SendOutcome.NOT_SENT,
                op=command.op,
                market=command.market,
                qty_u6=command.qty_u6,
                why=NO_MOVES,
            )
        )

    # --- orders ----------------------------------------------------------------------------------

    async def _place(self, command: commands.PlaceOrders) -> None:
        """Take orders through journal and signer, a request's worth at a time."""
        legs = [Leg(terms) for terms in command.orders]
        try:
            for start in range(0, len(legs), BATCH_MAX):
                batch = legs[start : start + BATCH_MAX]
                ready = await self._prepare(batch)
                if ready:
                    await self._deliver(ready)
        finally:
            self._answer_the_rest(legs)

    def _answer_the_rest(self, legs: list[Leg]) -> None:
        """Answer what an interruption left open: what has left is unknown, the rest is not sent."""
        for leg in legs:
            leg.signature = ""
            if leg.is_sent:
                self._tell(leg, Answer(outcome=SendOutcome.UNKNOWN, text="interrupted"))
            else:
                self._refuse(leg, "interrupted before it was sent")

    async def _prepare(self, legs: list[Leg]) -> list[Leg]:
        """Have orders journalled and signed; answer those that will not be sent."""
        parts = self._parts
        cids = tuple(leg.terms.cid for leg in legs)
        if not await self._journalled(cids):
            for leg in legs:
                self._refuse(leg, "the journal did not say that it is durable")
            return []
        self._stage(legs, OrderState.JOURNALLED)
        try:
            async with asyncio.timeout(SIGN_S):
                results = await parts.signer.sign([leg.terms for leg in legs])
        except TimeoutError:
            results = []
        found = {result.cid: result for result in results}
        for leg in legs:
            result = found.get(leg.terms.cid)
            leg.signature = result.signature if result is not None else ""
            if not leg.signature:
                why = result.refusal if result is not None else "it did not answer"
                self._refuse(leg, f"the signer refused: {why}")
        signed = [leg for leg in legs if leg.signature]
        self._stage(signed, OrderState.SIGNED)
        return signed

    async def _journalled(self, cids: tuple[str, ...]) -> bool:
        try:
            async with asyncio.timeout(JOURNAL_S):
                return await self._parts.journal(cids)
        except TimeoutError:
            return False

    async def _deliver(self, legs: list[Leg]) -> None:
        """Send what is signed, or do what else this port does with it."""
        raise NotImplementedError

    def _stage(self, legs: list[Leg], stage: OrderState) -> None:
        if legs:
            cids = tuple(leg.terms.cid for leg in legs)
            self._parts.emit(OrderStaged(realm=self._parts.realm, cids=cids, stage=stage))

    def _refuse(self, leg: Leg, text: str, **changes: Any) -> None:
        """Answer an order that did not leave; an answered one stays so."""
        if not leg.is_answered:
            leg.is_answered = True
            self._parts.emit(not_sent(self._parts.realm, leg.terms, text[:80], **changes))

    def _tell(self, leg: Leg, answer: Answer, **changes: Any) -> None:
        if leg.is_answered:
            return
        leg.is_answered = True
        self._parts.emit(
            OrderAnswered(
                realm=self._parts.realm,
                cid=leg.terms.cid,
                order_hash=leg.terms.order_hash,
                outcome=answer.outcome,
                status=answer.status,
                making_u6=answer.making_u6,
                taking_u6=answer.taking_u6,
                trade_ids=answer.trade_ids,
                code=answer.code,
                text=answer.text,
                **changes,
            )
        )
        now_ns = self._parts.client.clock()
        if answer.code in _ASK_AGAIN and now_ns - self._standing_ns > STANDING_NS:
            self._standing_ns = now_ns
            self.check_standing()


class DryRunPort(Port):
    """LIVE_DRY_RUN: gated, journalled, signed, checked, dropped. It has nothing to send with."""

    async def _deliver(self, legs: list[Leg]) -> None:
        for leg in legs:
            refusal = self._parts.gate(leg.terms.cid)
            if refusal is not None:
                self._refuse(leg, "the gate refused", refusal=refusal)
            else:
                self._tell(leg, Answer(outcome=SendOutcome.DROPPED))


class LivePort(Port):
    """LIVE_ARMED: orders leave, while the arming lasts."""

    def __init__(self, parts: Parts, armed: Armed) -> None:
        """Take the proof of arming; without it, and without an API key, there is no live port."""
        super().__init__(parts)
        credentials = parts.client.credentials
        assert credentials is not None, "expected to be logged in before arming"
        self._armed = armed
        self._placing = Placing(armed, parts.client.clob.http.origin, credentials)

    def disarm(self) -> None:
        """Let nothing leave from now on; what has left is still answered."""
        self._armed.withdraw()

    async def close(self) -> None:
        """End the arming and everything under way."""
        self.disarm()
        await super().close()
        self._placing.close()

    async def _deliver(self, legs: list[Leg]) -> None:
        bodies = {leg.terms.cid: self._placing.body(leg.terms, leg.signature) for leg in legs}
        try:
            async with self._placing.lease(LEASE_S) as wire:
                sent, written_ns = self._release(wire, legs, bodies)
                if not sent:
                    return
                reply = await wire.reply(self._parts.order_timeout_s)
        except NotSent as error:
            for leg in legs:
                self._refuse(leg, str(error))
            return
        except NoAnswer as error:
            for leg in legs:
                if leg.is_sent:
                    self._tell(leg, Answer(outcome=SendOutcome.UNKNOWN, text=str(error)[:80]))
            return
        self._judge(sent, reply, took_ns=read_mono_ns() - written_ns)

    def _release(
        self, wire: Wire, legs: list[Leg], bodies: dict[str, bytes]
    ) -> tuple[list[Leg], int]:
        """Let orders leave. This is the single place, and nothing in it waits.

        Raises:
            NotSent: the connection or the arming has ended; nothing left.
        """
        parts = self._parts
        now_ns = parts.client.clock()
        passed = [leg for leg in legs if self._passes(leg)]
        wait_s = parts.budgets.order_wait_s(len(passed), now_ns) if passed else 0
        if wait_s:
            for leg in passed:
                code = VenueCode.RATE_LIMITED
                self._refuse(leg, "the rate budget is spent", code=code, retry_after_s=wait_s)
            passed = []
        if not passed:
            return [], 0
        request = self._placing.request(
            [bodies[leg.terms.cid] for leg in passed], stamp_s=parts.client.stamp_s()
        )
        passed = self._unlatched(passed)
        if not passed:
            return [], 0
        written_ns = self._placing.write(wire, request, now_ns=now_ns)
        for leg in passed:
            leg.is_sent, leg.signature = True, ""
        parts.budgets.orders.spend(len(passed), now_ns)
        self._stage(passed, OrderState.SENT)
        return passed, written_ns

    def _passes(self, leg: Leg) -> bool:
        refusal = self._parts.gate(leg.terms.cid)
        if refusal is not None:
            self._refuse(leg, "the gate refused", refusal=refusal)
        return refusal is None

    def _unlatched(self, legs: list[Leg]) -> list[Leg]:
        """Ask the kill latch; closed, it lets exits through and only as a whole request."""
        is_exit = self.exits and all(leg.terms.side is Side.SELL for leg in legs)
        if self._parts.latch_clear() or is_exit:
            return legs
        refusal = Refusal(control=Control.KILLED, limit="latch clear", value="closed")
        for leg in legs:
            self._refuse(leg, "the kill latch is closed", refusal=refusal)
        return []

    def _judge(self, legs: list[Leg], reply: Reply, *, took_ns: int) -> None:
        """Tell what the venue answered, order by order."""
        parts = self._parts
        now_ns = parts.client.clock()
        parts.budgets.heard(reply.headers, status=reply.status, is_cancel=False, now_ns=now_ns)
        retry_after_s = 0
        if reply.status != 200:
            complaint = read_complaint(reply.status, reply.headers, reply.body)
            retry_after_s = complaint.retry_after_s
            outcome = verdict(reply.status, complaint)
            answer = Answer(outcome=outcome, code=complaint.code, text=complaint.text)
            answers = [answer] * len(legs)
        elif len(legs) == 1:
            answers = [read_placed(reply.body, legs[0].terms.order_hash)]
        else:
            answers = read_batch(reply.body, [leg.terms.order_hash for leg in legs])
        for leg, answer in zip(legs, answers, strict=True):
            self._tell(leg, answer, http=reply.status, retry_after_s=retry_after_s, took_ns=took_ns)
        news = parts.budgets.news(parts.realm, now_ns)
        if news is not None:
            parts.emit(news)
