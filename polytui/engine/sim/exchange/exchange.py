"""The facade: every way in and every way out of the practice exchange.

It is told the time and never asks; whoever calls it owns it (one thread, one owner). A request the
venue would refuse returns its error as data; a request that makes no sense to the simulation itself
(an unknown market to resolve, time running backwards) raises `OperatorError`.
"""

from collections.abc import Iterable

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.events import FeeSchedule
from polytui.engine.core.rng import Rng
from polytui.engine.sim.exchange.api import (
    BatchResult,
    CancelReason,
    CancelResult,
    ErrorCode,
    HeartbeatResult,
    OrderRequest,
    PlaceResult,
)
from polytui.engine.sim.exchange.chain import Chain
from polytui.engine.sim.exchange.emissions import Emission
from polytui.engine.sim.exchange.heartbeat import Heartbeats
from polytui.engine.sim.exchange.lifecycle import Lifecycle
from polytui.engine.sim.exchange.listing import Listing
from polytui.engine.sim.exchange.log import Asked
from polytui.engine.sim.exchange.modes import set_mode
from polytui.engine.sim.exchange.reading import Reading
from polytui.engine.sim.exchange.refusals import refuse
from polytui.engine.sim.exchange.rewards import Rewards
from polytui.engine.sim.exchange.settlement import Settlement
from polytui.engine.sim.exchange.terms import (
    AssetType,
    GroupTerms,
    MarketTerms,
    Resolution,
    Restriction,
    RewardTerms,
    SeriesTerms,
    Settings,
    Spender,
    VenueMode,
)
from polytui.engine.sim.exchange.updown import Series
from polytui.engine.sim.exchange.world import World


class Exchange(Reading):
    """One practice exchange; its questions are in `Reading`."""

    __slots__ = ("_heartbeats", "_lifecycle", "_listing", "_shuffle")

    def __init__(self, *, rng: Rng, start_ns: int, settings: Settings | None = None) -> None:
        """Open an empty exchange at a virtual time; forks what randomness it needs from `rng`."""
        world = World(rng.fork("practice exchange"), start_ns, settings or Settings())
        self._world = world
        self._rewards = Rewards(world)
        self._settlement = Settlement(world, self._rewards)
        self._lifecycle = Lifecycle(world, self._settlement)
        self._chain = Chain(world)
        self._listing = Listing(world, self._lifecycle, self._chain)
        self._heartbeats = Heartbeats(world, self._lifecycle)
        self._series = Series(world, self._listing)
        self._shuffle = world.rng.fork("batches")
        self._asked("start", start_ns, world.settings)

    # --- time and output -------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """The present virtual time."""
        return self._world.now_ns

    def advance(self, until_ns: int) -> None:
        """Let time pass, doing every due thing at its own instant, in order.

        Raises:
            OperatorError: time would run backwards.
        """
        world = self._world
        if until_ns < world.now_ns:
            raise OperatorError(f"expected a time from {world.now_ns} on, was {until_ns}")
        while (due := world.calendar.pop_due(until_ns)) is not None:
            world.now_ns = max(world.now_ns, due[0])
            due[1]()
            world.flush()
        world.now_ns = until_ns

    def next_due_ns(self) -> int | None:
        """Return when the next due thing happens, so that a shell knows how long to sleep."""
        return self._world.calendar.next_ns()

    def drain(self) -> tuple[Emission, ...]:
        """Hand over, and forget, everything emitted since the last call, in order."""
        emissions = tuple(self._world.outbox)
        self._world.outbox.clear()
        return emissions

    def drain_log(self) -> bytes:
        """Hand over, and forget, the log lines since the last call: JSON, one event a line."""
        return self._world.log.drain()

    def digest(self) -> str:
        """Return the running digest of every log line so far: equal runs have equal digests."""
        return self._world.log.digest()

    # --- settings and faults ---------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """The rules in force."""
        return self._world.settings

    def configure(self, settings: Settings) -> None:
        """Replace the rules, from now on."""
        self._asked("configure", settings)
        self._world.settings = settings

    @property
    def mode(self) -> VenueMode:
        """What the venue lets through now."""
        return self._world.mode

    def set_mode(
        self, mode: VenueMode, *, for_ms: int | None = None, then: VenueMode = VenueMode.NORMAL
    ) -> None:
        """Change the venue's mode, for good or for a while.

        A matching-engine restart is `set_mode(RESTARTING, for_ms=90_000, then=POST_ONLY)`;
        POST_ONLY reached that way ends by itself after two minutes (§3.4).
        """
        self._asked("set_mode", mode, for_ms, then)
        set_mode(self._world, mode, for_ms=for_ms, then=then)

    def restrict(self, account: str, restriction: Restriction) -> None:
        """Ban an address, put it in closed-only mode, or pardon it."""
        self._asked("restrict", account, restriction)
        self._world.known_account(account).restriction = restriction

    def hold_balance_cache(self, account: str) -> None:
        """Freeze what the venue believes the account owns (a stale cache) until refreshed.

        While frozen, orders are admitted on the lesser of the cached and the true balance, and
        `cached_balance` answers the cached one.
        """
        self._asked("hold_balance_cache", account)
        self._world.accounts.hold_cache(self._world.known_account(account))

    def refresh_balance_cache(self, account: str) -> None:
        """Read the chain again (`/balance-allowance/update`)."""
        self._asked("refresh_balance_cache", account)
        self._world.known_account(account).cache = None

    def lock_balance(self, account: str, cash_u6: int) -> None:
        """Hold pUSD back as "sum of matched orders" though none are (§10); 0 lets it go.

        The balance reads as before, resting orders stay: only what is new is refused.
        """
        self._asked("lock_balance", account, cash_u6)
        self._world.known_account(account).ghost_u6 = cash_u6

    # --- accounts and the chain ------------------------------------------------------------------

    def open_account(self, account: str, *, approved: bool = True) -> None:
        """Know an address; with all approvals given unless told otherwise. Twice is harmless."""
        self._asked("open_account", account, approved)
        self._world.accounts.open(account, approved=approved)

    def approve(
        self, account: str, spender: Spender, asset: AssetType, amount_u6: int | None = None
    ) -> None:
        """Set an allowance; None: unlimited. CONDITIONAL is all (None) or nothing (0)."""
        self._asked("approve", account, spender, asset, amount_u6)
        known = self._world.known_account(account)
        if amount_u6 is None:
            known.allowances.pop((spender, asset), None)
        else:
            known.allowances[spender, asset] = amount_u6
        self._recheck(account)

    def deposit(self, account: str, amount_u6: int) -> None:
        """Bring pUSD from outside."""
        self._asked("deposit", account, amount_u6)
        self._chain.deposit(self._world.known_account(account), amount_u6)

    def withdraw(self, account: str, amount_u6: int) -> None:
        """Take pUSD outside, even from under open orders: those that lose their cover die.

        Raises:
            OperatorError: the account has not so much outside unsettled trades.
        """
        self._asked("withdraw", account, amount_u6)
        self._chain.withdraw(self._world.known_account(account), amount_u6)
        self._recheck(account)

    def transfer(self, source: str, target: str, asset: str, amount_u6: int) -> None:
        """Move pUSD (`api.COLLATERAL`) or a token between accounts; raises like `withdraw`."""
        self._asked("transfer", source, target, asset, amount_u6)
        world = self._world
        giver, taker = world.known_account(source), world.known_account(target)
        self._chain.transfer(giver, taker, asset, amount_u6)
        self._recheck(source)

    def split(self, account: str, condition: str, amount_u6: int) -> None:
        """Turn pUSD into as many YES and NO; raises like `withdraw`."""
        self._asked("split", account, condition, amount_u6)
        world = self._world
        self._chain.split(world.known_account(account), world.known_market(condition), amount_u6)
        self._recheck(account)

    def merge(self, account: str, condition: str, amount_u6: int) -> None:
        """Turn YES and NO back into pUSD; raises like `withdraw`."""
        self._asked("merge", account, condition, amount_u6)
        world = self._world
        self._chain.merge(world.known_account(account), world.known_market(condition), amount_u6)
        self._recheck(account)

    def redeem(self, account: str, condition: str) -> int:
        """Turn all confirmed tokens of a resolved market into pUSD; return how much.

        Raises:
            OperatorError: not resolved.
        """
        self._asked("redeem", account, condition)
        world = self._world
        return self._chain.redeem(world.known_account(account), world.known_market(condition))

    def convert(self, account: str, group: str, *, index_set: int, amount_u6: int) -> int:
        """Convert NO of the questions whose bits are set (§7.2); return the pUSD received.

        Raises:
            OperatorError: not a NegRisk group, a bit without a question, a resolved question, or
                too few tokens.
        """
        self._asked("convert", account, group, index_set, amount_u6)
        known = self._world.known_account(account)
        cash_u6 = self._chain.convert(known, group, index_set=index_set, amount_u6=amount_u6)
        self._recheck(account)
        return cash_u6

    # --- markets ---------------------------------------------------------------------------------

    def list_group(self, group: GroupTerms) -> None:
        """Make a group known, before its markets."""
        self._asked("list_group", group)
        self._listing.add_group(group)

    def list_market(self, terms: MarketTerms) -> None:
        """Make a market known and open its book."""
        self._asked("list_market", terms)
        self._listing.add_market(terms)

    def list_series(self, series: SeriesTerms) -> None:
        """Start a rolling up/down series: markets list, close and resolve by themselves."""
        self._asked("list_series", series)
        self._series.start(series)

    def reference(self, symbol: str, price_u6: int, at_ns: int) -> None:
        """Tell a reference price; times of one symbol never decrease and never pass the present."""
        self._asked("reference", symbol, price_u6, at_ns)
        self._series.tell(symbol, price_u6, at_ns)

    def change_tick(self, condition: str, tick_u6: int) -> None:
        """Change the price grid; resting orders stay."""
        self._asked("change_tick", condition, tick_u6)
        self._listing.change_tick(self._world.known_market(condition), tick_u6)

    def change_fees(self, condition: str, fees: FeeSchedule) -> None:
        """Change the fee schedule for trades to come."""
        self._asked("change_fees", condition, fees)
        self._listing.change(self._world.known_market(condition), fees=fees)

    def change_rewards(self, condition: str, rewards: RewardTerms) -> None:
        """Change the liquidity-reward terms for samples to come."""
        self._asked("change_rewards", condition, rewards)
        self._listing.change(self._world.known_market(condition), rewards=rewards)

    def set_accepting(self, condition: str, *, accepting: bool) -> None:
        """Open or close the market for new orders; resting ones stay and may be cancelled."""
        self._asked("set_accepting", condition, accepting)
        self._listing.set_accepting(self._world.known_market(condition), accepting=accepting)

    def clear_book(self, condition: str) -> None:
        """Cancel every order of the market, as sports books are at game start (§5.4)."""
        self._asked("clear_book", condition)
        market = self._world.known_market(condition)
        self._lifecycle.clear(market, CancelReason.ASKED, ErrorCode.NOT_READY)
        self._world.flush()

    def propose(self, condition: str, resolution: Resolution, *, liveness_s: int) -> None:
        """Propose an outcome to the oracle: the market resolves after the liveness (§7.3)."""
        self._asked("propose", condition, resolution, liveness_s)
        self._listing.propose(self._world.known_market(condition), resolution, liveness_s)

    def dispute(self, condition: str) -> None:
        """Dispute the proposal: nothing resolves until a new one.

        Raises:
            OperatorError: nothing is proposed.
        """
        self._asked("dispute", condition)
        self._listing.dispute(self._world.known_market(condition))

    def resolve(self, condition: str, resolution: Resolution) -> None:
        """Resolve now: cancel all orders, stop trading, allow redeeming.

        Raises:
            OperatorError: already resolved, a second YES in a NegRisk group, or a split in one.
        """
        self._asked("resolve", condition, resolution)
        self._listing.resolve(self._world.known_market(condition), resolution)

    # --- orders ----------------------------------------------------------------------------------

    def place(self, request: OrderRequest) -> PlaceResult:
        """Place one order."""
        self._asked("place", request)
        result = self._lifecycle.place(request)
        self._world.flush(request.token)
        return result

    def place_batch(self, requests: Iterable[OrderRequest]) -> BatchResult:
        """Place up to `batch_max` orders, not atomically; results in the order of the requests."""
        legs = list(requests)
        self._asked("place_batch", len(legs))
        limit = self._world.settings.batch_max
        if len(legs) > limit:
            error = refuse(ErrorCode.BATCH_TOO_LONG, count=len(legs), limit=limit)
            return BatchResult(error=error)
        results: dict[int, PlaceResult] = {}
        for ix in self._batch_order(len(legs)):
            results[ix] = self.place(legs[ix])
        return BatchResult(results=tuple(results[ix] for ix in range(len(legs))))

    def cancel(self, owner: str, order_ids: Iterable[str]) -> CancelResult:
        """Cancel orders of an API key by id, up to `cancel_max`."""
        ids = tuple(order_ids)
        self._asked("cancel", owner, ids)
        result = self._lifecycle.cancel(owner, ids)
        self._world.flush()
        return result

    def cancel_all(self, owner: str) -> CancelResult:
        """Cancel everything of an API key."""
        return self.cancel_market(owner)

    def cancel_market(self, owner: str, *, condition: str = "", token: str = "") -> CancelResult:
        """Cancel everything of an API key in a market, on a token, or both."""
        self._asked("cancel_market", owner, condition, token)
        result = self._lifecycle.cancel_where(owner, condition=condition, token=token)
        self._world.flush()
        return result

    def heartbeat(self, owner: str, heartbeat_id: str) -> HeartbeatResult:
        """Take a beat of the dead man's switch (§3.3); starting it is for good."""
        self._asked("heartbeat", owner, heartbeat_id)
        return self._heartbeats.beat(owner, heartbeat_id)

    # --- small -----------------------------------------------------------------------------------

    def _asked(self, call: str, *args: object) -> None:
        self._world.log.write(self._world.now_ns, Asked(call, args))

    def _recheck(self, account: str) -> None:
        self._lifecycle.recheck(self._world.known_account(account))
        self._world.flush()

    def _batch_order(self, count: int) -> list[int]:
        """Return the order in which the legs of a batch arrive at the engine."""
        order = list(range(count))
        if self._world.settings.batch_shuffled:
            for last in range(count - 1, 0, -1):
                pick = self._shuffle.below(last + 1)
                order[last], order[pick] = order[pick], order[last]
        return order
