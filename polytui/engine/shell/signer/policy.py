"""What the signer refuses by itself, whatever the engine says: pure, no key, no clock.

The engine's governor has judged an order before it comes here; this judges it again from nothing
but the order itself, because a broken or taken-over engine must not be able to have more signed
than one order's ceiling at a time. What the venue does not make us sign (order type, expiration,
post-only) is checked as well, knowing that it could be changed afterwards.
"""

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

from polytui.engine.core.enums import Side
from polytui.engine.core.errors import shown
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.runconfig import SignerConfig
from polytui.engine.core.trading import Identity, Terms
from polytui.engine.core.units import U, text_u6
from polytui.engine.orders.amounts import TICK_FINEST_U6, AmountError, amounts
from polytui.engine.orders.hashing import ZERO_32

CONTRACTS: Final = {
    137: (
        "0xe111180000d2663c0091e4f400237545b87b996b",
        "0xe2222d279d744050d28e00520010520000310f59",
        "0xe3333700ca9d93003f00f0f71f8515005f6c00aa",
    )
}
"""The only contracts ever signed for, by chain: exchange, NegRisk exchange, ExchangeV3 (§7.4)."""

SHARES_PER_DOLLAR: Final = 10
"""A SELL gives away shares: at most this many per dollar of the order ceiling, whatever the price
it states, so that no order sells a fortune for a cent."""

TOKENS_MAX: Final = 20_000
"""Allowed tokens; more is a loop gone wild."""

CLOCK_SLACK_MS: Final = 300_000
"""How far an order's time may be off ours: the venue's clock may be two minutes off (B23)."""

EXPIRY_MAX_S: Final = 86_400 + 60
"""Farthest expiration: the configuration's largest life and the venue's minute (§3.1)."""

_SECOND_NS: Final = 1_000_000_000


class Moment(Struct, frozen=True, kw_only=True, gc=False):
    """The signer's own clocks, and the latch file as it was read just now."""

    wall_ns: int
    mono_ns: int
    latch_closed: bool = False


class Policy:
    """The signer's memory and its checks."""

    __slots__ = ("_allowance", "_allowed_ns", "_config", "_exits", "_killed", "_tokens", "identity")

    def __init__(self, config: SignerConfig, tokens: Iterable[str]) -> None:
        """Begin with the latch open in memory and a full second's worth of orders."""
        self._config = config
        self.identity: Identity | None = None
        """Whose orders may be signed; nobody's until there is a key."""
        self._tokens: set[str] = set()
        self._killed = False
        self._exits = False
        self._allowance = float(config.orders_per_s)
        self._allowed_ns = 0
        self.allow(tokens, allowed=True)

    def allow(self, tokens: Iterable[str], *, allowed: bool) -> None:
        """Put tokens on the list, or take them off; beyond its limit nothing is added."""
        if not allowed:
            self._tokens.difference_update(tokens)
            return
        for token in tokens:
            if len(self._tokens) < TOKENS_MAX:
                self._tokens.add(token)

    def latch(self, *, killed: bool, exits: bool) -> None:
        """Close or open the latch in memory; `exits` lets sells pass while it is closed."""
        self._killed = killed
        self._exits = exits

    def refusal(self, terms: Terms, moment: Moment) -> str:
        """Say why these terms are not signed; empty when they are, which counts to the rate."""
        for check in _CHECKS:
            why = check(self, terms, moment)
            if why:
                return why
        return ""

    # --- the checks, in their order --------------------------------------------------------------

    def check_latch(self, terms: Terms, moment: Moment) -> str:
        """Sign nothing while a kill holds, but sells when an operator flattens."""
        if not (self._killed or moment.latch_closed):
            return ""
        if self._exits and terms.side is Side.SELL:
            return ""
        where = "in memory" if self._killed else "on disk"
        return f"the kill latch is closed {where}"

    def check_identity(self, terms: Terms, _: Moment) -> str:
        """Sign for ourselves only."""
        ours = self.identity
        if ours is None:
            return "there is no key"
        theirs = (terms.maker, terms.signer, terms.signature_type, terms.builder, terms.metadata)
        if theirs == (ours.maker, ours.signer, ours.signature_type, ours.builder, ZERO_32):
            return ""
        return (
            f"expected maker {ours.maker}, signer {ours.signer}, type {ours.signature_type}, this "
            f"builder and no metadata, was maker {shown(terms.maker)}, signer "
            f"{shown(terms.signer)}, type {terms.signature_type}"
        )

    def check_token(self, terms: Terms, _: Moment) -> str:
        """Sign what the session trades only."""
        if terms.token in self._tokens:
            return ""
        return f"expected a token of the allow-list, was {shown(terms.token)}"

    def check_market(self, terms: Terms, _: Moment) -> str:
        """Sign for protocols that have a contract."""
        if terms.protocol in ("v1", "v2"):
            return ""
        return f"expected protocol v1 or v2, was {shown(terms.protocol)}"

    def check_amounts(self, terms: Terms, _: Moment) -> str:
        """Make the amounts anew from price and size: this also holds the price's bounds."""
        try:
            expected = amounts(
                terms.side, terms.px_u6, terms.qty_u6, terms.order_type, TICK_FINEST_U6
            )
        except AmountError as error:
            return str(error)
        stated = (terms.maker_amount_u6, terms.taker_amount_u6)
        return "" if stated == expected else f"expected amounts {expected}, was {stated}"

    def check_ceiling(self, terms: Terms, _: Moment) -> str:
        """Hold the ceiling of one order."""
        cap_u6 = self._config.order_cash_u6
        is_buy = terms.side is Side.BUY
        cash_u6 = terms.maker_amount_u6 if is_buy else terms.taker_amount_u6
        if cash_u6 > cap_u6:
            return f"expected at most ${text_u6(cap_u6)} an order, was ${text_u6(cash_u6)}"
        shares_u6 = 0 if is_buy else terms.maker_amount_u6
        if shares_u6 > cap_u6 * SHARES_PER_DOLLAR:
            most = text_u6(cap_u6 * SHARES_PER_DOLLAR)
            return f"expected at most {most} shares a sell, was {text_u6(shares_u6)}"
        return ""

    def check_times(self, terms: Terms, moment: Moment) -> str:
        """Sign orders of about now that end."""
        now_ms = moment.wall_ns // 1_000_000
        if abs(terms.timestamp_ms - now_ms) > CLOCK_SLACK_MS:
            return f"expected a time within 300 s of {now_ms} ms, was {terms.timestamp_ms}"
        if terms.order_type is not OrderType.GTD:
            return _no_expiration(terms)
        ahead_s = terms.expiration_s - moment.wall_ns // _SECOND_NS
        slack_s = CLOCK_SLACK_MS // 1_000
        if not 60 - slack_s <= ahead_s <= EXPIRY_MAX_S + slack_s:
            return f"expected an expiration 1 minute to 1 day ahead, was {ahead_s} s ahead"
        return ""

    def check_conduct(self, terms: Terms, _: Moment) -> str:
        """Refuse what contradicts itself."""
        if terms.post_only and not terms.order_type.is_resting:
            return f"expected post-only with GTC or GTD, was {terms.order_type.value}"
        return ""

    def check_rate(self, _: Terms, moment: Moment) -> str:
        """Take one from a bucket that holds a second's worth."""
        limit = self._config.orders_per_s
        gained = max(0, moment.mono_ns - self._allowed_ns) * limit / _SECOND_NS
        self._allowance = min(float(limit), self._allowance + gained)
        self._allowed_ns = moment.mono_ns
        if self._allowance < 1.0:
            return f"expected at most {limit} orders a second"
        self._allowance -= 1.0
        return ""


_Check = Callable[[Policy, Terms, Moment], str]
_CHECKS: Final[tuple[_Check, ...]] = (
    Policy.check_latch,
    Policy.check_identity,
    Policy.check_token,
    Policy.check_market,
    Policy.check_amounts,
    Policy.check_ceiling,
    Policy.check_times,
    Policy.check_conduct,
    Policy.check_rate,
)
"""The first sentence wins; the rate is last, so that refused orders do not use it up."""


def _no_expiration(terms: Terms) -> str:
    if not terms.expiration_s:
        return ""
    return f"expected no expiration with {terms.order_type.value}, was {terms.expiration_s}"


def contracts_refusal(identity: Identity) -> str:
    """Say why this chain or these contracts are not signed for; empty when they are."""
    known = CONTRACTS.get(identity.chain_id)
    if known is None:
        chains = ", ".join(str(chain) for chain in CONTRACTS)
        return f"expected chain {chains}, was {identity.chain_id}"
    stated = (identity.exchange, identity.neg_risk_exchange, identity.exchange_v3)
    for ours, theirs in zip(known, stated, strict=True):
        if theirs != ours:
            return f"expected contract {ours}, was {shown(theirs)}"
    return ""


def cap_refusal(config: SignerConfig) -> str:
    """Say why these limits are none; empty when they are lawful (`SignerConfig`)."""
    if not 0 < config.order_cash_u6 <= 100_000 * U:
        return f"expected an order ceiling of $0.000001 to $100000, was {config.order_cash_u6}"
    if not 0 < config.orders_per_s <= 1_000:
        return f"expected 1 to 1000 orders a second, was {config.orders_per_s}"
    if not 0 <= config.signature_type <= 3:
        return f"expected signature type 0, 1, 2 or 3, was {config.signature_type}"
    return ""
