"""The documents say what the registry says."""

import re
from pathlib import Path

from polytui.actions import ACTIONS, key_text
from polytui.engine.core.alert_codes import ALERT_CODES
from polytui.engine.core.registry import VERBS
from polytui.engine.core.verbs import MODES, usage_of, words_of

DOC = Path(__file__).parents[2] / "docs" / "keys.md"


def row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def keys_table() -> str:
    """Write the whole registry as Markdown; copy it into the document when this test fails."""
    rows = [
        "| key | action | where | danger | read-only | what it does |",
        "|---|---|---|---|---|---|",
    ]
    for action in ACTIONS:
        keys = " ".join(f"`{key_text(key)}`" for key in action.keys) or "palette"
        where = ", ".join(action.key_pages or action.pages) or "everywhere"
        allowed = "yes" if action.directive is None else "no"
        rows.append(row(keys, f"`{action.id}`", where, action.danger.value, allowed, action.help))
    return "\n".join(rows) + "\n"


def verbs_table() -> str:
    """Write what may be asked of the engine; copy it into the document when this test fails."""
    rows = ["| verb | also | arguments | meaning |", "|---|---|---|---|"]
    for verb in VERBS:
        if verb.internal:
            continue
        aliases = ", ".join(
            f"`{alias.words}`" + (f" (= {' '.join(alias.args)})" if alias.args else "")
            for alias in verb.aliases
        )
        args = " ".join(f"`{usage_of(arg)}`" for arg in verb.args) or "none"
        helps = [f"{arg.name}: {arg.help}" for arg in verb.args if arg.help]
        meaning = " ".join((verb.help, *(f"{text}." for text in helps)))
        rows.append(row(f"`{verb.id}`", aliases or "-", args, meaning))
    return "\n".join(rows) + "\n"


def rules_table() -> str:
    """Write what is confirmed in which mode; copy it into the document when this test fails."""
    heads = [mode.value.upper().replace("_", " ") for mode in MODES]
    rows = [row("verb", "risk", *heads), "|---|---|---|---|---|---|"]
    for verb in VERBS:
        if not verb.internal:
            needs = [words_of(need, verb).replace("<", "&lt;") for need in verb.confirm]
            rows.append(row(f"`{verb.id}`", verb.risk.value, *needs))
    return "\n".join(rows) + "\n"


def alerts_table() -> str:
    """Write every alert; copy it into the document when this test fails."""
    rows = [
        "| code | class | cause | what to do | within | the engine alone |",
        "|---|---|---|---|---|---|",
    ]
    rows += [
        row(f"`{code.code}`", code.cls.value, code.cause, code.todo, code.within, code.engine)
        for code in ALERT_CODES.values()
    ]
    return "\n".join(rows) + "\n"


def document() -> str:
    return DOC.read_text(encoding="utf-8")


def test_the_key_table_in_the_docs_is_the_registry() -> None:
    assert keys_table() in document(), keys_table()


def test_the_verbs_in_the_docs_are_the_registry() -> None:
    assert verbs_table() in document(), verbs_table()


def test_the_rules_of_confirmation_in_the_docs_are_the_registry() -> None:
    assert rules_table() in document(), rules_table()


def test_the_alerts_in_the_docs_are_the_registry() -> None:
    assert alerts_table() in document(), alerts_table()


def test_every_action_explains_itself_in_a_sentence() -> None:
    for action in ACTIONS:
        assert re.match(r"[A-Z].*\.$", action.help), action.id
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)


def test_no_sentence_of_help_is_written_twice() -> None:
    helps = [action.help for action in ACTIONS]
    assert len(helps) == len(set(helps))
