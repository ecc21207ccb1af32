"""Double entry in integer micro-units: every entry sums to zero per asset, so does the whole.

An amount is positive where we have more of an asset and negative where we have less; the accounts
below the line are the other side of each movement, seen from us: what they gave is negative.

    account           holds                                                          sign
    confirmed         final: what the chain and the venue's `balance` show            >= 0
    incoming          due to us from trades that are not final                        >= 0
    outgoing          owed by us to trades that are not final                         <= 0
    ------------------------------------------------------------------------------------------
    market            the other side of every fill: provisional and final             any
    fees              taker fees of final fills                                       >= 0
    rebates[:who]     fee rebates received, by strategy where it is known             <= 0
    rewards[:who]     liquidity rewards received, likewise                            <= 0
    chain             split, merge, redeem, convert: what turned into something else  any
    capital           opening balances and deposits (negative) less withdrawals       any
    adjust            found by reconciliation: never profit                           <= 0
    lost              gone by reconciliation: counts as a loss                        >= 0

A fill that is not final moves between `market` and `incoming` or `outgoing` only, its fee included;
becoming final moves those to `confirmed` and the fee from `market` to `fees`; a void is the exact
reverse. What the venue shows as a balance is therefore `confirmed`, matched amounts included
(`venue/polymarket.md` §10), and a restart may drop all that is provisional and book it again.
"""

from collections.abc import Iterable

from polytui.engine.core.enums import Side
from polytui.engine.core.errors import EngineBug
from polytui.engine.core.order_enums import EntryKind, Realm
from polytui.engine.core.trading import CASH, AccountTotals, FillChange, LedgerEntry, Posting

CONFIRMED = "confirmed"
INCOMING = "incoming"
OUTGOING = "outgoing"
MARKET = "market"
FEES = "fees"
REBATES = "rebates"
REWARDS = "rewards"
CHAIN = "chain"
CAPITAL = "capital"
ADJUST = "adjust"
LOST = "lost"

ACCOUNTS = (
    CONFIRMED,
    INCOMING,
    OUTGOING,
    MARKET,
    FEES,
    REBATES,
    REWARDS,
    CHAIN,
    CAPITAL,
    ADJUST,
    LOST,
)
"""The closed set; `rebates` and `rewards` may carry `:<strategy>`."""

Move = tuple[str, str, int]
"""(account, asset, amount)."""

Row = tuple[str, str, int]
"""(account, asset, balance)."""


def purse(account: str, strategy: str) -> str:
    """Name the sub-account of a strategy; without one, the account itself."""
    return f"{account}:{strategy}" if strategy else account


class Ledger:
    """Balances by account and asset, and the only way to change them."""

    __slots__ = ("_held", "entries", "realm")

    def __init__(self, realm: Realm) -> None:
        """Start empty."""
        self.realm = realm
        self.entries = 0
        """Booked so far; the number of the last one."""
        self._held: dict[tuple[str, str], int] = {}

    def of(self, account: str, asset: str) -> int:
        """Return a balance."""
        return self._held.get((account, asset), 0)

    def sum_of(self, account: str, asset: str = CASH) -> int:
        """Return a balance with those of its sub-accounts."""
        prefix = f"{account}:"
        return sum(
            amount_u6
            for (name, what), amount_u6 in self._held.items()
            if what == asset and (name == account or name.startswith(prefix))
        )

    def rows(self) -> tuple[Row, ...]:
        """List every balance that is not zero, in order."""
        return tuple((name, asset, u6) for (name, asset), u6 in sorted(self._held.items()))

    def load(self, totals: AccountTotals) -> None:
        """Take the balances of a checkpoint, without what was provisional: it is booked again.

        Raises:
            EngineBug: they do not balance.
        """
        self._held = {}
        self.entries = totals.entries
        for account, asset, amount_u6 in totals.rows:
            target = MARKET if account in (INCOMING, OUTGOING) else account
            self._add(target, asset, amount_u6)
        self.audit()

    def move(self, moves: Iterable[Move]) -> tuple[Posting, ...]:
        """Carry out a balanced set of moves; return it as postings, zero moves left out.

        Raises:
            EngineBug: an unknown account, or an asset that does not sum to zero; nothing is moved.
        """
        kept = [one for one in moves if one[2]]
        sums: dict[str, int] = {}
        for account, asset, amount_u6 in kept:
            if account.partition(":")[0] not in ACCOUNTS:
                raise EngineBug(f"expected an account of the table, was {account!r}")
            sums[asset] = sums.get(asset, 0) + amount_u6
        if any(sums.values()):
            raise EngineBug(f"expected postings that sum to zero per asset, were {kept}")
        for account, asset, amount_u6 in kept:
            self._add(account, asset, amount_u6)
        return tuple(
            Posting(account=account, asset=asset, amount_u6=amount_u6)
            for account, asset, amount_u6 in kept
        )

    def book(
        self,
        kind: EntryKind,
        moves: Iterable[Move],
        *,
        ref: str,
        at_ns: int,
        seq: int,
        strategy: str = "",
        market: str = "",
        note: str = "",
    ) -> LedgerEntry:
        """Carry out moves and number them as an entry; raises like `move`."""
        postings = self.move(moves)
        self.entries += 1
        return LedgerEntry(
            realm=self.realm,
            n=self.entries,
            at_ns=at_ns,
            seq=seq,
            kind=kind,
            ref=ref,
            strategy=strategy,
            market=market,
            postings=postings,
            note=note,
        )

    def audit(self) -> None:
        """Recount from scratch.

        Raises:
            EngineBug: an asset does not sum to zero, or a provisional bucket has the wrong sign.
        """
        sums: dict[str, int] = {}
        for (account, asset), amount_u6 in self._held.items():
            sums[asset] = sums.get(asset, 0) + amount_u6
            if (account == INCOMING and amount_u6 < 0) or (account == OUTGOING and amount_u6 > 0):
                raise EngineBug(f"expected {account} of {asset} on its side, was {amount_u6}")
        wrong = {asset: amount_u6 for asset, amount_u6 in sums.items() if amount_u6}
        if wrong:
            raise EngineBug(f"expected every asset to sum to zero, were {wrong}")

    def _add(self, account: str, asset: str, amount_u6: int) -> None:
        key = account, asset
        now = self._held.get(key, 0) + amount_u6
        if now:
            self._held[key] = now
        else:
            self._held.pop(key, None)


# --- what moves what -----------------------------------------------------------------------------


def effects(change: FillChange) -> tuple[tuple[str, int], tuple[str, int]]:
    """Say what a fill does to cash, fee included, and to its token, if it becomes final."""
    if change.side is Side.BUY:
        return (CASH, -change.cash_u6 - change.fee_u6), (change.token, change.qty_u6)
    return (CASH, change.cash_u6 - change.fee_u6), (change.token, -change.qty_u6)


def provisional_moves(change: FillChange) -> list[Move]:
    """Book a fill that the chain has not confirmed."""
    moves: list[Move] = []
    for asset, amount_u6 in effects(change):
        bucket = INCOMING if amount_u6 > 0 else OUTGOING
        moves += [(bucket, asset, amount_u6), (MARKET, asset, -amount_u6)]
    return moves


def promoted_moves(change: FillChange) -> list[Move]:
    """Make a provisional fill final; its fee is a fee from here on."""
    moves: list[Move] = [(MARKET, CASH, -change.fee_u6), (FEES, CASH, change.fee_u6)]
    for asset, amount_u6 in effects(change):
        bucket = INCOMING if amount_u6 > 0 else OUTGOING
        moves += [(CONFIRMED, asset, amount_u6), (bucket, asset, -amount_u6)]
    return moves


def voided_moves(change: FillChange) -> list[Move]:
    """Take a provisional fill back, to the last micro-unit."""
    return [(account, asset, -u6) for account, asset, u6 in provisional_moves(change)]


def swap_moves(changes: Iterable[tuple[str, int]]) -> list[Move]:
    """Book what we gained and gave in a split, merge, redemption or conversion."""
    moves: list[Move] = []
    for asset, amount_u6 in changes:
        moves += [(CONFIRMED, asset, amount_u6), (CHAIN, asset, -amount_u6)]
    return moves


def between(account: str, asset: str, amount_u6: int) -> list[Move]:
    """Receive a confirmed amount from an account, or give one to it (negative)."""
    return [(CONFIRMED, asset, amount_u6), (account, asset, -amount_u6)]
