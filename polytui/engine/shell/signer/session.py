"""One conversation of the signer: what each frame of the engine is answered with.

It owns the key, the policy and the hasher, does no I/O but reading the latch and the clocks through
what it was given, and never raises for anything the engine says.
"""

from collections.abc import Callable
from typing import Final

from polytui.engine.core.trading import Identity, Terms
from polytui.engine.orders.hashing import DEPOSIT_WALLET, Hasher, HashError, auth_digest
from polytui.engine.shell.signer import selftest
from polytui.engine.shell.signer.frames import (
    ORDERS_MAX,
    Allow,
    Begin,
    Frame,
    Latch,
    LoginSigned,
    Sign,
    Signed,
    SignLogin,
    SignResult,
    Unlock,
    Unlocked,
)
from polytui.engine.shell.signer.keys import KeyRefused, WalletKey
from polytui.engine.shell.signer.keystore import Keystore, KeystoreError
from polytui.engine.shell.signer.policy import (
    CLOCK_SLACK_MS,
    Moment,
    Policy,
    cap_refusal,
    contracts_refusal,
)

PASSPHRASES_MAX: Final = 10
"""Wrong passphrases before the keystore stays shut until the next start."""


class Session:
    """Key, policy and hasher of one start."""

    def __init__(self, begin: Begin, key: WalletKey | Keystore, now: Callable[[], Moment]) -> None:
        """Prove itself; `fault` says why it cannot sign at all, empty when it can.

        `now` reads the clocks and the latch file.
        """
        self._begin = begin
        self._now = now
        self._keystore = key if isinstance(key, Keystore) else None
        self._key: WalletKey | None = None
        self._hasher: Hasher | None = None
        self._policy = Policy(begin.signer, begin.tokens)
        self._passphrases = 0
        self.identity: Identity | None = None
        self.fault = cap_refusal(begin.signer) or _self_test(selftest.vectors_fault())
        if self.fault:
            return
        if isinstance(key, WalletKey):
            self.fault = self._take(key)
        elif key.address:
            self.identity, self.fault = self._identity(key.address)

    @property
    def is_locked(self) -> bool:
        """Tell whether a passphrase is awaited."""
        return self._key is None and self._keystore is not None

    @property
    def key(self) -> WalletKey | None:
        """The key, for locking and wiping its memory."""
        return self._key

    def answer(self, ask: Frame) -> Frame | None:
        """Do what a frame asks; None when it wants no answer, and for a second `Begin`."""
        if isinstance(ask, Sign):
            return Signed(id=ask.id, results=self._sign_all(ask.orders))
        if isinstance(ask, Latch):
            self._policy.latch(killed=ask.killed, exits=ask.exits)
        elif isinstance(ask, Allow):
            self._policy.allow(ask.tokens, allowed=ask.allowed)
        elif isinstance(ask, SignLogin):
            return self._login(ask)
        elif isinstance(ask, Unlock):
            return self._unlock(ask)
        return None

    # --- signing ---------------------------------------------------------------------------------

    def _sign_all(self, orders: tuple[Terms, ...]) -> tuple[SignResult, ...]:
        """Sign each order that is lawful; a batch beyond the venue's largest is refused whole."""
        why = self._unready()
        if not why and len(orders) > ORDERS_MAX:
            why = f"expected at most {ORDERS_MAX} orders, was {len(orders)}"
        if why:
            return tuple(SignResult(cid=terms.cid, refusal=why) for terms in orders[:ORDERS_MAX])
        return tuple(self._sign(terms) for terms in orders)

    def _sign(self, terms: Terms) -> SignResult:
        key, hasher = self._key, self._hasher
        assert key is not None
        assert hasher is not None
        try:
            digest = hasher.digest(terms)
            if terms.order_hash != "0x" + digest.hex():
                why = f"expected order hash 0x{digest.hex()}, was another"
                return SignResult(cid=terms.cid, refusal=why)
            why = self._policy.refusal(terms, self._now())
            if why:
                return SignResult(cid=terms.cid, refusal=why)
            if terms.signature_type != DEPOSIT_WALLET:
                return SignResult(cid=terms.cid, signature="0x" + key.sign(digest).hex())
            nested, tail = hasher.envelope(terms)
        except HashError as error:
            return SignResult(cid=terms.cid, refusal=str(error))
        return SignResult(cid=terms.cid, signature="0x" + (key.sign(nested) + tail).hex())

    def _login(self, ask: SignLogin) -> LoginSigned:
        """Sign a login of about now: it gives no order away, so the latch does not hold it."""
        why = self._unready()
        now_s = self._now().wall_ns // 1_000_000_000
        if not why and abs(ask.timestamp_s - now_s) * 1_000 > CLOCK_SLACK_MS:
            why = f"expected a time within 300 s of {now_s}, was {ask.timestamp_s}"
        key, identity = self._key, self.identity
        if why or key is None or identity is None:
            return LoginSigned(id=ask.id, refusal=why)
        try:
            digest = auth_digest(
                chain_id=identity.chain_id,
                address=key.address,
                timestamp_s=ask.timestamp_s,
                nonce=ask.nonce,
            )
        except HashError as error:
            return LoginSigned(id=ask.id, refusal=str(error))
        return LoginSigned(id=ask.id, address=key.address, signature="0x" + key.sign(digest).hex())

    def _unready(self) -> str:
        if self.is_locked and not self.fault:
            return "the keystore is locked: its passphrase is asked for at arming"
        return self.fault

    # --- the key ---------------------------------------------------------------------------------

    def _unlock(self, ask: Unlock) -> Unlocked:
        keystore = self._keystore
        if self.fault or keystore is None:
            return Unlocked(id=ask.id, ok=False, why=self.fault or "there is no keystore to unlock")
        if self._key is not None:
            return Unlocked(id=ask.id, ok=True, identity=self.identity)
        if self._passphrases >= PASSPHRASES_MAX:
            why = f"{PASSPHRASES_MAX} wrong passphrases: the keystore stays shut until a restart"
            return Unlocked(id=ask.id, ok=False, why=why)
        try:
            key = WalletKey(keystore.unlock(ask.passphrase))
        except (KeystoreError, KeyRefused, ValueError, MemoryError) as error:
            self._passphrases += 1
            why = "not enough memory to open it" if isinstance(error, MemoryError) else str(error)
            return Unlocked(id=ask.id, ok=False, why=why)
        if keystore.address and key.address != keystore.address:
            why = f"expected the key of {keystore.address} in the keystore, was another's"
            return Unlocked(id=ask.id, ok=False, why=why)
        self.fault = self._take(key)
        return Unlocked(id=ask.id, ok=not self.fault, why=self.fault, identity=self.identity)

    def _take(self, key: WalletKey) -> str:
        """Become the signer for this key; say why not, or nothing."""
        identity, why = self._identity(key.address)
        why = why or _self_test(selftest.key_fault(key))
        if why or identity is None:
            return why
        self._key, self.identity = key, identity
        self._hasher = Hasher(identity)
        self._policy.identity = identity
        return ""

    def _identity(self, owner: str) -> tuple[Identity | None, str]:
        config, venue = self._begin.signer, self._begin.venue
        maker = config.funder.lower() or owner
        if config.signature_type == 0 and maker != owner:
            return None, f"expected no funder with signature type 0, or {owner}"
        if config.signature_type != 0 and maker == owner:
            return None, "expected signer.funder, the address that holds the money, for this type"
        identity = Identity(
            maker=maker,
            signer=maker if config.signature_type == DEPOSIT_WALLET else owner,
            owner=owner,
            signature_type=config.signature_type,
            chain_id=venue.chain_id,
            exchange=venue.exchange.lower(),
            neg_risk_exchange=venue.neg_risk_exchange.lower(),
            exchange_v3=venue.exchange_v3.lower(),
            builder=self._begin.builder.lower(),
        )
        why = contracts_refusal(identity)
        if why:
            return None, why
        try:
            Hasher(identity)
        except HashError as error:
            return None, str(error)
        return identity, ""


def _self_test(fault: str) -> str:
    return f"the self-test failed at {fault}: nothing is signed" if fault else ""
