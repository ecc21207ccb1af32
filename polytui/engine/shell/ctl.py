"""One command from a shell: read as the `:` line reads it, sent, confirmed, told with a code.

Scripts say what is to be typed beforehand (`--confirm`, `--reason`), or in a second call with the
challenge of the first; a person at a terminal is shown the impact and asked. Arguments are checked
before anything is sent; what they mean is the engine's to judge.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.json import encode

from polytui.engine.core.errors import OperatorError
from polytui.engine.core.messages import CONFIRM_REQUIRED, Answer, Confirm
from polytui.engine.core.registry import VERBS, read, registry_hash
from polytui.engine.core.units import U
from polytui.engine.core.verbs import MODES, words_of
from polytui.engine.core.view import StatusView
from polytui.engine.shell.clock import SECOND_NS
from polytui.engine.shell.dial import Dialled

EXIT_DONE, EXIT_REFUSED, EXIT_CONFIRM = 0, 2, 5

Prompt = Callable[[str], str]
"""Ask a person for a line; raises `EOFError` where there is none."""


class Given(Struct, frozen=True, kw_only=True):
    """What a script said beforehand."""

    typed: str = ""
    reason: str = ""
    challenge: str = ""
    """Of an earlier call; empty: the engine is asked for one."""


def listing(*, json: bool) -> str:
    """Write everything that can be asked, and the name of that table."""
    if json:
        table = {"registry": registry_hash(), "modes": MODES, "verbs": VERBS}
        return encode(table).decode()
    lines = []
    for verb in VERBS:
        if verb.internal:
            continue
        also = ", ".join(alias.words for alias in verb.aliases)
        lines.append(f"{verb.usage}   ({also})" if also else verb.usage)
        lines.append(f"    {verb.help}")
        rules = dict.fromkeys(words_of(need, verb) for need in verb.confirm)
        asks = "nothing is confirmed" if list(rules) == ["none"] else f"asks: {', '.join(rules)}"
        lines.append(f"    {verb.risk.value}; {asks}")
        lines += [f"    e.g. polytui ctl {example}" for example in verb.examples[:1]]
    return "\n".join([*lines, f"registry {registry_hash()}"])


def request(words: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Give the directive and its arguments that words ask for.

    Raises:
        OperatorError: an argument is missing or cannot be meant, or it is a secret.
    """
    found = read(words)
    if found.verb is None:
        return words[0], tuple(words[1:])
    if found.verb.is_secret:
        raise OperatorError("a secret must not stand on a command line: use `polytui unlock`")
    if found.problem:
        raise OperatorError(found.problem)
    return found.verb.id, found.args


def carry_out(path: Path, words: Sequence[str], given: Given, prompt: Prompt | None) -> Answer:
    """Ask the engine at a path, and answer its challenge as far as anybody can.

    Raises:
        OperatorError: the words ask for nothing that could be sent, or no engine answers.
    """
    action, args = request(words)
    with Dialled(path) as engine:
        if given.challenge:
            confirm = Confirm(challenge=given.challenge, typed=given.typed, reason=given.reason)
            return engine.send(action, args, confirm)
        return engine.ask(action, args, lambda answer: _confirmed(answer, given, prompt))


def _confirmed(answer: Answer, given: Given, prompt: Prompt | None) -> Confirm | None:
    typed, reason = given.typed, given.reason
    if not typed and prompt is not None:
        lines = "\n".join(f"  {line}" for line in answer.impact)
        try:
            if answer.wants_reason and not reason:
                reason = prompt(f"{lines}\nreason: ")
                lines = ""
            typed = prompt(f"{lines}\ntype {answer.typed}: ".lstrip("\n"))
        except (EOFError, KeyboardInterrupt):
            return None
    return Confirm(challenge=answer.challenge, typed=typed, reason=reason) if typed else None


def told(answer: Answer, *, json: bool) -> tuple[int, str, str]:
    """Give the exit code, what goes to standard output, and what to standard error."""
    code = EXIT_CONFIRM if answer.code == CONFIRM_REQUIRED else EXIT_REFUSED
    code = EXIT_DONE if answer.ok else code
    if json:
        return code, encode(answer).decode(), ""
    if answer.ok:
        return code, answer.text, ""
    hint = f'; say it with --confirm "{answer.typed}"' if code == EXIT_CONFIRM else ""
    return code, "", f"polytui: {answer.code}: {answer.text}{hint}"


def status_line(view: StatusView) -> str:
    """Write the engine's state in one line, what is graver first."""
    account, shell = view.account, view.shell
    up_s = (view.at_ns - view.started_ns) // SECOND_NS
    feeds = " ".join(f"{f.feed.value}:{f.state.value}" for f in view.feeds)
    verified = "verified" if account.verified else "not verified"
    kill = f"KILLED ({verified}) " if account.killed else ""
    paused = f" paused {','.join(view.paused)}" if view.paused else ""
    return (
        f"{kill}{view.mode.value.upper()} {account.trading.value.upper()} {view.venue} "
        f"run {view.run} up {up_s} s seq {view.seq} | orders {account.open_orders} "
        f"unknown {account.unknown} exposure {account.exposure_u6 / U:.2f} of "
        f"{account.cap_u6 / U:.2f} | markets {view.markets} synced {view.synced} "
        f"suspect {view.suspect} stale {view.stale} | {feeds} | decisions {view.decisions} "
        f"intents {view.intents} refused {view.refused} incidents {view.incidents}{paused} | "
        f"decision p99 {shell.decision.p99_us} us lag p99 {shell.loop_lag.p99_us} us "
        f"dropped {shell.dropped}"
    )
