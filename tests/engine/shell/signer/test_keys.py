"""Where a key may come from, and that nothing shows it (faults D6, D8)."""

import copy
import pickle
import sys
import traceback
from pathlib import Path

import pytest
from msgspec.structs import fields

from polytui.engine.core.runconfig import SignerConfig, VenueConfig
from polytui.engine.shell.signer import keys
from polytui.engine.shell.signer.keys import KeyRefused, WalletKey, load, private_file, recovered
from polytui.engine.shell.signer.keystore import Keystore
from polytui.engine.shell.venue.crypto import address_of, secret_key
from tests.engine.orders.signing_floor import ADDR, DEV_KEY
from tests.engine.shell.signer.rig import PRACTICE

CANARY = "c0ffee" + "17" * 29
REAL = VenueConfig(kind="polymarket")


def key_file(path: Path, text: str = CANARY, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path


def test_the_practice_key_is_the_one_the_practice_venue_makes_of_the_same_text() -> None:
    text = "polytui practice venue, seed 1, wallet eoa"
    key = load(SignerConfig(source="practice"), PRACTICE, text)
    assert isinstance(key, WalletKey)
    assert key.address == address_of(secret_key(text.encode()))


@pytest.mark.parametrize(
    "venue",
    [
        REAL,
        VenueConfig(kind="practice"),
        VenueConfig(kind="practice", clob="http://127.0.0.1.example.org"),
        VenueConfig(kind="practice", clob="http://10.0.0.1:8080"),
        VenueConfig(kind="polymarket", clob="http://127.0.0.1:8080"),
    ],
)
def test_a_practice_key_is_for_a_venue_on_this_machine_only(venue: VenueConfig) -> None:
    with pytest.raises(KeyRefused, match="practice venue on this machine"):
        load(SignerConfig(source="practice"), venue, "text")


@pytest.mark.parametrize("source", ["none", "", "environment", "config", "file"])
def test_no_other_source_exists(source: str) -> None:
    with pytest.raises(KeyRefused, match="practice, credential, keystore or keyring"):
        load(SignerConfig(source=source), REAL, "")


def test_no_field_of_the_configuration_could_hold_a_key() -> None:
    assert {field.name for field in fields(SignerConfig)} == {
        "source",
        "keystore",
        "name",
        "signature_type",
        "funder",
        "order_cash_u6",
        "orders_per_s",
    }


def test_a_key_in_the_environment_or_in_argv_is_never_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("POLYTUI_SIGNER_KEY", "PRIVATE_KEY", "POLY_PRIVATE_KEY", "PK", "polytui")
    for name in names:
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setattr(sys, "argv", ["polytui", "--key", CANARY])
    for source in ("none", "credential", "keystore", "keyring"):
        with pytest.raises(KeyRefused) as refused:
            load(SignerConfig(source=source, name="PRIVATE_KEY"), REAL, CANARY)
        assert CANARY not in str(refused.value)


@pytest.mark.parametrize("text", [CANARY, "0x" + CANARY, f"  {CANARY}\n", CANARY.upper()])
def test_a_systemd_credential_is_read(credentials: Path, text: str) -> None:
    key_file(credentials / "polytui", text, 0o400)
    key = load(SignerConfig(source="credential"), REAL, "")
    assert isinstance(key, WalletKey)
    assert key.address == address_of("0x" + CANARY)


@pytest.mark.parametrize("text", ["", "zz" * 32, CANARY[:-2], CANARY + "00", "00" * 32, "ff" * 32])
def test_a_credential_that_is_no_key_is_refused_without_showing_it(
    credentials: Path, text: str
) -> None:
    key_file(credentials / "polytui", text, 0o400)
    with pytest.raises(KeyRefused, match="expected") as refused:
        load(SignerConfig(source="credential"), REAL, "")
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize("name", ["", "../polytui", "/etc/passwd", ".hidden"])
def test_a_credential_has_a_plain_name(credentials: Path, name: str) -> None:
    with pytest.raises(KeyRefused, match="plain file name"):
        load(SignerConfig(source="credential", name=name), REAL, "")


def test_without_systemd_there_is_no_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(KeyRefused, match="LoadCredentialEncrypted=polytui"):
        load(SignerConfig(source="credential"), REAL, "")


def test_a_keyring_that_is_not_installed_is_refused_clearly() -> None:
    with pytest.raises(KeyRefused, match="package keyring for"):
        load(SignerConfig(source="keyring"), REAL, "")


class FakeRing:
    """A keyring backend with one entry."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def get_password(self, service: str, name: str) -> object:
        assert (service, name) == ("polytui", "main")
        return self.answer


def test_a_keyring_entry_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", FakeRing(CANARY))
    key = load(SignerConfig(source="keyring", name="main"), REAL, "")
    assert isinstance(key, WalletKey)
    monkeypatch.setitem(sys.modules, "keyring", FakeRing(None))
    with pytest.raises(KeyRefused, match="found none"):
        load(SignerConfig(source="keyring", name="main"), REAL, "")


def test_a_keystore_needs_a_path_and_a_keystore_in_it(tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match="path of a keystore V3"):
        load(SignerConfig(source="keystore"), REAL, "")
    path = key_file(tmp_path / "k.json")
    with pytest.raises(KeyRefused, match="keystore V3") as refused:
        load(SignerConfig(source="keystore", keystore=str(path)), REAL, "")
    assert CANARY not in str(refused.value)
    path.write_text(
        '{"version":3,"crypto":{"cipher":"aes-128-ctr","ciphertext":"","cipherparams":{"iv":"'
        + "00" * 16
        + '"},"kdf":"pbkdf2","kdfparams":{"salt":"","c":1},"mac":""}}'
    )
    assert isinstance(load(SignerConfig(source="keystore", keystore=str(path)), REAL, ""), Keystore)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777])
def test_d8_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path / "k.json", mode=mode)
    with pytest.raises(KeyRefused, match=f"mode is {mode:o}: run chmod 600"):
        private_file(path, owners=(path.stat().st_uid,))


def test_d8_a_link_a_directory_and_another_owner_are_refused(tmp_path: Path) -> None:
    path = key_file(tmp_path / "k.json")
    uid = path.stat().st_uid
    link = tmp_path / "link"
    link.symlink_to(path)
    for wrong, owner, expected in (
        (link, uid, "but: "),
        (tmp_path, uid, "plain file"),
        (tmp_path / "absent", uid, "No such file"),
        (path, uid + 1, f"its owner is uid {uid}"),
    ):
        with pytest.raises(KeyRefused, match=expected):
            private_file(wrong, owners=(owner,))
    assert private_file(path, owners=(uid,)) == CANARY.encode()


def test_d8_only_a_credential_may_be_readable_by_its_group(tmp_path: Path) -> None:
    path = key_file(tmp_path / "k", mode=0o440)
    uid = path.stat().st_uid
    assert private_file(path, owners=(uid,), group_may_read=True) == CANARY.encode()
    path.chmod(0o460)
    with pytest.raises(KeyRefused, match="private"):
        private_file(path, owners=(uid,), group_may_read=True)


def test_d8_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = key_file(tmp_path / "k", "0" * 100_000)
    with pytest.raises(KeyRefused, match="at most"):
        private_file(path, owners=(path.stat().st_uid,))


def test_d6_a_key_shows_itself_to_nobody() -> None:
    key = WalletKey(bytes.fromhex(CANARY))
    shown = [repr(key), str(key), f"{key}", ascii(key), repr([key]), repr({"k": key})]
    assert all(CANARY not in text and "c0ffee" not in text for text in shown)
    assert not hasattr(key, "__dict__")
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="not written down"):
            copied(key)


def test_d5_a_traceback_through_a_key_does_not_show_it() -> None:
    key = WalletKey(bytes.fromhex(CANARY))
    try:
        key.sign(b"too short")
    except ValueError as error:
        text = "".join(traceback.TracebackException.from_exception(error).format())
    assert "32 bytes" in text
    assert CANARY not in text


def test_a_signature_leads_back_to_the_address() -> None:
    key = WalletKey(bytes.fromhex(DEV_KEY[2:]))
    assert key.address == ADDR
    assert recovered(b"d" * 32, key.sign(b"d" * 32)) == ADDR


def test_a_wiped_key_lies_nowhere_it_lay() -> None:
    key = WalletKey(bytes.fromhex(CANARY))
    secret = key._key.secret
    assert key.location()[1] == 32
    key.wipe()
    assert secret == bytes(32)
    text = bytearray(b"text to be wiped")
    copied = bytes(text)
    keys.wipe(copied)
    assert copied == bytes(len(text))
