"""From the venue's words to `VenueCode`, and whether an answer proves anything (§3.4).

Texts change in their details, so stable fragments are looked for, in the order of the table: the
more special one first. A text nobody has seen is OTHER: counted and shown, never guessed at.
"""

from typing import Final

from msgspec import Raw, Struct
from msgspec.json import Decoder

from polytui.engine.core.errors import WireError
from polytui.engine.core.order_enums import SendOutcome, VenueCode
from polytui.engine.wire.account import UNREADABLE, escaped, text_of

FRAGMENTS: Final[tuple[tuple[str, VenueCode], ...]] = (
    ("post-only mode", VenueCode.POST_ONLY_MODE),
    ("post_only_mode", VenueCode.POST_ONLY_MODE),
    ("invalid post-only order", VenueCode.POST_ONLY_CROSS),
    ("order crosses book", VenueCode.POST_ONLY_CROSS),
    ("not enough balance", VenueCode.BALANCE),
    ("breaks minimum tick size", VenueCode.TICK),
    ("lower than the minimum", VenueCode.SIZE),
    ("invalid amount for a marketable", VenueCode.MARKETABLE_MIN),
    ("fully filled or killed", VenueCode.FOK_KILLED),
    ("no orders found to match with fak", VenueCode.FAK_KILLED),
    ("invalid amounts", VenueCode.AMOUNTS),
    ("duplicated", VenueCode.DUPLICATE),
    ("order_version_mismatch", VenueCode.VERSION),
    ("has to be the address of the api key", VenueCode.WALLET),
    ("has to be the owner of the api key", VenueCode.WALLET),
    ("maker address not allowed", VenueCode.WALLET),
    ("invalid signature", VenueCode.WALLET),
    ("closed only mode", VenueCode.CLOSED_ONLY),
    ("address banned", VenueCode.BANNED),
    ("restricted in your region", VenueCode.BANNED),
    ("invalid expiration", VenueCode.EXPIRATION),
    ("too many orders in payload", VenueCode.BATCH),
    ("invalid order payload", VenueCode.PAYLOAD),
    ("invalid payload", VenueCode.PAYLOAD),
    ("not yet ready to process new orders", VenueCode.NOT_READY),
    ("invalid api key", VenueCode.AUTH),
    ("invalid l1 request headers", VenueCode.AUTH),
    ("no orderbook exists", VenueCode.NO_BOOK),
    ("market not found", VenueCode.NO_BOOK),
    ("service not ready", VenueCode.RESTARTING),
    ("too many requests", VenueCode.RATE_LIMITED),
    ("order timed out", VenueCode.TIMED_OUT),
    ("trade contains rounding issues", VenueCode.ENGINE_ERROR),
    ("discrepancy greater than allowed", VenueCode.ENGINE_ERROR),
    ("there are no matching orders", VenueCode.ENGINE_ERROR),
    ("trading is currently disabled", VenueCode.DISABLED),
    ("trading is currently cancel-only", VenueCode.CANCEL_ONLY),
)
"""Lower case. Source: docs.polymarket.com/resources/error-codes (2026-11-21) and §3.4."""

_BY_STATUS: Final = {
    401: VenueCode.AUTH,
    403: VenueCode.BANNED,
    425: VenueCode.RESTARTING,
    429: VenueCode.RATE_LIMITED,
}
"""What a status means whatever the text says; 403 is how the edge refuses a place."""

UNDECIDED: Final = frozenset({VenueCode.DUPLICATE, VenueCode.TIMED_OUT, VenueCode.ENGINE_ERROR})
"""Refusals that prove nothing: the order may be there, or become so; it is looked up by its hash.

DUPLICATE says that it is there already; `order timed out` is documented as not placed, and has
been seen with the order placed (fault B3).
"""

_PROVEN_503: Final = frozenset(
    {VenueCode.DISABLED, VenueCode.CANCEL_ONLY, VenueCode.POST_ONLY_MODE}
)


class Complaint(Struct, frozen=True, kw_only=True, gc=False):
    """What an answer with an error says."""

    code: VenueCode
    text: str
    """Escaped, at most 80 characters; empty when it gave no reason."""
    retry_after_s: int = 0


class _Error(Struct, gc=False):
    error: Raw = Raw(b"")
    errorMsg: Raw = Raw(b"")  # noqa: N815  the wire's own name
    error_msg: Raw = Raw(b"")
    message: Raw = Raw(b"")
    code: Raw = Raw(b"")
    retry_after_seconds: Raw = Raw(b"")


_error: Final = Decoder(_Error)


def code_of(text: str) -> VenueCode:
    """Find the code of a text; NONE for no text, OTHER for one that nobody has seen."""
    if not text:
        return VenueCode.NONE
    low = text[:2_000].lower()
    return next((code for fragment, code in FRAGMENTS if fragment in low), VenueCode.OTHER)


def read_complaint(status: int, headers: dict[str, str], body: bytes) -> Complaint:
    """Read an answer whose status is not 200."""
    try:
        error = _error.decode(body)
        texts = (error.error, error.errorMsg, error.error_msg, error.message, error.code)
        text = next((text for raw in texts if (text := text_of(raw))), "")
        wait = text_of(error.retry_after_seconds)
    except (*UNREADABLE, WireError):
        text, wait = "", ""
    code = code_of(text)
    if code in (VenueCode.NONE, VenueCode.OTHER):
        code = _BY_STATUS.get(status, code)
    if status >= 500 and code in (VenueCode.NONE, VenueCode.OTHER):
        code = VenueCode.ENGINE_ERROR
    return Complaint(
        code=code,
        text=escaped(text),
        retry_after_s=_wait_s(wait) or _wait_s(headers.get("retry-after", "")),
    )


def verdict(status: int, complaint: Complaint) -> SendOutcome:
    """Tell whether an error proves that nothing happened: REFUSED, or UNKNOWN.

    Proof is a reason with a status below 500, or a 503 that names a mode of the venue. A status
    without a reason, a gateway's 5xx and the codes of `UNDECIDED` prove nothing.
    """
    if complaint.code in UNDECIDED:
        return SendOutcome.UNKNOWN
    if status >= 500:
        is_proof = status == 503 and complaint.code in _PROVEN_503
        return SendOutcome.REFUSED if is_proof else SendOutcome.UNKNOWN
    has_reason = bool(complaint.text) or status in _BY_STATUS
    return SendOutcome.REFUSED if status >= 400 and has_reason else SendOutcome.UNKNOWN


def _wait_s(text: str) -> int:
    """Read a number of seconds; 0 for anything else, an hour at most."""
    is_number = 0 < len(text) <= 6 and text.isascii() and text.isdecimal()
    return min(int(text), 3_600) if is_number else 0
