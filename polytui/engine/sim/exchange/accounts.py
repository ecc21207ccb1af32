"""Double entry for every asset, and what each account has promised.

Every change of any balance is a move between two accounts of one asset, so each asset sums to zero
for ever. Names beginning with `@` are the exchange's own:

    @world          pUSD that came from outside, negative
    @mint:<cond>    tokens in existence, negative, once per token
    @lock:<cond>    pUSD behind those tokens
    @escrow         given up by matched trades that are not yet CONFIRMED or FAILED
    @fees           taker fees, out of which rebates are paid
    @rewards        what liquidity rewards cost, negative
    @adapter:<grp>  NO tokens left by NegRisk conversions, against pUSD advanced for them (negative)
    @vault:<grp>    conversion fees

A match moves the payer's asset into escrow at once, but the account's balance, as the venue and
the chain see it, still includes it until the trade is CONFIRMED: that is its `matched` sum.
"""

from typing import TYPE_CHECKING

from polytui.engine.core.errors import EngineBug
from polytui.engine.sim.exchange.api import COLLATERAL, AssetBalance
from polytui.engine.sim.exchange.terms import AssetType, Restriction, Spender

if TYPE_CHECKING:
    from polytui.engine.sim.exchange.orders import Order
    from polytui.engine.sim.exchange.positions import Lot
    from polytui.engine.sim.exchange.settlement import Trade

WORLD = "@world"
ESCROW = "@escrow"
FEES = "@fees"
REWARDS = "@rewards"
_MAY_OWE = ("@world", "@mint:", "@rewards", "@adapter:")


class Ledger:
    """Balances, asset by asset."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        """Know pUSD and nothing else."""
        self.held: dict[str, dict[str, int]] = {COLLATERAL: {}}

    def open_asset(self, asset: str) -> None:
        """Know one more asset."""
        self.held.setdefault(asset, {})

    def of(self, account: str, asset: str) -> int:
        """Return a balance, escrow not included."""
        return self.held[asset].get(account, 0) if asset in self.held else 0

    def move(self, asset: str, source: str, target: str, amount_u6: int) -> None:
        """Debit one account and credit another.

        Raises:
            EngineBug: negative amount, or the source cannot pay.
        """
        if amount_u6 <= 0:
            if amount_u6:
                raise EngineBug(f"expected a move of at least 0 {asset}, was {amount_u6}")
            return
        column = self.held[asset]
        left = column.get(source, 0) - amount_u6
        if left < 0 and not source.startswith(_MAY_OWE):
            raise EngineBug(f"expected {source} to hold {amount_u6} {asset}, short by {-left}")
        if left:
            column[source] = left
        else:
            del column[source]
        back = column.get(target, 0) + amount_u6
        if back:
            column[target] = back
        else:
            del column[target]


class Account:
    """One address: promises, approvals, and what it earned."""

    __slots__ = (
        "active",
        "address",
        "allowances",
        "cache",
        "fees_u6",
        "ghost_u6",
        "incoming",
        "lots",
        "matched",
        "orders",
        "rebates_paid_u6",
        "restriction",
        "rewards_paid_u6",
        "rewards_u12",
        "trades",
    )

    def __init__(self, address: str, *, approved: bool) -> None:
        """Own nothing."""
        self.address = address
        self.restriction = Restriction.NONE
        self.allowances: dict[tuple[Spender, AssetType], int] = {}
        """Limits; a missing pair is unlimited."""
        if not approved:
            self.allowances = {(s, a): 0 for s in Spender for a in AssetType}
        self.active: dict[str, int] = {}
        self.matched: dict[str, int] = {}
        self.ghost_u6 = 0
        """PUSD of matched orders that are over, which the venue goes on holding back."""
        self.incoming: dict[str, int] = {}
        self.cache: dict[str, int] | None = None
        """Balances as of `hold_balance_cache`; None while the venue sees the chain."""
        self.orders: dict[str, Order] = {}
        self.trades: dict[str, Trade] = {}
        self.lots: dict[str, Lot] = {}
        self.fees_u6 = 0
        self.rebates_paid_u6 = 0
        self.rewards_u12 = 0
        """Today's, in 1e-12 dollars: a minute's part is a small number."""
        self.rewards_paid_u6 = 0


def add(sums: dict[str, int], asset: str, amount_u6: int) -> None:
    """Change one of an account's sums; none of them is ever negative, zeros are not kept."""
    now = sums.get(asset, 0) + amount_u6
    assert now >= 0, f"expected a sum of at least 0, was {now} {asset}"
    if now:
        sums[asset] = now
    else:
        sums.pop(asset, None)


class Accounts:
    """All addresses over one ledger."""

    __slots__ = ("all", "ledger")

    def __init__(self) -> None:
        """Start without any."""
        self.ledger = Ledger()
        self.all: dict[str, Account] = {}

    def open(self, address: str, *, approved: bool) -> Account:
        """Know an address; one already known stays as it is."""
        known = self.all.get(address)
        if known is None:
            known = self.all[address] = Account(address, approved=approved)
        return known

    def balance(self, account: Account, asset: str) -> AssetBalance:
        """Reckon one asset as the venue does."""
        matched_u6 = account.matched.get(asset, 0)
        return AssetBalance(
            balance_u6=self.ledger.of(account.address, asset) + matched_u6,
            active_u6=account.active.get(asset, 0),
            matched_u6=matched_u6,
            incoming_u6=account.incoming.get(asset, 0),
        )

    def chain_u6(self, account: Account, asset: str) -> int:
        """Return the balance on chain: unsettled trades have moved nothing."""
        return self.ledger.of(account.address, asset) + account.matched.get(asset, 0)

    def believed_u6(self, account: Account, asset: str) -> int:
        """Return the balance the venue admits orders on: never more than there is."""
        true_u6 = self.chain_u6(account, asset)
        if account.cache is None:
            return true_u6
        return min(true_u6, account.cache.get(asset, 0))

    def hold_cache(self, account: Account) -> None:
        """Freeze what the venue believes."""
        account.cache = {
            asset: held for asset in self.ledger.held if (held := self.chain_u6(account, asset))
        }

    def allowance_u6(self, account: Account, spender: Spender, asset: str) -> int | None:
        """Return the limit of an asset at a contract; None: unlimited."""
        kind = AssetType.COLLATERAL if asset == COLLATERAL else AssetType.CONDITIONAL
        return account.allowances.get((spender, kind))
