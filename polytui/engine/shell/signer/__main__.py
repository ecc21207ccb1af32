"""The signer process: `python -I -m polytui.engine.shell.signer <descriptor> <pid of the engine>`.

Started by `client.SignerClient` only. It imports little, reads its one descriptor, and ends when
the engine does.
"""

import os
import sys
from collections.abc import Callable
from types import TracebackType

from polytui.engine.shell.clock import read_anchor, read_mono_ns
from polytui.engine.shell.latch import is_closed, open_for_reading
from polytui.engine.shell.signer import hygiene
from polytui.engine.shell.signer.frames import Begin, BrokenFrame, Hello, Measure, Pipe, Unlocked
from polytui.engine.shell.signer.keys import KeyRefused, claim, load
from polytui.engine.shell.signer.policy import Moment
from polytui.engine.shell.signer.session import Session

EXIT_DONE, EXIT_REFUSED, EXIT_BROKEN = 0, 2, 3


def main() -> int:
    """Serve one engine; return the exit code."""
    sys.excepthook = _say_little
    fd, parent = int(sys.argv[1]), int(sys.argv[2])
    measures = hygiene.before_key(parent)
    pipe = Pipe(fd)
    try:
        begin = pipe.receive()
        if not isinstance(begin, Begin):
            return EXIT_BROKEN
        return _serve(pipe, begin, fd, measures)
    except (BrokenFrame, OSError):
        return EXIT_BROKEN


def _serve(pipe: Pipe, begin: Begin, fd: int, measures: tuple[Measure, ...]) -> int:
    try:
        key = load(begin.signer, begin.venue, begin.practice_label)
        # Practice keys are anybody's: many engines may rehearse with the same one.
        held = claim(key.address) if key.address and begin.signer.source != "practice" else None
        latch = _latch(begin.latch)
    except KeyRefused as error:
        pipe.send(Hello(ok=False, why=str(error), measures=measures, pid=os.getpid()))
        return EXIT_REFUSED
    measures += (Measure(name="only signer of this wallet", achieved=held is not None),)
    measures += hygiene.after_key((fd, latch, fd if held is None else held.fileno()))

    session = Session(begin, key, _moments(latch))
    hello = Hello(
        ok=not session.fault,
        why=session.fault,
        identity=session.identity,
        locked=session.is_locked and not session.fault,
        measures=(*measures, *_locked_key(session)),
        pid=os.getpid(),
    )
    pipe.send(hello)
    if session.fault:
        return EXIT_REFUSED
    try:
        _talk(pipe, session)
    finally:
        if session.key is not None:
            session.key.wipe()
    return EXIT_DONE


def _moments(latch: int) -> Callable[[], Moment]:
    """Read the latch and the clocks; the wall's, as the engine does, once (fault C14)."""
    anchor = read_anchor()

    def now() -> Moment:
        mono_ns = read_mono_ns()
        return Moment(wall_ns=anchor.at_ns(mono_ns), mono_ns=mono_ns, latch_closed=is_closed(latch))

    return now


def _talk(pipe: Pipe, session: Session) -> None:
    """Answer until the engine hangs up."""
    while (ask := pipe.receive()) is not None:
        reply = session.answer(ask)
        if reply is None:
            continue
        if isinstance(reply, Unlocked) and reply.ok:
            _locked_key(session)
        pipe.send(reply)


def _locked_key(session: Session) -> tuple[Measure, ...]:
    """Lock the key's own page, which is granted where locking everything is not."""
    if session.key is None:
        return ()
    try:
        hygiene.lock_place(*session.key.location())
    except OSError as error:
        return (Measure(name="key locked in memory", achieved=False, detail=str(error)[:80]),)
    return (Measure(name="key locked in memory", achieved=True),)


def _latch(path: str) -> int:
    try:
        return open_for_reading(path)
    except OSError as error:
        raise KeyRefused(f"expected the kill latch at {path}, but: {error.strerror}") from None


def _say_little(kind: type[BaseException], _: BaseException, where: TracebackType | None) -> None:
    """Say where our fault is, without values: a message could carry what it must not."""
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f"{where.tb_frame.f_code.co_name}:{where.tb_lineno}" if where else "nowhere"
    sys.stderr.write(f"polytui signer: stopped by a fault of its own ({kind.__name__}, {place})\n")


if __name__ == "__main__":
    sys.exit(main())
