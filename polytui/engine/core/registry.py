"""Everything that the engine can be asked for, once: the table, its hash, and how it is read.

The console adds keys and pages to these (`polytui.actions`); the sockets, `polytui ctl` and the
documents take them as they are. The hash travels in the greeting, so that a client knows whether
its own table is the engine's.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache

from msgspec import Struct
from msgspec.json import Encoder

from polytui.engine.core.enums import Mode
from polytui.engine.core.order_enums import ReleaseGate
from polytui.engine.core.verbs import MODES, Alias, Arg, Kind, Need, Risk, Verb, usage_of

_NONE, _YES, _LEGS, _TYPED = Need.NONE, Need.YES, Need.LEGS, Need.TYPED

_PHRASE = Arg(name="phrase", kind=Kind.PHRASE, optional=True)
_REASON = Arg(name="reason", optional=True, rest=True)
_STRATEGIES = Arg(
    name="strategy", kind=Kind.STRATEGY, help="its id; several may be named", rest=True
)
_SCOPE_HELP = "`order:<cid>`, `market:<id>`, `strategy:<id>` or `all`"

STOP_VERBS: tuple[Verb, ...] = (
    Verb(
        id="risk.kill",
        title="KILL",
        help="Refuse every new order, stop all strategies, cancel everything, read the venue back. "
        "Asks nothing, sells nothing.",
        risk=Risk.REDUCE,
        args=(_REASON,),
        aliases=(Alias(words="kill"),),
        examples=("kill", "kill the feed looks wrong"),
    ),
    Verb(
        id="orders.cancel",
        title="Cancel",
        help="Cancel one order, or every order of a market, of a strategy, or of ours. Strategies "
        "go on: kill stops them too.",
        risk=Risk.MIXED,
        args=(Arg(name="scope", kind=Kind.SCOPE, help=_SCOPE_HELP),),
        confirm=(_NONE, _NONE, _LEGS, _LEGS),
        aliases=(Alias(words="cancel"),),
        examples=("cancel all", "cancel strategy:box", "cancel order:r1-88001-1"),
    ),
    Verb(
        id="trading.halt",
        title="Halt",
        help="Let no new order out; cancels pass. Takes effect at once, a person resumes.",
        risk=Risk.REDUCE,
        args=(_REASON,),
        aliases=(Alias(words="halt"),),
        examples=("halt", "halt the venue announced maintenance"),
    ),
    Verb(
        id="risk.flatten",
        title="Flatten",
        help="Cancel, read the venue back, sell what is held in a market or everywhere inside the "
        "slippage bound, read back again.",
        risk=Risk.MIXED,
        args=(Arg(name="scope", kind=Kind.HELD, help="`all` or `market:<id>`"), _PHRASE, _REASON),
        confirm=(_YES, _YES, _TYPED, _TYPED),
        phrase="FLATTEN <n>",
        aliases=(Alias(words="flatten"),),
        examples=("flatten all", "flatten market:0x9e37"),
    ),
    Verb(
        id="risk.clear",
        title="Clear kill",
        help="Open the kill's latch, once the venue reads empty. It arms nothing.",
        risk=Risk.INCREASE,
        args=(_PHRASE, _REASON),
        confirm=(_TYPED, _TYPED, _TYPED, _TYPED),
        phrase="CLEAR",
        reason=True,
        aliases=(Alias(words="clear"),),
        examples=("clear the feed is back",),
    ),
    Verb(
        id="engine.stop",
        title="Stop engine",
        help="Stop the engine: no new risk, everything cancelled and read back, then the end. "
        "Every console attached to it loses it.",
        risk=Risk.MIXED,
        confirm=(_YES, _YES, _YES, _TYPED),
        phrase="SHUTDOWN",
        aliases=(Alias(words="shutdown"), Alias(words="stop")),
        examples=("shutdown",),
        done="The engine stops.",
    ),
    Verb(
        id="engine.drain",
        title="Drain",
        help="Stop taking risk and cancel everything, because the engine is about to end.",
        risk=Risk.REDUCE,
        internal=True,
    ),
)

START_VERBS: tuple[Verb, ...] = (
    Verb(
        id="strategy.pause",
        title="Pause",
        help="Pause strategies: they propose nothing until they are resumed. Takes effect at once.",
        risk=Risk.REDUCE,
        args=(_STRATEGIES,),
        aliases=(Alias(words="pause"),),
        examples=("pause box",),
        done="Paused: {}.",
    ),
    Verb(
        id="strategy.pause_all",
        title="Pause all",
        help="Pause every strategy at once. Each is resumed by itself.",
        risk=Risk.REDUCE,
        aliases=(Alias(words="pause all"),),
        done="Every strategy is paused.",
    ),
    Verb(
        id="strategy.resume",
        title="Resume",
        help="Let paused strategies propose again.",
        risk=Risk.INCREASE,
        args=(_STRATEGIES,),
        confirm=(_NONE, _NONE, _YES, _YES),
        aliases=(Alias(words="resume"),),
        examples=("resume box",),
        done="Running again: {}.",
    ),
    Verb(
        id="gate.promote",
        title="Promote",
        help="Let a strategy take the next step of the release ladder, once every row is green.",
        risk=Risk.INCREASE,
        args=(Arg(name="strategy", kind=Kind.STRATEGY), _PHRASE),
        confirm=(_TYPED, _TYPED, _TYPED, _TYPED),
        phrase="PROMOTE <strategy>",
        aliases=(Alias(words="promote"),),
        examples=("promote box",),
    ),
    Verb(
        id="gate.demote",
        title="Demote",
        help="Take a strategy down the release ladder, at once.",
        risk=Risk.REDUCE,
        args=(
            Arg(name="strategy", kind=Kind.STRATEGY),
            Arg(name="gate", kind=Kind.GATE, help="without one: `dev`", optional=True),
        ),
        aliases=(Alias(words="demote"),),
        examples=("demote box dev",),
    ),
    Verb(
        id="trading.resume",
        title="Resume trading",
        help="Clear the causes of HALTED or REDUCING that a person clears.",
        risk=Risk.INCREASE,
        args=(
            Arg(name="cause", kind=Kind.CAUSE, help="its name, or `all` that a person may clear"),
            _PHRASE,
            _REASON,
        ),
        confirm=(_TYPED, _TYPED, _TYPED, _TYPED),
        phrase="RESUME",
        reason=True,
        aliases=(Alias(words="resume trading", args=("all",)),),
        examples=("trading.resume all the books agree again",),
    ),
    Verb(
        id="mode.set",
        title="Mode",
        help="Change who executes commands: one step up, or any down. Down takes effect at once.",
        risk=Risk.MIXED,
        args=(Arg(name="mode", kind=Kind.MODE, help="`shadow`, `paper` or `live_dry_run`"),),
        confirm=(Need.UP, Need.UP, Need.UP, Need.UP),
        aliases=(
            Alias(words="mode"),
            Alias(words="shadow", args=("shadow",)),
            Alias(words="paper", args=("paper",)),
            Alias(words="dry", args=("live_dry_run",)),
            Alias(words="arm dry", args=("live_dry_run",)),
        ),
        examples=("paper", "mode live_dry_run"),
    ),
    Verb(
        id="mode.preflight",
        title="Preflight",
        help="Run the preflight for arming. All green opens a challenge; nothing is armed by it.",
        risk=Risk.NEUTRAL,
        args=(
            Arg(name="cap", kind=Kind.WHOLE, help="whole dollars"),
            Arg(name="hours", kind=Kind.WHOLE, help="a whole number"),
        ),
        aliases=(Alias(words="arm live"), Alias(words="arm")),
        examples=("arm live cap=500 ttl=4h", "arm 500 4"),
    ),
    Verb(
        id="mode.arm",
        title="Arm LIVE",
        help="Answer the preflight's challenge: a countdown follows, then orders are real. Esc or "
        "the kill aborts it.",
        risk=Risk.INCREASE,
        args=(
            Arg(name="hash", help="of the challenge"),
            Arg(name="phrase", help="`ARM LIVE <cap>`, as the challenge states it"),
            Arg(name="reason", rest=True),
        ),
        examples=('mode.arm 5d2c81aa-9f "ARM LIVE 500" first evening',),
    ),
    Verb(
        id="mode.abort",
        title="Abort arming",
        help="Void the preflight, the challenge, the countdown or the loosening that is under way.",
        risk=Risk.REDUCE,
        aliases=(Alias(words="abort"),),
    ),
    Verb(
        id="mode.disarm",
        title="Disarm",
        help="Back to LIVE DRY RUN: orders are cancelled, none is sent. Takes effect at once.",
        risk=Risk.REDUCE,
        aliases=(Alias(words="disarm"),),
    ),
)

LIMIT_VERBS: tuple[Verb, ...] = (
    Verb(
        id="limit.set",
        title="Set limit",
        help="Change a limit. Tightening takes effect at once; loosening is typed, and while armed "
        "takes 10 s and at most doubles it.",
        risk=Risk.MIXED,
        args=(
            Arg(name="name", kind=Kind.LIMIT),
            Arg(name="value", kind=Kind.NUMBER, help="in the unit shown"),
            _PHRASE,
        ),
        confirm=(Need.LOOSENS, Need.LOOSENS, Need.LOOSENS, Need.LOOSENS),
        phrase="LOOSEN <name> <value>",
        aliases=(Alias(words="cap"), Alias(words="limit")),
        examples=("cap total_u6 250",),
    ),
    Verb(
        id="breaker.reset",
        title="Reset breaker",
        help="Close a breaker that tripped. Only a person does.",
        risk=Risk.INCREASE,
        args=(Arg(name="breaker", kind=Kind.BREAKER), _PHRASE, _REASON),
        confirm=(_TYPED, _TYPED, _TYPED, _TYPED),
        phrase="RESET <kind>",
        reason=True,
        aliases=(Alias(words="breaker"), Alias(words="breaker reset")),
        examples=("breaker reset drawdown the books were wrong",),
    ),
    Verb(
        id="alert.ack",
        title="Acknowledge",
        help="Acknowledge an alert: it is known and somebody is on it. Trading is not touched.",
        risk=Risk.NEUTRAL,
        args=(Arg(name="alert", kind=Kind.ALERT, help="its id or code, or `low` for that class"),),
        aliases=(Alias(words="ack"),),
        examples=("ack a12", "ack low"),
    ),
    Verb(
        id="alert.shelve",
        title="Shelve",
        help="Put an alert aside for a while, 8 h at most, with a reason. A critical one cannot "
        "be.",
        risk=Risk.NEUTRAL,
        args=(
            Arg(name="alert", kind=Kind.ALERT, help="its id or code"),
            Arg(name="for", kind=Kind.SPAN, help="e.g. `30m` or `2h`"),
            Arg(name="reason", rest=True),
        ),
        aliases=(Alias(words="shelve"),),
        examples=("shelve a12 30m the venue said so",),
    ),
    Verb(
        id="alert.unshelve",
        title="Unshelve",
        help="Bring a shelved alert back.",
        risk=Risk.NEUTRAL,
        args=(Arg(name="alert", kind=Kind.ALERT, help="its id or code"),),
        aliases=(Alias(words="unshelve"),),
        examples=("unshelve a12",),
    ),
)

PROCESS_VERBS: tuple[Verb, ...] = (
    Verb(
        id="lease.take",
        title="Take the lease",
        help="Let this console write, and no other one; any may kill, halt, pause and cancel.",
        risk=Risk.NEUTRAL,
        aliases=(Alias(words="take"),),
        done="This console holds the write lease.",
    ),
    Verb(
        id="venue.fault",
        title="Trouble",
        help="Cause a trouble on the practice venue, and only there.",
        risk=Risk.MIXED,
        args=(Arg(name="trouble", kind=Kind.TROUBLE, help="a name that the venue offers"),),
        aliases=(Alias(words="fault"),),
        examples=("fault torn",),
        done="The practice venue plays: {}.",
    ),
    Verb(
        id="signer.unlock",
        title="Unlock",
        help="Open the keystore of the signer. Typed to `polytui unlock`, which shows nothing.",
        risk=Risk.NEUTRAL,
        args=(Arg(name="passphrase", kind=Kind.SECRET, rest=True),),
        audit=False,
    ),
)

VERBS: tuple[Verb, ...] = (*STOP_VERBS, *START_VERBS, *LIMIT_VERBS, *PROCESS_VERBS)
"""All of them, in the order of the documents."""

REGISTRY: Mapping[str, Verb] = {verb.id: verb for verb in VERBS}

CHOICES: Mapping[Kind, tuple[str, ...]] = {
    Kind.MODE: tuple(mode.value for mode in MODES if mode is not Mode.LIVE_ARMED),
    Kind.GATE: tuple(gate.value for gate in ReleaseGate),
}
"""What an argument may be, where that never changes."""

NAMED: Mapping[str, str] = {"ttl": "hours", "limit": "name", "id": "alert"}
"""Other words for the name of an argument in `key=value`."""

ALIASES: Mapping[str, tuple[Verb, tuple[str, ...]]] = {
    alias.words: (verb, alias.args) for verb in VERBS for alias in verb.aliases
}


@cache
def registry_hash() -> str:
    """Name this table: `sha256:` and the digest of its canonical encoding."""
    encoded = Encoder(order="deterministic").encode(VERBS)
    return f"sha256:{hashlib.sha256(encoded).hexdigest()}"


# --- reading what a person wrote -----------------------------------------------------------------


class Request(Struct, frozen=True, kw_only=True):
    """What a person's words ask for, or why they ask for nothing."""

    verb: Verb | None = None
    args: tuple[str, ...] = ()
    problem: str = ""
    """One sentence; empty: it can be sent."""


def resolve(words: Sequence[str]) -> tuple[Verb, tuple[str, ...], int] | None:
    """Find the verb that words begin with: the arguments it stands for, and how many it took."""
    for took in (2, 1):
        found = ALIASES.get(" ".join(words[:took])) if len(words) >= took else None
        if found is not None:
            return *found, took
    verb = REGISTRY.get(words[0]) if words else None
    return None if verb is None else (verb, (), 1)


def read(words: Sequence[str]) -> Request:
    """Read a line: a verb or one of its aliases, arguments in their places or as `key=value`."""
    found = resolve(words)
    if found is None:
        return Request(problem=f"there is no verb {' '.join(words[:1])!r}")
    verb, preset, took = found
    args, problem = place(verb, (*preset, *words[took:]))
    return Request(verb=verb, args=args, problem=problem or check(verb, args))


def place(verb: Verb, words: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Put `key=value` words in the places of their names; the others keep their order."""
    names = [arg.name for arg in verb.args]
    named: dict[str, str] = {}
    plain: list[str] = []
    for word in words:
        key, equals, value = word.partition("=")
        key = key if key in names else NAMED.get(key, key)
        if equals and key in names and key not in named:
            named[key] = value
        else:
            plain.append(word)
    if not named:
        return tuple(plain), ""
    waiting, args = iter(plain), []
    for arg in verb.args:
        value = named.pop(arg.name, "") or next(waiting, "")
        if not value and not arg.optional:
            return tuple(words), f"{arg.name} is missing: {verb.usage}"
        if value:
            args.append(value.removesuffix("h") if arg.kind is Kind.WHOLE else value)
    return (*args, *waiting), ""


def check(verb: Verb, args: Sequence[str]) -> str:
    """Say what is wrong with arguments before they are sent; what they mean is not judged here."""
    least = sum(not arg.optional for arg in verb.args)
    if len(args) < least:
        missing = [arg for arg in verb.args if not arg.optional][len(args)]
        return f"{usage_of(missing)} is missing: {verb.usage}"
    if len(args) > len(verb.args) and not any(a.rest or a.kind is Kind.PHRASE for a in verb.args):
        most = "no arguments" if not verb.args else f"at most {len(verb.args)} arguments"
        return f"expected {most}: {verb.usage}"
    for arg, text in zip(verb.args, args, strict=False):
        problem = _wrong(arg, text)
        if problem:
            return f"{arg.name}: {problem}"
    return ""


def _wrong(arg: Arg, text: str) -> str:
    if arg.kind is Kind.WHOLE and not (text.isdecimal() and text.isascii()):
        return "expected a whole number"
    if arg.kind is Kind.NUMBER and not (text.replace(".", "", 1).isdecimal() and text.isascii()):
        return "expected a number"
    if arg.kind is Kind.SPAN and span_ns(text) is None:
        return "expected minutes or hours, e.g. 30m or 2h"
    known = CHOICES.get(arg.kind)
    return f"expected one of {', '.join(known)}" if known and text not in known else ""


_SPANS = {"s": 1, "m": 60, "h": 3_600}


def span_ns(text: str) -> int | None:
    """Read a length of time: `90s`, `30m`, `2h`, plain minutes; None: it is none."""
    unit = _SPANS.get(text[-1:], 0)
    digits = text[:-1] if unit else text
    if not (digits.isdecimal() and digits.isascii() and len(digits) < 7):
        return None
    return int(digits) * (unit or 60) * 1_000_000_000
