"""Markets from listing to resolution (§7.3): terms, oracle, the end of trading."""

from functools import partial

from polytui.engine.core.errors import OperatorError
from polytui.engine.sim.exchange.api import CancelReason, ErrorCode
from polytui.engine.sim.exchange.chain import Chain
from polytui.engine.sim.exchange.emissions import (
    MS,
    GroupListed,
    MarketChanged,
    MarketListed,
    MarketResolved,
    OracleMoved,
)
from polytui.engine.sim.exchange.lifecycle import Lifecycle
from polytui.engine.sim.exchange.market import Market
from polytui.engine.sim.exchange.terms import (
    TICKS_U6,
    GroupTerms,
    MarketTerms,
    OracleStatus,
    Resolution,
)
from polytui.engine.sim.exchange.world import World


class Listing:
    """All markets and groups."""

    __slots__ = ("_chain", "_lifecycle", "_world")

    def __init__(self, world: World, lifecycle: Lifecycle, chain: Chain) -> None:
        """Work on the shared state."""
        self._world = world
        self._lifecycle = lifecycle
        self._chain = chain

    def add_group(self, group: GroupTerms) -> None:
        """Make a group known."""
        if group.id in self._world.groups:
            raise OperatorError(f"expected a new group, {group.id} is listed")
        self._world.groups[group.id] = group
        self._world.emit(GroupListed(at_ns=self._world.now_ns, group=group))

    def add_market(self, terms: MarketTerms) -> Market:
        """Make a market known and open its book."""
        world = self._world
        _check_terms(world, terms)
        market = world.markets[terms.condition] = Market(terms, world.now_ns)
        for token in terms.tokens:
            world.by_token[token] = market
            world.accounts.ledger.open_asset(token)
        world.emit(MarketListed(at_ns=world.now_ns, terms=terms))
        return market

    def change(self, market: Market, **facts: object) -> None:
        """Change terms that have no emission of their own."""
        market.change(**facts)
        self._world.emit(MarketChanged(at_ns=self._world.now_ns, terms=market.terms))

    def change_tick(self, market: Market, tick_u6: int) -> None:
        """Change the grid by hand."""
        if tick_u6 not in TICKS_U6:
            raise OperatorError(f"expected a tick of {TICKS_U6}, was {tick_u6}")
        if tick_u6 != market.terms.tick_u6:
            self._world.change_tick(market, tick_u6)

    def set_accepting(self, market: Market, *, accepting: bool) -> None:
        """Open or close a market for new orders; a resolved one stays closed."""
        if accepting and market.resolution is not None:
            raise OperatorError(f"expected an open market, {market.condition} is resolved")
        self.change(market, accepting=accepting)

    def propose(self, market: Market, resolution: Resolution, liveness_s: int) -> None:
        """Propose an outcome; it holds unless disputed within the liveness."""
        self._chain.check_resolution(market, resolution)
        self._move_oracle(market, OracleStatus.PROPOSED)
        due_ns = self._world.now_ns + liveness_s * 1_000 * MS
        deed = partial(self._accept, market, resolution, market.proposal)
        self._world.calendar.book(due_ns, deed)

    def dispute(self, market: Market) -> None:
        """Undo the standing proposal."""
        if market.oracle is not OracleStatus.PROPOSED:
            raise OperatorError(f"expected a proposal for {market.condition}")
        self._move_oracle(market, OracleStatus.DISPUTED)

    def _accept(self, market: Market, resolution: Resolution, proposal: int) -> None:
        if market.proposal == proposal and market.oracle is OracleStatus.PROPOSED:
            self.resolve(market, resolution)

    def _move_oracle(self, market: Market, status: OracleStatus) -> None:
        market.proposal += 1
        market.oracle = status
        self._world.emit(
            OracleMoved(at_ns=self._world.now_ns, condition=market.condition, status=status)
        )

    def resolve(self, market: Market, resolution: Resolution) -> None:
        """End a market: cancel everything, say who won, allow redeeming."""
        self._chain.check_resolution(market, resolution)
        self._lifecycle.clear(market, CancelReason.RESOLVED, ErrorCode.NO_BOOK)
        self._world.flush()
        market.resolution = resolution
        market.oracle = OracleStatus.RESOLVED
        market.change(accepting=False)
        self._chain.settle_adapter(market)
        terms = market.terms
        winner = {Resolution.YES: 0, Resolution.NO: 1}.get(resolution)
        self._world.emit(
            MarketResolved(
                at_ns=self._world.now_ns,
                condition=terms.condition,
                resolution=resolution,
                winning_token="" if winner is None else terms.tokens[winner],
                winning_outcome="" if winner is None else terms.outcomes[winner],
            )
        )


def _check_terms(world: World, terms: MarketTerms) -> None:
    """Refuse a market that contradicts what is listed.

    Raises:
        OperatorError: a known or empty id, an unknown group, a grid that does not exist.
    """
    taken = [token for token in terms.tokens if token in world.by_token]
    if terms.condition in world.markets or taken or len(set(terms.tokens)) != 2:
        raise OperatorError(f"expected new ids, was {terms.condition} with {terms.tokens}")
    if terms.group and terms.group not in world.groups:
        raise OperatorError(f"expected group {terms.group} to be listed before {terms.slug}")
    if terms.neg_risk and not (terms.group and world.groups[terms.group].neg_risk):
        raise OperatorError(f"expected a NegRisk group for {terms.slug}")
    ticks = {terms.tick_u6, terms.fine_tick_u6 or terms.tick_u6}
    if not ticks <= set(TICKS_U6):
        raise OperatorError(f"expected ticks of {TICKS_U6} for {terms.slug}, was {ticks}")
