"""What the venue knows of our account: orders, trades, balances, standing, rewards, positions.

Each read is whole or failed. The CLOB's own reads are current; the Data API's lag the chain and
are an audit.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from msgspec import Raw, Struct
from msgspec.json import Decoder, encode

from polytui.engine.core.errors import WireError
from polytui.engine.core.trading import CASH, HeldPosition, VenueOrder, VenueTrade
from polytui.engine.core.units import U6_MAX, u6_from_float
from polytui.engine.shell.polymarket.rest import PAGES_MAX, Failed, Rest, parsed
from polytui.engine.wire.account import read_order, read_orders, read_trades, text_of

DATA_PAGE: Final = 100
SCORING_MAX: Final = 500


class Holding(Struct, frozen=True, kw_only=True, gc=False):
    """A balance and what the exchanges may move of it."""

    qty_u6: int
    allowances: tuple[tuple[str, int], ...]
    """(contract in lower case, micro-units, clamped to `U6_MAX`); `""` is all of them."""


class Reward(Struct, frozen=True, kw_only=True, gc=False):
    """A market that pays for quotes."""

    market: str
    per_day_u6: int
    min_qty_u6: int
    max_spread_u6: int


class Earning(Struct, frozen=True, kw_only=True, gc=False):
    """What a market has paid us today; an estimate until UTC midnight."""

    market: str
    """Empty where the venue does not say."""
    earned_u6: int


class Approval(Struct, frozen=True, kw_only=True, gc=False):
    """Whether a contract may move one kind of asset of ours."""

    spender: str
    asset: str
    approved: bool


class _Balance(Struct, gc=False):
    balance: Raw = Raw(b"")
    allowances: dict[str, Raw] | None = None
    allowance: Raw = Raw(b"")


class _Position(Struct, gc=False):
    condition_id: str
    token_id: str
    current_size: float | str
    avg_price: float | str | None = 0.0
    redeemable: bool | None = False
    mergeable: bool | None = False


class _DataPage(Struct, gc=False):
    data: list[Raw]
    cursor: str | None = None
    pagination: dict[str, Any] | None = None


class _RewardRow(Struct, gc=False):
    condition_id: str
    rewards_max_spread: float | None = 0.0
    rewards_min_size: float | None = 0.0
    total_daily_rate: float | None = 0.0


class _EarningRow(Struct, gc=False):
    condition_id: str = ""
    earnings: float | None = 0.0


class _ApprovalRow(Struct, gc=False):
    spender: str
    asset_type: str
    approved: bool


class _ClosedOnly(Struct, gc=False):
    closed_only: bool


class _Scoring(Struct, gc=False):
    scoring: bool


class _Listed(Struct, gc=False):
    data: list[Raw]
    next_cursor: Raw = Raw(b"")


_balance: Final = Decoder(_Balance)
_position: Final = Decoder(_Position)
_data_page: Final = Decoder(_DataPage)
_reward: Final = Decoder(_RewardRow)
_earning: Final = Decoder(_EarningRow)
_approval: Final = Decoder(_ApprovalRow)
_closed_only: Final = Decoder(_ClosedOnly)
_scoring: Final = Decoder(_Scoring)
_scorings: Final = Decoder(dict[str, bool])
_listed: Final = Decoder(_Listed)


class AccountReads:
    """The CLOB's private half."""

    def __init__(self, rest: Rest, *, signature_type: int) -> None:
        """Ask this server, about the wallet of this signature type."""
        self._rest = rest
        self._signature_type = signature_type

    @property
    def _owner(self) -> str:
        credentials = self._rest.credentials
        return credentials.key if credentials is not None else ""

    # --- orders and trades -----------------------------------------------------------------------

    async def order(self, order_hash: str) -> VenueOrder | Failed | None:
        """Read one order; None: the venue knows no active one by this hash."""
        path = f"/data/order/{quote(order_hash, safe='')}"
        reply = await self._rest.get(path, private=True)
        if isinstance(reply, Failed):
            return None if reply.http == 404 and "not found" in reply.why.lower() else reply
        order = parsed(reply, read_order)
        if isinstance(order, VenueOrder) and order.order_hash != order_hash.lower():
            return Failed(why="the answer is about another order", http=200)
        return order

    async def open_orders(self) -> tuple[VenueOrder, ...] | Failed:
        """Read all open orders of this key, every page; one seen on two pages counts once."""
        rows = await self._rest.pages("/data/orders", (), read_orders)
        if isinstance(rows, Failed):
            return rows
        return tuple({row.order_hash: row for row in rows}.values())

    async def trades(
        self, *, after_s: int = 0, trade_id: str = ""
    ) -> tuple[VenueTrade, ...] | Failed:
        """Read our trades since a moment (venue seconds), or one by id, every page."""
        query = [("id", trade_id)] if trade_id else []
        query += [("after", str(after_s))] if after_s > 0 else []
        owner = self._owner

        def read_page(body: bytes) -> tuple[tuple[VenueTrade, ...], str]:
            return read_trades(body, owner=owner)

        return await self._rest.pages("/data/trades", query, read_page)

    # --- money -----------------------------------------------------------------------------------

    async def holding(self, asset: str, *, is_v2: bool = False) -> Holding | Failed:
        """Read one balance: `pUSD` or a token id."""
        query = self._asset(asset, is_v2=is_v2)
        return parsed(
            await self._rest.get("/balance-allowance", query, private=True), _read_holding
        )

    async def refresh(self, asset: str, *, is_v2: bool = False) -> Failed | None:
        """Have the venue read the chain again."""
        query = self._asset(asset, is_v2=is_v2)
        reply = await self._rest.get("/balance-allowance/update", query, private=True)
        return reply if isinstance(reply, Failed) else None

    async def holdings(
        self, assets: tuple[str, ...], *, refresh: bool, is_v2: Callable[[str], bool]
    ) -> tuple[Holding, ...] | Failed:
        """Read several balances at once, in their order."""
        if refresh:
            done = await asyncio.gather(*(self.refresh(a, is_v2=is_v2(a)) for a in assets))
            failure = next((d for d in done if d is not None), None)
            if failure is not None:
                return failure
        found = await asyncio.gather(*(self.holding(a, is_v2=is_v2(a)) for a in assets))
        whole = tuple(h for h in found if isinstance(h, Holding))
        return next((h for h in found if isinstance(h, Failed)), whole)

    def _asset(self, asset: str, *, is_v2: bool) -> list[tuple[str, str]]:
        kind = ("signature_type", str(self._signature_type))
        if asset == CASH:
            return [("asset_type", "COLLATERAL"), kind]
        name = "CONDITIONAL-V2" if is_v2 else "CONDITIONAL"
        return [("asset_type", name), ("token_id", asset), kind]

    # --- standing and rewards --------------------------------------------------------------------

    async def closed_only(self) -> bool | Failed:
        """Read whether this account may only reduce."""
        reply = await self._rest.get("/auth/ban-status/closed-only", private=True)
        return parsed(reply, lambda body: _closed_only.decode(body).closed_only)

    async def scoring(self, order_hash: str) -> bool | Failed:
        """Read whether an order earns rewards."""
        reply = await self._rest.get("/order-scoring", [("order_id", order_hash)], private=True)
        return parsed(reply, lambda body: _scoring.decode(body).scoring)

    async def several_scoring(self, hashes: tuple[str, ...]) -> dict[str, bool] | Failed:
        """Read the same of several."""
        assert len(hashes) <= SCORING_MAX, f"expected at most {SCORING_MAX}, was {len(hashes)}"
        body = encode(list(hashes))
        return parsed(await self._rest.ask("/orders-scoring", body, private=True), _scorings.decode)

    async def rewards(self) -> tuple[Reward, ...] | Failed:
        """Read which markets pay for quotes today, every page."""
        return await self._rest.pages("/rewards/markets/current", (), _read_rewards)

    async def earnings(self, date: str) -> tuple[Earning, ...] | Failed:
        """Read what we have earned on a day (`YYYY-MM-DD`), every page."""
        query = [("date", date), ("signature_type", str(self._signature_type))]
        return await self._rest.pages("/rewards/user", query, _read_earnings)


class AuditReads:
    """The Data API: an audit, never the order-time position."""

    def __init__(self, rest: Rest, *, wallet: str) -> None:
        """Ask this server, about this wallet."""
        self._rest = rest
        self._wallet = wallet

    async def positions(self) -> tuple[HeldPosition, ...] | Failed:
        """Read all holdings, every page."""
        rows = await self._pages("/v2/positions")
        return rows if isinstance(rows, Failed) else _each(rows, _read_position)

    async def approvals(self) -> tuple[Approval, ...] | Failed:
        """Read what the contracts may move."""
        rows = await self._pages("/v2/approvals")
        return rows if isinstance(rows, Failed) else _each(rows, _read_approval)

    async def _pages(self, path: str) -> list[Raw] | Failed:
        rows: list[Raw] = []
        cursor = ""
        for _ in range(PAGES_MAX):
            query = [("user", self._wallet), ("limit", str(DATA_PAGE))]
            query += [("cursor", cursor)] if cursor else []
            page = parsed(await self._rest.get(path, query), _data_page.decode)
            if isinstance(page, Failed):
                return page
            rows += page.data
            following = page.cursor or (page.pagination or {}).get("next_cursor") or ""
            if not following or following == cursor:
                return rows
            cursor = str(following)
        return Failed(why=f"more than {PAGES_MAX} pages", http=200)


def _each(rows: list[Raw], read: Callable[[bytes], Any]) -> Any:
    """Read every row, or fail as a whole."""
    try:
        return tuple(read(bytes(row)) for row in rows)
    except (WireError, ValueError, RecursionError) as error:
        return Failed(why=f"unreadable: {type(error).__name__}", http=200)


def _read_holding(body: bytes) -> Holding:
    raw = _balance.decode(body)
    several = raw.allowances
    single = text_of(raw.allowance)
    if several is None and single:
        allowances: tuple[tuple[str, int], ...] = (("", _base_units(single)),)
    else:
        allowances = tuple(
            (name.lower(), _base_units(text_of(amount))) for name, amount in (several or {}).items()
        )
    return Holding(qty_u6=_base_units(text_of(raw.balance)), allowances=allowances)


def _base_units(text: str) -> int:
    """Read a whole number of micro-units, clamped: unlimited allowances are 2^256 - 1."""
    if not (0 < len(text) <= 78 and text.isascii() and text.isdecimal()):
        raise WireError(expected="a whole number of base units", got=text)
    return min(int(text), U6_MAX)


def _read_position(body: bytes) -> HeldPosition:
    row = _position.decode(body)
    return HeldPosition(
        market=row.condition_id[:80],
        token=row.token_id[:80],
        qty_u6=u6_from_float(float(row.current_size)),
        avg_px_u6=u6_from_float(float(row.avg_price or 0)),
        redeemable=bool(row.redeemable),
        mergeable=bool(row.mergeable),
    )


def _read_approval(body: bytes) -> Approval:
    row = _approval.decode(body)
    return Approval(spender=row.spender.lower(), asset=row.asset_type, approved=row.approved)


def _read_rewards(body: bytes) -> tuple[tuple[Reward, ...], str]:
    page = _listed.decode(body)
    rows = [_reward.decode(row) for row in page.data]
    rewards = tuple(
        Reward(
            market=row.condition_id,
            per_day_u6=u6_from_float(row.total_daily_rate or 0),
            min_qty_u6=u6_from_float(row.rewards_min_size or 0),
            max_spread_u6=u6_from_float((row.rewards_max_spread or 0) / 100),
        )
        for row in rows
    )
    return rewards, text_of(page.next_cursor) or "LTE="


def _read_earnings(body: bytes) -> tuple[tuple[Earning, ...], str]:
    page = _listed.decode(body)
    rows = [_earning.decode(row) for row in page.data]
    earnings = tuple(
        Earning(market=row.condition_id, earned_u6=u6_from_float(row.earnings or 0)) for row in rows
    )
    return earnings, text_of(page.next_cursor) or "LTE="
