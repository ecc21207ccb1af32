"""The operator's side of the practice venue: troubles to cause by name, and what to show of it."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping

from polytui.engine.core.errors import OperatorError, shown
from polytui.engine.core.section import CountView
from polytui.engine.core.view import FaultView, VenueLabView, VenueNote
from polytui.engine.sim.exchange.api import TradeStatus
from polytui.engine.sim.exchange.emissions import (
    Emission,
    MarketResolved,
    OrderCanceled,
    OrderPlaced,
    TradePrinted,
    TradeUpdate,
)
from polytui.engine.sim.exchange.terms import DelayTerms, Resolution, SettlementTerms
from polytui.engine.sim.faults import (
    ChangeTick,
    CutStreams,
    ResolveMarket,
    Restart,
    SetSettlement,
)
from polytui.engine.sim.population.weather import Regime
from polytui.engine.sim.practice_world import PracticeWorld
from polytui.engine.sim.scenario import SECOND_NS, Entry, Step, active_faults

HEAL = "heal"
"""The name that ends everything caused so far."""
NOTES_KEPT = 8

OFFERS: Mapping[str, tuple[str, Entry]] = {
    "freeze": (
        "Freeze",
        Entry(
            s=0,
            for_s=10,
            note="Market sockets fall silent for 10 s and still answer PING.",
            switches={"market_freeze": True},
        ),
    ),
    "deaf": (
        "Deaf token",
        Entry(
            s=0,
            for_s=20,
            note="The Down token of the running window falls silent for 20 s.",
            switches={"deaf_tokens": ["@updown:no"]},
        ),
    ),
    "torn": (
        "Torn sides",
        Entry(
            s=0,
            for_s=10,
            note="For 10 s the two sides of each change arrive half a second apart.",
            switches={"torn_ms": 500},
        ),
    ),
    "drop": (
        "Lost frames",
        Entry(
            s=0, for_s=10, note="For 10 s one frame in five is lost.", switches={"frame_drop": 0.2}
        ),
    ),
    "disorder": (
        "Disorder",
        Entry(
            s=0,
            for_s=10,
            note="For 10 s frames come twice, or after their successors.",
            switches={"frame_repeat": 0.2, "frame_swap": 0.2},
        ),
    ),
    "cut": (
        "Cut streams",
        Entry(s=0, note="Every market connection is cut.", acts=(CutStreams(),)),
    ),
    "restart": (
        "Restart",
        Entry(
            s=0,
            note="The matching engine restarts: 20 s of 425, then two minutes of post-only.",
            acts=(Restart(down_ms=20_000),),
        ),
    ),
    "tick": (
        "Tick change",
        Entry(
            s=0,
            note="The grid of the first market becomes ten times finer.",
            acts=(ChangeTick(market="@first", tick_u6=1_000),),
        ),
    ),
    "ghost": (
        "Ghost book",
        Entry(
            s=0,
            for_s=30,
            note="For 30 s REST shows 0.01 / 0.99 for the running window.",
            switches={"ghost_markets": ["@updown"]},
        ),
    ),
    "index": (
        "Index stall",
        Entry(
            s=0,
            for_s=9,
            note="The settlement price stands still for 9 s.",
            switches={"chainlink_freeze": True},
        ),
    ),
    "wild": (
        "Wild prices",
        Entry(
            s=0,
            for_s=30,
            note="For 30 s every market is wild.",
            population={"regime": Regime.HIGH_VOL.value},
        ),
    ),
    "thin": (
        "Thin books",
        Entry(
            s=0,
            for_s=30,
            note="For 30 s nobody shows size.",
            population={"regime": Regime.THIN.value},
        ),
    ),
    "herd": (
        "Herd",
        Entry(
            s=0,
            for_s=60,
            note="For a minute two hundred follow the same signal.",
            population={"herd": 200},
        ),
    ),
    "storm": (
        "Failing trades",
        Entry(
            s=0,
            note="35 % of trades fail after the match from now on; `heal` ends it.",
            acts=(
                SetSettlement(
                    terms=SettlementTerms(
                        mine=DelayTerms(low_ms=2_000, high_ms=20_000),
                        confirm=DelayTerms(low_ms=2_000, high_ms=40_000),
                        retry_chance=0.5,
                        fail_chance=0.35,
                    )
                ),
            ),
        ),
    ),
    "resolve": (
        "Resolve",
        Entry(
            s=0,
            note="The first market resolves YES, under whoever quotes it.",
            acts=(ResolveMarket(market="@first", outcome=Resolution.YES),),
        ),
    ),
}
"""Title and entry of each trouble, in the order in which they are offered."""

TROUBLES = (*OFFERS, HEAL)
"""Every name that may be asked for."""

_COUNTED: Mapping[type[Emission], str] = {
    OrderPlaced: "orders",
    OrderCanceled: "cancels",
    TradePrinted: "trades",
    MarketResolved: "resolved",
}


class PracticeLab:
    """Keeps count of what the venue does, and causes trouble on request."""

    def __init__(self, world: PracticeWorld) -> None:
        """Watch a venue."""
        self._world = world
        self._counts: Counter[str] = Counter()
        self._notes: deque[VenueNote] = deque(maxlen=NOTES_KEPT)
        self._until_ns: dict[str, int] = {}
        self.frames = 0
        """Market frames handed out, counted by whoever hands them out."""

    def cause(self, name: str, at_ns: int) -> None:
        """Let a trouble happen at a time.

        Raises:
            OperatorError: there is none of that name.
        """
        scenario = self._world.scenario
        at_ns = max(at_ns, self._world.now_ns)
        if name == HEAL:
            scenario.heal(at_ns)
            scenario.inject(Entry(s=0, acts=(SetSettlement(terms=SettlementTerms()),)), at_ns)
            self._until_ns.clear()
            return
        check(name)
        _, entry = OFFERS[name]
        scenario.inject(entry, at_ns)
        if entry.for_s:
            self._until_ns[name] = at_ns + int(entry.for_s * SECOND_NS)

    def note(self, emissions: Iterable[Emission], steps: Iterable[Step]) -> None:
        """Count what happened, and remember what was done."""
        for emission in emissions:
            counter = _COUNTED.get(type(emission))
            if counter is not None:
                self._counts[counter] += 1
            elif isinstance(emission, TradeUpdate):
                self._counts[emission.trade.status.value.lower()] += 1
        for step in steps:
            if step.note:
                self._notes.appendleft(VenueNote(at_ns=step.at_ns, text=step.note))

    def view(self, now_ns: int) -> VenueLabView:
        """Show the venue as it is."""
        world = self._world
        population, script = world.population, world.scenario.script
        temper = population.temper
        weathers = [market.truth.weather for market in population.markets.values()]
        regimes = Counter(weather.regime for weather in weathers)
        held = temper.regime
        return VenueLabView(
            rev=population.acts,
            at_ns=now_ns,
            scenario=script.title,
            about=" ".join(script.about.split()),
            started_ns=world.start_ns,
            next_ns=world.scenario.next_due_ns(),
            mode=world.exchange.mode.value,
            faults=active_faults(world.scenario.switches),
            notes=tuple(self._notes),
            offers=self._offers(now_ns),
            price_u6=round(world.path.price * 100) * 10_000,
            price_regime=world.path.truth.weather.regime.value,
            regimes=tuple(CountView(name=r.value, value=regimes[r]) for r in Regime),
            hot=sum(weather.is_hot(world.now_ns) for weather in weathers),
            held_regime=held.value if held is not None else "",
            pace=temper.pace,
            makers=temper.makers,
            informed=temper.informed,
            herd=temper.herd,
            arbitrage=temper.arbitrage,
            counters=self._counters(),
        )

    def _offers(self, now_ns: int) -> tuple[FaultView, ...]:
        until = self._until_ns
        return tuple(
            FaultView(
                name=name,
                title=title,
                help=entry.note,
                until_ns=ns if (ns := until.get(name, 0)) > now_ns else 0,
            )
            for name, (title, entry) in OFFERS.items()
        )

    def _counters(self) -> tuple[CountView, ...]:
        counts = self._counts
        pairs = {
            "markets": len(self._world.population.markets),
            "orders": counts["orders"],
            "cancels": counts["cancels"],
            "trades": counts["trades"],
            "confirmed": counts[TradeStatus.CONFIRMED.value.lower()],
            "retrying": counts[TradeStatus.RETRYING.value.lower()],
            "failed": counts[TradeStatus.FAILED.value.lower()],
            "resolved": counts["resolved"],
            "baskets": self._world.population.arbitrageur.taken,
            "herd buys": self._world.population.herd.taken,
            "frames": self.frames,
        }
        return tuple(CountView(name=name, value=value) for name, value in pairs.items())


def check(name: str) -> None:
    """Refuse a trouble that is not offered.

    Raises:
        OperatorError: there is none of that name.
    """
    if name not in TROUBLES:
        raise OperatorError(f"expected one of {', '.join(TROUBLES)}, was {shown(name)}")
