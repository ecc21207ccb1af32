"""Both accounts and what they share, as the engine drives them: events, decisions, turns."""

from collections.abc import Mapping
from typing import Final

from polytui.engine.account.account import Account, OwnerOf
from polytui.engine.account.hearing import hear, listed
from polytui.engine.account.leaving import is_clear
from polytui.engine.account.market_facts import MarketView
from polytui.engine.account.preflighting import preflight_rows
from polytui.engine.account.redeeming import redeem_all
from polytui.engine.account.room import PAPER_KEY, ControlRoom
from polytui.engine.core.account_events import AccountEvent, ControlRestored, HostState
from polytui.engine.core.commands import Command
from polytui.engine.core.decision import Decision
from polytui.engine.core.enums import Mode
from polytui.engine.core.events import MarketListed, MarketResolved
from polytui.engine.core.order_enums import Purpose, Realm
from polytui.engine.core.runconfig import RunConfig
from polytui.engine.core.trading import HostFacts, Refusal
from polytui.engine.decide.alerts import KEY as ALERTS_KEY
from polytui.engine.decide.killswitch import KEY as KILL_KEY
from polytui.engine.decide.modes import KEY as MODE_KEY
from polytui.engine.decide.release import KEY as GATES_KEY
from polytui.engine.market.desk import MarketDesk

S: Final = 1_000_000_000
LOOK_NS: Final = S
"""Modes and gates are looked at this often."""
GATES_NS: Final = 60 * S
ENGINE: Final = "engine"


class Trading:
    """The order path of a run."""

    def __init__(
        self,
        config: RunConfig,
        desk: MarketDesk,
        *,
        run: str,
        strategies: tuple[str, ...],
        owner_of: OwnerOf,
        at_ns: int,
    ) -> None:
        """Begin with no port in either realm."""
        self.room = ControlRoom(config, strategies, at_ns=at_ns)
        markets = MarketView(desk)
        self.accounts: Mapping[Realm, Account] = {
            realm: Account(
                realm,
                config,
                run=run,
                room=self.room,
                markets=markets,
                owner_of=owner_of,
                at_ns=at_ns,
            )
            for realm in Realm
        }
        self._look_due_ns = 0
        self._gates_due_ns = 0

    # --- who acts --------------------------------------------------------------------------------

    @property
    def acting(self) -> Account:
        """The account of the realm that the mode acts in; in SHADOW the live one."""
        return self.accounts[self.room.realm or Realm.LIVE]

    def take(self, decision: Decision, *, at_ns: int, seq: int) -> list[Command]:
        """Turn an accepted decision into an order, in a mode that makes orders."""
        realm = self.room.realm
        return [] if realm is None else self.accounts[realm].take(decision, at_ns=at_ns, seq=seq)

    def holder_of(self, market: str) -> str:
        """Return the strategy that still has orders or a naked leg in a market; empty: none."""
        return self.acting.holder_of(market)

    def make_way(self, decision: Decision, *, at_ns: int, seq: int) -> list[Command]:
        """Pull the quotes of a worse tier from a market: until they are gone nobody else enters."""
        account = self.acting
        for order in account.orders.open():
            draft = order.draft
            is_quote = draft.purpose is Purpose.OPEN and not order.external
            if is_quote and draft.market == decision.market:
                why = f"{decision.strategy} takes the market"
                account.orders.request_cancel(order, why=why, at_ns=at_ns, seq=seq)
        return account.settle(at_ns=at_ns, seq=seq)

    def gate(self, realm: Realm, cid: str, host: HostFacts, *, at_ns: int) -> Refusal | None:
        """Ask the gate at the single place where bytes leave."""
        return self.accounts[realm].gate(cid, host, at_ns=at_ns)

    # --- events ----------------------------------------------------------------------------------

    def hear(self, event: AccountEvent, *, at_ns: int, seq: int) -> list[Command]:
        """Take an event of one account."""
        commands = hear(self.accounts[event.realm], event, at_ns=at_ns, seq=seq)
        return commands + self._aftermath(at_ns, seq)

    def on_host(self, event: HostState, *, at_ns: int, seq: int) -> list[Command]:
        """Take the host's facts: the latch, the journal, the loop."""
        room = self.room
        room.host, room.host_ns = event.facts, at_ns
        room.kill.on_latch(is_clear=event.facts.latch_clear, at_ns=at_ns)
        commands: list[Command] = []
        for account in self.accounts.values():
            account.config_hash = account.config_hash or event.facts.config_hash
            account.believe(event, at_ns=at_ns, seq=seq)
            commands += account.settle(at_ns=at_ns, seq=seq)
        if event.facts.latch_clear or room.kill.killed:
            return commands
        return commands + self.kill(
            "latch", "the latch was closed outside the engine", at_ns=at_ns, seq=seq
        )

    def on_controls(self, event: ControlRestored, *, at_ns: int, seq: int) -> list[Command]:
        """Take up the controls of the last run: what was latched stays latched."""
        room = self.room
        room.governor.restore(event.rows)
        commands: list[Command] = []
        for key, value in event.rows:
            if key == KILL_KEY:
                standings = {r: one.standing() for r, one in self.accounts.items() if one.is_open}
                commands += room.kill.restore(value, standings, at_ns=at_ns, seq=seq)
            elif key == MODE_KEY:
                commands += room.moved(room.modes.restore(value, at_ns=at_ns), seq)
            elif key == ALERTS_KEY:
                room.alerts.restore(value)
            elif key == GATES_KEY:
                room.gates.restore(value, at_ns=at_ns)
            elif key == PAPER_KEY:
                room.paper_hash = value
        room.kept.update(event.rows)
        return commands

    def on_listed(self, event: MarketListed, *, at_ns: int, seq: int) -> list[Command]:
        """Book what waited for a market to be known."""
        market = event.spec.market
        return [
            command
            for account in self.accounts.values()
            for command in listed(account, market, at_ns=at_ns, seq=seq)
        ]

    def on_resolved(self, event: MarketResolved, *, at_ns: int, seq: int) -> list[Command]:
        """End what a resolved market leaves: orders, bundles, risk; redeem what it pays."""
        commands: list[Command] = []
        for account in self.accounts.values():
            spec = account.markets.spec(event.market)
            if spec is None or not account.is_open:
                continue
            account.orders.resolve_market(event.market, at_ns=at_ns, seq=seq)
            account.bundles.end_market(event.market, why="resolved", at_ns=at_ns, seq=seq)
            yes_pays_u6 = _yes_pays_u6(event, spec.tokens)
            account.portfolio.resolved(event.market, yes_pays_u6, at_ns=at_ns)
            account.payouts[event.market] = yes_pays_u6
            redeem_all(account, at_ns=at_ns, seq=seq)
            commands += account.settle(at_ns=at_ns, seq=seq)
        return commands

    def is_clear_of(self, market: str) -> bool:
        """Tell whether neither account has anything in a market."""
        return all(is_clear(account, market) for account in self.accounts.values())

    def forget(self, market: str) -> None:
        """Drop what was kept of a market that is let go."""
        for account in self.accounts.values():
            account.payouts.pop(market, None)
            account.redeemed_ns.pop(market, None)
            account.bundles.begin_market(market)

    # --- time ------------------------------------------------------------------------------------

    def turn(self, *, at_ns: int, seq: int) -> list[Command]:
        """Run what is due in both accounts and in the control room."""
        commands: list[Command] = []
        for account in self.accounts.values():
            commands += account.turn(at_ns=at_ns, seq=seq)
        commands += self.room.kill.due(at_ns=at_ns, seq=seq)
        if at_ns >= self._look_due_ns:
            self._look_due_ns = at_ns + LOOK_NS
            commands += self._look(at_ns, seq)
        return commands + self._aftermath(at_ns, seq)

    def _look(self, at_ns: int, seq: int) -> list[Command]:
        """Look at the ritual, at limits that wait, and let the ladder's time count."""
        room = self.room
        checks = preflight_rows(self, at_ns=at_ns) if room.modes.stage != "idle" else ()
        moved = room.modes.due(checks, at_ns=at_ns)
        commands = room.moved(moved, seq)
        if moved is not None and moved.has_fallen:
            commands += self.pull(at_ns=at_ns, seq=seq, why=moved.reason)
        if room.governor.limits.due(at_ns):
            room.governor.limits_changed(at_ns)
        if room.mode is Mode.PAPER:
            room.paper_hash = room.host.config_hash
        if room.mode is not Mode.REPLAY:
            room.gates.live(at_ns, frozenset(room.strategies))
        self._gates_due_ns = self._gates_due_ns or at_ns + GATES_NS
        if room.host_ns and at_ns >= self._gates_due_ns:
            self._gates_due_ns = at_ns + GATES_NS
            commands.append(room.record_gates(seq))
        return commands + room.changes(seq)

    def next_due_ns(self) -> int | None:
        """Return when `turn` has something to do."""
        dues = [account.next_due_ns() for account in self.accounts.values()]
        dues += [self.room.kill.next_due_ns(), self.room.modes.next_due_ns()]
        return min((due for due in dues if due is not None), default=None)

    def _aftermath(self, at_ns: int, seq: int) -> list[Command]:
        """Kill if a breaker demanded it, and record the controls that changed."""
        why, self.room.wants_kill = self.room.wants_kill, ""
        commands = self.kill(ENGINE, why, at_ns=at_ns, seq=seq) if why else []
        return commands + (self.room.changes(seq) if self.room.is_dirty else [])

    # --- the strongest verbs ---------------------------------------------------------------------

    def kill(self, actor: str, reason: str, *, at_ns: int, seq: int) -> list[Command]:
        """Close the latch, cancel everything in every realm that has a port.

        A paper account without orders has nothing to prove, and takes paper's time to prove it.

        The mode stays until the latch is opened again: only so can a flatten's sells leave.
        """
        room = self.room
        standings = {
            realm: account.standing()
            for realm, account in self.accounts.items()
            if account.is_open and (realm is Realm.LIVE or account.orders.counted())
        }
        commands = room.kill.trigger(
            actor,
            reason,
            strategies=room.strategies,
            standings=standings,
            at_ns=at_ns,
            seq=seq,
        )
        room.governor.limits.abort()
        commands += room.moved(room.modes.abort("KILLED"), seq)
        for account in self.accounts.values():
            account.flatten.stop("killed", at_ns=at_ns)
        return commands + room.changes(seq)

    def pull(self, *, at_ns: int, seq: int, why: str) -> list[Command]:
        """Ask for the end of everything that rests in the live realm, hedges and exits aside."""
        account = self.accounts[Realm.LIVE]
        for order in account.orders.open():
            if not order.external:
                account.orders.request_cancel(order, why=why, at_ns=at_ns, seq=seq)
        return account.settle(at_ns=at_ns, seq=seq)


def _yes_pays_u6(event: MarketResolved, tokens: tuple[str, str]) -> int:
    """Say what a YES token pays: a dollar, nothing, or half where nobody won."""
    if event.winning_token not in tokens:
        return 500_000
    return 1_000_000 if event.winning_token == tokens[0] else 0
