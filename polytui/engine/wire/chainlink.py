"""Settlement reference frames to events: RTDS (legacy) and PolyBolt, both relays of Polymarket.

Pure; refusals and unknown fields are treated as `wire.reference` says. Sources:
`venue/external-feeds.md` §4 and docs.polymarket.com/api-reference/wss/polybolt, 2026-11-21.

Values come twice, as a JSON number and as a full-accuracy text whose scale depends on the topic
(×10^18 integer for Chainlink, plain decimal otherwise). The text is read and the number is its
witness: when they disagree the frame is refused, because a wrong scale looks like a jump. Both are
read as text: there is no float anywhere.
"""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Raw, Struct

from polytui.engine.core.enums import FaultKind, Feed
from polytui.engine.core.events import Event, Heard, RefCounted, RefIndex
from polytui.engine.core.ids import ConnId
from polytui.engine.core.text import sanitise
from polytui.engine.wire.reference import (
    ABSENT,
    Count,
    Refused,
    Rounding,
    Shape,
    Symbol,
    epoch_ns,
    guard,
    ignored,
    reference_u6,
    remote_error,
    start_of,
    unknown_field,
)

BACKLOG = "backlog"
"""`Heard.what` of the history sent on subscribing, whether it holds values or not."""

AUTHED = "authed"
"""`Heard.what` when PolyBolt accepted our credentials."""

DROPPED = "dropped"
"""`Heard.what` when PolyBolt left values out, being too fast for us."""

BACKLOG_MAX = 4096
"""Most values in one backlog: two minutes of one a second are usual."""

WITNESS_SHARE = 1_000
"""The two forms of a value may differ by one part in this many: the number may be rounded to cents,
but a wrong scale differs by powers of ten."""

WINDOW_S_MAX = 86_400
PROVIDER_MAX = 32

_WORDS: Mapping[bytes, str] = {b"": "empty", b"PONG": "pong", b"PING": "ping"}


class _Source(Struct, frozen=True, gc=False):
    """What a topic or channel carries."""

    provider: str
    window_s: int = 0
    scaled: bool = False
    """Integer full-accuracy texts are ×10^18."""


TOPICS: Mapping[str, _Source] = {
    "crypto_prices": _Source(provider="binance"),
    "crypto_prices_chainlink": _Source(provider="chainlink", scaled=True),
    "crypto_prices_twap_thirty": _Source(provider="chainlink", window_s=30, scaled=True),
    "crypto_prices_twap_sixty": _Source(provider="chainlink", window_s=60, scaled=True),
    "equity_prices": _Source(provider=""),
    "price.crypto": _Source(provider=""),
    "price.crypto.twap": _Source(provider="chainlink", window_s=60),
    "price.equity": _Source(provider=""),
    "price.equity.twap": _Source(provider="", window_s=60),
}
"""RTDS topics, then PolyBolt channels. The payload's own `source` and `window_seconds` win."""


class _Frame(Struct, gc=False, forbid_unknown_fields=True):
    """Fields of both transports: a frame has a topic, a channel with a seq, or an op."""

    topic: str = ""
    type: str = ""
    payload: Raw = ABSENT
    channel: str = ""
    seq: Count | None = None
    snapshot: bool = False
    dropped: Count = 0
    op: str = ""
    code: str = ""
    timestamp: Raw = ABSENT
    connection_id: Raw = ABSENT
    v: Raw = ABSENT
    ts: Raw = ABSENT
    rid: Raw = ABSENT
    filter: Raw = ABSENT
    nonce: Raw = ABSENT
    statusCode: Raw = ABSENT  # noqa: N815 the name on the wire
    body: Raw = ABSENT
    message: Raw = ABSENT


class _Point(Struct, gc=False):
    timestamp: Count
    value: Raw
    full_accuracy_value: str = ""


class _Payload(Struct, gc=False, forbid_unknown_fields=True):
    symbol: Symbol
    data: Annotated[list[_Point], Meta(max_length=BACKLOG_MAX)] | None = None
    timestamp: Count | None = None
    value: Raw = ABSENT
    full_accuracy_value: str = ""
    source: str = ""
    window_seconds: Annotated[int, Meta(ge=0, le=WINDOW_S_MAX)] | None = None
    is_carried_forward: bool = False
    received_at: Raw = ABSENT


_frame: Shape[_Frame] = Shape(_Frame)
_payload: Shape[_Payload] = Shape(_Payload)


def decode(conn: ConnId, data: bytes) -> list[Event]:
    """Read one RTDS or PolyBolt frame: its events, or one `WireFault`.

    A PolyBolt `seq` becomes a `RefCounted` before anything else, also before a fault. Backlogs,
    and values that PolyBolt itself carried forward, come out as `replayed`.
    """
    return guard(conn, Feed.CHAINLINK, data, _read)


def rtds_frame(
    *, symbol: str, feed_ms: int, value_text: str, full_text: str, server_ms: int
) -> bytes:
    """Write a Chainlink update as RTDS sends it, for replaying series recorded without frames."""
    return (
        f'{{"topic":"crypto_prices_chainlink","type":"update","timestamp":{server_ms},'
        f'"payload":{{"symbol":"{symbol}","timestamp":{feed_ms},"value":{value_text},'
        f'"full_accuracy_value":"{full_text}"}}}}'
    ).encode("ascii")


def _read(conn: ConnId, data: bytes) -> list[Event]:
    word = _WORDS.get(data.strip().upper()) if len(data) < 8 else None
    if word is not None:
        return [_heard(conn, word)]
    frame, unknown = _frame.read(data)
    extra = unknown_field(conn, Feed.CHAINLINK, unknown)
    if frame.topic:
        return [*_values(conn, frame, frame.topic), *extra]
    if frame.op:
        return [*_answer(conn, frame), *extra]
    if frame.channel and frame.seq is not None:
        counted = RefCounted(
            conn=conn, feed=Feed.CHAINLINK, channel=frame.channel, sequence=frame.seq
        )
        values = guard(
            conn, Feed.CHAINLINK, data, lambda conn, _: _values(conn, frame, frame.channel)
        )
        lost = [_heard(conn, DROPPED)] if frame.dropped else []
        return [counted, *lost, *values, *extra]
    if frame.statusCode is not ABSENT or frame.message is not ABSENT:
        raise remote_error(start_of(data))
    raise Refused(
        FaultKind.MISSING_FIELD,
        expected="a topic, a channel with a seq, or an op",
        got=start_of(data),
    )


def _heard(conn: ConnId, what: str) -> Event:
    return Heard(conn=conn, feed=Feed.CHAINLINK, what=what)


def _answer(conn: ConnId, frame: _Frame) -> list[Event]:
    if frame.op == "error":
        raise remote_error(f"{frame.code} {frame.channel}")
    if frame.op in {AUTHED, "subscribed", "unsubscribed", "pong", "challenge"}:
        return [_heard(conn, frame.op)]
    return [ignored(conn, Feed.CHAINLINK, f"type:{frame.op}")]


def _values(conn: ConnId, frame: _Frame, name: str) -> list[Event]:
    """Read the payload of a topic or channel."""
    source = TOPICS.get(name)
    history = frame.snapshot or frame.type == "subscribe"
    if source is None or frame.type not in {"", "update", "subscribe"}:
        return [ignored(conn, Feed.CHAINLINK, f"type:{name} {frame.type}".rstrip())]
    if frame.payload is ABSENT:
        raise Refused(FaultKind.MISSING_FIELD, expected="a payload", got=name)
    payload, unknown = _payload.read(frame.payload)
    window_s = source.window_s if payload.window_seconds is None else payload.window_seconds
    events: list[Event] = [_heard(conn, BACKLOG)] if history else []
    events += [
        RefIndex(
            conn=conn,
            feed=Feed.CHAINLINK,
            symbol=payload.symbol,
            venue_ns=epoch_ns(point.timestamp),
            value_u6=_value_u6(point, scaled=source.scaled),
            window_s=window_s,
            provider=sanitise(payload.source, limit=PROVIDER_MAX) or source.provider,
            replayed=history or payload.is_carried_forward,
        )
        for point in _points(payload)
    ]
    return [*events, *unknown_field(conn, Feed.CHAINLINK, unknown)]


def _points(payload: _Payload) -> list[_Point]:
    """List the values of a payload: a backlog, or the single one of an update."""
    if payload.data is not None:
        return payload.data
    if payload.timestamp is None or payload.value is ABSENT:
        raise Refused(
            FaultKind.MISSING_FIELD, expected="a timestamp and a value", got=payload.symbol
        )
    return [
        _Point(
            timestamp=payload.timestamp,
            value=payload.value,
            full_accuracy_value=payload.full_accuracy_value,
        )
    ]


def _value_u6(point: _Point, *, scaled: bool) -> int:
    """Read the full-accuracy text to the nearest micro-dollar and check it against the number."""
    number = bytes(point.value).decode()
    value_u6 = reference_u6(number, Rounding.NEAREST)
    text = point.full_accuracy_value
    if text:
        if scaled and "." not in text:
            padded = text.zfill(19)
            text = f"{padded[:-18]}.{padded[-18:]}"
        witness_u6, value_u6 = value_u6, reference_u6(text, Rounding.NEAREST)
        if abs(value_u6 - witness_u6) * WITNESS_SHARE > value_u6 + WITNESS_SHARE:
            raise Refused(FaultKind.INCOHERENT, expected=f"full accuracy of {number}", got=text)
    if not value_u6:
        raise Refused(FaultKind.BAD_NUMBER, expected="a value above zero", got=number)
    return value_u6
