"""The log of a run: its life, its notices, who asked for what; never a passphrase."""

import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

from polytui.engine.core.messages import Answer, Ask
from polytui.engine.shell.chronicle import Chronicle
from polytui.engine.shell.directives import UNLOCK
from polytui.engine.shell.polymarket.auth import Credentials


def lines(chronicle: Chronicle) -> list[dict[str, Any]]:
    return [json.loads(line) for line in chronicle.path.read_text().splitlines()]


def test_a_run_is_told_from_its_beginning_to_its_exit_code(tmp_path: Path) -> None:
    chronicle = Chronicle(tmp_path, run="run-1")
    chronicle.begin("practice", version="0", pid=7)
    chronicle.notice("BREAKER", "live day_loss: -50")
    ask = Ask(id="a", action="risk.kill", args=("a reason",))
    chronicle.asked(ask, "uid 0 pid 9", Answer(id="a", ok=True, code="done", text="KILLED"))
    chronicle.end(4, left=2)
    told = lines(chronicle)
    assert [line["event"] for line in told] == [
        "engine.ready",
        "engine.notice",
        "engine.asked",
        "engine.stopped",
    ]
    assert (told[2]["actor"], told[2]["about"], told[2]["code"]) == (
        "uid 0 pid 9",
        "a reason",
        "done",
    )
    assert (told[3]["exit_code"], told[3]["orders_left"], told[3]["level"]) == (4, 2, "error")
    assert {line["run"] for line in told} == {"run-1"}


def test_what_an_api_key_holds_is_in_no_line(tmp_path: Path) -> None:
    """The secret and the passphrase are like no pattern: they are compared with what is known."""
    secret = urlsafe_b64encode(bytes(range(32))).decode()
    key = Credentials(address="0x1", key="key-0001", secret=secret, passphrase="pass-0002")
    chronicle = Chronicle(tmp_path, run="run-1")
    key.hand_to(chronicle.hide)
    chronicle.notice("LIBRARY", f"got pass-0002 for key-0001 with {secret[:-1]}= here")
    ask = Ask(id="a", action="orders.cancel", args=("order:pass-0002",))
    chronicle.asked(ask, "uid 0", Answer(id="a", ok=False, code="no", text="no order pass-0002"))
    chronicle.end(0, left=0)
    text = chronicle.path.read_text()
    for part in (secret, "pass-0002", "key-0001"):
        assert part not in text
    assert lines(chronicle)[0]["text"] == "got [hidden] for [hidden] with [hidden] here"


def test_a_passphrase_that_was_asked_with_is_not_written(tmp_path: Path) -> None:
    chronicle = Chronicle(tmp_path, run="run-1")
    ask = Ask(id="a", action=UNLOCK, args=("correct horse",))
    chronicle.asked(ask, "uid 0", Answer(id="a", ok=True, code="done", text="open"))
    chronicle.end(0, left=0)
    assert "horse" not in chronicle.path.read_text()
