"""The table in `docs/faults.md` names tests that exist, and every row of the catalogue once."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TABLE = ROOT / "docs" / "faults.md"
ROWS = [
    f"{part}{number}"
    for part, count in (("A", 17), ("B", 32), ("C", 26), ("D", 20))
    for number in range(1, count + 1)
]


def rows() -> dict[str, list[str]]:
    """Return (row, its cells) of every fault row in the table."""
    found: dict[str, list[str]] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 3 and re.fullmatch(r"[ABCD]\d+", cells[0]):
            assert cells[0] not in found, f"{cells[0]} stands twice"
            found[cells[0]] = cells[1:]
    return found


def test_every_row_of_the_catalogue_stands_in_the_table_once() -> None:
    assert list(rows()) == ROWS


def test_every_named_test_exists() -> None:
    missing = []
    for name, (tests, _) in rows().items():
        for path, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", tests):
            file = ROOT / path
            text = file.read_text(encoding="utf-8") if file.exists() else ""
            if not re.search(rf"^(?:async )?def {test}\(", text, re.MULTILINE):
                missing.append(f"{name}: {path}::{test}")
    assert not missing, "\n".join(missing)


def test_a_row_without_a_test_says_why() -> None:
    bare = [name for name, (tests, note) in rows().items() if tests == "none" and len(note) < 10]
    assert not bare
