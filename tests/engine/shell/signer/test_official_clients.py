"""Our bytes against those of `py-clob-client-v2` and `polymarket-client`, as published.

Where they differ the reason is a row of `docs/signing.md`; the counts here are what that page says.
"""

import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.rng import Rng
from polytui.engine.core.trading import Terms
from polytui.engine.core.units import U, text_u6
from polytui.engine.orders.amounts import AmountError, amounts
from polytui.engine.shell.signer.frames import LoginSigned, Sign, Signed, SignLogin
from polytui.engine.shell.signer.policy import CONTRACTS
from polytui.engine.shell.signer.session import Session
from polytui.engine.shell.venue.crypto import checksum
from tests.conftest import ROOT
from tests.engine.orders.signing_floor import ADDR, AUTH_STAMP_S, DEV_KEY
from tests.engine.shell.signer.rig import Clock, order, session

# The clients are not ours: what they warn of is not our news; importing them takes seconds.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore"),
]
BUY, SELL = Side.BUY, Side.SELL
TICKS = ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001")
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"side": SELL},
    {"neg_risk": True},
    {"protocol": "v2"},
    {"order_type": OrderType.FAK, "px_u6": 70_000, "qty_u6": 14_290_000},
    {"px_u6": 123_400, "qty_u6": 31_410_000, "neg_risk": True, "side": SELL},
)


def signed(made: Session, terms: Terms) -> str:
    reply = made.answer(Sign(id=1, orders=(terms,)))
    assert isinstance(reply, Signed)
    assert not reply.results[0].refusal
    return reply.results[0].signature


def contract(terms: Terms) -> str:
    exchange, neg_risk, third = CONTRACTS[137]
    found = third if terms.protocol == "v2" else neg_risk if terms.neg_risk else exchange
    return checksum(found)


def domain_version(terms: Terms) -> str:
    return "3" if terms.protocol == "v2" else "2"


def clob_signature(terms: Terms) -> str:
    from py_clob_client_v2.order_utils.exchange_order_builder_v2 import ExchangeOrderBuilderV2
    from py_clob_client_v2.order_utils.model.order_data_v2 import OrderDataV2
    from py_clob_client_v2.signer import Signer

    builder = ExchangeOrderBuilderV2(
        contract(terms),
        137,
        Signer(DEV_KEY, 137),
        generate_salt=lambda: str(terms.salt),
        domain_version=domain_version(terms),
    )
    data = OrderDataV2(
        maker=checksum(terms.maker),
        tokenId=terms.token,
        makerAmount=str(terms.maker_amount_u6),
        takerAmount=str(terms.taker_amount_u6),
        side=0 if terms.side is BUY else 1,
        signer=checksum(terms.signer),
        signatureType=terms.signature_type,
        timestamp=str(terms.timestamp_ms),
        metadata=terms.metadata,
        builder=terms.builder,
    )
    return str(builder.build_signed_order(data).signature)


def sdk_signature(terms: Terms) -> str:
    from eth_account import Account
    from polymarket._internal.actions.orders import typed_data
    from polymarket._internal.actions.orders.types import UnsignedOrder

    make: Any = UnsignedOrder
    unsigned = make(
        chain_id=137,
        builder=terms.builder,
        exchange_address=contract(terms),
        expiration=terms.expiration_s,
        maker=checksum(terms.maker),
        maker_amount=terms.maker_amount_u6,
        metadata=terms.metadata,
        order_type="GTC",
        salt=terms.salt,
        side=terms.side.value.upper(),
        signature_type=terms.signature_type,
        signer=checksum(terms.signer),
        taker_amount=terms.taker_amount_u6,
        timestamp=terms.timestamp_ms,
        token_id=terms.token,
        protocol_version=domain_version(terms),
    )
    account: Any = Account.from_key(DEV_KEY)
    raw = account.sign_typed_data(full_message=typed_data.build_order_typed_data(unsigned))
    inner: Any = "0x" + raw.signature.hex()
    return str(typed_data.build_order_signature(unsigned, inner))


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
@pytest.mark.parametrize("client", [clob_signature, sdk_signature])
def test_signatures_are_byte_equal_for_every_type_domain_and_side(client: Any, kind: int) -> None:
    made = session(kind=kind)
    for n, changes in enumerate(CHANGES):
        terms = order(made, f"run-1-{n}", **changes)
        assert signed(made, terms) == client(terms), changes


def test_logins_are_byte_equal_to_both() -> None:
    from eth_account import Account
    from polymarket._internal.l1_auth import sign_api_key_auth
    from py_clob_client_v2.signer import Signer
    from py_clob_client_v2.signing.eip712 import sign_clob_auth_message

    made = session(clock := Clock())
    account: Any = Account.from_key(DEV_KEY)
    for nonce in (0, 1, 7_000_000):
        clock.wall_ns += 1_000_000_000
        stamp = AUTH_STAMP_S + nonce % 100
        login = made.answer(SignLogin(id=1, timestamp_s=stamp, nonce=nonce))
        assert isinstance(login, LoginSigned)
        theirs = sign_api_key_auth(account, chain_id=137, timestamp=stamp, nonce=nonce)
        assert login.signature == theirs.signature
        assert login.signature == sign_clob_auth_message(Signer(DEV_KEY, 137), stamp, nonce)
        assert login.address == ADDR == account.address.lower()


# --- amounts -------------------------------------------------------------------------------------


def cases(count: int) -> Iterator[tuple[Side, int, int, str, bool]]:
    """Random orders: side, price, size, tick, whether of a market type."""
    rng = Rng(8)
    for _ in range(count):
        tick = TICKS[rng.below(6)]
        step = int(Decimal(tick) * U)
        px = step * rng.between(1, U // step - 1)
        qty = 10_000 * rng.between(500, 50_000)
        yield (BUY, SELL)[rng.below(2)], px, max(qty, -(-2 * U * U // px)), tick, rng.chance(0.5)


def theirs_clob(case: tuple[Side, int, int, str, bool]) -> tuple[int, int]:
    from py_clob_client_v2.order_builder.builder import ROUNDING_CONFIG, OrderBuilder

    side, px, qty, tick, is_market = case
    builder: Any = OrderBuilder(None)
    config = ROUNDING_CONFIG[tick]
    price, size = px / U, qty / U
    if is_market:
        amount = float(Decimal(px * (qty // 10_000 * 10_000)) / U / U) if side is BUY else size
        made = builder.get_market_order_amounts(side.value.upper(), amount, price, config)
    else:
        made = builder.get_order_amounts(side.value.upper(), size, price, config)
    return int(made[1]), int(made[2])


def theirs_sdk(case: tuple[Side, int, int, str, bool]) -> tuple[int, int]:
    from polymarket._internal.actions.orders import limit, market

    side, px, qty, tick, is_market = case
    price, size = Decimal(text_u6(px)), Decimal(qty // 10_000) / 100
    word: Any = side.value.upper()
    grid = Decimal(tick)
    if not is_market:
        return limit._compute_limit_order_amounts(price=price, size=size, side=word, tick_size=grid)
    amount = price * size if side is BUY else size
    return market._compute_market_order_amounts(
        amount=amount, price=price, side=word, tick_size=grid
    )


def ours(case: tuple[Side, int, int, str, bool]) -> tuple[int, int]:
    side, px, qty, tick, is_market = case
    kind = OrderType.FAK if is_market else OrderType.GTC
    return amounts(side, px, qty, kind, int(Decimal(tick) * U))


def reason(case: tuple[Side, int, int, str, bool], them: tuple[int, int]) -> str:
    """Name the row of docs/signing.md that explains a difference."""
    side, px, _, tick, is_market = case
    mine = ours(case)
    if is_market and mine[0] == them[0] and abs(mine[1] - them[1]) < 1_000:
        if tick == "0.1":
            return "market type: three decimals on the 0.1 grid"
        if them[1] % 100:
            return "market type: more than four decimals"
    sized = 1 if side is BUY and not is_market else 0
    if mine[sized] - them[sized] == 10_000:
        return "float: a hundredth short"
    shares, cash = them[::-1] if side is BUY else them
    step = 10 ** (6 - len(tick.partition(".")[2]))
    is_lower = is_market and abs(cash * U // shares - (px - step)) < step // 2
    return "float: the price a step lower" if is_lower else "unexplained"


def differences(client: Any, count: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for case in cases(count):
        theirs = client(case)
        found["equal" if theirs == ours(case) else reason(case, theirs)] += 1
    return found


def test_limit_amounts_of_the_current_client_are_equal_and_market_ones_but_for_the_rule() -> None:
    found = differences(theirs_sdk, 20_000)
    assert set(found) <= {
        "equal",
        "market type: three decimals on the 0.1 grid",
        "market type: more than four decimals",
    }, found
    assert found["equal"] > 12_000


def test_amounts_of_the_older_client_are_equal_where_floats_let_them() -> None:
    found = differences(theirs_clob, 20_000)
    assert found["unexplained"] == 0, found
    assert found["float: a hundredth short"] > 100
    assert found["float: the price a step lower"] > 100
    assert found["equal"] > 12_000


def test_b21_the_older_client_signs_the_trap_sizes_short_and_we_do_not() -> None:
    for size in ("0.29", "1.15", "8.20", "16.4"):
        qty = int(Decimal(size) * U)
        case = (BUY, 520_000, qty, "0.01", False)
        assert theirs_clob(case)[1] == qty - 10_000
        assert ours(case)[1] == qty == theirs_sdk(case)[1]


def test_a_market_buy_too_small_to_keep_its_limit_is_refused_by_the_current_client_and_by_us() -> (
    None
):
    case = (BUY, 700_000, 30_000, "0.0001", True)
    with pytest.raises(AmountError):
        ours(case)


def test_the_page_lists_every_difference_found() -> None:
    page = (ROOT / "docs" / "signing.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| ([^|]+?) \|", page, re.MULTILINE))
    found = set(differences(theirs_sdk, 2_000)) | set(differences(theirs_clob, 2_000))
    assert found - {"equal"} <= rows
