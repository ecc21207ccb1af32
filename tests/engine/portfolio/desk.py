"""Words for portfolio tests: fills in dollars and shares, a portfolio that audits itself."""

from typing import Any

from msgspec import structs

from polytui.engine.core.account_events import PairsMoved
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.order_enums import FillKind, Realm, SendOutcome
from polytui.engine.core.trading import CASH, Balance, FillChange, LedgerEntry
from polytui.engine.core.units import U, parse_u6
from polytui.engine.portfolio.exposure import Item
from polytui.engine.portfolio.portfolio import Portfolio
from polytui.engine.portfolio.positions import Place

M, GROUP = "0xm", "event"
YES = Place(token="111", market=M, group=GROUP, outcome=Outcome.YES)
NO = Place(token="222", market=M, group=GROUP, outcome=Outcome.NO)
PAIR = (YES, NO)
S = 1_000_000_000
START_NS = 1_790_000_000 * S
BUY, SELL = Side.BUY, Side.SELL
DAY_NS = 86_400 * S


def fill(
    name: str, side: Side, px: str, qty: str, *, place: Place = YES, **facts: Any
) -> FillChange:
    """Write a provisional fill; facts: strategy, fee, cash, at_ns, snapshot, is_maker."""
    px_u6, qty_u6 = parse_u6(px), parse_u6(qty)
    plain: dict[str, Any] = {
        "kind": FillKind.PROVISIONAL,
        "realm": Realm.LIVE,
        "at_ns": START_NS,
        "seq": 1,
        "trade_id": name,
        "order_hash": f"0x{name}",
        "cid": f"c-{name}",
        "strategy": "box",
        "market": place.market,
        "token": place.token,
        "outcome": place.outcome,
        "side": side,
        "px_u6": px_u6,
        "qty_u6": qty_u6,
        "cash_u6": px_u6 * qty_u6 // U,
        "fee_u6": parse_u6(facts.pop("fee", "0")),
        "is_maker": False,
    }
    return FillChange(**{**plain, **facts})


def then(change: FillChange, kind: FillKind, **facts: Any) -> FillChange:
    """Say how a fill goes on."""
    return structs.replace(change, kind=kind, **facts)


class Desk:
    """A portfolio with cash; every deed is followed by a full recount."""

    def __init__(self, cash: str = "1000") -> None:
        self.books = Portfolio(Realm.LIVE)
        self.entries: list[LedgerEntry] = self.books.opening(
            [Balance(asset=CASH, qty_u6=parse_u6(cash))], at_ns=START_NS, seq=1
        )

    def tell(self, change: FillChange, *, group: str = GROUP) -> LedgerEntry | None:
        entry = self.books.apply(change, group=group)
        self.keep(entry)
        return entry

    def keep(self, entry: LedgerEntry | None) -> None:
        if entry is not None:
            self.entries.append(entry)
        self.books.audit()

    def promote(self, change: FillChange, **facts: Any) -> LedgerEntry | None:
        return self.tell(then(change, FillKind.PROMOTED, **facts))

    def void(self, change: FillChange, **facts: Any) -> LedgerEntry | None:
        return self.tell(then(change, FillKind.VOIDED, **facts))

    def trade(self, name: str, side: Side, px: str, qty: str, **facts: Any) -> FillChange:
        """Let a fill happen and become final."""
        change = fill(name, side, px, qty, **facts)
        self.tell(change)
        self.promote(change)
        return change

    def move(self, op: str, qty: str, *, paid: str = "0", **facts: Any) -> LedgerEntry | None:
        """Let a split, merge or redemption happen."""
        event = PairsMoved(
            realm=Realm.LIVE,
            request=f"{op}-1",
            outcome=facts.pop("outcome", SendOutcome.ACCEPTED),
            op=op,
            market=M,
            qty_u6=parse_u6(qty),
            paid_u6=parse_u6(paid),
        )
        plain: dict[str, Any] = {"pair": PAIR, "at_ns": START_NS, "seq": 1, "strategy": "box"}
        entry = self.books.moved(event, **{**plain, **facts})
        self.keep(entry)
        return entry

    def held(self, place: Place = YES, strategy: str = "box") -> tuple[int, int, int]:
        """Return (confirmed, provisional in, provisional out) of a position."""
        one = self.books.positions.find(strategy, place.token)
        return (0, 0, 0) if one is None else (one.confirmed_u6, one.in_u6, one.out_u6)


def item(key: str, side: Side, px: str, qty: str, *, place: Place = YES, **facts: Any) -> Item:
    """Write an order's remainder."""
    px_u6, qty_u6 = parse_u6(px), parse_u6(qty)
    cash_u6 = px_u6 * qty_u6
    plain: dict[str, Any] = {
        "key": key,
        "strategy": "box",
        "market": place.market,
        "group": place.group,
        "outcome": place.outcome,
        "side": side,
        "qty_u6": qty_u6,
        "cash_u6": -(-cash_u6 // U) if side is Side.BUY else cash_u6 // U,
        "fee_u6": parse_u6(facts.pop("fee", "0")),
    }
    return Item(**{**plain, **facts})


def u6(text: str) -> int:
    """Read a signed amount."""
    return -parse_u6(text[1:]) if text.startswith("-") else parse_u6(text)
