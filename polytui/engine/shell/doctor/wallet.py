"""Checks of the wallet: signer, key source, type, API key, allowances. No key is ever read here."""

import importlib.util
import os
import stat
from pathlib import Path
from typing import Final

from polytui.engine.core.units import U6_MAX
from polytui.engine.decide.words import dollars
from polytui.engine.orders.hashing import HashError
from polytui.engine.shell.doctor.case import Case
from polytui.engine.shell.doctor.report import Finding, fail, listed, warn, well
from polytui.engine.shell.polymarket.account_reads import Holding
from polytui.engine.shell.polymarket.auth import checksum
from polytui.engine.shell.polymarket.rest import Failed
from polytui.engine.shell.signer.keys import CREDENTIALS_VARIABLE, KeyRefused, private_file
from polytui.engine.shell.signer.keystore import KeystoreError, read_keystore
from polytui.engine.shell.venue.wallets import wallets_of

TYPES: Final = ("EOA", "proxy (email login)", "Gnosis Safe", "deposit wallet")
NO_KEY: Final = "set signer.source: without a key there is SHADOW and PAPER only"
LATER: Final = "put the signer right first"


def check_signer(case: Case) -> Finding:
    """Ask for the golden vectors on this machine, and for a signer that greets."""
    facts = case.signer
    if facts.vectors_fault:
        return fail(
            f"this machine computes another value for {facts.vectors_fault}",
            "reinstall from the lock (make run); sign nothing until this is equal",
        )
    if case.holder:
        return well(f"vectors equal; the signer is {case.holder}")
    if case.settings.signer.source == "none":
        return warn("vectors equal; no key is configured", NO_KEY)
    hello = facts.hello
    if hello is None or not hello.ok:
        why = facts.why or (hello.why if hello is not None else "it said nothing")
        if "another engine has it" in why:
            return warn(f"vectors equal; {why}", "none needed while that engine is yours")
        if case.settings.signer.source == "credential" and CREDENTIALS_VARIABLE not in os.environ:
            return warn("vectors equal; the key is the service's own credential", _AS_SERVICE)
        return fail(why, "see key source and wallet type, the next lines")
    missing = [measure.name for measure in hello.measures if not measure.achieved]
    missing = [name for name in missing if name not in _EXCUSED]
    said = "self-test equal, key locked by its passphrase" if hello.locked else "self-test equal"
    if missing:
        return warn(
            f"{said}; not granted here: {listed(missing)}",
            "use Linux 5 or newer, or the systemd service, which grants them",
        )
    return well(f"{said}, {len(hello.measures)} protections tried")


_AS_SERVICE: Final = (
    "only the service can read it: see systemctl status, and polytui doctor while it runs"
)
_EXCUSED: Final = frozenset({"only signer of this wallet", "memory locked"})
"""Practice keys are anybody's; the key's own page is locked where the whole process is not."""


def check_key(case: Case) -> Finding:
    """Ask whether the place of the key is lawful and private."""
    source = case.settings.signer.source
    return _SOURCES[source](case)


def _practice(case: Case) -> Finding:
    if case.is_practice:
        return well("the practice venue's key, made of its seed")
    return fail("the practice key on another venue", "set signer.source to credential or keystore")


def _none(_: Case) -> Finding:
    return warn("no key is configured", NO_KEY)


def _keystore(case: Case) -> Finding:
    path = Path(case.settings.signer.keystore)
    if not case.settings.signer.keystore:
        return fail("signer.keystore is empty", "set it to the path of a keystore V3 file")
    try:
        found = read_keystore(private_file(path, owners=(os.getuid(),)))
    except (KeyRefused, KeystoreError) as error:
        return fail(str(error), f"chmod 600 {path}, owned by the engine's user, no link")
    return well(f"keystore {path}, private, of {found.address or 'an address it does not name'}")


def _credential(case: Case) -> Finding:
    name, directory = case.settings.signer.name, os.environ.get(CREDENTIALS_VARIABLE, "")
    if not directory:
        return warn(f"credential {name}: not looked at, this is not the service", _AS_SERVICE)
    path = Path(directory, name)
    try:
        found = path.lstat()
    except OSError as error:
        return fail(f"{path}: {error.strerror}", f"add LoadCredentialEncrypted={name} to the unit")
    if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o037:
        return fail(f"{path} is not private", f"load it with LoadCredentialEncrypted={name}")
    return well(f"credential {name}, private")


def _keyring(case: Case) -> Finding:
    if importlib.util.find_spec("keyring") is None:
        return fail("the package keyring is not installed", "install it, or use a keystore")
    return well(f"keyring entry {case.settings.signer.name} of service polytui")


_SOURCES: Final = {
    "practice": _practice,
    "none": _none,
    "keystore": _keystore,
    "credential": _credential,
    "keyring": _keyring,
}


def check_wallet(case: Case) -> Finding:
    """Compare the type of wallet with who holds the money: the maker follows from the key."""
    signer = case.settings.signer
    name = f"type {signer.signature_type}, {TYPES[signer.signature_type]}"
    if signer.source == "none":
        return warn(f"{name}; no key to compare with", NO_KEY)
    finding = _funder(signer.funder, signer.signature_type)
    if finding is not None:
        return finding
    identity = case.signer.identity
    if identity is None:
        maker = signer.funder or "the key's own address"
        if case.holder:
            return well(f"{name}, money at {maker}; the key is {case.holder}")
        return warn(f"{name}, money at {maker}; no key to compare with", LATER)
    kinds = wallets_of(identity.owner)
    if identity.maker in kinds.of_type(identity.signature_type):
        return well(f"{name}, key {checksum(identity.owner)}, money at {checksum(identity.maker)}")
    other = next((n for n in range(len(TYPES)) if identity.maker in kinds.of_type(n)), None)
    if other is not None:
        return fail(
            f"configured is {name}; the funder is this key's {TYPES[other]} (type {other})",
            f"set signer.signature_type = {other}",
        )
    return warn(
        f"{name}; {checksum(identity.maker)} is not what the factory makes for this key",
        "compare signer.funder with the address on your profile page at the venue",
    )


def _funder(funder: str, signature_type: int) -> Finding | None:
    """Judge the address by itself: a wrong letter shows in its capitals (EIP-55)."""
    if signature_type and not funder:
        return fail(
            f"type {signature_type} without signer.funder",
            "set signer.funder to the address that holds the money",
        )
    if funder and funder not in (funder.lower(), "0x" + funder[2:].upper()):
        try:
            spelt = checksum(funder)
        except HashError as error:
            return fail(str(error), "copy signer.funder again")
        if spelt != funder:
            return fail(
                f"signer.funder {funder} has a wrong letter: its capitals do not agree",
                "copy the address again from your profile page at the venue",
            )
    return None


def check_credentials(case: Case) -> Finding:
    """Ask whether the venue gives us an API key."""
    if case.holder:
        return _held_key(case)
    if case.venue.key:
        closed = case.venue.closed_only
        if closed is True:
            return fail(
                "the account may only reduce (closed only)", "see your account's page at the venue"
            )
        return well(f"API key {case.venue.key}… derived; nothing stored")
    if case.signer.hello is not None and case.signer.hello.locked:
        return warn("not derived: the keystore is locked", "its passphrase is asked for at arming")
    if case.signer.identity is None:
        return warn("not derived: there is no signer", LATER)
    return fail(f"not derived: {case.venue.key_why}", "see venue and clock, then wallet type")


def _held_key(case: Case) -> Finding:
    """Judge by the user stream, which no other key than a good one opens."""
    status = case.engine.status if case.engine is not None else None
    if status is not None and status.account.user_ns:
        return well(f"{case.holder}; its user stream lives")
    return warn(f"{case.holder}; it has no user stream yet", "see the engine's System page or log")


def check_allowances(case: Case) -> Finding:
    """Read what the exchange contracts may move; raising it is the owner's act, never ours."""
    if case.holder:
        return _held_allowance(case)
    cash = case.venue.cash
    if isinstance(cash, Failed):
        if case.venue.key:
            return fail(f"the balance cannot be read: {cash.why}", "see venue and wallet type")
        return warn("not read: there is no API key", LATER)
    short = _short(case, cash)
    said = f"balance {dollars(cash.qty_u6)}"
    if short:
        return fail(
            f"{said}; too low for {listed(short)}",
            "allow pUSD on the venue's own page with the wallet; polytui never raises an allowance",
        )
    if not cash.qty_u6:
        return warn(f"{said}; allowances suffice", "deposit pUSD before arming")
    return well(f"{said}; every exchange contract may move an order's worth")


def _short(case: Case, cash: Holding) -> list[str]:
    """List the contracts that may move less than the largest order."""
    need_u6 = case.settings.run.limits.order_cash_u6
    known = dict(cash.allowances)
    venue = case.settings.venue
    wanted = [venue.exchange.lower(), venue.neg_risk_exchange.lower()]
    if venue.exchange_v3.lower() in known:
        wanted.append(venue.exchange_v3.lower())
    everything = known.get("", -1)
    found = {name: everything if everything >= 0 else known.get(name, 0) for name in wanted}
    return [
        f"{name} ({dollars(have)} of {dollars(need_u6)})"
        for name, have in found.items()
        if have < min(need_u6, U6_MAX)
    ]


def _held_allowance(case: Case) -> Finding:
    """Repeat what the engine's own preflight said, if it was asked."""
    risk = case.engine.risk if case.engine is not None else None
    rows = risk.arm.checks if risk is not None else ()
    row = next((row for row in rows if row.code == "ALLOWANCE"), None)
    if row is None:
        return well(f"{case.holder}; its preflight judges them before arming")
    if row.ok:
        return well(f"{case.holder}: {row.value}, {row.limit}")
    return fail(
        f"{case.holder}: {row.value}, {row.limit}",
        "allow pUSD on the venue's own page with the wallet; polytui never raises an allowance",
    )
