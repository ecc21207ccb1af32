"""The PAPER account in real time: imagined orders on the live books of the market desk."""

from collections.abc import Callable, Iterable

from polytui.engine.core.account_events import AccountReady, AccountRestored
from polytui.engine.core.commands import PortCommand
from polytui.engine.core.enums import BookState, Outcome
from polytui.engine.core.events import Event, MarketListed, MarketSpec
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.runconfig import PaperConfig
from polytui.engine.core.trading import Identity, Refusal
from polytui.engine.market.desk import MarketDesk
from polytui.engine.sim.paper.books import Bids
from polytui.engine.sim.paper.venue import PaperVenue

NOBODY = "0x" + "00" * 20
LEVELS = 100


def paper_identity(chain_id: int, exchange: str, neg_risk: str, v3: str) -> Identity:
    """Name the account that does not exist; its orders hash like everybody's."""
    return Identity(
        maker=NOBODY,
        signer=NOBODY,
        owner=NOBODY,
        signature_type=0,
        chain_id=chain_id,
        exchange=exchange,
        neg_risk_exchange=neg_risk,
        exchange_v3=v3,
    )


class PaperAccount:
    """The paper venue, its clock, and its eyes on the market."""

    def __init__(
        self,
        config: PaperConfig,
        *,
        identity: Identity,
        desk: Callable[[], MarketDesk],
        gate: Callable[[Realm, str], Refusal | None],
        offer: Callable[[Event], None],
        clock: Callable[[], int],
        seed: int,
    ) -> None:
        """Open the account; `desk` gives the engine's books, which are only looked at."""
        self._desk = desk
        self._offer = offer
        self._clock = clock
        self._identity = identity
        self.venue = PaperVenue(
            config,
            seed=seed,
            at_ns=clock(),
            bids_of=self._bids_of,
            spec_of=self._spec_of,
            gate=lambda cid, _at_ns: gate(Realm.PAPER, cid),
        )

    def begin(self, restored: AccountRestored) -> None:
        """Own what the last run's books say, then introduce the port."""
        self.venue.adopt(restored)
        self._offer(
            AccountReady(realm=Realm.PAPER, identity=self._identity, port="paper", is_practice=True)
        )
        self.venue.open()
        self.advance()

    def execute(self, command: PortCommand) -> None:
        """Carry out a command."""
        self.advance()
        self.venue.carry_out(command)

    def on_events(self, events: Iterable[Event]) -> None:
        """Show the market's events of a turn to orders that rest."""
        for event in events:
            if isinstance(event, MarketListed):
                self.venue.watch(event.spec)
            else:
                self.venue.on_event(event)

    def advance(self) -> None:
        """Let time pass and tell the engine what happened."""
        for event in self.venue.advance(self._clock()):
            self._offer(event)

    def next_due_ns(self) -> int | None:
        """Return when something happens, engine time."""
        return self.venue.next_due_ns()

    # --- eyes ------------------------------------------------------------------------------------

    def _spec_of(self, market: str) -> MarketSpec | None:
        desk = self._desk()
        ix = desk.catalog.find(market)
        return None if ix is None else desk.markets[ix].spec

    def _bids_of(self, market: str, outcome: Outcome) -> Bids | None:
        """Return a token's bids while the book may be used."""
        desk = self._desk()
        ix = desk.catalog.find(market)
        if ix is None:
            return None
        tracked = desk.markets[ix]
        if tracked.quality.state is not BookState.SYNCED:
            return None
        side = tracked.book.yes if outcome is Outcome.YES else tracked.book.no
        px, qty = side.px[-LEVELS:], side.qty[-LEVELS:]
        return list(zip(reversed(px), reversed(qty), strict=True))
