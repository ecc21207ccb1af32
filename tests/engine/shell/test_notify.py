"""What systemd hears, and that nothing it does or fails to do reaches the engine."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from polytui.engine.shell import notify
from polytui.engine.shell.notify import Notifier
from tests.support.engines import engine, short_directory


@pytest.fixture
def manager() -> Iterator[tuple[socket.socket, str]]:
    with (
        short_directory() as home,
        closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as end,
    ):
        end.bind(str(home / "notify"))
        end.settimeout(1.0)
        yield end, str(home / "notify")


Make = Callable[[dict[str, str]], Notifier]


@pytest.fixture
def make() -> Iterator[Make]:
    """Make notifiers that hang up with the test."""
    with ExitStack() as stack:

        def made(variables: dict[str, str]) -> Notifier:
            return stack.enter_context(closing(Notifier(variables)))

        yield made


def environment(address: str, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": address, **more}


def test_ready_status_and_stopping_are_said_as_systemd_reads_them(
    make: Make,
    manager: tuple[socket.socket, str],
) -> None:
    end, address = manager
    notifier = make(environment(address))
    notifier.ready("SHADOW, practice")
    assert end.recv(500) == b"READY=1\nSTATUS=SHADOW, practice"
    notifier.status("3 orders open")
    assert end.recv(500) == b"STATUS=3 orders open"
    notifier.stopping()
    assert end.recv(500) == b"STOPPING=1"
    assert notifier.lost == 0


def test_an_abstract_address_works_where_the_system_has_them(make: Make) -> None:
    name = f"polytui-notify-{os.getpid()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as end:
        try:
            end.bind("\0" + name)
        except OSError:
            pytest.skip("no abstract names on this system")
        make(environment("@" + name)).ready()
        assert end.recv(100) == b"READY=1"


def test_beats_come_at_a_quarter_of_the_deadline_however_often_the_loop_turns(
    make: Make, manager: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    end, address = manager
    now = [0]
    monkeypatch.setattr(notify, "read_mono_ns", lambda: now[0])
    notifier = make(environment(address, WATCHDOG_USEC="4000000", WATCHDOG_PID=str(os.getpid())))
    assert notifier.is_watched
    for now[0] in range(0, 4_000_000_000, 10_000_000):
        notifier.beat()
    end.settimeout(0)
    beats = [end.recv(100) for _ in range(4)]
    assert beats == [b"WATCHDOG=1"] * 4
    with pytest.raises(BlockingIOError):
        end.recv(100)


@pytest.mark.parametrize(
    "more",
    [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "9000000", "WATCHDOG_PID": "1"}],
    ids=["none", "no number", "another process"],
)
def test_without_a_watchdog_of_ours_no_beat_is_sent(
    make: Make, manager: tuple[socket.socket, str], more: dict[str, str]
) -> None:
    end, address = manager
    notifier = make(environment(address, **more))
    notifier.beat()
    end.settimeout(0)
    with pytest.raises(BlockingIOError):
        end.recv(100)
    assert not notifier.is_watched


def test_children_inherit_nothing_of_it(make: Make, manager: tuple[socket.socket, str]) -> None:
    variables = environment(manager[1], WATCHDOG_USEC="1", WATCHDOG_PID="1", OTHER="stays")
    make(variables)
    assert variables == {"OTHER": "stays"}


@pytest.mark.parametrize("address", ["", "relative", "@", "/nowhere/at/all", "/" + "x" * 300])
def test_no_manager_is_no_trouble(make: Make, address: str) -> None:
    notifier = make(environment(address, WATCHDOG_USEC="1000"))
    for act in (notifier.ready, notifier.beat, notifier.stopping, notifier.close, notifier.beat):
        act()
    assert not notifier.is_watched


def test_a_manager_that_does_not_read_never_holds_up_the_loop(
    make: Make,
    manager: tuple[socket.socket, str],
) -> None:
    notifier = make(environment(manager[1]))
    for _ in range(20_000):
        notifier.status("x" * 200)
        if notifier.lost:
            break
    assert notifier.lost == 1


def test_a_status_is_one_clean_line(make: Make, manager: tuple[socket.socket, str]) -> None:
    end, address = manager
    make(environment(address)).status("\x1b[31mred\nREADY=1\x00")
    assert end.recv(500) == b"STATUS=[31mred READY=1"


def test_a_manager_that_went_away_is_counted(
    make: Make, manager: tuple[socket.socket, str]
) -> None:
    end, address = manager
    notifier = make(environment(address))
    end.close()
    Path(address).unlink()
    notifier.ready()
    assert notifier.lost == 1


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_served_engine_reports_ready_beats_from_its_loop_and_says_that_it_stops(
    manager: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    end, address = manager
    end.settimeout(20.0)
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    with engine() as running:
        heard = [end.recv(500)]
        while heard.count(b"WATCHDOG=1") < 3:
            heard.append(end.recv(500))
        assert running.end(signal.SIGTERM) == 0
    end.settimeout(0)
    with suppress(BlockingIOError):
        while True:
            heard.append(end.recv(500))
    assert sum(word.startswith(b"READY=1\nSTATUS=practice venue, run ") for word in heard) == 1
    assert sum(word.startswith(b"STOPPING=1\n") for word in heard) == 1


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_stopped_loop_goes_unfed(
    manager: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    end, address = manager
    end.settimeout(20.0)
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    with engine() as running:
        while end.recv(500) != b"WATCHDOG=1":
            pass
        running.process.send_signal(signal.SIGSTOP)
        end.settimeout(2.0)
        late: list[bytes] = []
        with suppress(TimeoutError):
            while len(late) < 20:
                late.append(end.recv(500))
        assert len(late) < 20, "what was sent before comes, then silence"
        running.process.send_signal(signal.SIGCONT)
        end.settimeout(20.0)
        assert end.recv(500) == b"WATCHDOG=1"
