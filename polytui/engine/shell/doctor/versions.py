"""The lock file against what is installed (fault D9): what runs must be what was tested."""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

import polytui

LOCK_NAME: Final = "requirements.lock"
_PIN: Final = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)
_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*")
_ROOT: Final = "polytui"


def find_lock() -> Path | None:
    """Find the lock that came with this code: in the package, or beside it in its repository."""
    package = Path(polytui.__file__).resolve().parent
    places = (package / LOCK_NAME, package.parent / LOCK_NAME)
    return next((place for place in places if place.is_file()), None)


def pins(lock: str) -> dict[str, frozenset[str]]:
    """Read a lock: the versions it allows by name; some have one per Python."""
    found: dict[str, set[str]] = {}
    for name, version in _PIN.findall(lock):
        found.setdefault(_plain(name), set()).add(version)
    return {name: frozenset(versions) for name, versions in found.items()}


def installed(root: str = _ROOT) -> dict[str, str]:
    """List what `root` needs at run time, through all its dependencies; "" for what is missing.

    A dependency for another platform or Python only is not missing.
    """
    found: dict[str, str] = {}
    waiting = [(root, False)]
    while waiting:
        name, is_conditional = waiting.pop()
        if name in found:
            continue
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if not is_conditional:
                found[name] = ""
            continue
        found[name] = package.version
        waiting.extend(_needs(package))
    found.pop(root, None)
    return found


def _needs(package: metadata.Distribution) -> Iterator[tuple[str, bool]]:
    for requirement in package.requires or ():
        wish, _, marker = requirement.partition(";")
        name = _NAME.match(wish.strip())
        if name is not None and "extra" not in marker:
            yield _plain(name.group()), bool(marker)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
