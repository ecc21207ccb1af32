"""D5, D6, D13: keys, and signatures of orders, that must be found only where they belong."""

import base64
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from polytui.engine.core import account_view, view
from polytui.engine.shell.records import Frame
from polytui.engine.shell.signer.keys import WalletKey, recovered
from polytui.engine.shell.tapes import open_tape
from polytui.engine.shell.venue.crypto import address_of, checksum
from polytui.engine.shell.venue.keys import KeyRing
from tests.process.rig import SEED, Trader, Venue, stage, stored_orders
from tests.process.test_kill import wait_for_orders
from tests.support.engines import family, wait_until
from tests.support.figures import show

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CANARY = sha256(b"a canary that must not sing").hexdigest()
CREDENTIAL = "canary"
VENUES_OWN = {"venue.out", "exchange.jsonl"}
"""The venue's own files: it made the API key, and may know it."""
DOLLARS_U6 = 5_000_000_000


def needles(venue: Venue) -> dict[str, bytes]:
    """Write the secrets in every form in which they could leak."""
    owner = address_of("0x" + CANARY).lower()
    api = KeyRing(SEED).create(owner, 0)
    assert api is not None
    raw, secret = bytes.fromhex(CANARY), base64.urlsafe_b64decode(api.secret)
    return {
        "key": CANARY.encode(),
        "KEY": CANARY.upper().encode(),
        "key, raw": raw,
        "key, base64": base64.b64encode(raw).rstrip(b"="),
        "key, decimal": str(int(CANARY, 16)).encode(),
        "key, a third of it": CANARY[20:42].encode(),
        "secret": api.secret.rstrip("=").encode(),
        "secret, standard": base64.b64encode(secret).rstrip(b"="),
        "secret, raw": secret,
        "passphrase": api.passphrase.encode(),
    }


def signatures(home: Path) -> dict[str, bytes]:
    """Sign again every order that the engine sent: a key signs the same digest the same way."""
    key = WalletKey(bytes.fromhex(CANARY))
    found: dict[str, bytes] = {}
    for order_hash in stored_orders(home / "store"):
        digest = bytes.fromhex(order_hash.removeprefix("0x"))
        signature = key.sign(digest)
        assert recovered(digest, signature) == key.address
        found |= {
            f"signature of {order_hash}": signature[:-1].hex().encode(),
            f"signature of {order_hash}, raw": signature[:-1],
            f"signature of {order_hash}, base64": base64.b64encode(signature[:-1])[:-4],
        }
    return found


def fund(venue: Venue) -> None:
    """Give the canary's wallet money, as its owner would have."""
    address = checksum(address_of("0x" + CANARY))
    venue.ask("chain", op="deposit", address=address, amount_u6=DOLLARS_U6)
    venue.ask("chain", op="approve", address=address)
    venue.wallet = {"owner": address, "address": address}
    venue._key = KeyRing(SEED).create(address.lower(), 0)


def views(running: Trader) -> bytes:
    """Read every section that a client can see, as the bytes that it sees."""
    topics = [
        value
        for module in (view, account_view)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    ]
    said = b""
    for topic in topics:
        said += msgspec.json.encode(running.look(topic))
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(running.admin))
        link.settimeout(1)
        link.sendall(json.dumps({"type": "watch", "topics": topics[:60]}).encode() + b"\n")
        time.sleep(0.5)
        said += link.recv(1 << 20)
    return said


def processes(home: Path) -> Iterator[tuple[str, bytes]]:
    """Read the command line and environment of everybody of a home, the venue aside."""
    for pid, words in family(home).items():
        if "polytui venue" in words:
            continue
        for what in ("cmdline", "environ"):
            yield f"{what} of {words[:60]}", Path(f"/proc/{pid}/{what}").read_bytes()


def files(home: Path) -> Iterator[tuple[str, bytes]]:
    """Read every file, and every recording unpacked."""
    for path in home.rglob("*"):
        if path.is_file() and path.name not in VENUES_OWN and path.parent.name != "credentials":
            yield str(path.relative_to(home)), path.read_bytes()
    encode = msgspec.msgpack.Encoder().encode
    for segment in (home / "captures").glob("*.polycap"):
        for record in open_tape([segment]).records():
            yield (
                f"{segment.name}, unpacked",
                (
                    record.data
                    if isinstance(record, Frame)
                    else encode(record) + repr(record).encode()
                ),
            )


def start(home: Path) -> Trader:
    """Start an engine whose wallet key comes as systemd hands it over: by a file."""
    credentials = home / "credentials"
    credentials.mkdir(mode=0o700, exist_ok=True)
    (credentials / CREDENTIAL).write_text("0x" + CANARY)
    (credentials / CREDENTIAL).chmod(0o600)
    source = ("signer.source=credential", f"signer.name={CREDENTIAL}")
    os.environ["CREDENTIALS_DIRECTORY"] = str(credentials)
    try:
        return Trader(home, *source, script="mix", most=20)
    finally:
        del os.environ["CREDENTIALS_DIRECTORY"]


def session(home: Path, venue: Venue, end: int) -> list[tuple[str, bytes]]:
    """Arm, trade, kill, crash; return all that could be seen meanwhile."""
    with closing(start(home)) as running:
        running.wait_until_up()
        running.promote()
        running.arm()
        wait_for_orders(running, venue, 15)
        seen = [*processes(home), ("views", views(running))]
        assert len(seen) >= 7, "engine, signer and sentinel, and what they show"
        running.must("risk.kill", "canary")
        wait_until(lambda: running.risk().kill.verified, "the proof")
        seen.append(("views of the kill", views(running)))
        running.must("risk.clear", "CLEAR", "canary")
        running.end(end)
        seen.append(("what it said", running.output().encode()))
    return seen


def test_d5_d13_neither_a_key_nor_a_signature_is_in_any_artefact_of_a_session() -> None:
    with stage() as (home, venue):
        fund(venue)
        seen = session(home, venue, signal.SIGUSR2) + session(home, venue, signal.SIGKILL)
        artefacts = [*files(home), *seen]
        names = {name.rpartition("/")[2] for name, _ in artefacts}
        assert {"kill.latch", "sentinel.jsonl", "account.db"} <= names
        assert any(name.startswith("engine-bug-") for name in names)
        owner = address_of("0x" + CANARY).lower().encode()
        assert any(owner in data.lower() for _, data in artefacts), "it was this wallet that traded"
        signed = signatures(home)
        assert len(signed) >= 3 * 15, "orders were signed and sent"
        wanted = needles(venue) | signed
        wanted_file = home / "credentials" / CREDENTIAL
        assert wanted["key"] in wanted_file.read_bytes(), "what is looked for can be found"
        hits = [
            (what, name) for name, data in artefacts for what, bad in wanted.items() if bad in data
        ]
    size = sum(len(data) for _, data in artefacts)
    show(
        f"D5 canary: {len(hits)} hits for {len(wanted)} forms in {len(artefacts)} artefacts, "
        f"{size / 2**20:.0f} MB"
    )
    assert not hits, hits
