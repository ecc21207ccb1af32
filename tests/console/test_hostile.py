"""Titles are written by strangers: nothing in them may act, colour, hide or move anything."""

import os
import re
import select
import time
from collections.abc import Iterator

import pyte
import pytest
from textual.pilot import Pilot

from tests.console import views
from tests.console.account_views import hostile
from tests.console.stage import ACCOUNT_PAGES, KEY_OF_PAGE, Stage, play, settle
from tests.support.terminal import python_in_terminal

EVIL_OUTCOME = "[/b]\x1b[7mYes\u202e"


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("page", [*KEY_OF_PAGE, "kill"])
def test_hostile_titles_stay_text_on_every_page(page: str, size: tuple[int, int]) -> None:
    base = views.live(views.HOSTILE, EVIL_OUTCOME)
    account = hostile(base) if page in ACCOUNT_PAGES else base
    stage = Stage(account, page=page)

    async def walk(pilot: Pilot[str]) -> None:
        for _ in range(6 if page in ACCOUNT_PAGES else 1):
            await pilot.press("j", "j", "j", "G", "k", "tab")
        await settle(stage, pilot)
        for strip in stage.app.screen._compositor.render_strips():
            for text, style, control in strip:
                assert control is None
                assert text == "" or text.isprintable()
                assert style is not None
                assert style.link is None
                assert not style.meta

    text = play(stage, walk, size=size)
    assert stage.app.store.ui_errors == 0
    assert stage.app.return_value is None
    assert "\u202e" not in text


def read_for(master: int, seconds: float) -> Iterator[bytes]:
    """Read what comes in a time."""
    until = time.monotonic() + seconds
    while select.select([master], [], [], max(until - time.monotonic(), 0))[0]:
        try:
            data = os.read(master, 65_536)
        except OSError:
            return
        if not data:
            return
        yield data


# What Textual itself sends: modes, colours, cursor places, queries, synchronised output.
KNOWN = re.compile(
    rb"\x1b\[[0-9;:?<>=$]*[a-zA-Z~]|\x1b\[[?=>0-9;]*\$p|\x1b\[>?[0-9;]*[qutc]"
    rb"|\x1b\][0-9]+;[^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[78=>]|\x1b_G[^\x1b]*\x1b\\"
    rb"|\x1bP[^\x1b]*\x1b\\|\x1b\([B0]"
)


@pytest.mark.slow
@pytest.mark.timeout(30)
def test_no_byte_of_a_title_reaches_a_terminal_as_a_command() -> None:
    output, screen = show_hostile()
    # 1. Nothing but what Textual sends by itself, and no command of the titles'.
    rest = KNOWN.sub(b"", output)
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", rest)
    for command in (b"\x1b[31m", b"\x1b[7mYes", b"\x1b]0;", b"\x1b]52;", b"\x1bP+q", b"\xc2\x9b"):
        assert command not in output
    # 2. The columns stand where they stand, cell by cell, as a terminal counts them.
    framed = [row for row in screen if row[0] in "┃│"]
    assert len(framed) > 20
    assert {row[119] for row in framed} <= {"┃", "│"}
    synced = [row for row in screen if "● synced" in "".join(row)]
    assert len(synced) >= 8
    assert {row.index("●") for row in synced} == {42}


def show_hostile() -> tuple[bytes, list[list[str]]]:
    """Run the console in a terminal of its own; return its bytes and the screen they made."""
    code = f"from {__name__} import run_alone; run_alone()"
    child, master = python_in_terminal(code, COLORTERM="truecolor")
    with child:
        output = b"".join(read_for(master, 2.5))
        os.write(master, b"q")
        tail = b"".join(read_for(master, 2.0))
        os.write(master, b"d")
        tail += b"".join(read_for(master, 2.0))
        child.kill()
        assert child.wait() == 0, tail[-2_000:]
    os.close(master)
    screen = pyte.Screen(120, 40)
    stream = pyte.ByteStream(screen)
    stream.feed(output)
    return output, [[screen.buffer[y][x].data for x in range(120)] for y in range(40)]


def run_alone() -> None:
    """Run the console as a person would, for the test above."""
    from polytui.engine.shell.clock import read_mono_ns

    Stage(views.live(views.HOSTILE, EVIL_OUTCOME), now=read_mono_ns).app.run()
