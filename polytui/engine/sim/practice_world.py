"""The practice venue without its wire: exchange, hidden truths, population, scenario, references.

It is told how far to let time pass and hands out what happened: what the exchange emitted, what the
reference feeds would send, and which faults of the wire a scenario switched. Both ways of serving
it, embedded and on sockets, drive this one object, and however time is cut the same things happen.
"""

from collections.abc import Callable
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from polytui.engine.core.enums import Feed
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.rng import Rng
from polytui.engine.sim import practice_markets as listed
from polytui.engine.sim.exchange.emissions import Emission
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.exchange.terms import MarketTerms, Settings
from polytui.engine.sim.faults import AnyAct, Switches
from polytui.engine.sim.population import reference
from polytui.engine.sim.population.arbitrage import group_baskets, implied_basket
from polytui.engine.sim.population.calendar import Calendar
from polytui.engine.sim.population.crowd import Population, Temper
from polytui.engine.sim.population.reference import BinanceDesk, ChainlinkDesk, CoinbaseDesk
from polytui.engine.sim.population.truth import (
    STEP_NS,
    Above,
    Drifting,
    Exclusive,
    PricePath,
    Truth,
    UpDown,
    World,
)
from polytui.engine.sim.population.updown import LOOKBACK_S, WINDOW_S
from polytui.engine.sim.population.weather import SECOND_NS
from polytui.engine.sim.practice_acts import carry_out
from polytui.engine.sim.practice_markets import Listed
from polytui.engine.sim.scenario import Names, Scenario, Script, Step

MS_NS = 1_000_000
HISTORY_S = LOOKBACK_S + 1
"""The exchange opens this long before the running window, so that its first average is known."""
NOTICE_NS = 500 * MS_NS
"""News about a group reaches the makers of one outcome after the other: baskets come and go."""
IMPLIED_MAX = 40
"""Neighbouring strikes whose baskets the arbitrageur watches."""


FRAMES_ANYHOW = 1.5
FRAMES_PER_PACE = 3.5
"""Frames a second that one market makes: measured, as a + b · pace, in mixed weather."""
PACE_LEAST = 0.02
PACE_MOST = 500.0


def pace_of(markets: int, rate: float) -> float:
    """Find the pace at which the venue makes about `rate` frames a second with so many markets.

    `markets` are those besides the groups of six and the two rolling ones.
    """
    pace = (rate / (markets + 6 + 2) - FRAMES_ANYHOW) / FRAMES_PER_PACE
    return min(PACE_MOST, max(PACE_LEAST, pace))


class ReferencePrint(Struct, frozen=True, kw_only=True, gc=False):
    """A frame of a reference feed."""

    at_ns: int
    feed: Feed
    data: bytes


class PracticeWorld:
    """One practice venue."""

    def __init__(
        self,
        *,
        seed: int,
        start_ns: int,
        singles: int,
        script: Script | None = None,
        pace: float = 1.0,
        settings: Settings | None = None,
    ) -> None:
        """List the markets, let the running window's history pass, and let everybody in."""
        rng = Rng(seed)
        self.seed = seed
        self.start_ns = start_ns
        self._pace = pace
        window_ns = start_ns // SECOND_NS // WINDOW_S * WINDOW_S * SECOND_NS
        open_ns = window_ns - HISTORY_S * SECOND_NS
        self.path = PricePath(listed.PRICE_START, rng.fork("price"), at_ns=open_ns)
        self.truths = World({listed.SYMBOL: self.path})
        self.exchange = Exchange(rng=rng.fork("exchange"), start_ns=open_ns, settings=settings)
        self._hidden: dict[str, Truth] = {}
        """Of listed markets, by condition id; windows come later."""
        self._singles = listed.singles(singles)
        self._list_all(rng.fork("truths"), open_ns)
        self._pass_history(open_ns, start_ns)
        self.scenario = Scenario(script or Script(title="no scenario"), start_ns=start_ns)
        self.wallet = ""
        self.population = Population(
            self.exchange,
            self.truths,
            rng.fork("population"),
            truth_of=self._truth_of,
            temper=self._tempered(self.scenario.temper),
        )
        self._watch_baskets()
        self._prints: list[ReferencePrint] = []
        self._steps: list[Step] = []
        self._desks = Calendar(start_ns)
        self.coinbase = CoinbaseDesk(self.path, rng.fork("coinbase"))
        self.binance = BinanceDesk(self.path, rng.fork("binance"))
        self.chainlink = ChainlinkDesk(self.path)
        self._rng = rng.fork("feeds")
        self._open_desks(start_ns)
        self.switches = self.names().switches(self.scenario.switches)

    # --- time ------------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """Return the present."""
        return self.exchange.now_ns

    def next_due_ns(self) -> int:
        """Return when the next thing happens."""
        dues = (
            self.population.next_due_ns(),
            self._desks.next_due_ns(),
            self.scenario.next_due_ns(),
        )
        return min(due for due in dues if due is not None)

    def advance(self, until_ns: int) -> list[Emission]:
        """Let time pass; return what the exchange emitted, in order."""
        emissions: list[Emission] = []
        while (due_ns := self.next_due_ns()) <= until_ns:
            emissions += self.population.advance(due_ns)
            self._desks.run_until(due_ns)
            for step in self.scenario.due(due_ns):
                self._steps.append(self._play(step))
        emissions += self.population.advance(until_ns)
        return emissions

    def take_prints(self) -> list[ReferencePrint]:
        """Hand over, and forget, what the reference feeds would have sent."""
        prints, self._prints = self._prints, []
        return prints

    def take_steps(self) -> list[Step]:
        """Hand over, and forget, the steps of the scenario that were taken, ids for names."""
        steps, self._steps = self._steps, []
        return steps

    # --- what goes wrong -------------------------------------------------------------------------

    def names(self) -> Names:
        """Look up markets by their names in scenarios, as of now."""
        exchange = self.exchange
        markets = [t for t in exchange.markets() if exchange.resolution(t.condition) is None]
        return Names(markets, now_ns=exchange.now_ns, wallet=self.wallet)

    def do(self, act: AnyAct) -> AnyAct:
        """Do the exchange's part of an act; return it with ids for names, for the wire's part.

        Raises:
            OperatorError: it names a market that does not exist now.
        """
        act = self.names().act(act)
        carry_out(self.exchange, act)
        self.population.listen()
        return act

    def switch(self, switches: Switches) -> None:
        """Change how the wire behaves; names become ids.

        Raises:
            OperatorError: it names a market that does not exist now.
        """
        self.switches = self.names().switches(switches)

    def _play(self, step: Step) -> Step:
        """Take a step of the scenario; what cannot be done here and now is skipped and said."""
        note = step.note
        try:
            if step.switches is not None:
                self.switch(step.switches)
        except OperatorError as refusal:
            note = f"{note} (skipped: {refusal})"
        if step.temper is not None:
            self.population.retemper(self._tempered(step.temper))
        acts = []
        for act in step.acts:
            try:
                acts.append(self.do(act))
            except OperatorError as refusal:
                note = f"{note} (skipped: {refusal})"
        switches = None if step.switches is None else self.switches
        return replace(step, note=note, switches=switches, acts=tuple(acts))

    # --- truths ----------------------------------------------------------------------------------

    def _list_all(self, rng: Rng, now_ns: int) -> None:
        exchange = self.exchange
        for single in self._singles:
            exchange.list_group(listed.group_of(single))
            exchange.list_market(single.terms)
            self._believe(single, rng, now_ns)
        group, members = listed.group()
        exchange.list_group(group)
        self._group = [member.terms.condition for member in members]
        exclusive = Exclusive([m.chance for m in members], rng.fork("group"), at_ns=now_ns)
        self.truths.add(group.slug, exclusive)
        for member, truth in zip(members, exclusive.truths, strict=True):
            exchange.list_market(member.terms)
            self._hidden[member.terms.condition] = truth
        exchange.list_series(listed.SERIES)

    def _believe(self, single: Listed, rng: Rng, now_ns: int) -> None:
        source: Drifting | Above
        if single.strike:
            source = Above(self.path, single.strike, end_s=listed.END_S, at_ns=now_ns)
        else:
            source = Drifting(single.chance, rng.fork(single.terms.slug), at_ns=now_ns)
        self.truths.add(single.terms.condition, source)
        self._hidden[single.terms.condition] = source.truth

    def _pass_history(self, open_ns: int, start_ns: int) -> None:
        """Let prices and windows live from the opening to the start, with nobody trading."""
        for at_ns in range(open_ns + STEP_NS, start_ns + 1, STEP_NS):
            self.path.step(at_ns)
            if at_ns % SECOND_NS < STEP_NS:
                self.exchange.advance(at_ns)
                value_u6 = self.path.value_u6(at_ns // SECOND_NS)
                if value_u6 is not None:
                    self.exchange.reference(listed.SYMBOL, value_u6, at_ns)
        self.exchange.advance(start_ns)

    def _truth_of(self, terms: MarketTerms) -> Truth | None:
        known = self._hidden.pop(terms.condition, None)
        if known is not None or terms.outcomes != ("Up", "Down"):
            return known
        start_s = terms.end_ns // SECOND_NS - WINDOW_S
        window = UpDown(self.path, start_s, at_ns=self.exchange.now_ns)
        self.truths.add(terms.condition, window)
        return window.truth

    def _watch_baskets(self) -> None:
        markets = self.population.markets
        for ix, condition in enumerate(self._group):
            markets[condition].slow_ns = ix * NOTICE_NS
        self.population.watch_baskets(
            group_baskets(listed.GROUP_ID, [markets[condition] for condition in self._group])
        )
        strikes = [single for single in self._singles if single.strike][: IMPLIED_MAX + 1]
        for low, high in pairwise(strikes):
            stronger, weaker = markets[high.terms.condition], markets[low.terms.condition]
            self.population.watch_baskets([implied_basket(stronger, weaker)])

    def _tempered(self, temper: Temper) -> Temper:
        """Put the venue's own pace over a scenario's."""
        return replace(temper, pace=temper.pace * self._pace)

    # --- reference feeds -------------------------------------------------------------------------

    def _open_desks(self, start_ns: int) -> None:
        desks = self._desks
        desks.at(start_ns + SECOND_NS, self._beat)
        desks.at(start_ns + STEP_NS, self._quote)
        self._plan(self._trade_coinbase, reference.COINBASE_TRADE_MEAN_S, start_ns)
        self._plan(self._trade_binance, reference.BINANCE_TRADE_MEAN_S, start_ns)
        desks.at(reference.next_index_ns(start_ns), self._index)

    def _plan(self, task: Callable[[int], None], mean_s: float, at_ns: int) -> None:
        self._desks.at(at_ns + MS_NS + int(self._rng.exponential(mean_s) * SECOND_NS), task)

    def _print(self, feed: Feed, data: bytes | None, at_ns: int) -> None:
        if data is not None:
            self._prints.append(ReferencePrint(at_ns=at_ns, feed=feed, data=data))

    def _beat(self, at_ns: int) -> None:
        self._print(Feed.COINBASE, self.coinbase.beat(at_ns), at_ns)
        self._desks.at(at_ns + reference.BEAT_NS, self._beat)

    def _trade_coinbase(self, at_ns: int) -> None:
        if self.switches.coinbase_gap and self._rng.chance(self.switches.coinbase_gap):
            self.coinbase.skip_trades(1)
        for data in self.coinbase.trade(at_ns):
            self._print(Feed.COINBASE, data, at_ns)
        self._plan(self._trade_coinbase, reference.COINBASE_TRADE_MEAN_S, at_ns)

    def _quote(self, at_ns: int) -> None:
        self._print(Feed.BINANCE, self.binance.quote(), at_ns)
        self._desks.at(at_ns + STEP_NS, self._quote)

    def _trade_binance(self, at_ns: int) -> None:
        self._print(Feed.BINANCE, self.binance.trade(at_ns), at_ns)
        self._plan(self._trade_binance, reference.BINANCE_TRADE_MEAN_S, at_ns)

    def _index(self, at_ns: int) -> None:
        self._print(Feed.CHAINLINK, self.chainlink.value(at_ns), at_ns)
        self._desks.at(reference.next_index_ns(at_ns), self._index)
