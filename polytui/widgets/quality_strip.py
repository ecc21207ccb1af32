"""The quality strip: how far a book can be trusted, and what vouches for it."""

from collections.abc import Callable

from polytui import format as fmt
from polytui.engine.core.enums import Reason
from polytui.engine.core.view import BookView, FeatureView
from polytui.widgets.lines import Line, Part


def _pair(name: str, *parts: Part, width: int = 8) -> Line:
    return ((fmt.pad(name, width), "head"), *parts)


def hash_parts(ok: int, recovered: int, bad: int) -> Line:
    """Draw the digests: verified, wrong and healed, wrong."""
    return (
        (f"ok {ok}", "ok" if ok else "dim"),
        (f"  rec {recovered}", "" if recovered else "dim"),
        (f"  bad {bad}", "warn" if bad else "dim"),
    )


def quality_lines(book: BookView, ago: Callable[[int | None], str]) -> list[Line]:
    """Draw state, proof, digests and the market's own rules."""
    row = book.row
    glyph, word, role = fmt.BOOK_STATE[row.state]
    if row.stale:
        glyph, word, role = "~", "stale", "warn"
    proof, proof_role = fmt.PROOF[row.proof]
    why: Line = ()
    if row.reason is not Reason.OK:
        why = ((f"  {row.reason.value}", "warn"),)
    gate = "gating" if book.digest_gating else "observing"
    on_bad = "mismatch: resync" if book.digest_gating else "mismatch: counted"
    fee = "unknown" if book.fee_rate_u6 is None else fmt.price(book.fee_rate_u6, 10_000)
    venue_ns = book.venue_ms * 10**6
    return [
        _pair("book", (f"{glyph} {word}", role), *why),
        _pair("since", (f"{ago(book.since_ns)} ago", ""), (f"  epoch {book.epoch}", "dim")),
        _pair("heard", (f"{ago(row.last_ns)} ago", ""), (f"  venue {ago(venue_ns)}", "dim")),
        _pair("proof", (proof, proof_role), (f"  streak {fmt.count(book.digest_streak)}", "dim")),
        _pair("hash", *hash_parts(row.digest_ok, row.digest_recovered, row.digest_bad)),
        _pair("digests", (gate, "" if book.digest_gating else "warn"), (f"  {on_bad}", "dim")),
        _pair(
            "market",
            (f"tick {fmt.price(row.tick_u6, row.tick_u6)}", ""),
            (f"  min {fmt.qty(book.min_qty_u6)}", ""),
            (f"  fee {fee}", "warn" if book.fee_rate_u6 is None else ""),
        ),
        *_verdict(book),
    ]


def _verdict(book: BookView) -> list[Line]:
    row = book.row
    if row.verdict is None or row.decision_reason is None:
        return [_pair("why", ("no strategy has looked yet", "dim"))]
    glyph, word, role = fmt.VERDICT[row.verdict]
    margin = "" if row.margin_u6 is None else f"  margin {fmt.margin(row.margin_u6)}"
    lines = [_pair("why", (f"{glyph} {word}", role), (margin, "dim"))]
    if row.decision_reason is not Reason.OK:
        lines.append(_pair("", (row.decision_reason.value, role)))
    return lines


def counter_lines(book: BookView) -> list[Line]:
    """Draw the counters the digest line does not show, those above zero."""
    shown = [c for c in book.counters if c.value and not c.name.startswith("digest_")]
    return [_pair(fmt.foreign(c.name), (fmt.count(c.value), ""), width=19) for c in shown]


def feature_line(feature: FeatureView, width: int) -> Line:
    """Draw a feature; one without a value says so."""
    value = fmt.score(feature.value, feature.unit)
    name = f"{fmt.foreign(feature.name)} v{feature.version}"
    room = max(width - 18, 6)
    role = "dim" if feature.value is None else ""
    return (
        (fmt.pad(name, room), role),
        (fmt.pad(value, 9, right=True), role),
        (f" {feature.unit.value}", "dim"),
    )
