"""Where the wallet key comes from, and the one object that holds it.

Lawful sources: a practice key made of a text, a systemd credential, a keystore V3 file opened by a
passphrase at arming, the operating system's keyring. Never the environment, the command line or a
configuration file: there is no code here that could read it from there.
"""

import ctypes
import os
import stat
import sys
from _socket import AF_UNIX, SOCK_DGRAM, socket
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from coincurve import PrivateKey, PublicKey

from polytui.engine.core.runconfig import SignerConfig, VenueConfig
from polytui.engine.orders.hashing import keccak256
from polytui.engine.shell.signer.keystore import (
    FILE_MAX,
    KEY_BYTES,
    Keystore,
    KeystoreError,
    read_keystore,
    rehearse,
)

CREDENTIALS_VARIABLE: Final = "CREDENTIALS_DIRECTORY"
"""Where systemd puts a service's credentials; names a place, holds nothing."""
_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class KeyRefused(Exception):
    """There is no key to be had there; the message says what would be right, never what was."""


class WalletKey:
    """A private key that shows itself to nobody."""

    __slots__ = ("_key", "address")

    def __init__(self, secret: bytes) -> None:
        """Take a key of 32 bytes.

        Raises:
            KeyRefused: it is no key of this curve.
        """
        if len(secret) != KEY_BYTES or not 0 < int.from_bytes(secret, "big") < _ORDER:
            raise KeyRefused("expected a private key of 32 bytes below the curve's order")
        self._key = PrivateKey(secret)
        self.address = address_of(self._key.public_key)
        """`0x…` in lower case."""

    def __repr__(self) -> str:
        """Name the public side only."""
        return f"WalletKey({self.address})"

    def __reduce__(self) -> str:
        """Refuse to be copied anywhere."""
        raise TypeError("a wallet key is not written down")

    def sign(self, digest: bytes) -> bytes:
        """Sign a digest as wallets do: r, s, and v of 27 or 28."""
        raw = self._key.sign_recoverable(digest, hasher=None)
        return raw[:64] + bytes((raw[64] + 27,))

    def location(self) -> tuple[int, int]:
        """Tell where in memory the key lies, for locking it there: address and length."""
        return _buffer(self._key.secret)

    def wipe(self) -> None:
        """Overwrite the key where it lies; copies that libraries made are beyond reach."""
        wipe(self._key.secret)


def _buffer(secret: bytes) -> tuple[int, int]:
    return id(secret) + bytes.__basicsize__ - 1, len(secret)


def wipe(secret: bytes) -> None:
    """Overwrite the bytes of an object nobody uses any more; CPython only, best effort."""
    address, length = _buffer(secret)
    ctypes.memset(address, 0, length)


def address_of(key: PublicKey) -> str:
    """Return the address of a public key, in lower case."""
    return "0x" + keccak256(key.format(compressed=False)[1:])[12:].hex()


def recovered(digest: bytes, signature: bytes) -> str:
    """Return the address whose key made a signature with v of 27 or 28."""
    raw = signature[:64] + bytes((signature[64] - 27,))
    return address_of(PublicKey.from_signature_and_message(raw, digest, hasher=None))


def load(config: SignerConfig, venue: VenueConfig, practice_label: str) -> WalletKey | Keystore:
    """Get the key, or the locked file it is in.

    Raises:
        KeyRefused: the source is none, is not lawful here, or holds no key.
    """
    if config.source == "practice":
        return _practice_key(venue, practice_label)
    if config.source == "credential":
        return _parsed(_credential(config.name), f"credential {config.name}")
    if config.source == "keystore":
        return _keystore(config.keystore)
    if config.source == "keyring":
        return _parsed(_keyring(config.name), f"keyring entry {config.name}")
    raise KeyRefused(
        "expected signer.source practice, credential, keystore or keyring: without one there is no "
        "key and nothing is signed"
    )


def claim(address: str) -> socket | None:
    """Become this machine's only signer of a wallet, for as long as the result is kept (B26).

    A name in the kernel's abstract namespace: it goes with the process however that ends, and no
    file can be left behind. None where the system has no such names.

    Raises:
        KeyRefused: another signer has the wallet.
    """
    if sys.platform != "linux":
        return None
    held = socket(AF_UNIX, SOCK_DGRAM)
    try:
        held.bind(f"\0polytui signer of {address}")
    except OSError:
        held.close()
        raise KeyRefused(
            f"expected to be the only signer of {address} on this machine: another engine has it"
        ) from None
    return held


def _practice_key(venue: VenueConfig, label: str) -> WalletKey:
    """Make a test key; whoever knows the text has it, so it signs for a venue on this machine."""
    host = urlsplit(venue.clob).hostname
    if venue.kind != "practice" or host not in _LOOPBACK:
        raise KeyRefused("expected the practice venue on this machine for a practice key")
    if not label:
        raise KeyRefused("expected a text to make the practice key of")
    number = int.from_bytes(sha256(label.encode()).digest(), "big") % (_ORDER - 1) + 1
    return WalletKey(number.to_bytes(KEY_BYTES, "big"))


def _parsed(text: bytes, where: str) -> WalletKey:
    """Read 64 hexadecimal digits."""
    digits = text.strip().removeprefix(b"0x")
    try:
        secret = bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise KeyRefused(f"expected 64 hexadecimal digits in the {where}")
    key = WalletKey(secret)
    wipe(text)
    return key


def _credential(name: str) -> bytes:
    directory = os.environ.get(CREDENTIALS_VARIABLE, "")
    if not directory:
        raise KeyRefused(
            f"expected systemd to set {CREDENTIALS_VARIABLE}: add LoadCredentialEncrypted={name} "
            "to the service"
        )
    if not name or "/" in name or name.startswith("."):
        raise KeyRefused("expected the name of a credential, a plain file name")
    return private_file(Path(directory, name), owners=(0, os.getuid()), group_may_read=True)


def _keystore(path: str) -> Keystore:
    if not path:
        raise KeyRefused("expected signer.keystore to be the path of a keystore V3 file")
    try:
        rehearse()
        return read_keystore(private_file(Path(path), owners=(os.getuid(),)))
    except KeystoreError as error:
        raise KeyRefused(f"{error} ({path})") from None


def _keyring(name: str) -> bytes:
    try:
        keyring = import_module("keyring")
    except ImportError:
        raise KeyRefused(
            "expected the package keyring for signer.source keyring: it is not installed"
        ) from None
    found = keyring.get_password("polytui", name)
    if not isinstance(found, str) or not found:
        raise KeyRefused(f"expected an entry {name} of service polytui in the keyring, found none")
    return found.encode()


def private_file(path: Path, *, owners: tuple[int, ...], group_may_read: bool = False) -> bytes:
    """Read a file that is ours alone (faults D8); judged after opening, so nobody can swap it.

    Raises:
        KeyRefused: it is a link, no plain file, another's, open to others, too long, or unreadable.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KeyRefused(f"expected to read {path}, but: {error.strerror}") from None
    try:
        found = os.fstat(fd)
        mode = stat.S_IMODE(found.st_mode)
        if not stat.S_ISREG(found.st_mode):
            raise KeyRefused(f"expected {path} to be a plain file")
        if found.st_uid not in owners:
            raise KeyRefused(f"expected {path} to be ours, its owner is uid {found.st_uid}")
        if mode & (0o037 if group_may_read else 0o077):
            raise KeyRefused(
                f"expected {path} to be private, its mode is {mode:o}: run chmod 600 {path}"
            )
        if found.st_size > FILE_MAX:
            raise KeyRefused(f"expected {path} to have at most {FILE_MAX} bytes")
        return os.read(fd, FILE_MAX + 1)
    finally:
        os.close(fd)
