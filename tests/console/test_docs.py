"""The documents say what the registry says."""

import re
from pathlib import Path

from polytui.actions import ACTIONS, DIRECTIVES, key_text
from polytui.engine.shell.directives import RULES

DOC = Path(__file__).parents[2] / "docs" / "keys.md"


def keys_table() -> str:
    """Write the whole registry as Markdown; copy it into the document when this test fails."""
    rows = [
        "| key | action | where | danger | read-only | what it does |",
        "|---|---|---|---|---|---|",
    ]
    for action in ACTIONS:
        keys = " ".join(f"`{key_text(key)}`" for key in action.keys) or "palette"
        where = ", ".join(action.key_pages or action.pages) or "everywhere"
        allowed = "yes" if action.read_only else "no"
        cells = (keys, f"`{action.id}`", where, action.danger.value, allowed, action.help)
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def test_the_key_table_in_the_docs_is_the_registry() -> None:
    assert keys_table() in DOC.read_text(encoding="utf-8"), keys_table()


def directives_table() -> str:
    """Write what may be asked of the engine; copy it into the document when this test fails."""
    rows = ["| directive | arguments | meaning |", "|---|---|---|"]
    rows += [
        f"| `{name}` | {args or 'none'} | {text} |" for name, (args, text) in DIRECTIVES.items()
    ]
    return "\n".join(rows) + "\n"


def test_the_directives_in_the_docs_are_the_registry() -> None:
    assert directives_table() in DOC.read_text(encoding="utf-8"), directives_table()


def test_every_directive_of_an_action_is_explained() -> None:
    sent = {action.directive for action in ACTIONS if action.directive}
    assert sent <= set(DIRECTIVES)
    assert set(DIRECTIVES) - sent == {"mode.preflight"}


def test_the_engine_takes_every_directive_that_the_console_sends() -> None:
    assert set(DIRECTIVES) <= set(RULES)


def test_every_action_explains_itself_in_a_sentence() -> None:
    for action in ACTIONS:
        assert re.match(r"[A-Z].*\.$", action.help), action.id
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
