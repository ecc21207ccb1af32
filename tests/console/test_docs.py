"""The documents say what the registry says."""

import re
from pathlib import Path

from polytui.actions import ACTIONS, keys_table

DOC = Path(__file__).parents[2] / "docs" / "keys.md"


def test_the_key_table_in_the_docs_is_the_registry() -> None:
    assert keys_table() in DOC.read_text(encoding="utf-8"), "write actions.keys_table() into it"


def test_every_action_explains_itself_in_a_sentence() -> None:
    for action in ACTIONS:
        assert re.match(r"[A-Z].*\.$", action.help), action.id
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
