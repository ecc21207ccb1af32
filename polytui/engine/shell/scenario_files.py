"""Finds scenario files: by name in `scenarios/` of the project, or by path."""

from pathlib import Path

from polytui.engine.core.errors import OperatorError
from polytui.engine.sim.scenario import Script, parse

DIRECTORY = Path(__file__).resolve().parents[3] / "scenarios"
TOUR = "tour"
"""What the embedded venue plays when faults are wanted and nothing else is named."""
FILE_BYTES_MAX = 1 << 20


def read_scenario(name: str) -> Script:
    """Read a scenario, given the name of one in `scenarios/` or a path.

    Raises:
        OperatorError: there is no such file, or it is not a scenario.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = DIRECTORY / f"{name}.toml"
    try:
        text = path.read_bytes()[: FILE_BYTES_MAX + 1]
    except OSError as error:
        known = ", ".join(sorted(file.stem for file in DIRECTORY.glob("*.toml")))
        why = error.strerror or str(error)
        raise OperatorError(f"{path}: {why}; expected a file, or one of: {known}") from None
    if len(text) > FILE_BYTES_MAX:
        raise OperatorError(f"{path}: expected at most {FILE_BYTES_MAX} bytes")
    try:
        return parse(text.decode(), source=path.name)
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path}: expected UTF-8, but byte {error.start} is not") from None
