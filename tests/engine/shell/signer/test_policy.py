"""Every check of the signer, alone; then a taken-over engine that asks for anything (D10)."""

from typing import Any

import pytest
from msgspec.structs import replace

from polytui.engine.core.enums import Side
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.rng import Rng
from polytui.engine.core.runconfig import SignerConfig
from polytui.engine.core.trading import Terms
from polytui.engine.core.units import U
from polytui.engine.orders.hashing import HashError, order_hash
from polytui.engine.shell.signer.frames import Allow, Latch, Sign, Signed
from polytui.engine.shell.signer.policy import (
    SHARES_PER_DOLLAR,
    cap_refusal,
    contracts_refusal,
)
from polytui.engine.shell.signer.session import Session
from polytui.engine.shell.venue.orders import domain_of, order_id, signed_by
from tests.engine.orders.signing_floor import (
    ADDR,
    DEPOSIT,
    POSITION,
    TOKEN,
    identity,
    rehashed,
)
from tests.engine.orders.test_hashing import venue_order
from tests.engine.shell.signer.rig import NOW_MS, Clock, order, session, who

BUY, SELL = Side.BUY, Side.SELL
NOW_S = NOW_MS // 1_000


def sign(made: Session, *orders: Terms) -> list[tuple[str, str]]:
    reply = made.answer(Sign(id=1, orders=orders))
    assert isinstance(reply, Signed)
    assert [result.cid for result in reply.results] == [terms.cid for terms in orders][:15]
    return [(result.signature, result.refusal) for result in reply.results]


def refusal(made: Session, terms: Terms) -> str:
    signature, why = sign(made, terms)[0]
    assert bool(signature) is not bool(why)
    return why


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"side": SELL},
        {"post_only": True},
        {"order_type": OrderType.FAK},
        {"order_type": OrderType.FOK, "side": SELL},
        {"order_type": OrderType.GTD, "expiration_s": NOW_S + 240},
        {"order_type": OrderType.GTD, "expiration_s": NOW_S + 86_400 + 60, "post_only": True},
        {"neg_risk": True},
        {"protocol": "v2"},
        {"px_u6": 100},
        {"px_u6": 999_900},
        {"timestamp_ms": NOW_MS - 120_000},
        {"timestamp_ms": NOW_MS + 120_000},
        {"qty_u6": 192_300_000},
        {"side": SELL, "px_u6": 50_000, "qty_u6": 1_000 * U},
    ],
)
def test_a_lawful_order_is_signed(changes: dict[str, Any]) -> None:
    made = session()
    assert refusal(made, order(made, **changes)) == ""


def wrong(made: Session, **changes: Any) -> Terms:
    """Spoil a lawful order afterwards, with the hash that fits."""
    return rehashed(order(made), who(made), **changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"token": POSITION}, "a token of the allow-list"),
        ({"maker_amount_u6": 5_200_001}, "expected amounts"),
        ({"taker_amount_u6": 9_990_000}, "expected amounts"),
        ({"maker_amount_u6": 10_000_000, "taker_amount_u6": 5_200_000}, "expected amounts"),
        ({"side": SELL}, "expected amounts"),
        ({"px_u6": 0}, "expected a price"),
        ({"px_u6": U}, "expected a price"),
        ({"px_u6": 520_050}, "expected a price"),
        ({"qty_u6": 9_999}, "expected a size"),
        ({"order_type": OrderType.GTD}, "expected an expiration"),
        ({"order_type": OrderType.GTD, "expiration_s": NOW_S - 600}, "expected an expiration"),
        ({"order_type": OrderType.GTD, "expiration_s": NOW_S + 90_000}, "expected an expiration"),
        ({"expiration_s": NOW_S + 240}, "expected no expiration with GTC"),
        ({"timestamp_ms": NOW_MS - 301_000}, "expected a time within 300 s"),
        ({"timestamp_ms": NOW_MS + 301_000}, "expected a time within 300 s"),
        ({"order_type": OrderType.FAK, "post_only": True}, "post-only with GTC or GTD"),
    ],
)
def test_what_no_engine_should_ask_is_refused(changes: dict[str, Any], expected: str) -> None:
    made = session()
    assert expected in refusal(made, wrong(made, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"maker": DEPOSIT},
        {"signer": DEPOSIT},
        {"signature_type": 1},
        {"builder": "0x" + "11" * 32},
        {"metadata": "0x" + "11" * 32},
        {"protocol": "v9"},
        {"token": "x"},
        {"salt": 1 << 53},
    ],
)
def test_an_order_of_another_identity_is_refused(changes: dict[str, Any]) -> None:
    made = session()
    terms = order(made)
    spoiled = type(terms)(
        **{name: getattr(terms, name) for name in terms.__struct_fields__} | changes
    )
    assert "expected" in refusal(made, spoiled)


def test_a_hash_that_is_not_the_orders_is_refused() -> None:
    made = session()
    terms = order(made)
    spoiled = rehashed(terms, who(made), salt=terms.salt + 1)
    swapped = replace(terms, order_hash=spoiled.order_hash)
    assert "order hash" in refusal(made, swapped)
    shouted = replace(terms, order_hash=terms.order_hash.upper())
    assert "order hash" in refusal(made, shouted)


def test_the_ceiling_holds_dollars_of_a_buy_and_shares_of_a_sell() -> None:
    made = session(order_cash_u6=10 * U)
    assert refusal(made, order(made, px_u6=500_000, qty_u6=20 * U)) == ""
    assert "at most $10" in refusal(made, order(made, px_u6=500_000, qty_u6=20_010_000))
    assert "at most $10" in refusal(made, order(made, side=SELL, px_u6=500_000, qty_u6=21 * U))
    assert "at most 100 shares" in refusal(
        made, order(made, side=SELL, px_u6=10_000, qty_u6=100_010_000)
    )


def test_the_latch_holds_in_memory_and_on_disk_and_lets_exits_out_only() -> None:
    clock = Clock()
    made = session(clock)
    buy, sell = order(made), order(made, side=SELL)
    clock.latch_closed = True
    assert "closed on disk" in refusal(made, buy)
    clock.latch_closed = False
    assert made.answer(Latch(killed=True)) is None
    assert [why for _, why in sign(made, buy, sell)] == ["the kill latch is closed in memory"] * 2
    made.answer(Latch(killed=True, exits=True))
    assert "kill latch" in refusal(made, buy)
    assert refusal(made, sell) == ""
    made.answer(Latch(killed=False))
    clock.latch_closed = True
    assert "closed on disk" in refusal(made, sell)
    clock.latch_closed = False
    assert refusal(made, buy) == ""


def test_tokens_come_and_go_from_the_list() -> None:
    made = session(tokens=())
    assert "allow-list" in refusal(made, order(made))
    made.answer(Allow(tokens=(TOKEN,)))
    assert refusal(made, order(made)) == ""
    made.answer(Allow(tokens=(TOKEN,), allowed=False))
    assert "allow-list" in refusal(made, order(made))
    made.answer(Allow(tokens=tuple(str(n) for n in range(30_000))))
    assert len(made._policy._tokens) == 20_000


def test_the_rate_is_the_signers_own_and_refused_orders_do_not_use_it_up() -> None:
    clock = Clock()
    made = session(clock, orders_per_s=5)
    bad = wrong(made, token=POSITION)
    answers = [why for _, why in sign(made, *(bad for _ in range(10)))]
    assert all("allow-list" in why for why in answers)
    answers = [why for _, why in sign(made, *(order(made, f"r-1-{n}") for n in range(7)))]
    assert answers == [""] * 5 + ["expected at most 5 orders a second"] * 2
    clock.mono_ns += 400_000_000
    answers = [why for _, why in sign(made, *(order(made, f"r-2-{n}") for n in range(3)))]
    assert [bool(why) for why in answers] == [False, False, True]


def test_a_batch_beyond_the_venues_largest_is_refused_whole() -> None:
    made = session()
    answers = sign(made, *(order(made, f"r-1-{n}") for n in range(16)))
    assert [why for _, why in answers] == ["expected at most 15 orders, was 16"] * 15


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"chain_id": 1}, "chain 137"),
        ({"chain_id": 80002}, "chain 137"),
        ({"exchange": DEPOSIT}, "expected contract 0xe111"),
        ({"neg_risk_exchange": "0xe111180000d2663c0091e4f400237545b87b996b"}, "0xe2222d27"),
        ({"exchange_v3": ADDR}, "expected contract 0xe3333700"),
    ],
)
def test_b22_other_chains_and_contracts_are_not_signed_for(
    changes: dict[str, Any], expected: str
) -> None:
    ours = identity()
    assert contracts_refusal(ours) == ""
    other = replace(ours, **changes)
    assert expected in contracts_refusal(other)


@pytest.mark.parametrize(
    "config",
    [
        SignerConfig(order_cash_u6=0),
        SignerConfig(order_cash_u6=10**11 + 1),
        SignerConfig(orders_per_s=0),
        SignerConfig(orders_per_s=1_001),
        SignerConfig(signature_type=4),
    ],
)
def test_limits_that_are_none_are_refused(config: SignerConfig) -> None:
    assert cap_refusal(config)
    assert cap_refusal(SignerConfig()) == ""


# --- a taken-over engine -------------------------------------------------------------------------


def hostile_order(rng: Rng, made: Session) -> Terms:
    """Take a lawful order and spoil up to four fields, mostly with a hash that fits."""
    changes: dict[str, Any] = {}
    choices: dict[str, tuple[Any, ...]] = {
        "token": (TOKEN, TOKEN, POSITION, "0", "-1"),
        "side": (BUY, SELL),
        "maker_amount_u6": (1, rng.below(10**15), 10**12, 0, -1, 20 * U, 1 << 300),
        "taker_amount_u6": (1, rng.below(10**15), 10**12, 0, 20 * U),
        "px_u6": (rng.below(2 * U), -1, 0, U, 100 * rng.below(10_001)),
        "qty_u6": (rng.below(10**13), 10_000 * rng.below(10**6), -U, 0, 1 << 70),
        "order_type": tuple(OrderType),
        "expiration_s": (0, NOW_S + 240, NOW_S - 1, 1 << 40),
        "timestamp_ms": (NOW_MS, NOW_MS + 10**7, 0, -1),
        "maker": (ADDR, DEPOSIT, "0x", ""),
        "protocol": ("v1", "v2", "", "V1"),
        "neg_risk": (True, False),
        "salt": (rng.below(1 << 53), 0, 1 << 53, -1),
    }
    names = tuple(choices)
    for _ in range(rng.below(5)):
        name = names[rng.below(len(names))]
        changes[name] = choices[name][rng.below(len(choices[name]))]
    lawful = {"px_u6": 10_000 * rng.between(1, 99), "qty_u6": 10_000 * rng.between(100, 5_000)}
    terms = order(made, f"r-{rng.below(10**9)}-1", side=(BUY, SELL)[rng.below(2)], **lawful)
    spoiled = replace(terms, **changes)
    if rng.chance(0.1):
        return spoiled
    try:
        stated = order_hash(spoiled, who(made))
    except HashError:
        return spoiled
    return Terms(
        **{n: getattr(spoiled, n) for n in spoiled.__struct_fields__} | {"order_hash": stated}
    )


def assert_within_limits(terms: Terms, cap_u6: int) -> None:
    """Hold what was signed against the limits, by the practice venue's own hashing."""
    is_buy = terms.side is BUY
    cash, shares = terms.maker_amount_u6, terms.taker_amount_u6
    cash, shares = (cash, shares) if is_buy else (shares, cash)
    assert cash <= cap_u6
    assert is_buy or shares <= cap_u6 * SHARES_PER_DOLLAR
    assert 0 < cash < shares
    assert terms.token == TOKEN
    assert abs(terms.timestamp_ms - NOW_MS) <= 300_000
    assert (terms.maker, terms.signer) == (ADDR, ADDR)
    signed, domain = venue_order(terms)
    assert order_id(signed, domain) == terms.order_hash
    assert domain == domain_of(version=terms.protocol, neg_risk=terms.neg_risk)


def attack(count: int, seed: int) -> int:
    """Ask for hostile orders; return how many were signed, all of them within the limits."""
    rng, clock, cap_u6, signed = Rng(seed), Clock(), 20 * U, 0
    made = session(clock, order_cash_u6=cap_u6)
    for n in range(count):
        clock.mono_ns += 1_000_000
        terms = hostile_order(rng, made)
        signature, why = sign(made, terms)[0]
        assert bool(signature) is not bool(why)
        if signature:
            signed += 1
            assert_within_limits(terms, cap_u6)
            if n % 50 == 0:
                unsigned, domain = venue_order(terms)
                assert signed_by(replace(unsigned, signature=signature), domain) == ADDR
    return signed


@pytest.mark.timeout(30)
def test_d10_a_taken_over_engine_gets_nothing_over_the_caps() -> None:
    assert attack(10_000, seed=1) > 500


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_d10_a_taken_over_engine_gets_nothing_over_the_caps_for_long() -> None:
    assert attack(200_000, seed=2) > 10_000
