"""What every part of the exchange shares: the present, the record, accounts, markets, live orders.

No rules live here. A part that changes a book touches the level and leaves the announcement to
`flush`, which the facade calls once per request or due thing, so that one cause is one frame.
"""

from polytui.engine.core.errors import EngineBug, OperatorError
from polytui.engine.core.rng import Rng
from polytui.engine.sim.exchange.accounts import Account, Accounts
from polytui.engine.sim.exchange.calendar import Calendar
from polytui.engine.sim.exchange.emissions import BookChanged, Emission, TickChanged
from polytui.engine.sim.exchange.log import Log
from polytui.engine.sim.exchange.market import Market
from polytui.engine.sim.exchange.orders import Order
from polytui.engine.sim.exchange.terms import GroupTerms, Settings, VenueMode

OUTBOX_MAX = 1_000_000
"""Undrained emissions; more means that nobody listens."""
SEEN_MAX = 200_000
"""Order ids remembered as used up; the oldest are forgotten."""
FINE_ABOVE_U6 = 960_000
"""A top beyond this, or below its mirror, switches to the fine grid (§4.1)."""
FINE_BELOW_U6 = 40_000


class World:
    """The shared state; the facade owns it."""

    __slots__ = (
        "accounts",
        "by_owner",
        "by_token",
        "calendar",
        "dirty",
        "groups",
        "log",
        "markets",
        "mode",
        "mode_ends_ns",
        "mode_epoch",
        "now_ns",
        "orders",
        "outbox",
        "rng",
        "seen",
        "settings",
    )

    def __init__(self, rng: Rng, start_ns: int, settings: Settings) -> None:
        """Begin with nothing but the time."""
        self.rng = rng
        self.now_ns = start_ns
        self.settings = settings
        self.mode = VenueMode.NORMAL
        self.mode_ends_ns: int | None = None
        self.mode_epoch = 0
        self.calendar = Calendar()
        self.log = Log()
        self.outbox: list[Emission] = []
        self.accounts = Accounts()
        self.groups: dict[str, GroupTerms] = {}
        self.markets: dict[str, Market] = {}
        self.by_token: dict[str, Market] = {}
        self.orders: dict[str, Order] = {}
        """Active ones: resting or delayed, oldest first."""
        self.by_owner: dict[str, dict[str, Order]] = {}
        self.seen: dict[str, None] = {}
        """Ids of orders that are no longer active."""
        self.dirty: dict[str, Market] = {}

    def emit(self, emission: Emission) -> None:
        """Say and record something."""
        if len(self.outbox) >= OUTBOX_MAX:
            raise EngineBug(f"expected someone to drain {OUTBOX_MAX} emissions")
        self.outbox.append(emission)
        self.log.write(self.now_ns, emission)

    def touch(self, market: Market, *, is_bid: bool, px_u6: int) -> None:
        """Note that a level changes."""
        market.dirty[is_bid, px_u6] = None
        self.dirty[market.condition] = market

    def flush(self, token: str = "") -> None:
        """Announce all changed levels, each market once; then switch grids that are due."""
        if not self.dirty:
            return
        for market in self.dirty.values():
            levels = tuple(
                (is_bid, px_u6, market.queue(is_bid=is_bid).total_u6(px_u6))
                for is_bid, px_u6 in market.dirty
            )
            market.dirty.clear()
            market.changed_ns = self.now_ns
            bid_u6, ask_u6 = market.best()
            self.emit(
                BookChanged(
                    at_ns=self.now_ns,
                    condition=market.condition,
                    levels=levels,
                    bid_u6=bid_u6,
                    ask_u6=ask_u6,
                    token=token,
                )
            )
            if market.terms.fine_tick_u6 and (bid_u6 > FINE_ABOVE_U6 or ask_u6 < FINE_BELOW_U6):
                self.change_tick(market, market.terms.fine_tick_u6)
        self.dirty.clear()

    def change_tick(self, market: Market, tick_u6: int) -> None:
        """Change the grid; a grid set by hand stays set."""
        old_u6 = market.terms.tick_u6
        market.change(tick_u6=tick_u6, fine_tick_u6=0)
        self.emit(
            TickChanged(
                at_ns=self.now_ns,
                condition=market.condition,
                old_tick_u6=old_u6,
                new_tick_u6=tick_u6,
            )
        )

    def forget(self, order: Order) -> None:
        """Strike an order off the active ones; its id stays used up."""
        del self.orders[order.id]
        del self.by_owner[order.request.owner][order.id]
        del order.account.orders[order.id]
        self.use_up(order.id)

    def use_up(self, order_id: str) -> None:
        """Remember an id that may not come again."""
        if len(self.seen) >= SEEN_MAX:
            del self.seen[next(iter(self.seen))]
        self.seen[order_id] = None

    def known_account(self, address: str) -> Account:
        """Return an account or refuse the call."""
        account = self.accounts.all.get(address)
        if account is None:
            raise OperatorError(f"expected an opened account, was {address!r}")
        return account

    def known_market(self, condition: str) -> Market:
        """Return a market or refuse the call."""
        market = self.markets.get(condition)
        if market is None:
            raise OperatorError(f"expected a listed market, was {condition!r}")
        return market


def hex_id(rng: Rng, digits: int) -> str:
    """Mint `0x` and so many hex digits."""
    words = "".join(f"{rng.next_u64():016x}" for _ in range(-(-digits // 16)))
    return f"0x{words[:digits]}"


def uuid_id(rng: Rng) -> str:
    """Mint an id in the shape of a version-4 UUID."""
    high, low = f"{rng.next_u64():016x}", f"{rng.next_u64():016x}"
    return f"{high[:8]}-{high[8:12]}-4{high[13:]}-8{low[1:4]}-{low[4:]}"
