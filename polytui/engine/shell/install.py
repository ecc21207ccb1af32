"""`polytui install-service`: writes systemd units with their paths filled in, and starts nothing.

The units themselves are data in `polytui/ops`. What is filled in is checked first: a path with a
character that means something to systemd is refused rather than quoted, a system service whose
program or configuration lies in a home directory could not see it (`ProtectHome=`), and a file that
this command did not write is never replaced.
"""

import os
import re
import sys
from pathlib import Path
from typing import Final

from msgspec import Struct

import polytui
from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.runconfig import Settings

TEMPLATES: Final = Path(polytui.__file__).resolve().parent / "ops"
MARK: Final = "# Written by `polytui install-service"
"""First words of every file of ours: such a file may be replaced."""
NAME: Final = "polytui.service"
SYSTEM_STATE: Final = Path("/var/lib/polytui")
CREDENTIALS: Final = Path("/etc/polytui")
_PLAIN: Final = re.compile(r"/[A-Za-z0-9/._+@-]*")
_HOMES: Final = (Path("/home"), Path("/root"), Path("/run/user"))
_HOLE: Final = re.compile(r"@[A-Z]+@")


class Program(Struct, frozen=True, kw_only=True):
    """What is to be run."""

    python: Path
    places: tuple[Path, ...]
    """All that it reads: its packages, its interpreter, its configuration."""
    config: Path | None = None


class UnitFile(Struct, frozen=True, kw_only=True):
    """One file to write."""

    path: Path
    text: str


class Plan(Struct, frozen=True, kw_only=True):
    """What would be done: files, a directory, and what the person does next."""

    files: tuple[UnitFile, ...]
    state: Path
    makes_state: bool
    """Whether the directory is ours to make; a system service's is systemd's."""
    steps: tuple[str, ...]


def this_program(config: Path | None) -> Program:
    """Describe the program that runs now."""
    python = Path(sys.prefix).absolute() / "bin" / "python"
    package = Path(polytui.__file__).resolve().parent
    places = [python, package, Path(sys.base_prefix).resolve()]
    found = None if config is None else config.absolute()
    return Program(python=python, places=(*places, *([found] if found else [])), config=found)


# --- the plan ------------------------------------------------------------------------------------


def plan_system(settings: Settings, program: Program, *, root: Path = Path("/")) -> Plan:
    """Plan a service of the machine, run by a user of its own; `root` is where `/etc` lies.

    Raises:
        OperatorError: a path cannot stand in a unit, or lies in a home directory.
    """
    hidden = [place for place in program.places if any(map(place.is_relative_to, _HOMES))]
    if hidden:
        raise OperatorError(
            f"expected everything a system service reads outside of home directories, "
            f"was {hidden[0]}: install polytui under /opt, or say --user"
        )
    text = _rendered("polytui-system.service", settings, program, SYSTEM_STATE)
    where = f"POLYTUI_RUNTIME_DIR={SYSTEM_STATE}/run"
    run = f"sudo -u polytui {where} {program.python} -I -m polytui"
    users = (TEMPLATES / "polytui.sysusers").read_text(encoding="utf-8")
    return Plan(
        files=(
            UnitFile(path=root / "etc/systemd/system" / NAME, text=text),
            UnitFile(path=root / "etc/sysusers.d/polytui.conf", text=users),
        ),
        state=SYSTEM_STATE,
        makes_state=False,
        steps=(
            "systemd-sysusers",
            f"install -d -o polytui -g polytui -m 700 {SYSTEM_STATE}",
            *_credential_steps(settings, "systemd-creds encrypt --name={name} - {path}"),
            "systemctl daemon-reload",
            f"(cd {SYSTEM_STATE} && {run} doctor{_config_words(program)})",
            "systemctl enable --now polytui",
            f"{run} attach --socket {SYSTEM_STATE}/run/admin.sock",
        ),
    )


def plan_user(settings: Settings, program: Program, *, home: Path) -> Plan:
    """Plan a service of this user's own manager.

    Raises:
        OperatorError: a path cannot stand in a unit.
    """
    state = home / ".local/state/polytui"
    text = _rendered("polytui-user.service", settings, program, state)
    run = f"{program.python} -I -m polytui"
    return Plan(
        files=(UnitFile(path=home / ".config/systemd/user" / NAME, text=text),),
        state=state,
        makes_state=True,
        steps=(
            *_credential_steps(settings, "systemd-creds encrypt --user --name={name} - {path}"),
            "systemctl --user daemon-reload",
            f"(cd {state} && POLYTUI_RUNTIME_DIR={state}/run {run} doctor{_config_words(program)})",
            "systemctl --user enable --now polytui",
            "loginctl enable-linger    # or it ends when you log out",
            f"{run} attach --socket {state}/run/admin.sock",
        ),
    )


def _rendered(template: str, settings: Settings, program: Program, state: Path) -> str:
    """Fill a template; every hole must be filled."""
    arguments = "--practice" if settings.venue.kind == "practice" else ""
    values = {
        "@PYTHON@": _plain(program.python),
        "@ARGUMENTS@": f"{arguments}{_config_words(program)}".strip(),
        "@STATE@": _plain(state),
        "@CREDENTIAL@": _credential_line(settings),
        "@WRITABLE@": _writable_line(settings, state),
    }
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    text = _HOLE.sub(lambda hole: values[hole.group()], text)
    return re.sub(r"\n{3,}", "\n\n", text)


def _config_words(program: Program) -> str:
    return "" if program.config is None else f" --config {_plain(program.config)}"


def _plain(path: Path) -> str:
    """Write a path as systemd reads it.

    Raises:
        OperatorError: it holds what systemd would read as something else.
    """
    text = str(path)
    if not _PLAIN.fullmatch(text):
        raise OperatorError(
            f"expected a path of letters, digits and /._+@- for a unit, was {shown(text)}"
        )
    return text


def _credential_path(settings: Settings) -> Path | None:
    signer = settings.signer
    return CREDENTIALS / f"{signer.name}.cred" if signer.source == "credential" else None


def _credential_line(settings: Settings) -> str:
    path = _credential_path(settings)
    return "" if path is None else f"LoadCredentialEncrypted={settings.signer.name}:{_plain(path)}"


def _credential_steps(settings: Settings, command: str) -> tuple[str, ...]:
    """Say how the key gets there without touching a disk in the clear."""
    path = _credential_path(settings)
    if path is None:
        return ()
    return (command.format(name=settings.signer.name, path=path) + "    # paste the key, then ^D",)


def _writable_line(settings: Settings, state: Path) -> str:
    """Name the directories outside of the state directory that the engine writes."""
    places = [Path(settings.store.directory)]
    if settings.capture.enabled:
        places.append(Path(settings.capture.directory))
    outside = [place for place in places if place.is_absolute() and not place.is_relative_to(state)]
    return f"ReadWritePaths={' '.join(_plain(place) for place in outside)}" if outside else ""


# --- the act -------------------------------------------------------------------------------------


def carry_out(plan: Plan) -> list[Path]:
    """Write what differs; return what was written.

    Raises:
        OperatorError: a file is not ours (then nothing was written), or cannot be written.
    """
    wanted = [file for file in plan.files if _found(file.path) != file.text]
    for file in wanted:
        found = _found(file.path)
        if found is not None and not found.startswith(MARK):
            raise OperatorError(
                f"expected {file.path} to be written by polytui install-service or absent: move it "
                "away, or see with --dry-run what would stand there"
            )
    path = plan.state
    try:
        if plan.makes_state:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in wanted:
            path = file.path
            _write(file)
    except OSError as error:
        raise OperatorError(
            f"expected to write {path}, but: {error.strerror}; a system service needs root, or see "
            "--dry-run"
        ) from None
    return [file.path for file in wanted]


def _found(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}") from None


def _write(file: UnitFile) -> None:
    """Write whole or not at all."""
    file.path.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.path.with_name(f".{file.path.name}.{os.getpid()}")
    fresh.write_text(file.text, encoding="utf-8")
    fresh.chmod(0o644)
    fresh.rename(file.path)
