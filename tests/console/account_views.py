"""The account's sections: paper with every trouble, nothing at all, killed, armed, hostile."""

from msgspec.structs import replace

from polytui.engine.core.account_view import (
    AccountStatus,
    AnomalyRow,
    ArmView,
    BreakerRow,
    CauseRow,
    CheckRow,
    ControlRow,
    GateRow,
    KillLine,
    KillView,
    LimitRow,
    OrdersView,
    PositionsView,
    RiskView,
    ScopeRow,
)
from polytui.engine.core.enums import Mode
from polytui.engine.core.order_enums import (
    Anomaly,
    Control,
    KillStep,
    Realm,
    ReleaseGate,
    TradingState,
    VenueState,
)
from polytui.engine.core.section import CountView
from polytui.engine.core.view import AnySection
from polytui.engine.decide.alerts import Alerts
from tests.console.account_parts import (
    usual_bundles,
    usual_exposure,
    usual_fills,
    usual_orders,
    usual_positions,
)
from tests.console.alert_views import hostile_alerts, latched, troubled
from tests.console.parts import HOSTILE, MS, NOW, STATUS, TITLES, S, U, market_id

ACCOUNT = AccountStatus(
    realm=Realm.PAPER,
    is_practice=True,
    killed=False,
    verified=False,
    trading=TradingState.ACTIVE,
    venue_state=VenueState.NORMAL,
    venue_why="",
    intake_open=True,
    intake_why="",
    armed_until_ns=0,
    open_orders=5,
    unknown=0,
    limbo=0,
    provisional=3,
    oldest_provisional_ns=NOW - 41 * S,
    residues=0,
    anomalies=0,
    exposure_u6=212_400_000,
    cap_u6=500 * U,
    equity_u6=1_012_400_000,
    day_u6=3_410_000,
    user_ns=NOW - 1_200 * MS,
    stale_sent=0,
)
IDLE_ARM = ArmView(
    stage="idle",
    checks=(),
    hash="",
    phrase="",
    cap_u6=0,
    hours=0,
    countdown_ns=0,
    armed_until_ns=0,
    reason="",
)
CHECKS = tuple(
    CheckRow(code=code, ok=True, title=title, value=value, limit=limit)
    for code, title, value, limit in (
        ("CLOCK", "clock offset", "12 ms", "500 ms"),
        ("FEEDS", "market and user feeds fresh", "84 ms, 1.2 s", ""),
        ("BALANCE", "balance and allowance", "612.40", ""),
        ("CAPS", "caps above 0 for every strategy", "3 of 3", ""),
        ("POSITIONS", "positions equal the venue's", "0 differences", ""),
        ("UNKNOWN", "no unknown orders", "0", ""),
        ("KILL_TEST", "kill self-test", "0.4 ms", "10 ms"),
        ("CANCEL_ALL", "cancel-all path answers", "38 ms", ""),
        ("DISK", "log fsync and disk", "3 ms, 71 % free", ""),
        ("CONFIG", "configuration as paper-tested", "4f2a", ""),
    )
)
RED = (
    *CHECKS[:4],
    replace(CHECKS[4], ok=False, value="1 difference"),
    *CHECKS[5:],
    CheckRow(code="GATE", ok=False, title="PAPER_FULL passed", value="never", limit="14 days"),
)
NO_KILL = KillView(
    killed=False,
    at_ns=0,
    actor="",
    reason="",
    lines=(),
    open_orders=-1,
    read_ns=0,
    unknown=0,
    verified=False,
    attempts=0,
    fills_after=0,
)
KILLED = KillView(
    killed=True,
    at_ns=NOW - 3_100 * MS,
    actor="uid 1000 pid 4121",
    reason="operator key",
    lines=(
        KillLine(step=KillStep.GATE, done=True, after_us=400, text="nothing can be signed"),
        KillLine(step=KillStep.STRATEGIES, done=True, after_us=900, text="box mm"),
        KillLine(step=KillStep.CANCEL_SENT, done=True, after_us=3_100, text="28 in 2 requests"),
        KillLine(
            step=KillStep.CANCEL_CONFIRMED, done=False, after_us=-1, text="25 of 28, retry in 0.8 s"
        ),
        KillLine(step=KillStep.STRAGGLERS, done=False, after_us=-1, text="after 2 x 61 ms"),
        KillLine(step=KillStep.VERIFIED, done=False, after_us=-1, text="read every 0.5 s"),
    ),
    open_orders=3,
    read_ns=NOW - 400 * MS,
    unknown=1,
    verified=False,
    attempts=4,
    fills_after=1,
)
VERIFIED = replace(
    KILLED,
    lines=tuple(
        replace(line, done=True, after_us=line.after_us if line.done else 212_000)
        for line in KILLED.lines
    ),
    open_orders=0,
    unknown=0,
    verified=True,
)
TITLE_OF = {
    control: control.name.lower().replace("_", " ").replace("killed", "kill latch clear")
    for control in Control
}


def controls() -> tuple[ControlRow, ...]:
    """Make the table of the gate."""
    last = {
        Control.EXPOSURE: (41, "market at 104.20 of 100.00"),
        Control.FRESHNESS: (9_204, "book 2.4 s of 2.0 s"),
        Control.DUPLICATE: (3, "same order 0.8 s ago"),
    }
    return tuple(
        ControlRow(
            control=control,
            title=TITLE_OF[control],
            limit="hard" if number % 3 else "2.0 s",
            refused=last.get(control, (0, ""))[0],
            last_ns=NOW - 40 * S if control in last else 0,
            last=last.get(control, (0, ""))[1],
        )
        for number, control in enumerate(Control)
    )


LIMITS = (
    LimitRow(name="total_u6", value=500 * U, configured=500 * U, unit="$", used=212_400_000),
    LimitRow(name="market_u6", value=80 * U, configured=100 * U, unit="$", used=88 * U),
    LimitRow(name="order_qty_u6", value=100 * U, configured=100 * U, unit="shares", used=-1),
    LimitRow(name="day_loss_u6", value=50 * U, configured=50 * U, unit="$", used=0),
    LimitRow(name="sends_max", value=20 * U, configured=20 * U, unit="sends", used=4 * U),
)
GATES = (
    GateRow(
        strategy="box",
        gate=ReleaseGate.PAPER_CANARY,
        since_ns=NOW - 30 * 3_600 * S,
        next_gate=ReleaseGate.PAPER_FULL,
        checks=(
            CheckRow(code="DWELL", ok=False, title="time in this gate", value="30 h", limit="72 h"),
            CheckRow(code="FILLS", ok=True, title="paper fills", value="212", limit="100"),
        ),
        last="operator:promote",
    ),
    GateRow(
        strategy="mm",
        gate=ReleaseGate.DEV,
        since_ns=NOW - 9 * S,
        next_gate=None,
        checks=(),
        last="",
    ),
)
RISK_VIEW = RiskView(
    rev=3,
    at_ns=NOW,
    mode=Mode.PAPER,
    realm=Realm.PAPER,
    is_practice=True,
    venue_state=VenueState.NORMAL,
    venue_why="",
    trading=TradingState.REDUCING,
    causes=(
        CauseRow(
            state=TradingState.REDUCING,
            cause="loop lag 12 ms over 5 ms",
            since_ns=NOW - 30 * S,
            clears="evidence",
        ),
        CauseRow(
            state=TradingState.REDUCING,
            cause="day loss at 80 %",
            since_ns=NOW - 300 * S,
            clears="person",
        ),
    ),
    intake_open=False,
    intake_why="orders and trades are being swept after a gap",
    controls=controls(),
    limits=LIMITS,
    breakers=(
        BreakerRow(name="repetition:box", tripped_ns=NOW - 90 * S, why="10 rejects in 10 s"),
        BreakerRow(name="day_loss", tripped_ns=0, why=""),
    ),
    gates=GATES,
    kill=NO_KILL,
    arm=IDLE_ARM,
    venue_rows=(),
    heartbeat_ns=NOW - 900 * MS,
    clock_offset_us=12_000,
    clock_ns=NOW - 31 * S,
    orders_left=41,
    cancels_left=-1,
)


def orders_view(titles: tuple[str, ...] = TITLES) -> OrdersView:
    """Make page 3."""
    return OrdersView(
        rev=2,
        at_ns=NOW,
        realm=Realm.PAPER,
        orders=usual_orders(titles),
        fills=usual_fills(titles),
        bundles=usual_bundles(titles),
        more_orders=12,
        more_fills=0,
        more_bundles=0,
        counters=(CountView(name="sent", value=310), CountView(name="vetoed", value=9_204)),
    )


def anomaly(
    kind: Anomaly, number: int, ours: str, theirs: str, titles: tuple[str, ...]
) -> AnomalyRow:
    """Make a difference with the venue."""
    return AnomalyRow(
        anomaly=kind,
        subject=market_id(number),
        title=titles[number],
        ours=ours,
        theirs=theirs,
        since_ns=NOW - (40 + number) * S,
        resolved_ns=NOW - 5 * S if number == 7 else 0,
        detail="two reads 15 s apart agree",
    )


def scope(strategy: str, exposure: int, realized_u6: int, day_u6: int) -> ScopeRow:
    """Make a strategy's profit."""
    return ScopeRow(
        strategy=strategy,
        exposure_u6=exposure * U,
        cap_u6=300 * U,
        realized_u6=realized_u6,
        unrealized_u6=430_000,
        fees_u6=812_000,
        rebates_u6=120_000,
        rewards_u6=40_000,
        day_u6=day_u6,
        fills=41,
    )


def positions_view(titles: tuple[str, ...] = TITLES) -> PositionsView:
    """Make page i."""
    return PositionsView(
        rev=2,
        at_ns=NOW,
        realm=Realm.PAPER,
        is_practice=True,
        rows=usual_positions(titles),
        markets=usual_exposure(titles),
        strategies=(scope("box", 114, 2_210_000, 2_900_000), scope("mm", 98, -310_000, 510_000)),
        anomalies=(
            anomaly(Anomaly.POSITION_MISMATCH, 4, "24", "18", titles),
            anomaly(Anomaly.ORPHANED_RESERVATION, 7, "24 reserved", "no order", titles),
        ),
        cash_u6=612_400_000,
        incoming_u6=4_100_000,
        outgoing_u6=17_520_000,
        reserved_u6=31_000_000,
        free_u6=563_880_000,
        equity_u6=1_012_400_000,
        peak_u6=1_014_000_000,
        pairs_u6=36 * U,
        at_risk_u6=29_300_000,
        exposure_u6=212_400_000,
        cap_u6=500 * U,
        realized_u6=1_900_000,
        unrealized_u6=860_000,
        fees_u6=1_624_000,
        rebates_u6=240_000,
        rewards_u6=80_000,
        day_u6=3_410_000,
        failed_share=0.04,
        balances_ns=NOW - 22 * S,
    )


def trading(base: dict[str, AnySection], titles: tuple[str, ...] = TITLES) -> dict[str, AnySection]:
    """Add an account that trades on paper, with one of every trouble."""
    account = replace(ACCOUNT, unknown=1, limbo=2, residues=1, anomalies=1)
    return base | {
        "status": replace(STATUS, mode=Mode.PAPER, account=account, alerts=troubled().counts),
        "orders": orders_view(titles),
        "positions": positions_view(titles),
        "risk": RISK_VIEW,
        "alerts": troubled().view(at_ns=NOW),
    }


def bare(base: dict[str, AnySection]) -> dict[str, AnySection]:
    """Add an account that has done nothing yet."""
    view, held = orders_view(), positions_view()
    nothing = {name: 0 for name in held.__struct_fields__ if name.endswith("_u6")}
    return base | {
        "orders": replace(view, orders=(), fills=(), bundles=(), more_orders=0, counters=()),
        "positions": replace(
            held,
            rows=(),
            markets=(),
            strategies=(),
            anomalies=(),
            failed_share=0.0,
            balances_ns=0,
            **nothing,
        ),
        "risk": replace(
            RISK_VIEW,
            mode=Mode.SHADOW,
            trading=TradingState.HALTED,
            causes=(),
            controls=(),
            limits=(),
            breakers=(),
            gates=(),
            heartbeat_ns=0,
            clock_ns=0,
            orders_left=-1,
        ),
        "alerts": Alerts().view(at_ns=NOW),
    }


def killed(base: dict[str, AnySection], *, verified: bool = False) -> dict[str, AnySection]:
    """Add an account that was killed a moment ago; on a live venue with practice money."""
    account = replace(
        ACCOUNT,
        realm=Realm.LIVE,
        killed=True,
        verified=verified,
        trading=TradingState.HALTED,
        unknown=0 if verified else 1,
    )
    left = () if verified else usual_orders()[1:4]
    rows = tuple(replace(row, cancel_ns=NOW - 3 * S, cancel_attempts=2) for row in left)
    risk = replace(
        RISK_VIEW,
        mode=Mode.LIVE_DRY_RUN,
        realm=Realm.LIVE,
        trading=TradingState.HALTED,
        kill=VERIFIED if verified else KILLED,
        venue_rows=rows,
    )
    alerts = latched(verified=verified)
    status = replace(STATUS, mode=Mode.LIVE_DRY_RUN, account=account, alerts=alerts.counts)
    changed: dict[str, AnySection] = {
        "status": status,
        "risk": risk,
        "alerts": alerts.view(at_ns=NOW),
    }
    return trading(base) | changed


def armed(base: dict[str, AnySection], *, practice: bool) -> dict[str, AnySection]:
    """Add an account that is armed for 3 h 41."""
    until = NOW + (3 * 60 + 41) * 60 * S
    account = replace(ACCOUNT, realm=Realm.LIVE, is_practice=practice, armed_until_ns=until)
    risk = replace(RISK_VIEW, mode=Mode.LIVE_ARMED, realm=Realm.LIVE, is_practice=practice)
    status = replace(STATUS, mode=Mode.LIVE_ARMED, account=account)
    orders = replace(orders_view(), realm=Realm.LIVE)
    return trading(base) | {"status": status, "risk": risk, "orders": orders}


def arming(base: dict[str, AnySection], arm: ArmView, *, practice: bool) -> dict[str, AnySection]:
    """Add an account in LIVE DRY RUN whose arming is somewhere."""
    account = replace(ACCOUNT, realm=Realm.LIVE, is_practice=practice)
    risk = replace(
        RISK_VIEW,
        mode=Mode.LIVE_DRY_RUN,
        realm=Realm.LIVE,
        is_practice=practice,
        trading=TradingState.ACTIVE,
        causes=(),
        arm=arm,
    )
    status = replace(STATUS, mode=Mode.LIVE_DRY_RUN, account=account)
    return trading(base) | {"status": status, "risk": risk}


CHALLENGED = replace(
    IDLE_ARM,
    stage="challenged",
    checks=CHECKS,
    hash="9f31c07e",
    phrase="ARM LIVE 500",
    cap_u6=500 * U,
    hours=4,
)


def hostile(base: dict[str, AnySection]) -> dict[str, AnySection]:
    """Add an account in which every text that comes from outside is an enemy's."""
    nasty = " ".join(HOSTILE)
    orders, positions = orders_view(HOSTILE), positions_view(HOSTILE)
    rows = tuple(
        replace(o, why=nasty, outcome=nasty, strategy=nasty, order_hash=nasty, bundle=nasty,
                edges=tuple(replace(edge, detail=nasty) for edge in o.edges))
        for o in orders.orders
    )  # fmt: skip
    bundles = tuple(replace(b, plan=nasty, why=nasty, strategy=nasty) for b in orders.bundles)
    fills = tuple(replace(f, tx_hash=nasty, outcome=nasty, strategy=nasty) for f in orders.fills)
    odd = tuple(replace(a, ours=nasty, theirs=nasty, detail=nasty) for a in positions.anomalies)
    risk = replace(
        RISK_VIEW,
        venue_why=nasty,
        intake_why=nasty,
        causes=tuple(replace(c, cause=nasty) for c in RISK_VIEW.causes),
        controls=tuple(replace(c, title=nasty, last=nasty) for c in RISK_VIEW.controls),
        breakers=tuple(replace(b, name=nasty, why=nasty) for b in RISK_VIEW.breakers),
        gates=tuple(replace(g, strategy=nasty, last=nasty) for g in RISK_VIEW.gates),
        kill=replace(KILLED, actor=nasty, reason=nasty,
                     lines=tuple(replace(x, text=nasty) for x in KILLED.lines)),
        venue_rows=rows,
    )  # fmt: skip
    account = replace(ACCOUNT, venue_why=nasty, intake_why=nasty, unknown=1)
    return base | {
        "status": replace(STATUS, mode=Mode.PAPER, account=account, alerts=hostile_alerts().counts),
        "alerts": hostile_alerts().view(at_ns=NOW),
        "orders": replace(orders, orders=rows, bundles=bundles, fills=fills),
        "positions": replace(positions, anomalies=odd),
        "risk": risk,
    }
