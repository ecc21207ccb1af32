"""What the signer may sign for follows what is listed: its list has an end, a run has none."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from polytui.engine.core.runconfig import Settings, VenueConfig
from polytui.engine.shell.accounts.live import LiveAccount


class Told:
    """A signer that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, tuple[str, ...]]] = []

    def allow(self, tokens: Sequence[str]) -> None:
        self.said.append(("allow", tuple(tokens)))

    def deny(self, tokens: Sequence[str]) -> None:
        self.said.append(("deny", tuple(tokens)))


def account(tmp_path: Path) -> LiveAccount:
    ties: Any = SimpleNamespace(latch=None, offer=None, clock=lambda: 0)
    venue = VenueConfig(kind="practice", clob="http://127.0.0.1:1")
    return LiveAccount(Settings(), venue, tmp_path, ties)


def test_tokens_of_listed_markets_are_allowed_once_and_those_let_go_denied(tmp_path: Path) -> None:
    live, told = account(tmp_path), Told()
    live.signer = told  # type: ignore[assignment]  # as much of a signer as tokens need
    live.allow(["1", "2", "", "3"])
    live.allow(["1", "2", "3"])
    live.allow(["2", "3", "4"])
    assert told.said == [("allow", ("1", "2", "3")), ("allow", ("4",)), ("deny", ("1",))]


def test_what_was_listed_and_let_go_while_the_signer_started_is_told_when_it_is_up(
    tmp_path: Path,
) -> None:
    live, told = account(tmp_path), Told()
    live.allow(["1", "2"])
    begun = tuple(live._tokens)
    live.allow(["2", "3"])
    live.signer = told  # type: ignore[assignment]  # as much of a signer as tokens need
    live._tell_tokens(begun)
    assert told.said == [("allow", ("3",)), ("deny", ("1",))]
