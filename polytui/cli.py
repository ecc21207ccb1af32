"""The command line: one word starts everything, each other word does one thing.

Exit codes: 0 done, 1 what was looked at is not as it should be (`doctor`, `money-test`, `replay`),
2 refused or bad input, 3 no engine reached, 4 orders may still be open, 5 to be confirmed (`ctl`)
or a store that is not as written (`journal`), 70 a fault of ours. What is asked for goes to
standard output, talk to standard error. Nothing heavy is imported before it is needed: help and
status must be quick.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from polytui.engine.core.errors import OperatorError

if TYPE_CHECKING:
    from polytui.engine.core.runconfig import Settings
    from polytui.engine.shell.spawn import EngineChild

EXIT_DONE, EXIT_REFUSED, EXIT_UNREACHABLE = 0, 2, 3

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Configuration file.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one key; may be repeated."),
]
SocketOption = Annotated[
    Path | None, typer.Option("--socket", metavar="PATH", help="The engine's socket.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Run the command line and turn refusals into a sentence and a code."""
    os.umask(0o077)  # what this program writes is its user's alone: recordings, journals, logs
    try:
        app()
    except OperatorError as refusal:
        _say(f"polytui: {refusal}")
        unreachable = type(refusal).__name__ == "Unreachable"  # its module is slow to import
        sys.exit(EXIT_UNREACHABLE if unreachable else EXIT_REFUSED)


@app.callback(invoke_without_command=True)
def start(context: typer.Context, config: ConfigOption = None, set_: SetOption = None) -> None:
    """Open the console; start an engine with the practice venue when none runs."""
    if context.invoked_subcommand is None:
        raise typer.Exit(_open_console(config, set_ or []))


@app.command()
def serve(
    *,
    practice: Annotated[
        bool, typer.Option("--practice", help="Refuse to serve any other venue than the practice.")
    ] = False,
    config: ConfigOption = None,
    set_: SetOption = None,
) -> None:
    """Run the engine on the configured venue in the foreground, without a console."""
    settings = _load(config, set_)
    if practice and settings.venue.kind != "practice":
        raise OperatorError(
            f"--practice was said, but venue.kind is {settings.venue.kind}: change one of them"
        )
    from polytui.engine.shell.service import serve as serve_engine

    raise typer.Exit(serve_engine(settings, _say))


@app.command()
def attach(
    *,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Look, but be unable to act.")
    ] = False,
    socket: SocketOption = None,
    config: ConfigOption = None,
    set_: SetOption = None,
) -> None:
    """Open the console on an engine that runs already."""
    from polytui.engine.shell.dial import Dialled

    path = socket or _socket_path(config, set_, read_only=read_only)
    Dialled(path).close()
    raise typer.Exit(_run_console(_load(config, set_), path, child=None))


@app.command()
def status(
    *, json: JsonOption = False, socket: SocketOption = None, config: ConfigOption = None
) -> None:
    """Print one line about the running engine."""
    from msgspec.json import encode

    from polytui.engine.core.view import STATUS, StatusView
    from polytui.engine.shell.ctl import status_line
    from polytui.engine.shell.dial import Dialled

    with Dialled(socket or _socket_path(config, None, read_only=True)) as engine:
        view = engine.look(STATUS)
    assert isinstance(view, StatusView), f"expected a status, was {type(view).__name__}"
    print(encode(view).decode() if json else status_line(view))


@app.command()
def ctl(  # noqa: PLR0913  the options of a command are its arguments
    *,
    action: Annotated[str, typer.Argument(help="For example pause or flatten; see --list.")] = "",
    args: Annotated[list[str] | None, typer.Argument(help="What it is about.")] = None,
    confirm: Annotated[
        str, typer.Option(metavar="TEXT", help="What the engine wants typed: y or a phrase.")
    ] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, where one is wanted.")] = "",
    challenge: Annotated[
        str, typer.Option(metavar="ID", help="Answer the challenge of an earlier call.")
    ] = "",
    list_: Annotated[bool, typer.Option("--list", help="Print all that can be asked.")] = False,
    json: JsonOption = False,
    socket: SocketOption = None,
    config: ConfigOption = None,
) -> None:
    """Ask the running engine for one thing and print its answer; 5: it is to be confirmed."""
    from polytui.engine.shell import ctl as controls

    if list_:
        print(controls.listing(json=json))
        return
    if not action:
        raise OperatorError("expected a command, e.g. `polytui ctl pause box`; --list shows all")
    if action in ("why", "whynot"):
        _explain(action, args or [], config, json=json)
    answer = controls.carry_out(
        socket or _socket_path(config, None, read_only=False),
        (action, *(args or ())),
        controls.Given(typed=confirm, reason=reason, challenge=challenge),
        input if sys.stdin.isatty() and not json else None,
    )
    code, out, talk = controls.told(answer, json=json)
    if out:
        print(out)
    if talk:
        _say(talk)
    raise typer.Exit(code)


@app.command()
def unlock(*, socket: SocketOption = None, config: ConfigOption = None) -> None:
    """Type the keystore's passphrase to the running engine's signer."""
    from getpass import getpass

    from polytui.engine.shell.dial import Dialled

    with Dialled(socket or _socket_path(config, None, read_only=False)) as engine:
        answer = engine.ask("signer.unlock", (getpass("Passphrase of the keystore: "),))
    _say(f"polytui: {answer.text}")
    raise typer.Exit(EXIT_DONE if answer.ok else EXIT_REFUSED)


@app.command()
def replay(
    *,
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Recordings or tapes, or their directory; none: the last recording."),
    ] = None,
    speed: Annotated[
        str, typer.Option(help="1 as recorded, 10 ten times as fast, or max.")
    ] = "max",
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Report from this time on.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Stop at this time.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Replay again in other processes and compare.")
    ] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
    set_: SetOption = None,
) -> None:
    """Run the engine over what was recorded, and print what it decided.

    A verified replay of a whole recording is kept as the proof that the release ladder asks for.
    """
    from polytui.engine.shell.proofs import last_recording
    from polytui.engine.shell.replaying import run_replay, when_ns

    if speed != "max" and not (speed.replace(".", "", 1).isdecimal() and float(speed) > 0):
        raise OperatorError(f"expected --speed to be a number above 0 or max, was {speed!r}")
    paths = files or last_recording(Path(_load(config, set_).capture.directory))
    code = run_replay(
        paths,
        speed="max" if speed == "max" else float(speed),
        since=None if since is None else when_ns(since),
        until=None if until is None else when_ns(until),
        verify=verify,
        json=json,
    )
    raise typer.Exit(code)


@app.command()
def doctor(
    *, json: JsonOption = False, config: ConfigOption = None, set_: SetOption = None
) -> None:
    """Look at everything an engine stands on, change nothing, and name the remedies."""
    from polytui.engine.shell.doctor.examine import examine
    from polytui.engine.shell.doctor.report import as_json, as_text

    settings, why = None, ""
    try:
        settings = _load(config, set_)
    except OperatorError as refusal:
        why = str(refusal)
    default = Path("config.toml")
    report = examine(settings, config=config or (default if default.exists() else None), why=why)
    print(as_json(report) if json else as_text(report))
    raise typer.Exit(report.exit_code)


@app.command("money-test")
def money_test(
    *, json: JsonOption = False, config: ConfigOption = None, set_: SetOption = None
) -> None:
    """Post, cancel, buy for a dollar and sell again on a practice venue; print the receipt."""
    from msgspec.json import encode

    from polytui.engine.shell.moneytest.driver import Step
    from polytui.engine.shell.moneytest.run import money_test as test

    def say(step: Step) -> None:
        mark = "ok  " if step.ok else "fail"
        line = f"{mark}  {step.name:<8} {step.took_ms:>6} ms  {step.text}"
        print(encode(step).decode() if json else line, flush=True)

    raise typer.Exit(test(_load(config, set_), say))


@app.command("install-service")
def install_service(
    *,
    user: Annotated[bool, typer.Option("--user", help="A service of your own manager.")] = False,
    system: Annotated[
        bool, typer.Option("--system", help="A service of the machine, sandboxed; needs root.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the files, write nothing.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Write systemd units for the engine and say what to do next; starts nothing."""
    from polytui.engine.shell.install import carry_out, plan_system, plan_user, this_program

    if user == system:
        raise OperatorError("expected one of --user and --system")
    settings, program = _load(config, None), this_program(config)
    plan = (
        plan_system(settings, program) if system else plan_user(settings, program, home=Path.home())
    )
    if dry_run:
        print("\n".join(f"# {file.path}\n{file.text}" for file in plan.files))
    else:
        written = carry_out(plan)
        print("\n".join(f"wrote {path}" for path in written) or "nothing to write: all as wanted")
    _say("next:\n" + "\n".join(f"  {step}" for step in plan.steps))


@app.command()
def why(
    *,
    name: Annotated[str, typer.Argument(help="An order, trade, market or strategy.")],
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say why something happened, from what the strategy saw to the profit; needs no engine."""
    _explain("why", [name], config, json=json)


@app.command()
def whynot(
    *,
    strategy: Annotated[str, typer.Argument(help="For example box.")],
    market: Annotated[str, typer.Argument(help="Only this market.")] = "",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say why a strategy did not act, the nearest miss first; needs no engine."""
    _explain("whynot", [strategy, market], config, json=json)


@app.command()
def journal(
    *,
    what: Annotated[str, typer.Argument(help="verify, export, query or compact.")],
    sql: Annotated[str, typer.Argument(help="query: one SELECT.")] = "",
    kind: Annotated[str, typer.Option(help="export: only rows of this kind.")] = "",
    after: Annotated[int, typer.Option(help="export: only rows after this one.")] = 0,
    limit: Annotated[int, typer.Option(help="query: rows at most.")] = 10_000,
    json: JsonOption = False,
    config: ConfigOption = None,
    set_: SetOption = None,
) -> None:
    """Verify, export, query or compact the store; 5: it is not as written."""
    from polytui.engine.shell.store.commands import Asked, run_journal

    asked = Asked(what=what, sql=sql, kind=kind, after=after, limit=limit, json=json)
    raise typer.Exit(run_journal(asked, _load(config, set_), lambda line: print(line, flush=True)))


@app.command()
def venue(  # noqa: PLR0913  the options of a command are its arguments
    *,
    port: Annotated[int, typer.Option(help="Port on loopback; 0 takes a free one.")] = 8137,
    host: Annotated[str, typer.Option(help="127.0.0.1 or ::1.")] = "127.0.0.1",
    seed: Annotated[int, typer.Option(help="The same seed, the same venue.")] = 1,
    scenario: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="What goes wrong, and when.")
    ] = "",
    control: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where the control socket goes.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the exchange's own log here.")
    ] = None,
    singles: Annotated[int, typer.Option(help="Binary markets besides the groups.")] = 16,
    rate: Annotated[float, typer.Option(help="Frames a second, about; 0: as usual.")] = 0.0,
    idle: Annotated[int, typer.Option(help="End after so many seconds alone; 0: never.")] = 0,
) -> None:
    """Serve the practice venue on loopback; prints one JSON line when it is ready."""
    from polytui.engine.shell.venue.serving import Options, serve_venue

    options = Options(
        port=port,
        host=host,
        seed=seed,
        scenario=scenario,
        control=control,
        record=record,
        singles=singles,
        rate=rate,
        idle_s=idle,
    )
    raise typer.Exit(serve_venue(options, lambda line: print(line, flush=True)))


# --- the console ------------------------------------------------------------------------------


def _open_console(config: Path | None, sets: list[str]) -> int:
    """Start an engine if none answers, and put the console in front of it."""
    from polytui.engine.shell.places import ADMIN_SOCKET
    from polytui.engine.shell.spawn import EngineChild, answering

    _refuse_without_terminal()
    directory = quick_runtime_dir(config, sets)
    if answering(directory) is not None:
        return _run_console(_load(config, sets), directory / ADMIN_SOCKET, child=None)
    arguments = ["--config", str(config)] if config else []
    child = EngineChild(directory, [*arguments, *(f"--set={pair}" for pair in sets)])
    is_up = False
    try:
        settings = _load(config, sets)
        import polytui.app  # noqa: F401  imported while the engine starts

        is_ours = child.wait_until_up()
        is_up = True
    finally:
        if not is_up:
            child.stop()
    return _run_console(settings, directory / ADMIN_SOCKET, child=child if is_ours else None)


def _run_console(settings: "Settings", path: Path, *, child: "EngineChild | None") -> int:
    """Show the console until its person leaves; stop our engine if that was the wish."""
    from polytui.app import STOPPED, PolytuiApp
    from polytui.engine.shell.clock import read_mono_ns
    from polytui.link import SocketLink

    _refuse_without_terminal()
    console = PolytuiApp(
        SocketLink(path),
        socket=path,
        console=settings.console,
        owns_engine=child is not None,
        now_mono_ns=read_mono_ns,
        stop_engine=None if child is None else child.ask_to_stop,
    )
    with _terminal_restored():
        left = console.run(mouse=settings.console.mouse)
    if child is not None and left == STOPPED and not child.stop():
        _say(f"polytui: the engine (pid {child.pid}) did not stop and was killed")
    elif child is not None and child.has_failed():
        _say(f"polytui: the engine is gone: {child.reason()}")
    elif child is not None and left != STOPPED:
        _say(f"polytui: the engine goes on (pid {child.pid}); stop it: polytui ctl engine.stop")
    return console.return_code or EXIT_DONE


def _refuse_without_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise OperatorError("the console needs a terminal: without one use `polytui status`")


@contextmanager
def _terminal_restored() -> Iterator[None]:
    """Give the terminal back as it was, however the console ends."""
    import termios

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _explain(which: str, names: list[str], config: Path | None, *, json: bool) -> NoReturn:
    """Answer `why` and `whynot` from the store."""
    from polytui.engine.core.runconfig import StoreConfig
    from polytui.engine.shell.store.files import FILE_NAME
    from polytui.engine.shell.why.asking import explain

    home = Path(quick("store.directory", config, []) or StoreConfig().directory)
    print(explain(which, names, home / FILE_NAME, as_json=json))
    raise typer.Exit(EXIT_DONE)


# --- shared -----------------------------------------------------------------------------------


def _load(config: Path | None, sets: list[str] | None) -> "Settings":
    from polytui import settings

    return settings.load(file=config, overrides=overrides(sets or []))


def overrides(sets: list[str]) -> Mapping[str, object]:
    """Read `key=value` pairs; the values' types are the settings' business.

    Raises:
        OperatorError: one has no equals sign.
    """
    pairs: dict[str, object] = {}
    for pair in sets:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise OperatorError(f"expected --set KEY=VALUE, was {pair!r}")
        pairs[key] = value
    return pairs


def quick(name: str, config: Path | None, sets: list[str]) -> str:
    """Find one text of the configuration without loading it all; empty: nobody says."""
    import tomllib

    said = overrides(sets).get(name, os.environ.get(f"POLYTUI_{name.upper().replace('.', '__')}"))
    path = config or Path("config.toml")
    if said is None and (config is not None or path.exists()):
        try:
            said = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise OperatorError(f"{path}: expected a readable TOML file, but: {error}") from None
        for part in name.split("."):
            said = said.get(part) if isinstance(said, dict) else None
    return said if isinstance(said, str) else ""


def quick_runtime_dir(config: Path | None, sets: list[str]) -> Path:
    """Find the runtime directory."""
    from polytui.engine.shell.places import runtime_dir

    return runtime_dir(quick("runtime_dir", config, sets))


def _socket_path(config: Path | None, sets: list[str] | None, *, read_only: bool) -> Path:
    from polytui.engine.shell.places import ADMIN_SOCKET, VIEW_SOCKET

    return quick_runtime_dir(config, sets or []) / (VIEW_SOCKET if read_only else ADMIN_SOCKET)


def _say(text: str) -> None:
    with suppress(OSError):  # the terminal is gone: there is nobody to tell
        print(text, file=sys.stderr, flush=True)
