"""Where a copied row goes besides the clipboard: a terminal may not take OSC 52."""

import os
from pathlib import Path


def yank_file() -> Path:
    """Name the file for copied rows."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "polytui" / "yank.txt"


def save(text: str, path: Path) -> tuple[str, str]:
    """Write a copied row; give a role and a sentence about it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        return "warn", f"copied to the clipboard only: {error}"
    return "info", f"copied to the clipboard and to {path}"
