"""The population: everybody who trades on the practice venue, on one calendar.

It lets time pass at the exchange, acts through the exchange's public requests, and listens to what
the exchange emits. Whoever drives it gets those emissions, and shows it the ones that requests from
outside brought about. Everything is a function of the seed and of what it is told, so however time
is cut the same things happen.
"""

from collections.abc import Callable, Iterable
from functools import partial

from msgspec import Struct

from polytui.engine.core.rng import Rng
from polytui.engine.sim.exchange.emissions import (
    Emission,
    MarketChanged,
    MarketListed,
    MarketResolved,
    OrderCanceled,
    OrderFilled,
    TickChanged,
)
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.exchange.terms import MarketTerms
from polytui.engine.sim.population import arbitrage, herd, makers, takers
from polytui.engine.sim.population.arbitrage import Arbitrageur, Basket
from polytui.engine.sim.population.calendar import Calendar
from polytui.engine.sim.population.herd import Herd
from polytui.engine.sim.population.makers import STYLES, Maker
from polytui.engine.sim.population.market import Market
from polytui.engine.sim.population.takers import Informed, NoiseTaker
from polytui.engine.sim.population.trader import Trader
from polytui.engine.sim.population.truth import STEP_NS, Truth, World
from polytui.engine.sim.population.weather import SECOND_NS, Regime

NOISE_ACCOUNTS = 5
NOISE_MEAN_S = 12.0
"""Mean time between two noisy trades in one market, in the usual weather."""
NOISE_PAUSE_S_MAX = 600.0
TIDY_NS = 20 * SECOND_NS
LOOK_LEAST_NS = 1_000_000
TELL_NS = 1_000_000
"""After the step that makes a second's price: the exchange settles on what Chainlink tells."""
REDEEM_AFTER_NS = 60 * SECOND_NS
"""Trades of the last moment have settled by then."""

TruthOf = Callable[[MarketTerms], Truth | None]
"""What is true of a market that was just listed; None: nobody trades it."""


class Temper(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be turned on the population while it runs."""

    pace: float = 1.0
    """Factor on how often makers look and noise trades."""
    makers: int = len(STYLES)
    """How many of the kinds of makers quote, the tightest first."""
    noise: float = 1.0
    """Factor on noisy trades; 0: none."""
    informed: float = 1.0
    """Chance that the informed act on what they see."""
    arbitrage: bool = True
    herd: int = 4
    """Members of the crowding herd."""
    regime: Regime | None = None
    """Held in every market; None: each flips by itself."""


class Population:
    """Participants, their markets and what they do next."""

    def __init__(
        self,
        exchange: Exchange,
        world: World,
        rng: Rng,
        *,
        truth_of: TruthOf,
        temper: Temper | None = None,
    ) -> None:
        """Open accounts; a market is quoted from the moment the exchange says it is listed."""
        self.exchange = exchange
        self._truth_of = truth_of
        self.world = world
        self.temper = Temper()
        self.markets: dict[str, Market] = {}
        """By condition id; resolved ones are gone."""
        self.acts = 0
        self._rng = rng
        self._calendar = Calendar(exchange.now_ns)
        self._makers: dict[str, list[Maker]] = {}
        self._by_owner: dict[str, Trader] = {}
        self._heard: list[Emission] = []
        self._maker_traders = [self._trader(s.name, makers.CASH_U6) for s in STYLES]
        self._maker_of = {t.owner: n for n, t in enumerate(self._maker_traders)}
        noisy = [self._trader(f"noise-{n}", takers.NOISE_CASH_U6) for n in range(NOISE_ACCOUNTS)]
        self._noise = NoiseTaker(noisy, exchange, rng.fork("noise"))
        informed = self._trader("informed", takers.INFORMED_CASH_U6)
        self.informed = Informed(informed, exchange, rng.fork("informed"))
        arb = self._trader("arbitrage", arbitrage.CASH_U6)
        self.arbitrageur = Arbitrageur(arb, exchange, rng.fork("arbitrage"))
        crowd = [self._trader(f"herd-{n}", herd.CASH_U6) for n in range(herd.ACCOUNTS)]
        self.herd = Herd(crowd, exchange, rng.fork("herd"))
        self._begin()
        for terms in exchange.markets():
            if exchange.resolution(terms.condition) is None:
                self._admit(terms)
        self.retemper(temper or self.temper)
        self.listen()

    # --- who and where ---------------------------------------------------------------------------

    def watch_baskets(self, baskets: Iterable[Basket]) -> None:
        """Let the arbitrageur watch these."""
        for basket in baskets:
            self.arbitrageur.baskets[basket.name] = basket

    def retemper(self, temper: Temper) -> None:
        """Turn the population's knobs, from now on."""
        assert temper.herd <= herd.MEMBERS_MAX, f"expected at most {herd.MEMBERS_MAX} members"
        before, self.temper = self.temper, temper
        self.informed.share = temper.informed
        self.herd.members = temper.herd
        if temper.regime is not before.regime:
            self._force(temper.regime)
        for ours in self._makers.values():
            for maker in ours[temper.makers :]:
                maker.leave()

    def traders(self) -> tuple[Trader, ...]:
        """Return everybody, by account."""
        return tuple(self._by_owner.values())

    # --- time ------------------------------------------------------------------------------------

    def next_due_ns(self) -> int:
        """Return when somebody acts next, or something happens that they would hear of."""
        due_ns = self._calendar.next_due_ns()
        assert due_ns is not None, "expected a population never to end"
        exchange_ns = self.exchange.next_due_ns()
        return due_ns if exchange_ns is None else min(due_ns, exchange_ns)

    def advance(self, until_ns: int) -> list[Emission]:
        """Let time pass at the exchange, everybody acting at their own instants.

        Returns everything the exchange emitted since the last call, in order, including what
        requests from outside brought about: whoever drives a population does not drain elsewhere.
        """
        self.listen()
        while (due_ns := self.next_due_ns()) <= until_ns:
            self.exchange.advance(max(due_ns, self.exchange.now_ns))
            self._act(due_ns)
        self.exchange.advance(until_ns)
        self.listen()
        heard, self._heard = self._heard, []
        return heard

    def listen(self) -> None:
        """Hear what the exchange emitted since the last time; `advance` hands it on."""
        while emissions := self.exchange.drain():
            self._heard += emissions
            for emission in emissions:
                self._hear(emission)

    def _act(self, now_ns: int) -> None:
        """Let everybody act who is due; the exchange has been brought to this instant."""
        calendar = self._calendar
        self.listen()
        while (due_ns := calendar.next_due_ns()) is not None and due_ns <= now_ns:
            calendar.run_next()
            self.acts += 1
            self.listen()

    def _hear(self, emission: Emission) -> None:
        match emission:
            case OrderFilled() | OrderCanceled():
                self._hear_order(emission)
            case TickChanged():
                market = self.markets.get(emission.condition)
                if market is not None:
                    market.tick_u6 = emission.new_tick_u6
            case MarketChanged():
                market = self.markets.get(emission.terms.condition)
                if market is not None:
                    market.terms = emission.terms
                    market.is_open = emission.terms.accepting
            case MarketListed():
                if emission.terms.condition not in self.markets:
                    self._admit(emission.terms)
            case MarketResolved():
                self._part(emission.condition)
            case _:
                pass

    def _hear_order(self, emission: OrderFilled | OrderCanceled) -> None:
        order = emission.order
        ix = self._maker_of.get(order.owner)
        ours = self._makers.get(order.condition)
        if ix is not None and ours is not None:
            ours[ix].note(order)
        elif (trader := self._by_owner.get(order.owner)) is not None:
            trader.note(order)

    def _admit(self, terms: MarketTerms) -> None:
        """Trade a market that was listed, and fill its book at once."""
        truth = self._truth_of(terms)
        if truth is None:
            return
        now_ns = self.exchange.now_ns
        if self.temper.regime is not None:
            truth.weather.force(self.temper.regime, at_ns=now_ns)
        self.world.truths[terms.condition] = truth
        market = self.markets[terms.condition] = Market(terms, truth)
        rng = self._rng.fork(f"makers:{terms.condition}")
        ours = self._makers[terms.condition] = [
            Maker(style, market, trader, self.exchange, rng.fork(style.name))
            for style, trader in zip(STYLES, self._maker_traders, strict=True)
        ]
        for n, maker in enumerate(ours):
            if n < self.temper.makers:
                maker.look(now_ns, self.temper.pace)
            self._look_later(maker, n, now_ns + self._rng.below(SECOND_NS))
        self._plan_noise(market, now_ns)

    def _part(self, condition: str) -> None:
        """Leave a resolved market, and redeem what won once it has settled."""
        market = self.markets.pop(condition, None)
        if market is None:
            return
        market.is_open = False
        del self._makers[condition]
        self.world.drop(condition)
        for trader in self._by_owner.values():
            trader.forget(condition)
        self.arbitrageur.drop(market)
        self._calendar.at(self.exchange.now_ns + REDEEM_AFTER_NS, partial(self._redeem, market))

    # --- what happens when -----------------------------------------------------------------------

    def _begin(self) -> None:
        now_ns = self.exchange.now_ns
        for task in (self._step_world, self._tidy, self._scan, self._look_herd):
            self._calendar.at(now_ns + LOOK_LEAST_NS, task)
        next_s = now_ns // SECOND_NS + 1
        self._calendar.at(next_s * SECOND_NS + TELL_NS, self._tell_reference)
        self._calendar.at(now_ns + takers.INFORMED_LOOK_NS, self._look_informed)

    def _step_world(self, at_ns: int) -> None:
        self.world.step(at_ns)
        self._calendar.at((at_ns // STEP_NS + 1) * STEP_NS, self._step_world)

    def _tell_reference(self, at_ns: int) -> None:
        """Tell the exchange the price of the whole second just passed: windows settle on these."""
        second = at_ns // SECOND_NS
        for symbol, path in self.world.prices.items():
            value_u6 = path.value_u6(second)
            if value_u6 is not None:
                self.exchange.reference(symbol, value_u6, second * SECOND_NS)
        self._calendar.at((second + 1) * SECOND_NS + TELL_NS, self._tell_reference)

    def _look_later(self, maker: Maker, n: int, due_ns: int) -> None:
        self._calendar.at(due_ns, partial(self._look, maker, n))

    def _look(self, maker: Maker, n: int, at_ns: int) -> None:
        """Let a maker look, for as long as its market exists."""
        market = maker.market
        if self.markets.get(market.condition) is not market:
            return
        if n >= self.temper.makers or not market.is_open:
            self._look_later(maker, n, at_ns + SECOND_NS)
        else:
            self._look_later(maker, n, maker.look(at_ns, self.temper.pace))

    def _plan_noise(self, market: Market, at_ns: int) -> None:
        factor = self.temper.noise * self.temper.pace * market.truth.weather.pace(at_ns)
        pause_s = self._rng.exponential(NOISE_MEAN_S / factor) if factor > 0 else 1.0
        due_ns = at_ns + LOOK_LEAST_NS + int(min(pause_s, NOISE_PAUSE_S_MAX) * SECOND_NS)
        self._calendar.at(due_ns, partial(self._trade_noise, market))

    def _trade_noise(self, market: Market, at_ns: int) -> None:
        if self.markets.get(market.condition) is market:
            if market.is_open and self.temper.noise > 0:
                self._noise.trade(market)
            self._plan_noise(market, at_ns)

    def _strike(self, market: Market, _: int) -> None:
        self.informed.act(market)

    def _buy(self, basket: Basket, _: int) -> None:
        self.arbitrageur.act(basket)

    def _withdraw(self, trader: Trader, condition: str, _: int) -> None:
        trader.pull_all(condition)

    def _redeem(self, market: Market, _: int) -> None:
        for trader in self._by_owner.values():
            if any(trader.free_u6(token) for token in market.tokens):
                self.exchange.redeem(trader.account, market.condition)

    def _look_informed(self, at_ns: int) -> None:
        for market in self._open_markets():
            act_ns = self.informed.sees(market, at_ns)
            if act_ns is not None:
                self._calendar.at(act_ns, partial(self._strike, market))
        self._calendar.at(at_ns + takers.INFORMED_LOOK_NS, self._look_informed)

    def _scan(self, at_ns: int) -> None:
        if self.temper.arbitrage:
            for act_ns, basket in self.arbitrageur.look(at_ns):
                self._calendar.at(act_ns, partial(self._buy, basket))
        self._calendar.at(at_ns + arbitrage.LOOK_NS, self._scan)

    def _look_herd(self, at_ns: int) -> None:
        bid = self.herd.look(self._open_markets(), at_ns)
        if bid is not None:
            market, trader, until_ns = bid
            self._calendar.at(until_ns, partial(self._withdraw, trader, market.condition))
        self._calendar.at(self.herd.next_look_ns(at_ns), self._look_herd)

    def _tidy(self, at_ns: int) -> None:
        for ours in self._makers.values():
            for maker in ours:
                maker.tidy()
        self.arbitrageur.convert()
        self._calendar.at(at_ns + TIDY_NS, self._tidy)

    def _open_markets(self) -> list[Market]:
        return [market for market in self.markets.values() if market.is_open]

    def _force(self, regime: Regime | None) -> None:
        weathers = {id(t.weather): t.weather for t in self.world.truths.values()}
        weathers |= {id(p.truth.weather): p.truth.weather for p in self.world.prices.values()}
        for weather in weathers.values():
            weather.force(regime, at_ns=self.exchange.now_ns)

    def _trader(self, name: str, cash_u6: int) -> Trader:
        trader = Trader(name, self.exchange, cash_u6=cash_u6)
        self._by_owner[trader.owner] = trader
        return trader
