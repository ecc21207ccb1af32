"""The documents say what the registry says."""

import re
from pathlib import Path

from polytui.actions import ACTIONS, key_text

DOC = Path(__file__).parents[2] / "docs" / "keys.md"


def keys_table() -> str:
    """Write the whole registry as Markdown; copy it into the document when this test fails."""
    rows = [
        "| key | action | where | danger | read-only | what it does |",
        "|---|---|---|---|---|---|",
    ]
    for action in ACTIONS:
        keys = " ".join(f"`{key_text(key)}`" for key in action.keys) or "palette"
        where = ", ".join(action.pages) or "everywhere"
        allowed = "yes" if action.read_only else "no"
        cells = (keys, f"`{action.id}`", where, action.danger.value, allowed, action.help)
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def test_the_key_table_in_the_docs_is_the_registry() -> None:
    assert keys_table() in DOC.read_text(encoding="utf-8"), keys_table()


def test_every_action_explains_itself_in_a_sentence() -> None:
    for action in ACTIONS:
        assert re.match(r"[A-Z].*\.$", action.help), action.id
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
