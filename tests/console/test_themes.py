import os
from pathlib import Path

import pytest
from rich.color import Color
from rich.style import Style
from rich.terminal_theme import DIMMED_MONOKAI

from polytui.engine.core.errors import OperatorError
from polytui.widgets.themes import DIRECTORY, ROLES, read_look, read_looks
from tests.console.stage import Stage, play
from tests.console.views import live

SHIPPED = ("poly-ansi", "poly-cb", "poly-dark", "poly-light", "poly-mono")
READ = ("text", "strong", "dim", "title", "head", "ok", "info", "buy", "sell", "warn", "stale")


def luminance(colour: Color) -> float:
    def linear(value: int) -> float:
        share = value / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = colour.get_truecolor(DIMMED_MONOKAI)
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)


def contrast(style: Style) -> float:
    assert style.color is not None
    assert style.bgcolor is not None
    light, dark = sorted((luminance(style.color), luminance(style.bgcolor)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_promised_themes_are_there() -> None:
    assert set(SHIPPED) <= set(read_looks())


@pytest.mark.parametrize("name", ["poly-dark", "poly-light", "poly-cb"])
def test_everything_that_is_read_has_a_contrast_of_at_least_four_and_a_half(name: str) -> None:
    styles = read_looks()[name].styles
    for ground in ("text", "cursor", "bar", "dialog"):
        low = {r: contrast(styles[ground] + styles[r]) for r in READ if r != "text"}
        assert {role: ratio for role, ratio in low.items() if ratio < 4.5} == {}
    for role in ("crit", "mode", "tab"):
        assert contrast(styles[role]) >= 4.5


def test_the_colourless_theme_has_attributes_only() -> None:
    for style in read_looks()["poly-mono"].styles.values():
        assert style.color is None or style.color.is_default
        assert style.bgcolor is None or style.bgcolor.is_default


def test_without_colour_the_colourless_theme_is_worn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "NO_COLOR", "1")
    stage = Stage(live())
    assert stage.app.theme == "poly-mono"
    assert stage.app.native_ansi_color

    async def change(pilot: object) -> None:
        stage.app.action_act("view.theme")

    play(stage, change)
    assert stage.app.theme == "poly-mono"


def edited(tmp_path: Path, old: str, new: str) -> Path:
    path = tmp_path / "mine.toml"
    text = (DIRECTORY / "poly-dark.toml").read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('buy = "#4aa8ff"', 'buy = "#zzz"', "[roles] buy = '#zzz'"),
        ('buy = "#4aa8ff"', "buy = 7", "[roles] buy must be a text, was 7"),
        ('buy = "#4aa8ff"\n', "", "[roles] buy must be a text, was None"),
        ('primary = "#4aa8ff"', 'primary = "bleu"', "[base] primary = 'bleu' is no colour"),
        ("dark = true", 'dark = "yes"', "dark must be true or false, was 'yes'"),
        ("\n[roles]\n", "\n[rolls]\n", "section [roles] is missing"),
        ("\n[roles]\n", '\n[roles]\npurple = "bold"\n', "unknown key 'purple'"),
        ("\n[roles]\n", "\n[roles\n", "cannot be read"),
    ],
)
def test_a_wrong_theme_names_file_key_and_value(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(OperatorError, match=r"theme mine\.toml") as caught:
        read_look(edited(tmp_path, old, new))
    assert said in str(caught.value)


def test_an_unknown_theme_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(OperatorError, match="poly-dark"):
        Stage(live(), theme="nope")


def test_every_role_is_used_by_every_theme() -> None:
    for look in read_looks().values():
        assert set(look.styles) == set(ROLES)
