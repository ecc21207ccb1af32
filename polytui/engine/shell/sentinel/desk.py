"""What the sentinel can do at the venue: cancel everything, and look whether anything is left.

Level-2 credentials only; nothing here could make an order. Standard library only: `http.client` on
one connection that is kept warm, blocking, with short timeouts, because nothing else waits here.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, read_wall_ns

TIMEOUT_S: Final = 1.0
"""Longest wait for a connection, and again for an answer."""
BODY_MAX: Final = 4 << 20
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")

FAILURES: Final = (OSError, HTTPException, ValueError, RecursionError)
"""All that a request can end with besides an answer: no line, no HTTP, no JSON."""


class Answer:
    """One answer, as far as it was read."""

    __slots__ = ("body", "http", "why")

    def __init__(self, http: int, body: Any, why: str = "") -> None:
        """Keep it; `why` says what failed when there was none."""
        self.http = http
        self.body = body
        self.why = why


class Desk:
    """The venue, as far as cancelling goes."""

    def __init__(self, base: str, credentials: dict[str, str]) -> None:
        """Take an address and an API key; connect later.

        Raises:
            ValueError: the address is none, or a plain one that is not on this machine.
        """
        url = urlsplit(base)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("expected the venue's address to be http or https")
        if url.scheme == "http" and url.hostname not in _LOOPBACK:
            raise ValueError("expected https for a venue that is not on this machine")
        self._is_plain = url.scheme == "http"
        self._host, self._port = url.hostname, url.port
        self._path = url.path.rstrip("/")
        self._credentials = credentials
        self._key = urlsafe_b64decode(credentials["secret"])
        self._line: HTTPConnection | None = None
        self._used_ns = 0
        self.offset_s = 0
        """The venue's clock minus ours, whole seconds: a skewed clock must not cost the cancel."""
        self.slowest_ns = 0
        """Of all answers so far."""

    def keep_warm(self, every_ns: int) -> None:
        """Read the venue's clock when the line has been quiet: it costs one request."""
        if read_mono_ns() - self._used_ns >= every_ns:
            self.read_clock()

    def read_clock(self) -> None:
        """Measure the venue's clock; what fails is left as it was."""
        answer = self._ask("GET", "/time", is_private=False)
        if answer.http == 200 and isinstance(answer.body, int):
            self.offset_s = answer.body - read_wall_ns() // SECOND_NS

    def cancel_all(self) -> Answer:
        """Cancel everything of this key."""
        answer = self._ask("DELETE", "/cancel-all")
        if answer.http == 401:
            self.read_clock()
            answer = self._ask("DELETE", "/cancel-all")
        return answer

    def open_orders(self) -> int | None:
        """Count what is open on the first page; None when that could not be read."""
        answer = self._ask("GET", "/data/orders")
        rows = answer.body.get("data") if isinstance(answer.body, dict) else None
        return len(rows) if answer.http == 200 and isinstance(rows, list) else None

    def _ask(self, method: str, path: str, *, is_private: bool = True) -> Answer:
        """Ask once on the kept line, and once more on a fresh one: both requests are harmless."""
        answer = Answer(0, None, "no line")
        for is_last in (self._line is None, True):
            start_ns = read_mono_ns()
            try:
                answer = self._once(method, path, is_private=is_private)
            except FAILURES as error:
                self._hang_up()
                answer = Answer(0, None, type(error).__name__)
                if is_last:
                    break
                continue
            self._used_ns = read_mono_ns()
            self.slowest_ns = max(self.slowest_ns, self._used_ns - start_ns)
            break
        return answer

    def _once(self, method: str, path: str, *, is_private: bool) -> Answer:
        if self._line is None:
            kind = HTTPConnection if self._is_plain else HTTPSConnection
            self._line = kind(self._host, self._port, timeout=TIMEOUT_S)
        headers = self._headers(method, path) if is_private else {}
        self._line.request(method, self._path + path, headers=headers)
        reply = self._line.getresponse()
        text = reply.read(BODY_MAX + 1)
        if len(text) > BODY_MAX or reply.will_close:
            self._hang_up()
        return Answer(reply.status, json.loads(text) if reply.status == 200 else None)

    def _headers(self, method: str, path: str) -> dict[str, str]:
        """Sign a request without a body (venue reference §2, level 2)."""
        stamp = str(read_wall_ns() // SECOND_NS + self.offset_s)
        mac = hmac.new(self._key, f"{stamp}{method}{path}".encode(), sha256)
        return {
            "POLY_ADDRESS": self._credentials["address"],
            "POLY_API_KEY": self._credentials["apiKey"],
            "POLY_PASSPHRASE": self._credentials["passphrase"],
            "POLY_TIMESTAMP": stamp,
            "POLY_SIGNATURE": urlsafe_b64encode(mac.digest()).decode(),
        }

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None
