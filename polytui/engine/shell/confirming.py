"""The confirmation rule, kept by the engine's side: no client talks its way past it.

An ask that needs to be confirmed is answered with a challenge: what would happen in numbers, what
must be typed, for how long. The same person sends the same ask once more with the challenge and
what was typed. A challenge is used once, right or wrong, and belongs to one person, one action and
its arguments. A phrase that is in the arguments already goes to the engine, which judges it.

Answers are kept by id: a repeated ask changes nothing and gets the first result.
"""

from collections.abc import Callable
from itertools import count

from msgspec import Struct
from msgspec.structs import replace

from polytui.engine.account.impact import YES, Impact, impact_of
from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.messages import CONFIRM_REQUIRED, Answer, Ask
from polytui.engine.core.registry import REGISTRY
from polytui.engine.machine import Engine
from polytui.engine.shell.clock import SECOND_NS

EXPIRES_S = 15
"""How long a challenge may be answered."""
TYPING_S = 60
"""The same where a phrase is to be typed; a console closes its dialog 15 s after the last key."""
CHALLENGES_MAX = 64
"""Open at once; the oldest goes first."""
ANSWERS_MAX = 1_000
"""First results kept."""
REASON_CHARS_MIN, REASON_CHARS_MAX = 3, 128
SAY_WHY = f"say why, in at least {REASON_CHARS_MIN} characters: ask again"

Look = Callable[[str, tuple[str, ...]], Impact]
"""(action, arguments) -> what it would do; raises `OperatorError` for what would be refused."""
Reply = Callable[[Answer], None]


def look_at(engine: Engine, clock: Callable[[], int]) -> Look:
    """Look with an engine's eyes at the time of a clock, engine nanoseconds."""

    def look(action: str, args: tuple[str, ...]) -> Impact:
        return impact_of(engine.trading, action, args, at_ns=clock(), seq=engine.seq)

    return look


class _Challenge(Struct, frozen=True, kw_only=True):
    """One question that was asked back."""

    person: str
    action: str
    args: tuple[str, ...]
    typed: str
    wants_reason: bool
    expires_ns: int


class Confirming:
    """The challenges that are open."""

    def __init__(self, look: Look) -> None:
        """Begin with none; `look` says what an ask would do."""
        self._look = look
        self._open: dict[str, _Challenge] = {}
        self._minted = count(1)

    def judge(self, ask: Ask, actor: str, *, now_ns: int) -> Ask | Answer:
        """Give the ask as it goes to the engine, or the answer that keeps it out."""
        if ask.confirm is not None:
            return self._take(ask, person_of(actor), now_ns)
        try:
            impact = self._look(ask.action, ask.args)
        except OperatorError as refusal:
            return _no(ask, str(refusal))
        if not impact.typed:
            return ask
        if _is_typed_already(ask, impact.typed):
            return _no(ask, SAY_WHY) if _lacks_reason(ask, impact.typed) else ask
        return self._challenge(ask, impact, person_of(actor), now_ns)

    def _challenge(self, ask: Ask, impact: Impact, person: str, now_ns: int) -> Answer:
        verb = REGISTRY[ask.action]
        if len(self._open) >= CHALLENGES_MAX:
            del self._open[next(iter(self._open))]
        name = f"c{next(self._minted)}-{now_ns:x}"
        expires_s = EXPIRES_S if impact.typed == YES else TYPING_S
        has_reason = len(" ".join(_reason(ask)).strip()) >= REASON_CHARS_MIN
        wants_reason = verb.reason and not has_reason
        self._open[name] = _Challenge(
            person=person,
            action=ask.action,
            args=ask.args,
            typed=impact.typed,
            wants_reason=wants_reason,
            expires_ns=now_ns + expires_s * SECOND_NS,
        )
        reason = " with a reason" if wants_reason else ""
        return Answer(
            id=ask.id,
            ok=False,
            code=CONFIRM_REQUIRED,
            text=f"type {impact.typed}{reason} within {expires_s} s: {'; '.join(impact.lines)}",
            challenge=name,
            typed=impact.typed,
            impact=impact.lines,
            expires_s=expires_s,
            wants_reason=wants_reason,
        )

    def _take(self, ask: Ask, person: str, now_ns: int) -> Ask | Answer:
        """Hold an answer against its challenge, which is spent by it."""
        confirm = ask.confirm
        assert confirm is not None, "expected a confirmation"
        challenge = self._open.pop(confirm.challenge, None)
        if challenge is None:
            return _no(ask, "there is no such challenge, or it is spent: ask again")
        if now_ns >= challenge.expires_ns:
            return _no(ask, "the challenge has expired: ask again")
        if person != challenge.person:
            return _no(ask, "the challenge was given to somebody else")
        if (ask.action, ask.args) != (challenge.action, challenge.args):
            return _no(ask, "the challenge was for another ask")
        if confirm.typed != challenge.typed:
            return _no(ask, f"expected {challenge.typed}, was {shown(confirm.typed)}: ask again")
        reason = confirm.reason.strip()[:REASON_CHARS_MAX]
        if challenge.wants_reason and len(reason) < REASON_CHARS_MIN:
            return _no(ask, SAY_WHY)
        return self._as_today(ask, challenge, reason)

    def _as_today(self, ask: Ask, challenge: _Challenge, reason: str) -> Ask | Answer:
        """Let it through if it would still do what was confirmed."""
        try:
            impact = self._look(ask.action, ask.args)
        except OperatorError as refusal:
            return _no(ask, str(refusal))
        if impact.typed not in ("", challenge.typed):
            return _no(ask, f"it would now take {impact.typed}: ask again")
        verb = REGISTRY[ask.action]
        at, args = verb.phrase_at, ask.args
        if at >= 0 and impact.typed not in ("", YES):
            args = (*args[:at], impact.typed, *args[at:])
        if reason and verb.args and verb.args[-1].name == "reason":
            args = (*args, reason)
        return replace(ask, args=args, confirm=None)


def person_of(actor: str) -> str:
    """Name who asked without the process: two commands of one person are one ritual."""
    return actor.partition(" pid ")[0]


def _reason(ask: Ask) -> tuple[str, ...]:
    """Give what follows the arguments that are needed: the reason, where one was written."""
    at = REGISTRY[ask.action].phrase_at
    return ask.args[at:] if at >= 0 else ()


def _is_typed_already(ask: Ask, typed: str) -> bool:
    """Tell whether the arguments hold the phrase, or an attempt at it, in its place."""
    at = REGISTRY[ask.action].phrase_at
    if typed == YES or at < 0 or len(ask.args) <= at:
        return False
    return ask.args[at].split()[:1] == typed.split()[:1]


def _lacks_reason(ask: Ask, typed: str) -> bool:
    """Tell whether the reason that the verb wants is missing after the phrase."""
    said = " ".join(_reason(ask))
    reason = said.removeprefix(typed).strip()
    return REGISTRY[ask.action].reason and said != reason and len(reason) < REASON_CHARS_MIN


def _no(ask: Ask, text: str) -> Answer:
    return Answer(id=ask.id, ok=False, code="refused", text=text)


class Answered:
    """What became of each ask, by person and id."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[tuple[str, str], tuple[Ask, Answer | None, list[Reply]]] = {}

    def repeat(self, ask: Ask, actor: str, reply: Reply) -> bool:
        """Answer an ask that was made before, now or when it is done; False: it is new."""
        known = self._known.get((person_of(actor), ask.id))
        if known is None:
            return False
        first, answer, waiting = known
        if (first.action, first.args) != (ask.action, ask.args):
            reply(Answer(id=ask.id, ok=False, code="bad_request", text="this id was used already"))
        elif answer is None:
            waiting.append(reply)
        else:
            reply(answer)
        return True

    def begin(self, ask: Ask, actor: str) -> None:
        """Note an ask that goes to the engine, as it was made."""
        if len(self._known) >= ANSWERS_MAX:
            del self._known[next(iter(self._known))]
        self._known[person_of(actor), ask.id] = (ask, None, [])

    def end(self, ask: Ask, actor: str, answer: Answer) -> None:
        """Keep the first result, and give it to those who asked again meanwhile."""
        key = (person_of(actor), ask.id)
        if key in self._known:
            first, _, waiting = self._known[key]
            self._known[key] = (first, answer, [])
            for reply in waiting:
                reply(answer)
