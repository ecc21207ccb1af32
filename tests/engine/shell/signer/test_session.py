"""Self-test, login, unlocking, signature types: a session without a process."""

import json
from typing import Any

import pytest
from eth_keyfile import keyfile as reference
from msgspec.structs import replace

from polytui.engine.core.enums import Side
from polytui.engine.core.runconfig import VenueConfig
from polytui.engine.shell.signer import selftest
from polytui.engine.shell.signer.frames import (
    Begin,
    BrokenFrame,
    Latch,
    LoginSigned,
    Sign,
    Signed,
    SignLogin,
    Unlock,
    Unlocked,
    body_length,
    encoded,
    length_head,
    read_ask,
    read_reply,
)
from polytui.engine.shell.signer.keystore import read_keystore
from polytui.engine.shell.signer.session import PASSPHRASES_MAX, Session
from polytui.engine.shell.venue.crypto import auth_digest, recover, signature_bytes
from polytui.engine.shell.venue.orders import signed_by
from tests.engine.orders.signing_floor import (
    ADDR,
    AUTH_SIGNATURE,
    AUTH_STAMP_S,
    DEPOSIT,
    DEV_KEY,
    STANDARD_SIGNATURE,
    TOKEN,
    golden,
)
from tests.engine.orders.test_hashing import venue_order
from tests.engine.shell.signer.rig import DEV, NOW_MS, Clock, begin, order, session

create_keyfile_json: Any = reference.create_keyfile_json


def keystore(passphrase: str = "open", secret: str = DEV_KEY, **changes: str) -> Any:
    file = create_keyfile_json(
        bytes.fromhex(secret[2:]), passphrase.encode(), kdf="pbkdf2", iterations=1
    )
    return read_keystore(json.dumps(file | changes).encode())


# --- the self-test -------------------------------------------------------------------------------


def test_the_self_test_passes() -> None:
    assert selftest.vectors_fault() == ""
    assert selftest.key_fault(DEV) == ""


@pytest.mark.parametrize(
    ("name", "spoiled", "expected"),
    [
        ("_IDS", (("v1", True, 0, "00" * 32),), "the id of the golden order v1, NegRisk True"),
        ("_SIGNATURE", "00" * 65, "the signature of the golden order"),
        ("_ENVELOPE_SHA256", "00" * 32, "deposit-wallet order"),
        ("_LOGIN", "00" * 65, "the golden login"),
    ],
)
def test_a_signer_that_computes_something_else_signs_nothing(
    monkeypatch: pytest.MonkeyPatch, name: str, spoiled: object, expected: str
) -> None:
    """As if a library had been swapped: the expectation moves instead of the computation."""
    monkeypatch.setattr(selftest, name, spoiled)
    made = Session(begin(""), DEV, Clock())
    assert expected in made.fault
    assert "nothing is signed" in made.fault
    _, terms = golden("standard")
    reply = made.answer(Sign(id=1, orders=(terms,)))
    assert isinstance(reply, Signed)
    assert (reply.results[0].signature, reply.results[0].refusal) == ("", made.fault)
    login = made.answer(SignLogin(id=2, timestamp_s=NOW_MS // 1_000))
    assert isinstance(login, LoginSigned)
    assert (login.signature, login.refusal) == ("", made.fault)
    unlocked = made.answer(Unlock(id=3, passphrase="x"))
    assert isinstance(unlocked, Unlocked)
    assert not unlocked.ok


# --- who it signs for ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
def test_every_signature_type_is_accepted_by_the_venues_own_verification(kind: int) -> None:
    made = session(kind=kind)
    for changes in ({}, {"neg_risk": True}, {"protocol": "v2"}, {"side": Side.SELL}):
        terms = order(made, **changes)
        reply = made.answer(Sign(id=1, orders=(terms,)))
        assert isinstance(reply, Signed)
        signature = reply.results[0].signature
        assert len(signature) == 2 + 2 * (317 if kind == 3 else 65)
        unsigned, domain = venue_order(terms)
        assert signed_by(replace(unsigned, signature=signature), domain) == ADDR
        assert terms.signer == (DEPOSIT if kind == 3 else ADDR)
        assert terms.maker == (DEPOSIT if kind else ADDR)


def test_the_golden_order_gets_the_golden_signature() -> None:
    made = session()
    _, terms = golden("standard")
    reply = made.answer(Sign(id=1, orders=(terms,)))
    assert isinstance(reply, Signed)
    assert reply.results[0].signature == STANDARD_SIGNATURE


@pytest.mark.parametrize(
    ("begun", "expected"),
    [
        (replace(begin("", kind=1), signer=replace(begin("", kind=1).signer, funder="")), "funder"),
        (begin("", kind=0, funder=DEPOSIT), "no funder with signature type 0"),
        (begin("", kind=2, funder="0x12"), "an address of 20 bytes"),
        (begin("", kind=7), "signature type 0, 1, 2 or 3"),
        (begin("", order_cash_u6=0), "an order ceiling"),
        (replace(begin(""), builder="0x12"), "a builder code"),
        (replace(begin(""), venue=VenueConfig(kind="practice", chain_id=1)), "chain 137"),
        (replace(begin(""), venue=VenueConfig(exchange=ADDR)), "expected contract"),
    ],
)
def test_a_session_that_could_not_be_right_signs_nothing(begun: Begin, expected: str) -> None:
    made = Session(begun, DEV, Clock())
    assert expected in made.fault
    reply = made.answer(Sign(id=1, orders=(golden("standard")[1],)))
    assert isinstance(reply, Signed)
    assert reply.results[0].signature == ""


def test_addresses_may_be_written_with_capitals() -> None:
    shouted = "0xE111180000d2663C0091e4f400237545B87B996B"
    made = Session(replace(begin(""), venue=VenueConfig(exchange=shouted)), DEV, Clock())
    assert made.fault == ""
    assert made.identity is not None
    assert made.identity.exchange == shouted.lower()


# --- the login -----------------------------------------------------------------------------------


def test_the_golden_login_is_signed_even_while_the_latch_is_closed() -> None:
    made = session()
    made.answer(Latch(killed=True))
    login = made.answer(SignLogin(id=1, timestamp_s=AUTH_STAMP_S))
    assert isinstance(login, LoginSigned)
    assert (login.address, login.signature) == (ADDR, AUTH_SIGNATURE)


def test_a_login_is_of_about_now() -> None:
    made = session()
    for stamp, nonce, is_fine in ((300, 7, True), (-300, 0, True), (301, 0, False), (0, -1, False)):
        stamp_s = NOW_MS // 1_000 + stamp
        login = made.answer(SignLogin(id=1, timestamp_s=stamp_s, nonce=nonce))
        assert isinstance(login, LoginSigned)
        assert bool(login.signature) is is_fine
        assert bool(login.refusal) is not is_fine
        if is_fine:
            digest = auth_digest(chain_id=137, address=ADDR, timestamp=str(stamp_s), nonce=nonce)
            assert recover(digest, signature_bytes(login.signature)) == ADDR


# --- unlocking -----------------------------------------------------------------------------------


def unlock(made: Session, passphrase: str) -> Unlocked:
    reply = made.answer(Unlock(id=1, passphrase=passphrase))
    assert isinstance(reply, Unlocked)
    return reply


def test_a_locked_keystore_signs_after_its_passphrase_and_keeps_what_it_was_told() -> None:
    made = Session(begin("", tokens=()), keystore(), Clock())
    assert made.is_locked
    assert made.fault == ""
    assert made.identity is not None
    assert made.identity.owner == ADDR
    terms = order(made)
    ask = Sign(id=1, orders=(terms,))
    refused = made.answer(ask)
    assert isinstance(refused, Signed)
    assert "locked" in refused.results[0].refusal
    assert not unlock(made, "wrong").ok
    made.answer(Latch(killed=True))
    assert unlock(made, "open").ok
    assert unlock(made, "anything").ok, "an open keystore stays open"
    still = made.answer(ask)
    assert isinstance(still, Signed)
    assert "kill latch" in still.results[0].refusal, "the latch was closed while it was locked"


def test_wrong_passphrases_are_counted() -> None:
    made = Session(begin(""), keystore(), Clock())
    for _ in range(PASSPHRASES_MAX):
        assert "does not open" in unlock(made, "wrong").why
    assert "stays shut" in unlock(made, "open").why


def test_a_keystore_with_another_address_is_refused() -> None:
    made = Session(begin(""), keystore(address=DEPOSIT[2:]), Clock())
    assert "expected the key of 0x2e234dae" in unlock(made, "open").why
    assert made.is_locked


def test_a_keystore_without_an_address_is_identified_when_it_opens() -> None:
    made = Session(begin(""), keystore(address=""), Clock())
    assert made.identity is None
    opened = unlock(made, "open")
    assert opened.identity is not None
    assert opened.identity.owner == ADDR


def test_there_is_nothing_to_unlock_without_a_keystore() -> None:
    assert "no keystore" in unlock(session(), "x").why


def test_a_passphrase_is_not_shown() -> None:
    frame = Unlock(id=3, passphrase="canary-passphrase")
    assert "canary" not in repr(frame) + str(frame) + f"{[frame]}"


# --- frames --------------------------------------------------------------------------------------


def test_a_second_beginning_is_ignored() -> None:
    made = session()
    assert made.answer(begin("elsewhere", tokens=("1",))) is None
    reply = made.answer(Sign(id=1, orders=(order(made),)))
    assert isinstance(reply, Signed)
    assert reply.results[0].signature


@pytest.mark.parametrize(
    "body", [b"", b"\x00", b"\xff" * 40, b"\x81\xa4type\xa3bad", b"\x91" * 5000]
)
def test_bytes_that_are_no_frame_break_the_conversation(body: bytes) -> None:
    for read in (read_ask, read_reply):
        with pytest.raises(BrokenFrame):
            read(body)


def test_frames_have_a_longest_length_both_ways() -> None:
    whole = encoded(begin("x", tokens=(TOKEN,)))
    assert body_length(whole[:4]) == len(whole) - 4
    assert read_ask(whole[4:]) == begin("x", tokens=(TOKEN,))
    for head in (b"\0\0\0\0", b"\xff\xff\xff\xff"):
        with pytest.raises(BrokenFrame, match="at most"):
            body_length(head)
    with pytest.raises(BrokenFrame, match="at most"):
        length_head(1 << 21)
