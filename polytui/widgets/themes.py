"""Themes: one TOML file each in `themes/`, data only, and the skin the line widgets draw with.

A theme has Textual's colours (`[base]`) and our roles (`[roles]`): what a piece of text means, e.g.
`buy`, `stale`, `crit`. Widgets name roles; only this module knows colours. Every role must be
present and parse, or the error names file, key and value.
"""

import os
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from msgspec import Struct
from rich.errors import StyleSyntaxError
from rich.style import Style
from textual.app import App
from textual.color import Color, ColorParseError
from textual.theme import Theme

from polytui.engine.core.errors import OperatorError

DIRECTORY = Path(__file__).resolve().parents[2] / "themes"
"""Beside the package: the console runs from its repository."""

FALLBACK = "poly-dark"
MONOCHROME = "poly-mono"

ROLES = (
    *("text", "strong", "dim", "faint", "focus", "title", "head", "cursor"),
    *("ok", "info", "buy", "sell", "buy-bar", "sell-bar", "warn", "crit", "stale", "armed"),
    "armed-bar",
    *("mode", "bar", "tab", "key", "dialog"),
)
"""The closed set of meanings; `text`, `cursor`, `bar` and `dialog` are grounds others stand on."""

_BASE = (
    *("primary", "secondary", "accent", "warning", "error", "success"),
    *("foreground", "background", "surface", "panel"),
)


class Skin(Struct, frozen=True, kw_only=True, eq=False):
    """What line widgets need to draw: styles by role, and whether only ASCII is allowed."""

    styles: Mapping[str, Style]
    ascii: bool = False

    def style(self, ground: str, role: str) -> Style:
        """Combine a ground with a role on it."""
        return _combined(self.styles[ground], self.styles[role]) if role else self.styles[ground]


@lru_cache(maxsize=512)
def _combined(ground: Style, role: Style) -> Style:
    return ground + role


class Look(Struct, frozen=True, kw_only=True):
    """One theme file, read."""

    theme: Theme
    styles: Mapping[str, Style]


def _table(path: Path, data: Mapping[str, object], name: str) -> Mapping[str, object]:
    table = data.get(name)
    if not isinstance(table, dict):
        raise OperatorError(f"theme {path.name}: section [{name}] is missing")
    return table


def _text(path: Path, table: Mapping[str, object], section: str, key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str):
        raise OperatorError(f"theme {path.name}: [{section}] {key} must be a text, was {value!r}")
    return value


def _colour(path: Path, table: Mapping[str, object], key: str) -> str:
    value = _text(path, table, "base", key)
    try:
        Color.parse(value)
    except ColorParseError as error:
        raise OperatorError(f"theme {path.name}: [base] {key} = {value!r} is no colour") from error
    return value


def _style(path: Path, table: Mapping[str, object], role: str) -> Style:
    value = _text(path, table, "roles", role)
    try:
        return Style.parse(value)
    except StyleSyntaxError as error:
        raise OperatorError(f"theme {path.name}: [roles] {role} = {value!r}: {error}") from error


def _flag(path: Path, data: Mapping[str, object], key: str) -> bool:
    value = data.get(key)
    if not isinstance(value, bool):
        raise OperatorError(f"theme {path.name}: {key} must be true or false, was {value!r}")
    return value


def read_look(path: Path) -> Look:
    """Read one theme file.

    Raises:
        OperatorError: names the file, the key and the value that is wrong.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OperatorError(f"theme {path.name}: cannot be read: {error}") from error
    base, roles = _table(path, data, "base"), _table(path, data, "roles")
    unknown = sorted({*base} - {*_BASE} | {*roles} - {*ROLES} | {*data} - _TOP)
    if unknown:
        raise OperatorError(f"theme {path.name}: unknown key {unknown[0]!r}")
    styles = {role: _style(path, roles, role) for role in ROLES}
    colour = {key: _colour(path, base, key) for key in _BASE}
    theme = Theme(
        name=path.stem,
        dark=_flag(path, data, "dark"),
        ansi=_flag(path, data, "ansi"),
        variables=_variables(styles) | (_ANSI if _flag(path, data, "ansi") else {}),
        primary=colour["primary"],
        secondary=colour["secondary"],
        accent=colour["accent"],
        warning=colour["warning"],
        error=colour["error"],
        success=colour["success"],
        foreground=colour["foreground"],
        background=colour["background"],
        surface=colour["surface"],
        panel=colour["panel"],
    )
    return Look(theme=theme, styles=styles)


_TOP = {"dark", "ansi", "base", "roles"}


_ANSI = {
    "ansi-background": "ansi_black",
    "ansi-foreground": "ansi_white",
    "block-cursor-foreground": "ansi_black",
    "block-cursor-background": "ansi_white",
    "input-cursor-background": "ansi_white",
    "input-cursor-foreground": "ansi_black",
    "input-selection-background": "ansi_blue",
    "input-selection-foreground": "ansi_white",
}
"""What Textual's own style sheets ask of any theme with native colours."""


def _variables(styles: Mapping[str, Style]) -> dict[str, str]:
    """Give style sheets the colour of each role as `$role-buy`."""
    return {
        f"role-{role}": "ansi_default" if style.color is None else _css(style.color.name)
        for role, style in styles.items()
    }


def _css(name: str) -> str:
    return name if name.startswith("#") else f"ansi_{name}"


def read_looks(directory: Path = DIRECTORY) -> dict[str, Look]:
    """Read all themes of a directory, in the order of their names.

    Raises:
        OperatorError: there is none, or one of them is wrong.
    """
    looks = {path.stem: read_look(path) for path in sorted(directory.glob("*.toml"))}
    if FALLBACK not in looks:
        raise OperatorError(f"no theme {FALLBACK}.toml in {directory}")
    return looks


class SkinnedApp(App[str]):
    """An app whose line widgets draw with the skin of the current theme."""

    ENABLE_COMMAND_PALETTE: ClassVar[bool] = True

    def __init__(self, *, theme: str, ascii_only: bool) -> None:
        colourless = "NO_COLOR" in os.environ
        # Told at construction, or Textual greys 24-bit colours instead of leaving them out.
        super().__init__(ansi_color=True if colourless else None)
        self.looks = read_looks()
        if theme not in self.looks:
            known = ", ".join(self.looks)
            raise OperatorError(f"no theme {theme!r} in {DIRECTORY}; there are: {known}")
        self._colourless = colourless
        for name in list(self.available_themes):
            self.unregister_theme(name) if name != self.theme else None
        for look in self.looks.values():
            self.register_theme(look.theme)
        self._ascii = ascii_only
        self.skin = self._skin_of(MONOCHROME if colourless else theme)
        self.theme = MONOCHROME if colourless else theme

    def _skin_of(self, name: str) -> Skin:
        look = self.looks.get(name, self.looks[FALLBACK])
        return Skin(styles=look.styles, ascii=self._ascii)

    def wear(self, name: str) -> None:
        """Take a theme; under NO_COLOR only the colourless one."""
        if self._colourless:
            name = MONOCHROME
        self.skin = self._skin_of(name)
        self.theme = name
        for widget in self.screen_stack[0].query("*"):
            widget.refresh()

    def next_theme(self) -> str:
        """Name the theme after the current one."""
        names = list(self.looks)
        return (
            names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else names[0]
        )

    def toggle_ascii(self) -> bool:
        """Switch between boxes and plain characters; tell whether it is plain now."""
        self._ascii = not self._ascii
        self.wear(self.theme)
        return self._ascii
