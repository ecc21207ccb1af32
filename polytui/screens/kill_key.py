"""The kill from the keyboard: asked for on the input thread, told about on the screen.

`press` runs on whichever thread saw the key and needs no event loop: it writes one line to a
connection that is open already. The key's event comes to the loop later, and `take` then says what
became of it; a key that no input thread saw (palette, tests, a browser) is pressed there.
"""

from collections import deque
from typing import TYPE_CHECKING

from polytui import format as fmt
from polytui.engine.core.messages import Answer
from polytui.screens.store import Store

if TYPE_CHECKING:
    from polytui.link import Link

REASON = "operator key"
ANSWER_ID = "kill-"
"""How the ids of its questions begin (`link.KillLine`)."""
READ_ONLY = "read-only, no KILL here: polytui-kill in a shell, or polytui ctl kill"
PRESSES_MAX = 64


class KillKey:
    """What happens to the kill's key."""

    def __init__(self, link: "Link", store: Store) -> None:
        self._link = link
        self._store = store
        self._presses: deque[str] = deque(maxlen=PRESSES_MAX)
        """What became of each press that the loop has not seen yet."""

    def press(self, reason: str = REASON) -> None:
        """Ask for the kill now; from any thread."""
        if self._store.role == "ro":
            self._presses.append(READ_ONLY)
        else:
            self._presses.append(self._link.kill(reason))

    def take(self, reason: str = REASON) -> tuple[bool, str]:
        """Tell whether the latest press was sent, and a sentence for the alert line."""
        if not self._presses:
            self.press(reason)
        why = self._presses.popleft()
        if not why:
            return True, "KILL sent: waiting for the engine's receipt"
        if why == READ_ONLY:
            return False, READ_ONLY
        return False, f"KILL NOT SENT: {fmt.foreign(why, 120)}. From a shell: polytui-kill"

    def told(self, answer: Answer) -> str | None:
        """Say what the engine answered to a kill; None when the answer is to something else."""
        if not answer.id.startswith(ANSWER_ID):
            return None
        text = fmt.foreign(answer.text, 160)
        if answer.ok:
            return f"KILL taken by the engine. {text}"
        return f"KILL REFUSED {fmt.foreign(answer.code, 24)}. {text}"
