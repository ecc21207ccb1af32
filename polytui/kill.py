"""`polytui-kill [--runtime-dir DIR] [reason]`: the kill switch for when nothing else answers.

Standard library only, nothing of ours, quick from cold: `python -I -S polytui/kill.py` works
without an installation. It asks the engine over its socket. An engine that does not answer finds
the kill latch closed on disk: the signer signs nothing from then on, and the sentinel cancels
everything. Exit codes: 0 done, 2 refused, 3 the engine is unreachable (and the latch is closed, if
it could be).
"""

import json
import os
import sys
from _socket import AF_UNIX, SOCK_STREAM, socket  # the module around it costs 10 ms

DONE, REFUSED, UNREACHABLE = 0, 2, 3
ADMIN_SOCKET, LATCH_FILE = "admin.sock", "kill.latch"
LATCH_BYTES = 512
ACTION = "risk.kill"
TIMEOUT_S = 1.5
"""Longest wait for a single line."""
BEATS_MAX = 3
"""The engine beats every second: this many without our answer, and it does not answer."""
LINE_MAX = 1 << 20
USAGE = "usage: polytui-kill [--runtime-dir DIR] [reason]"


class Unreachable(Exception):
    """No answer came; the message says why."""


def main(arguments: list[str] | None = None) -> int:
    """Kill; print what happened; return the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if {"-h", "--help"} & set(words):
        sys.stdout.write(f"{USAGE}\n")
        return DONE
    directory = ""
    if words[:1] == ["--runtime-dir"]:
        directory = words[1] if len(words) > 1 else ""
        words = words[2:]
        if not directory:
            sys.stderr.write(f"{USAGE}\n")
            return REFUSED
    if words and words[0].startswith("-"):
        sys.stderr.write(f"polytui-kill: {words[0]} is not known\n{USAGE}\n")
        return REFUSED
    return kill(directory or runtime_dir(), " ".join(words) or f"polytui-kill by uid {os.getuid()}")


def kill(directory: str, reason: str) -> int:
    """Ask the engine; close the latch on disk when it does not answer."""
    try:
        answer = ask(os.path.join(directory, ADMIN_SOCKET), reason)
    except Unreachable as error:
        sys.stdout.write(f"The engine does not answer: {error}.\n{fall_back(directory, reason)}\n")
        return UNREACHABLE
    text = str(answer.get("text", ""))
    sys.stdout.write(f"{ascii(text)[1:-1]}\n")
    return DONE if answer.get("ok") is True else REFUSED


def ask(path: str, reason: str) -> dict[str, object]:
    """Send the ask and wait for its answer.

    Raises:
        Unreachable: nobody listens, or nobody answers.
    """
    ask_id = f"polytui-kill-{os.getpid()}-{os.urandom(6).hex()}"  # noqa: TID251  not of any run: this is no engine
    line = {"type": "ask", "id": ask_id, "action": ACTION, "args": [reason]}
    link = socket(AF_UNIX, SOCK_STREAM)
    link.settimeout(TIMEOUT_S)
    try:
        link.connect(path)
        link.sendall(json.dumps(line).encode() + b"\n")
        return _answer(link, ask_id)
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unreachable(f"{path}: {why.lower()}") from None
    finally:
        link.close()


def _answer(link: socket, ask_id: str) -> dict[str, object]:
    """Read lines until ours comes; an answer without an id is to a line that was not understood."""
    beats, buffer = 0, b""
    while beats < BEATS_MAX:
        piece = link.recv(65536)
        if not piece:
            raise ValueError("it hung up")
        buffer += piece
        *lines, buffer = buffer.split(b"\n")
        if len(buffer) > LINE_MAX:
            raise ValueError("it sends a line without an end")
        for line in lines:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("it is no polytui")
            if row.get("type") == "answer" and row.get("id") in (ask_id, ""):
                return row
            beats += row.get("type") == "beat"
    raise ValueError(f"it lives, but gave no answer within {beats} beats")


# --- when nobody answers -------------------------------------------------------------------------


def fall_back(directory: str, reason: str) -> str:
    """Close the latch on disk; return what to tell the person."""
    path = os.path.join(directory, LATCH_FILE)
    try:
        close_latch(path, reason)
    except OSError as error:
        why = (error.strerror or "unknown").lower()
        return (
            f"The kill latch {path} could not be closed: {why}.\n"
            "Name the engine's directory with --runtime-dir, or end the engine (kill -9 <pid>: its "
            "sentinel cancels everything), then cancel all orders on the venue's own page."
        )
    return (
        f"The kill latch {path} is closed: no order is signed any more, and the sentinel cancels "
        f"everything about a second from now; {os.path.join(directory, 'sentinel.jsonl')} says "
        "what it did.\nIf there is no sentinel, cancel all orders on the venue's own page. Then "
        "see why the engine is silent; kill -9 does no more harm."
    )


def close_latch(path: str, reason: str) -> None:
    """Overwrite the latch in place, the deciding byte with it; make it when there is none.

    Raises:
        OSError: it cannot be written, or is a link.
    """
    note = ascii(" ".join(reason.split()))[1:-1][: LATCH_BYTES - 3]
    record = f"1 {note}".ljust(LATCH_BYTES - 1).encode() + b"\n"
    latch = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        os.pwrite(latch, record, 0)
        os.fsync(latch)
    finally:
        os.close(latch)


def runtime_dir() -> str:
    """Find the engine's directory as the engine does: environment, config.toml, the default."""
    said = os.environ.get("POLYTUI_RUNTIME_DIR") or _configured("config.toml")
    if said:
        return os.path.abspath(said)
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    if session and os.path.isdir(session):
        return os.path.join(session, "polytui")
    return f"/tmp/polytui-{os.getuid()}"  # noqa: S108  the engine made it private and checks it


def _configured(path: str) -> str:
    """Read one key of the file's head, without a parser: it stands before the first section."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("["):
                    return ""
                name, _, value = line.partition("=")
                if name.strip() == "runtime_dir":
                    return value.partition("#")[0].strip().strip("\"'")
    except OSError:
        return ""
    return ""


if __name__ == "__main__":
    sys.exit(main())
