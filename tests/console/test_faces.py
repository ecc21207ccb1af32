"""Two tables, every face of them: what is listed once can be reached, is told of, and is refused.

The verbs of the engine's registry and the actions of the console, each on every surface that is
made from them. A surface that forgot one, or a new verb without one, fails here by name.
"""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from polytui.actions import ACTIONS, KILL, PAGES, VENUE_LAB, Action, Facts, pick, refusal
from polytui.actions.line import LOCAL, candidates, read_line
from polytui.engine.account.directives import ACTS
from polytui.engine.core.messages import Ask
from polytui.engine.core.verbs import Verb
from polytui.engine.shell import directives
from polytui.engine.shell.ctl import listing, request
from polytui.screens.palette import entries
from polytui.widgets.help import help_lines
from polytui.widgets.lines import Line
from tests.console.test_docs import document
from tests.console.test_line import FACTS, KNOWN, OFFERED, sample

EVERYWHERE = (*PAGES, VENUE_LAB, KILL)
WIDTH = 4_000
"""Of a help page on which no sentence is broken."""
SHELL_ALONE = {"engine.stop", "venue.fault", "lease.take", "signer.unlock", "risk.kill"}
"""Carried out by the process itself, with the engine or without it."""


def text_of(lines: list[Line]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


def facts_on(page: str) -> Facts:
    return replace(FACTS, page=page)


# --- what the engine can be asked for ------------------------------------------------------------


def in_the_palette(verb: Verb) -> bool:
    return any(a.directive == verb.id for p in EVERYWHERE for a, _, _ in entries(facts_on(p)))


def on_the_line(verb: Verb) -> bool:
    typed = read_line(" ".join((verb.id, *sample(verb))), FACTS, KNOWN)
    return typed.verb is verb and typed.args == sample(verb)


def completed_on_the_line(verb: Verb) -> bool:
    return all(
        words in candidates(words[:-1], KNOWN, ())
        for words in (verb.id, *(alias.words for alias in verb.aliases if " " not in alias.words))
    )


def in_the_shell(verb: Verb) -> bool:
    if verb.is_secret:
        return verb.usage in listing(json=False)
    same = request((verb.id, *sample(verb))) == (verb.id, sample(verb))
    return same and verb.usage in listing(json=False) and f'"{verb.id}"' in listing(json=True)


def through_the_socket(verb: Verb) -> bool:
    ask = Ask(id="1", action=verb.id, args=sample(verb))
    refused = directives.refuse(ask, strategies=("box",), troubles=("torn",))
    return (refused is None) is not verb.is_secret


def done_by_somebody(verb: Verb) -> bool:
    return verb.id in ACTS or verb.id in SHELL_ALONE or verb.id.startswith("strategy.")


def on_the_help_page(verb: Verb) -> bool:
    helps = [action.help for action in ACTIONS if action.directive == verb.id]
    shown = "\n".join(text_of(help_lines(facts_on(page), WIDTH)) for page in EVERYWHERE)
    return bool(helps) and all(text in shown for text in helps)


def in_the_documents(verb: Verb) -> bool:
    rows = [row for row in document().splitlines() if row.startswith(f"| `{verb.id}` |")]
    return len(rows) == 2


FACES: tuple[Callable[[Verb], bool], ...] = (
    in_the_palette,
    on_the_line,
    completed_on_the_line,
    in_the_shell,
    through_the_socket,
    done_by_somebody,
    on_the_help_page,
    in_the_documents,
)


@pytest.mark.parametrize("verb", OFFERED, ids=lambda verb: verb.id)
@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
def test_every_verb_has_every_face(face: Callable[[Verb], bool], verb: Verb) -> None:
    assert face(verb)


@pytest.mark.parametrize("verb", OFFERED, ids=lambda verb: verb.id)
def test_no_face_of_a_read_only_console_asks_for_a_verb(verb: Verb) -> None:
    looking = replace(FACTS, role="ro")
    assert read_line(" ".join((verb.id, *sample(verb))), looking, KNOWN).why
    for action in ACTIONS:
        if action.directive == verb.id:
            for page in action.pages or EVERYWHERE:
                assert "read-only" in (refusal(action, replace(looking, page=page)) or "")


# --- what the console does by itself -------------------------------------------------------------


def action_pages(action: Action) -> tuple[str, ...]:
    return action.key_pages or action.pages or EVERYWHERE


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_has_its_key_its_row_its_help_and_its_word(action: Action) -> None:
    for page in action_pages(action):
        assert all(pick(key, page) is action for key in action.keys)
        assert action.help in text_of(help_lines(facts_on(page), WIDTH))
        listed = [listed for listed, _, _ in entries(facts_on(page))]
        assert action in listed or action.id == "palette.open"
    assert f"| `{action.id}` |" in document()
    if action.directive is None and not action.priority:
        words = (action.id, *action.aliases)
        assert all(LOCAL[word] is action for word in words)
        assert all(read_line(word, FACTS, KNOWN).action is action for word in words)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_an_action_that_is_not_possible_says_why_and_the_help_repeats_it(action: Action) -> None:
    page = action_pages(action)[0]
    for facts in (Facts(page=page), Facts(page=page, role="ro"), facts_on(page)):
        why = refusal(action, facts)
        assert why is None or 5 < len(why) < 120
        assert why is None or f"no: {why}" in text_of(help_lines(facts, WIDTH))
