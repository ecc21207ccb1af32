"""The preflight: what must be green before anything is armed, one row each with value and limit.

Pure: the composition states the facts of a moment, `rows` judges them. Codes are stable; they are
shown as the reason when arming is refused.
"""

from msgspec import Struct

from polytui.engine.core.account_view import CheckRow
from polytui.engine.core.runconfig import LimitsConfig
from polytui.engine.core.trading import HostFacts
from polytui.engine.decide.release import REPLAYED
from polytui.engine.decide.words import DAY_NS, MS, S, dollars, percent, span

DISK_FREE_MIN = 1_000_000_000
"""Bytes free on the store's disk."""
KILL_TEST_NS = 10 * MS
"""K1 closes the gate within this, p99 (execution reference §4)."""
PAPER_TESTED_NS = 14 * DAY_NS
"""The paper gate was passed within this."""
SELF_TEST_AGE_NS = 600 * S
SENTINEL_AGE_NS = 5 * S


class PreflightFacts(Struct, frozen=True, kw_only=True):
    """One moment, before arming. Times in engine nanoseconds, 0: never."""

    at_ns: int
    is_practice: bool
    can_send: bool
    """A signer answers and its self-test equals the venue's hashes."""
    host: HostFacts
    config_hash: str
    paper_hash: str
    """Of the configuration that ran in paper; empty: none did."""
    offset_ns: int | None
    offset_at_ns: int
    heartbeat_ns: int
    market_ns: int
    """Last message of the market stream."""
    user_ns: int
    cash_u6: int
    allowance_u6: int
    balance_ns: int
    caps_u6: int
    """The smallest exposure cap."""
    open_orders: int
    unknown: int
    anomalies: int
    """Open differences between the venue's word and ours."""
    venue_normal: bool
    region_blocked: bool
    closed_only: bool
    killed: bool
    breakers: int
    kill_test_ns: int
    """How long the gate took to close in the self-test."""
    kill_tested_ns: int
    cancel_all_ns: int
    """When a dry cancel-all was last accepted."""
    stale_sent: int
    replay_equal: bool | None
    """The last recorded run replayed to itself; None: nobody showed it."""
    released: tuple[str, ...]
    """Strategies whose release gate is open for LIVE."""
    paper_passed_ns: int
    """When the oldest of them passed PAPER_FULL; 0 with the rehearsal's waiver."""
    alerts: int
    """Critical or high alerts that nobody acknowledged, and shelved ones."""
    is_embedded: bool
    """Console and engine share a process: never lawful for live."""


def rows(facts: PreflightFacts, limits: LimitsConfig) -> tuple[CheckRow, ...]:
    """Judge everything; the order is the order of the screen."""
    return (
        *_links(facts, limits),
        *_money(facts, limits),
        *_safety(facts, limits),
        *_proof(facts),
    )


def _row(code: str, ok: bool, title: str, value: str, limit: str) -> CheckRow:  # noqa: FBT001  # a column of a table, named by its place
    return CheckRow(code=code, ok=ok, title=title, value=value, limit=limit)


def _links(f: PreflightFacts, limits: LimitsConfig) -> tuple[CheckRow, ...]:
    clock_ns, book_ns = limits.clock_offset_ms * MS, limits.witnessed_age_ms * MS
    user_ns, beat_ns = limits.user_age_ms * MS, limits.heartbeat_ms * MS
    offset = f.offset_ns
    fresh_clock = f.at_ns - f.offset_at_ns <= limits.clock_age_s * S
    return (
        _row(
            "CLOCK_SKEW",
            offset is not None and abs(offset) <= clock_ns and fresh_clock,
            "clock skew against the venue",
            "unknown" if offset is None else span(offset),
            f"within {span(clock_ns)}",
        ),
        _young("MARKET_FEED", "market stream", f.at_ns, f.market_ns, book_ns),
        _young("USER_FEED", "user stream", f.at_ns, f.user_ns, user_ns),
        _row(
            "HEARTBEAT",
            not f.heartbeat_ns or f.at_ns - f.heartbeat_ns <= beat_ns,
            "heartbeat",
            span(f.at_ns - f.heartbeat_ns) if f.heartbeat_ns else "begins when armed",
            f"within {span(beat_ns)} once begun",
        ),
        _row(
            "VENUE",
            f.venue_normal and not f.region_blocked and not f.closed_only,
            "venue and region",
            _standing(f),
            "normal, region open",
        ),
        _row("SIGNER", f.can_send, "signer and its self-test", _yes(f.can_send), "answers, equal"),
    )


def _money(f: PreflightFacts, limits: LimitsConfig) -> tuple[CheckRow, ...]:
    balance_ns = limits.balance_age_ms * MS
    is_known = f.balance_ns > 0 and f.at_ns - f.balance_ns <= balance_ns
    return (
        _row(
            "BALANCE",
            is_known and f.cash_u6 > 0,
            "balance",
            dollars(f.cash_u6) if f.balance_ns else "never read",
            f"above $0, read within {span(balance_ns)}",
        ),
        _row(
            "ALLOWANCE",
            f.allowance_u6 >= limits.order_cash_u6,
            "allowance",
            dollars(f.allowance_u6),
            f"at least {dollars(limits.order_cash_u6)}",
        ),
        _row("CAPS", f.caps_u6 > 0, "every cap set", dollars(f.caps_u6), "above $0"),
        _none("POSITIONS", "differences with the venue", f.anomalies),
        _none("OPEN_ORDERS", "open orders", f.open_orders),
        _none("UNKNOWN_ORDERS", "unknown orders", f.unknown),
    )


def _safety(f: PreflightFacts, limits: LimitsConfig) -> tuple[CheckRow, ...]:
    tested = f.kill_tested_ns > 0 and f.at_ns - f.kill_tested_ns <= SELF_TEST_AGE_NS
    queue_ok = f.host.journal_ok and f.host.journal_fill < limits.journal_fill
    return (
        _row(
            "KILL_SELF_TEST",
            tested and f.kill_test_ns <= KILL_TEST_NS,
            "kill self-test",
            span(f.kill_test_ns) if tested else "not run lately",
            f"at most {span(KILL_TEST_NS)}",
        ),
        _young("CANCEL_ALL", "cancel-all path", f.at_ns, f.cancel_all_ns, SELF_TEST_AGE_NS),
        _row(
            "LATCH",
            not f.killed and f.host.latch_clear,
            "kill latch",
            "open" if not f.killed and f.host.latch_clear else "closed",
            "open",
        ),
        _none("BREAKERS", "tripped breakers", f.breakers),
        _row(
            "JOURNAL",
            queue_ok,
            "journal",
            f"queue {percent(f.host.journal_fill)}" if f.host.journal_ok else "failed",
            f"writable, below {percent(limits.journal_fill)}",
        ),
        _row(
            "DISK",
            f.host.disk_free_bytes >= DISK_FREE_MIN,
            "disk free",
            f"{f.host.disk_free_bytes / 1e9:.1f} GB",
            f"at least {DISK_FREE_MIN / 1e9:.1f} GB",
        ),
        _row("LOCK", f.host.lock_held, "single instance", _yes(f.host.lock_held), "lock held"),
        *_processes(f),
        _none("ALERTS", "unacknowledged or shelved alerts", f.alerts),
    )


def _processes(f: PreflightFacts) -> tuple[CheckRow, CheckRow]:
    """Ask for the sentinel and for a console that cannot take the engine with it."""
    sentinel_ns = f.host.sentinel_ns
    is_watched = sentinel_ns > 0 and f.at_ns - sentinel_ns <= SENTINEL_AGE_NS
    waived = " (waived: practice money)" if f.is_practice else ""
    return (
        _row(
            "SENTINEL",
            f.is_practice or is_watched,
            "sentinel",
            (span(f.at_ns - sentinel_ns) if sentinel_ns else "none")
            + ("" if is_watched else waived),
            f"within {span(SENTINEL_AGE_NS)}",
        ),
        _row(
            "TWO_PROCESSES",
            f.is_practice or not f.is_embedded,
            "engine in its own process",
            _yes(not f.is_embedded) + (waived if f.is_embedded else ""),
            "yes",
        ),
    )


def _proof(f: PreflightFacts) -> tuple[CheckRow, ...]:
    age_ns = f.at_ns - f.paper_passed_ns
    is_tested = f.paper_passed_ns > 0 and age_ns <= PAPER_TESTED_NS
    waived = " (waived: practice money)" if f.is_practice else ""
    return (
        _none("STALE_SENT", "orders sent on stale state", f.stale_sent),
        _row(
            "CONFIG",
            f.host.config_hash == f.config_hash and (f.is_practice or _tested(f)),
            "configuration as in paper",
            f.config_hash[:8] + waived,
            (f.paper_hash[:8] or "none in paper") if not f.is_practice else f.config_hash[:8],
        ),
        _row(
            "REPLAY_EQUAL",
            f.is_practice if f.replay_equal is None else f.replay_equal,
            "replay equals the log",
            REPLAYED[f.replay_equal] + (waived if f.replay_equal is None else ""),
            "the last recording",
        ),
        _row(
            "RELEASED",
            bool(f.released),
            "strategies released for live",
            " ".join(f.released) or "none",
            "at least one",
        ),
        _row(
            "PAPER_FULL",
            f.is_practice or is_tested,
            "paper gate passed",
            (span(age_ns) + " ago" if f.paper_passed_ns else "never") + waived,
            f"within {span(PAPER_TESTED_NS)}",
        ),
    )


def _tested(f: PreflightFacts) -> bool:
    return f.config_hash == f.paper_hash


def _young(code: str, title: str, now_ns: int, last_ns: int, most_ns: int) -> CheckRow:
    ok = last_ns > 0 and now_ns - last_ns <= most_ns
    value = span(now_ns - last_ns) if last_ns else "never"
    return _row(code, ok, title, value, f"within {span(most_ns)}")


def _none(code: str, title: str, count: int) -> CheckRow:
    return _row(code, count == 0, title, str(count), "0")


def _yes(is_so: bool) -> str:  # noqa: FBT001  # the value of a row, named by its place
    return "yes" if is_so else "no"


def _standing(f: PreflightFacts) -> str:
    if f.region_blocked:
        return "region blocked"
    if f.closed_only:
        return "closed only"
    return "normal" if f.venue_normal else "not normal"
