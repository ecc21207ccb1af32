"""Signer, key source, wallet type, API key and allowances as the doctor sees them."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from polytui.engine.core.account_view import CheckRow
from polytui.engine.core.units import U
from polytui.engine.shell.doctor import wallet
from polytui.engine.shell.doctor.case import EngineFacts, SignerFacts
from polytui.engine.shell.doctor.report import Finding, Status
from polytui.engine.shell.polymarket.account_reads import Holding
from polytui.engine.shell.polymarket.auth import checksum
from polytui.engine.shell.polymarket.rest import Failed
from polytui.engine.shell.signer.frames import Hello, Measure
from polytui.engine.shell.venue.wallets import wallets_of
from tests.engine.orders.signing_floor import ADDR, DEV_KEY
from tests.engine.shell.doctor.rig import (
    DEFAULT,
    ENGINE,
    EXCHANGES,
    case,
    greeting,
    healthy_venue,
    settings,
)
from tests.engine.shell.signer.test_session import create_keyfile_json

KINDS = wallets_of(ADDR)


# --- the signer ----------------------------------------------------------------------------------


def test_another_value_of_a_golden_vector_fails_whatever_else_is_well() -> None:
    sick = replace(greeting(), vectors_fault="the golden login")
    finding = wallet.check_signer(case(signer=sick))
    assert finding.status is Status.FAIL
    assert "the golden login" in finding.found


def test_b26_while_an_engine_runs_the_wallet_is_said_to_be_held_by_it() -> None:
    running = case(engine=ENGINE, signer=SignerFacts())
    for check in (wallet.check_signer, wallet.check_wallet, wallet.check_allowances):
        finding = check(running)
        assert finding.status is Status.OK
        assert "held by the running engine (pid 4242)" in finding.found


def test_a_protection_that_is_not_granted_is_named() -> None:
    measures = (
        Measure(name="system calls filtered", achieved=False),
        Measure(name="memory locked", achieved=False),
    )
    finding = wallet.check_signer(case(signer=greeting(measures=measures)))
    assert finding.status is Status.WARN
    assert finding.found == "self-test equal; not granted here: system calls filtered"


def test_a_refusal_of_the_signer_fails_with_its_own_sentence() -> None:
    facts = SignerFacts(hello=Hello(ok=False, why="expected 64 hexadecimal digits"))
    finding = wallet.check_signer(case(signer=facts))
    assert (finding.status, finding.found) == (Status.FAIL, "expected 64 hexadecimal digits")


def test_another_engine_with_the_wallet_is_no_failure() -> None:
    facts = SignerFacts(hello=Hello(ok=False, why="only signer of 0x1: another engine has it"))
    assert wallet.check_signer(case(signer=facts)).status is Status.WARN


def test_without_a_key_it_says_what_remains_possible() -> None:
    keyless = case(settings=settings(source="none"), signer=SignerFacts())
    finding = wallet.check_signer(keyless)
    assert finding.status is Status.WARN
    assert "SHADOW and PAPER only" in finding.remedy
    assert wallet.check_key(keyless).status is Status.WARN


# --- the key's place -----------------------------------------------------------------------------


def keystore(path: Path) -> Path:
    import json

    made = create_keyfile_json(bytes.fromhex(DEV_KEY[2:]), b"a passphrase", iterations=2)
    path.write_text(json.dumps(made))
    path.chmod(0o600)
    return path


def test_d8_a_keystore_is_judged_by_owner_mode_and_form_and_never_opened(tmp_path: Path) -> None:
    path = keystore(tmp_path / "key.json")
    sick = case(settings=settings(source="keystore", keystore=str(path)))
    finding = wallet.check_key(sick)
    assert finding.status is Status.OK
    assert ADDR.lower() in finding.found.lower()
    assert DEV_KEY[2:] not in finding.found
    path.chmod(0o640)
    assert wallet.check_key(sick).status is Status.FAIL
    path.chmod(0o600)
    path.write_text("{}")
    assert wallet.check_key(sick).status is Status.FAIL
    path.unlink()
    path.symlink_to(keystore(tmp_path / "other.json"))
    assert wallet.check_key(sick).status is Status.FAIL


def test_d6_a_credential_is_judged_without_reading_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sick = case(settings=settings(source="credential", name="wallet"))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert wallet.check_key(sick).status is Status.WARN
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert wallet.check_key(sick).status is Status.FAIL
    (tmp_path / "wallet").write_text(DEV_KEY)
    (tmp_path / "wallet").chmod(0o400)
    finding = wallet.check_key(sick)
    assert (finding.status, finding.found) == (Status.OK, "credential wallet, private")
    (tmp_path / "wallet").chmod(0o444)
    assert wallet.check_key(sick).status is Status.FAIL


def test_the_practice_key_elsewhere_fails() -> None:
    real = replace(DEFAULT, venue=replace(DEFAULT.venue, kind="polymarket"))
    assert wallet.check_key(case(settings=real)).status is Status.FAIL
    assert wallet.check_key(case()).status is Status.OK


# --- the four types ------------------------------------------------------------------------------


def typed(kind: int, maker: str = "", *, funder: str = "") -> Finding:
    made = settings(signature_type=kind, funder=funder or maker or KINDS.of_type(kind)[0])
    return wallet.check_wallet(case(settings=made, signer=greeting(kind, maker)))


@pytest.mark.parametrize("kind", range(4))
def test_each_of_the_four_types_is_well_with_its_own_wallet(kind: int) -> None:
    finding = typed(kind)
    assert finding.status is Status.OK
    assert f"type {kind}" in finding.found


def test_a_funder_of_another_type_of_the_same_key_is_recognised() -> None:
    finding = typed(2, KINDS.proxy)
    assert finding.status is Status.FAIL
    assert finding.remedy == "set signer.signature_type = 1"


def test_a_funder_that_no_factory_makes_for_this_key_is_told() -> None:
    assert typed(2, "0x" + "1" * 40).status is Status.WARN


def test_a_mistyped_funder_shows_in_its_capitals() -> None:
    right = checksum(KINDS.safe)
    at = next(n for n, char in enumerate(right) if n > 1 and char.isalpha())
    wrong = right[:at] + right[at].swapcase() + right[at + 1 :]
    assert typed(2, KINDS.safe, funder=right).status is Status.OK
    finding = typed(2, KINDS.safe, funder=wrong)
    assert finding.status is Status.FAIL
    assert "wrong letter" in finding.found


def test_a_type_that_needs_a_funder_fails_without_one() -> None:
    finding = wallet.check_wallet(case(settings=settings(signature_type=1)))
    assert finding.status is Status.FAIL


# --- API key and allowances ----------------------------------------------------------------------


def asked(**facts: Any) -> tuple[Finding, Finding]:
    made = case(venue=healthy_venue(**facts))
    return wallet.check_credentials(made), wallet.check_allowances(made)


def test_a_key_and_allowances_that_suffice_are_well() -> None:
    credentials, allowances = asked()
    assert credentials.found == "API key 8a512e60… derived; nothing stored"
    assert allowances.status is Status.OK


def test_b32_closed_only_fails() -> None:
    assert asked(closed_only=True)[0].status is Status.FAIL


def test_no_key_fails_and_the_allowances_say_why_they_are_unknown() -> None:
    credentials, allowances = asked(key="", key_why="HTTP 401: no", cash=Failed(why="not asked"))
    assert (credentials.status, credentials.found) == (Status.FAIL, "not derived: HTTP 401: no")
    assert allowances.status is Status.WARN


def test_b24_an_allowance_below_one_order_fails_and_is_never_raised() -> None:
    low = Holding(qty_u6=U, allowances=((EXCHANGES[0], 10**12), (EXCHANGES[1], 24_999_999)))
    finding = asked(cash=low)[1]
    assert finding.status is Status.FAIL
    assert f"{EXCHANGES[1]} ($24.999999 of $25)" in finding.found
    assert "never raises" in finding.remedy


def test_b24_a_contract_that_is_not_named_has_no_allowance() -> None:
    only = Holding(qty_u6=U, allowances=((EXCHANGES[0], 10**12),))
    assert asked(cash=only)[1].status is Status.FAIL
    whole = Holding(qty_u6=U, allowances=(("", 10**12),))
    assert asked(cash=whole)[1].status is Status.OK


def test_no_money_is_told() -> None:
    empty = Holding(qty_u6=0, allowances=(("", 10**12),))
    assert asked(cash=empty)[1].status is Status.WARN


def test_the_engines_own_preflight_is_repeated_while_it_holds_the_wallet() -> None:
    row = CheckRow(code="ALLOWANCE", ok=False, title="allowance", value="$0", limit="at least $25")

    class Arm:
        checks = (row,)

    class Risk:
        arm = Arm()
        orders_left = 40

    engine = EngineFacts(pid=4_242, run="r", version="1", risk=Risk())  # type: ignore[arg-type]  # only the part that is read
    finding = wallet.check_allowances(case(engine=engine))
    assert finding.status is Status.FAIL
    assert "$0, at least $25" in finding.found
