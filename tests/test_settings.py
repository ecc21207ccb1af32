import ast
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from polytui.engine.core import runconfig
from polytui.engine.core.enums import Mode
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.runconfig import Settings
from polytui.settings import RULES, load
from tests.conftest import ROOT

CONFIG = ROOT / "config.toml"
BUFFER = "run.box.buffer_u6"
BUFFER_VARIABLE = "POLYTUI_RUN__BOX__BUFFER_U6"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested sections into dotted keys."""
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            leaves |= flat(value, f"{prefix}{name}.")
        else:
            leaves[prefix + name] = value
    return leaves


def refusal(**arguments: Any) -> str:
    with pytest.raises(OperatorError) as refused:
        load(**arguments)
    return str(refused.value)


def numbers(text: str) -> list[str]:
    """Every `low … high` of a text, powers worked out."""
    joined = re.sub(r"(\d+)\^(\d+)", lambda m: str(int(m[1]) ** int(m[2])), " ".join(text.split()))
    joined = re.sub(r"(\d{3,})-1\b", lambda m: str(int(m[1]) - 1), joined)
    return [f"{low} to {high}" for low, high in re.findall(r"([\d.]+) … ([\d.]*\d)", joined)]


def documented_fields() -> dict[str, str]:
    """Read the text under each field of each struct."""
    found: dict[str, str] = {}
    for struct in ast.parse(Path(runconfig.__file__).read_text()).body:
        for field, after in pairwise(struct.body if isinstance(struct, ast.ClassDef) else ()):
            match field, after:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=v)):
                    assert isinstance(struct, ast.ClassDef)
                    found[f"{struct.name}.{name}"] = str(v)
    return found


def owners_of(struct: type[Struct], prefix: str = "") -> dict[str, type[Struct]]:
    """Map every dotted key to the struct that holds it."""
    owners: dict[str, type[Struct]] = {}
    for field in msgspec.structs.fields(struct):
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            owners |= owners_of(field.type, f"{prefix}{field.name}.")
        else:
            owners[prefix + field.name] = struct
    return owners


def test_without_a_file_every_key_has_its_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load() == Settings()
    assert load().run.mode is Mode.SHADOW


def test_the_shipped_file_holds_exactly_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert load() == load(file=CONFIG) == Settings()


def test_the_shipped_file_names_every_key() -> None:
    assert set(flat(tomllib.loads(CONFIG.read_text()))) == set(RULES)


def test_the_shipped_file_documents_every_key_with_its_range() -> None:
    section = ""
    for above, line in pairwise(CONFIG.read_text().splitlines()):
        if line.startswith("["):
            section = line.strip("[]") + "."
        elif " = " in line and not line.startswith("#"):
            key = section + line.split(" = ")[0]
            assert above.startswith("# "), f"{key} has no comment"
            for stated in re.findall(r"number from (.+)", RULES[key].says):
                assert stated in numbers(above), f"{key}: expected '{stated}' above it"


def test_the_structs_state_the_ranges_that_are_enforced() -> None:
    documented = documented_fields()
    owners = owners_of(Settings)
    assert set(owners) == set(RULES)
    for key, rule in RULES.items():
        for enforced in re.findall(r"number from (.+)", rule.says):
            name = f"{owners[key].__name__}.{key.rpartition('.')[2]}"
            assert enforced in numbers(documented[name]), f"{name} does not say {enforced}"


def test_the_environment_wins_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("[run.box]\nbuffer_u6 = 3000\nconfirmations = 4\n")
    monkeypatch.setenv(BUFFER_VARIABLE, "4000")
    box = load(file=file).run.box
    assert (box.buffer_u6, box.confirmations) == (4000, 4)


def test_the_command_line_wins_over_both(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("[run.box]\nbuffer_u6 = 3000\n")
    monkeypatch.setenv(BUFFER_VARIABLE, "4000")
    assert load(file=file, overrides={BUFFER: "5000"}).run.box.buffer_u6 == 5000


def test_an_unknown_key_is_refused_and_the_near_one_named(file: Path) -> None:
    file.write_text("[run.box]\nbufer_u6 = 3000\n")
    assert refusal(file=file) == (
        f"run.box.bufer_u6: there is no such key in {file}; did you mean {BUFFER}?"
    )


def test_an_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYTUI_RUN__BOX__BUFER_U6", "1")
    assert refusal() == (
        "POLYTUI_RUN__BOX__BUFER_U6: no key is set by this variable; "
        f"did you mean {BUFFER_VARIABLE}?"
    )


def test_an_unknown_override_is_refused() -> None:
    assert refusal(overrides={"nonsense": 1}) == "nonsense: there is no such key."


def test_every_wrong_value_gets_its_own_sentence(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("[run.book]\nwitness_ms = 5\n[practice]\nrate = nan\n")
    monkeypatch.setenv(BUFFER_VARIABLE, "300000")
    assert refusal(file=file, overrides={"run.mode": "live"}).splitlines() == [
        (
            "run.mode: expected one of shadow, paper, live_dry_run, replay, was 'live' "
            "on the command line."
        ),
        f"run.book.witness_ms: expected 0 or a whole number from 1000 to 3600000, was 5 in {file}.",
        f"{BUFFER}: expected a whole number from 0 to 200000, was '300000' in {BUFFER_VARIABLE}.",
        f"practice.rate: expected a number from 0.1 to 50000, was nan in {file}.",
    ]


@pytest.mark.parametrize(
    ("text", "value"), [("1.5", "1.5"), ("true", "True"), ("'x'", "'x'"), ("[]", "[]")]
)
def test_a_value_of_the_wrong_kind_is_refused(file: Path, text: str, value: str) -> None:
    file.write_text(f"[run.box]\nbuffer_u6 = {text}\n")
    assert refusal(file=file) == (
        f"{BUFFER}: expected a whole number from 0 to 200000, was {value} in {file}."
    )


def test_a_value_where_a_section_belongs_is_refused(file: Path) -> None:
    file.write_text("run = 3\n")
    assert refusal(file=file) == f"run: expected a section of keys, was 3 in {file}."


def test_malformed_toml_is_refused_with_line_and_column(file: Path) -> None:
    file.write_text("[run]\nseed 3\n")
    assert refusal(file=file) == (
        f"{file}: expected TOML, but: "
        "Expected '=' after a key in a key/value pair (at line 2, column 6)."
    )


def test_toml_cut_off_at_the_end_is_refused_with_line_and_column(file: Path) -> None:
    file.write_text('[run]\nmode = "sha')
    assert "(at line 2, column 12, the end of the file)" in refusal(file=file)


def test_a_file_that_is_not_there_is_refused(file: Path) -> None:
    assert refusal(file=file) == (
        f"{file}: expected a readable file, but: No such file or directory."
    )


def test_a_file_that_is_not_text_is_refused(file: Path) -> None:
    file.write_bytes(b"[run]\n\xff")
    assert refusal(file=file) == f"{file}: expected UTF-8, but byte 6 is not."


@pytest.mark.parametrize("key", [k for k, r in RULES.items() if "number from" in r.says])
def test_both_ends_of_a_range_are_allowed_and_one_beyond_is_refused(key: str) -> None:
    low, high = (float(n) for n in RULES[key].says.split("from ")[1].split(" to "))
    whole = "whole" in RULES[key].says
    step = 1 if whole else 0.01
    for inside in (low, high if high < 2**53 else 2**63 - 1):
        load(overrides={key: int(inside) if whole else inside})
    for outside in (-step, (high if high < 2**53 else 2**63) + step):
        assert refusal(overrides={key: int(outside) if whole else outside}).startswith(key)


@pytest.mark.parametrize(
    "url",
    ["", "https://h/x", "https://h:1/x?k=1", "http://127.0.0.1:8/x", "http://[::1]/", "https://h"],
)
def test_a_webhook_has_an_address_with_tls_or_of_this_machine(url: str) -> None:
    assert load(overrides={"notify.url": url}).notify.url == url


@pytest.mark.parametrize(
    "url",
    ["http://h/T0ken", "https://u:T0ken@h/", "ftp://h/T0ken", "https://h/T0 ken", "T0ken\n"],
)
def test_a_webhook_that_is_refused_is_not_shown(url: str) -> None:
    said = refusal(overrides={"notify.url": url})
    assert said.startswith("notify.url: expected a URL with https")
    assert "T0" not in said
