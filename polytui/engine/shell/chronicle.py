"""What the engine says about itself, line by line in the logbook: its life, its notices, who asked.

The binary log and the store are the record; this is for the person who looks after the machine.
"""

from pathlib import Path

from polytui.engine.core.messages import Answer, Ask
from polytui.engine.shell.directives import UNLOCK
from polytui.engine.shell.logbook import Level, Logbook, LogHealth, Value, give_back, take_over

FOLDER = "log"
"""Within the directory of the store."""
FILE = "engine.jsonl"


class Chronicle:
    """The log of one run."""

    def __init__(self, store_directory: Path, *, run: str) -> None:
        """Begin the log, and take what libraries say into it."""
        self._book = Logbook(store_directory / FOLDER / FILE, run=run)
        self._handler = take_over(self._book)

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._book.path

    def hide(self, *secrets: str) -> None:
        """Take these texts out of every later line."""
        self._book.hide(*secrets)

    def clean(self, text: str) -> str:
        """Take out of a text what is secret, as for a line."""
        return self._book.clean(text)

    def health(self) -> LogHealth:
        """Tell how the log is."""
        return self._book.health()

    def begin(self, venue: str, *, version: str, pid: int) -> None:
        """Say that the engine answers."""
        facts: dict[str, Value] = {"venue": venue, "version": version, "pid": pid}
        self._book.write(Level.INFO, "engine.ready", facts)

    def notice(self, code: str, text: str) -> None:
        """Keep what the engine wants told."""
        self._book.write(Level.WARNING, "engine.notice", {"code": code, "text": text})

    def asked(self, ask: Ask, actor: str, answer: Answer) -> None:
        """Keep who asked for what, and what came of it; a passphrase is left out."""
        words = "" if ask.action == UNLOCK else " ".join(ask.args)
        facts: dict[str, Value] = {"action": ask.action, "about": words, "actor": actor}
        level = Level.INFO if answer.ok else Level.WARNING
        told: dict[str, Value] = {"code": answer.code, "text": answer.text}
        self._book.write(level, "engine.asked", facts | told)

    def fault(self, text: str) -> None:
        """Keep a fault of our own, or a refusal that ends the run."""
        self._book.write(Level.ERROR, "engine.fault", {"text": text})

    def end(self, code: int, *, left: int) -> None:
        """Say how the run ended, and close."""
        level = Level.INFO if code == 0 else Level.ERROR
        self._book.write(level, "engine.stopped", {"exit_code": code, "orders_left": left})
        give_back(self._handler)
        self._book.close()
