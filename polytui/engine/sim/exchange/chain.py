"""On-chain operations: money in and out, split, merge, redeem, convert, and the end of markets.

The chain knows nothing of orders: it moves whatever is not owed to unsettled trades, and orders
that lose their cover are cancelled afterwards (`Lifecycle.recheck`). NegRisk conversion (§7.2)
advances pUSD on the books of `@adapter:<group>`, which keeps the NO tokens; with exactly one YES in
the end these repay the advance to the last micro-unit.
"""

from polytui.engine.core.enums import Outcome
from polytui.engine.core.errors import OperatorError
from polytui.engine.sim.exchange.accounts import WORLD, Account
from polytui.engine.sim.exchange.api import COLLATERAL
from polytui.engine.sim.exchange.emissions import BalanceMoved
from polytui.engine.sim.exchange.market import Market
from polytui.engine.sim.exchange.negrisk import Conversion, plan_conversion
from polytui.engine.sim.exchange.positions import half_u6
from polytui.engine.sim.exchange.settlement import create_pairs, lot_of
from polytui.engine.sim.exchange.terms import Resolution
from polytui.engine.sim.exchange.world import World

Moves = list[tuple[str, int]]

HALVES = {Resolution.YES: (2, 0), Resolution.NO: (0, 2), Resolution.SPLIT: (1, 1)}
"""What a YES and a NO token redeem for, in half dollars."""


class Chain:
    """Everything that happens without the matching engine."""

    __slots__ = ("_world",)

    def __init__(self, world: World) -> None:
        """Work on the shared state."""
        self._world = world

    def deposit(self, account: Account, amount_u6: int) -> None:
        """Bring pUSD from outside."""
        if amount_u6 < 0:
            raise OperatorError(f"expected a deposit of at least 0, was {amount_u6}")
        self._move(COLLATERAL, WORLD, account.address, amount_u6)
        self._tell(account, "deposit", [(COLLATERAL, amount_u6)])

    def withdraw(self, account: Account, amount_u6: int) -> None:
        """Take pUSD outside."""
        self._need(account, COLLATERAL, amount_u6)
        self._move(COLLATERAL, account.address, WORLD, amount_u6)
        self._tell(account, "withdraw", [(COLLATERAL, -amount_u6)])

    def transfer(self, source: Account, target: Account, asset: str, amount_u6: int) -> None:
        """Move an asset between accounts; tokens take their cost with them."""
        self._need(source, asset, amount_u6)
        self._move(asset, source.address, target.address, amount_u6)
        if asset != COLLATERAL:
            lot = lot_of(source, asset)
            cost_u6 = lot.lose(amount_u6, 0)
            lot.realized_u6 += cost_u6
            lot_of(target, asset).gain(amount_u6, cost_u6)
        self._tell(source, "transfer", [(asset, -amount_u6)])
        self._tell(target, "transfer", [(asset, amount_u6)])

    def split(self, account: Account, market: Market, amount_u6: int) -> None:
        """Turn pUSD into pairs, each token booked at half its price."""
        self._need(account, COLLATERAL, amount_u6)
        create_pairs(self._world, market, account.address, amount_u6)
        for token, cost_u6 in zip(market.terms.tokens, half_u6(amount_u6), strict=True):
            lot_of(account, token).gain(amount_u6, cost_u6)
        moves = [(token, amount_u6) for token in market.terms.tokens]
        self._tell(account, "split", [(COLLATERAL, -amount_u6), *moves])

    def merge(self, account: Account, market: Market, amount_u6: int) -> None:
        """Turn pairs back into pUSD."""
        for token in market.terms.tokens:
            self._need(account, token, amount_u6)
        create_pairs(self._world, market, account.address, -amount_u6)
        for token, cash_u6 in zip(market.terms.tokens, half_u6(amount_u6), strict=True):
            lot_of(account, token).lose(amount_u6, cash_u6)
        moves = [(token, -amount_u6) for token in market.terms.tokens]
        self._tell(account, "merge", [(COLLATERAL, amount_u6), *moves])

    def redeem(self, account: Account, market: Market) -> int:
        """Turn everything an account holds of a resolved market into pUSD."""
        if market.resolution is None:
            raise OperatorError(f"expected a resolved market, {market.condition} is not")
        held = [self._world.accounts.ledger.of(account.address, t) for t in market.terms.tokens]
        paid_u6 = self._burn(market, account.address)
        moves: Moves = [(COLLATERAL, paid_u6)]
        for token, qty_u6, halves in zip(
            market.terms.tokens, held, HALVES[market.resolution], strict=True
        ):
            if qty_u6:
                lot_of(account, token).lose(qty_u6, qty_u6 * halves // 2)
                moves.append((token, -qty_u6))
        self._tell(account, "redeem", moves)
        return paid_u6

    def redeemable_u6(self, account: Account, market: Market, outcome: Outcome) -> int:
        """Return what an account's confirmed tokens of one side would redeem for now."""
        if market.resolution is None:
            return 0
        ix = 0 if outcome is Outcome.YES else 1
        qty_u6 = self._world.accounts.ledger.of(account.address, market.terms.tokens[ix])
        return qty_u6 * HALVES[market.resolution][ix] // 2

    def _burn(self, market: Market, holder: str) -> int:
        """Pay a holder out of the lock; halves of a micro-unit stay locked, as on chain."""
        assert market.resolution is not None, "expected a resolved market"
        ledger, paid_u6 = self._world.accounts.ledger, 0
        for token, halves in zip(market.terms.tokens, HALVES[market.resolution], strict=True):
            qty_u6 = ledger.of(holder, token)
            ledger.move(token, holder, f"@mint:{market.condition}", qty_u6)
            paid_u6 += qty_u6 * halves // 2
            market.odd_halves += qty_u6 * halves % 2
        ledger.move(COLLATERAL, f"@lock:{market.condition}", holder, paid_u6)
        return paid_u6

    # --- NegRisk ---------------------------------------------------------------------------------

    def convert(self, account: Account, group_id: str, *, index_set: int, amount_u6: int) -> int:
        """Burn NO of k questions; give (k-1)·a pUSD and a YES of each other one (§7.2)."""
        world = self._world
        group = world.groups.get(group_id)
        if group is None:
            raise OperatorError(f"expected a listed group, was {group_id!r}")
        markets = [m for m in world.markets.values() if m.terms.group == group_id]
        plan = plan_conversion(group, markets, index_set=index_set, amount_u6=amount_u6)
        for market in plan.given:
            self._need(account, market.terms.tokens[1], amount_u6)
        moves = self._convert(account, group_id, plan)
        self._book_conversion(account, plan)
        self._tell(account, "convert", moves)
        return plan.cash_u6

    def _convert(self, account: Account, group_id: str, plan: Conversion) -> Moves:
        """Do the moves of a conversion."""
        adapter, vault = f"@adapter:{group_id}", f"@vault:{group_id}"
        moves: Moves = []
        for market in plan.given:
            token = market.terms.tokens[1]
            self._move(token, account.address, adapter, plan.amount_u6)
            moves.append((token, -plan.amount_u6))
        for market in plan.others:
            create_pairs(self._world, market, adapter, plan.amount_u6)
            token = market.terms.tokens[0]
            self._move(token, adapter, account.address, plan.out_u6)
            self._move(token, adapter, vault, plan.amount_u6 - plan.out_u6)
            moves.append((token, plan.out_u6))
        self._move(COLLATERAL, adapter, account.address, plan.cash_u6)
        self._move(COLLATERAL, adapter, vault, plan.cash_fee_u6)
        moves.append((COLLATERAL, plan.cash_u6))
        return moves

    @staticmethod
    def _book_conversion(account: Account, plan: Conversion) -> None:
        """Carry the cost of the NO over: first to the cash, the rest in equal parts to the YES."""
        cost_u6 = -plan.cash_u6
        for market in plan.given:
            lot = lot_of(account, market.terms.tokens[1])
            given_u6 = lot.lose(plan.amount_u6, 0)
            lot.realized_u6 += given_u6
            cost_u6 += given_u6
        if not plan.others:
            lot_of(account, plan.given[0].terms.tokens[1]).realized_u6 -= cost_u6
            return
        for ix, market in enumerate(plan.others):
            part_u6 = cost_u6 // (len(plan.others) - ix)
            lot_of(account, market.terms.tokens[0]).gain(plan.out_u6, part_u6)
            cost_u6 -= part_u6

    # --- the end ---------------------------------------------------------------------------------

    def check_resolution(self, market: Market, resolution: Resolution) -> None:
        """Refuse an end that cannot be.

        Raises:
            OperatorError: resolved already, a second YES, or a split in a NegRisk group.
        """
        if market.resolution is not None:
            raise OperatorError(f"expected an open market, {market.condition} is resolved")
        if not market.terms.neg_risk:
            return
        if resolution is Resolution.SPLIT:
            raise OperatorError(f"expected YES or NO in a NegRisk group for {market.condition}")
        has_yes = any(
            other.resolution is Resolution.YES
            for other in self._world.markets.values()
            if other.terms.group == market.terms.group
        )
        if has_yes and resolution is Resolution.YES:
            raise OperatorError(f"expected at most one YES in group {market.terms.group}")

    def settle_adapter(self, market: Market) -> None:
        """Redeem what conversions left with the adapter and the vault."""
        if market.terms.neg_risk:
            self._burn(market, f"@adapter:{market.terms.group}")
            self._burn(market, f"@vault:{market.terms.group}")

    # --- small -----------------------------------------------------------------------------------

    def _move(self, asset: str, source: str, target: str, amount_u6: int) -> None:
        self._world.accounts.ledger.move(asset, source, target, amount_u6)

    def _need(self, account: Account, asset: str, amount_u6: int) -> None:
        """Refuse to move what is not there, or is owed to unsettled trades."""
        held_u6 = self._world.accounts.ledger.of(account.address, asset)
        if not 0 <= amount_u6 <= held_u6:
            raise OperatorError(
                f"expected 0 to {held_u6} of {asset} at {account.address}, was {amount_u6}"
            )

    def _tell(self, account: Account, what: str, moves: Moves) -> None:
        self._world.emit(
            BalanceMoved(
                at_ns=self._world.now_ns, account=account.address, what=what, moves=tuple(moves)
            )
        )
