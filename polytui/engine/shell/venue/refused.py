"""One way to say no: every refusal of the wire is this exception, answered in one place."""

from typing import Any


class Refused(Exception):
    """A request ends here with a status and the venue's own text (`venue/polymarket.md` §3.4)."""

    def __init__(
        self,
        http: int,
        text: str,
        *,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        key: str = "error",
    ) -> None:
        """Keep the answer; `key` is the member that carries the text."""
        super().__init__(text)
        self.http = http
        self.body: dict[str, Any] = {key: text, **(extra or {})}
        self.headers = headers or {}


BAD_KEY = "Unauthorized/Invalid api key"
BAD_WALLET = "Invalid L1 Request headers"
NO_BOOK = "No orderbook exists for the requested token id"
BAD_TOKEN = "Invalid token id"
BAD_PAYLOAD = "Invalid payload"
BAD_ORDER = "Invalid order payload"
TOO_LONG = "Payload exceeds the limit"
TOO_MANY = "Too Many Requests"
"""Texts of docs.polymarket.com/resources/error-codes (2026-11-21)."""
