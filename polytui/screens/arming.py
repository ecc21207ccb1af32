"""The arming ritual: which question comes next, from what the engine says (console.md §6.5).

Cap and hours are asked for, the engine runs its preflight, the operator types a reason and the
engine's own phrase, the engine counts down. Each step is a dialog; leaving any of them asks the
engine to abort. Nothing here arms: the engine does, or says why not.
"""

from polytui import format as fmt
from polytui.engine.core.account_view import ArmView, CheckRow, RiskView
from polytui.widgets.confirm import SEND, Choice, Field, Question
from polytui.widgets.lines import Line

WIDTH = 106
UNDER_WAY = ("preflight", "challenged", "countdown")
RED = "red"
"""The step after a preflight that failed: the engine is idle again."""
WAIT_NS = 5 * 10**9
"""How long the engine may take to say anything about a preflight."""


def money_words(view: RiskView | None) -> tuple[str, str]:
    """Say whose money it is, in words and a role; unknown counts as real."""
    if view is not None and view.is_practice:
        return "practice money from the next decision", "strong"
    return "real money from the next decision", "armed"


def form(view: RiskView | None) -> Question:
    """Ask for the session's cap and length."""
    words, role = money_words(view)
    return Question(
        title=f"ARM LIVE  {words}  1/3",
        lines=(
            "The engine runs its preflight with these and arms nothing yet.",
            "Digits only; Tab changes the field.",
        ),
        fields=(
            Field(name="cap", label="session cap, dollars", numeric=True),
            Field(name="hours", label="disarm after, hours", numeric=True),
        ),
        choices=(Choice(key="y", text="run the preflight", answer=SEND),),
        directive="mode.preflight",
        args=("=cap", "=hours"),
        role=role,
    )


def check_line(check: CheckRow, width: int) -> Line:
    """Draw one check of the preflight; a failed one leads with its code."""
    mark = ("ok ", "ok") if check.ok else ("X  ", "crit")
    code = "" if check.ok else f"{fmt.foreign(check.code, 20)} "
    limit = f" of {fmt.foreign(check.limit, 16)}" if check.limit else ""
    text = f"{code}{fmt.foreign(check.title, 60)}: {fmt.foreign(check.value, 24)}{limit}"
    return (mark, (fmt.pad(text.rstrip(), width - 3), "" if check.ok else "warn"))


def check_lines(checks: tuple[CheckRow, ...]) -> list[Line]:
    """Draw the checks in two columns, those that failed first and over the whole width."""
    failed = [check_line(check, WIDTH - 8) for check in checks if not check.ok]
    half = (WIDTH - 8) // 2
    passed = [check_line(check, half) for check in checks if check.ok]
    pairs = zip(passed[::2], [*passed[1::2], ()], strict=False)
    return [*failed, *((*left, *right) for left, right in pairs)]


def _terms(arm: ArmView) -> list[Line]:
    cap = fmt.usd_short(arm.cap_u6)
    return [
        (),
        (
            ("session cap ", "head"),
            (f"{cap} dollars", "strong"),
            ("   disarms after ", "head"),
            (f"{arm.hours} h", "strong"),
            ("   preflight hash ", "head"),
            (fmt.short_id(arm.hash, 16), "strong"),
        ),
    ]


def preflight(view: RiskView) -> Question:
    """Show a preflight that is running or red."""
    words, role = money_words(view)
    red = [fmt.foreign(check.code, 24) for check in view.arm.checks if not check.ok]
    why = f"not armed: PREFLIGHT_RED {', '.join(red)}" if red else "the engine is checking"
    lines = (*check_lines(view.arm.checks), (), ((why, "warn" if red else "info"),))
    return Question(title=f"ARM LIVE  {words}  2/3", lines=lines, role=role, width=WIDTH)


def challenge(view: RiskView) -> Question:
    """Ask for the reason and the engine's phrase, with each check in sight."""
    arm = view.arm
    words, role = money_words(view)
    phrase = fmt.foreign(arm.phrase, 40)
    return Question(
        title=f"ARM LIVE  {words}  2/3",
        lines=(
            *check_lines(arm.checks),
            *_terms(arm),
            "Any change voids it. A countdown follows; Esc, the kill or a lost link aborts it.",
        ),
        fields=(
            Field(name="reason", label="reason, for the log", least=3),
            Field(name="phrase", label=f"type {phrase}", expect=phrase, least=3),
        ),
        directive="mode.arm",
        args=(arm.hash, "=phrase", "=reason"),
        role=role,
        width=WIDTH,
    )


def countdown(view: RiskView, now_ns: int) -> Question:
    """Show the engine's countdown; every answer aborts."""
    words, role = money_words(view)
    left_s = max(-((now_ns - view.arm.countdown_ns) // 10**9), 0)
    return Question(
        title=f"ARMING  {words}  3/3",
        lines=(
            ((f"armed in {left_s} s", "strong"),),
            "The engine checks everything again when it reaches 0.",
            *_terms(view.arm),
        ),
        cancel="Abort",
        role=role,
    )


def _is_red(arm: ArmView) -> bool:
    return arm.stage == "idle" and any(not check.ok for check in arm.checks)


class Arming:
    """Follows the engine through the ritual while its dialog is open."""

    def __init__(self) -> None:
        self.step = ""
        """What the dialog shows: empty, `form`, `red`, `challenged` …"""
        self._since_ns = 0
        self._hash = ""
        self._seen = False
        self._rev = -1
        """Of the section when a step was sent: what it said then is not the answer."""

    def begin(self, view: RiskView | None) -> Question:
        """Open with the form."""
        self.step, self._hash, self._seen = "form", "", False
        return form(view)

    def sent(self, directive: str, view: RiskView | None, now_ns: int) -> None:
        """Note that a step was answered; the engine's word comes next."""
        self.step, self._since_ns, self._seen = directive, now_ns, False
        self._rev = -1 if view is None else view.rev

    @property
    def is_shared(self) -> bool:
        """Whether the engine takes part, and must be told when it ends."""
        return self.step not in ("", "form", RED)

    def close(self) -> None:
        """End: something more urgent came, or it is over."""
        self.step = ""

    def follow(self, view: RiskView | None, now_ns: int) -> tuple[str, Question | None, str]:
        """Say what to do with the dialog: `ask`, `retell`, `close` or nothing, and a sentence."""
        if not self.step or self.step == "form" or view is None:
            return "", None, ""
        arm = view.arm
        if _is_red(arm) and self.step in ("mode.preflight", RED) and view.rev != self._rev:
            same, self.step = self.step == RED, RED
            return ("retell" if same else "ask"), preflight(view), ""
        if arm.stage in UNDER_WAY and (arm.stage != "challenged" or self.step != "mode.arm"):
            return self._show(view, now_ns)
        if arm.stage == "armed":
            self.close()
            return "close", None, f"ARMED: {money_words(view)[0]}"
        waited = now_ns - self._since_ns > WAIT_NS
        if arm.stage == "idle" and (self._seen or waited):
            self.close()
            return "close", None, f"not armed: {fmt.foreign(arm.reason, 80) or 'no reason given'}"
        return "", None, ""

    def _show(self, view: RiskView, now_ns: int) -> tuple[str, Question | None, str]:
        arm = view.arm
        self._seen = True
        if arm.stage == "countdown":
            question = countdown(view, now_ns)
        else:
            question = challenge(view) if arm.stage == "challenged" else preflight(view)
        same = self.step == arm.stage and self._hash == arm.hash
        voided = self.step == arm.stage == "challenged" and not same
        self.step, self._hash = arm.stage, arm.hash
        said = "the preflight changed: read it again, type it again" if voided else ""
        return ("retell" if same else "ask"), question, said
