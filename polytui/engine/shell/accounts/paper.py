"""The PAPER account in real time: imagined orders on the live books of the market desk."""

from collections.abc import Callable, Sequence

from polytui.engine.core.account_events import AccountReady, AccountRestored, PaperRead
from polytui.engine.core.commands import PlaceOrders, PortCommand
from polytui.engine.core.events import Event, MarketListed, Stamped
from polytui.engine.core.order_enums import Realm
from polytui.engine.core.runconfig import PaperConfig
from polytui.engine.core.trading import Identity, Refusal
from polytui.engine.market.desk import MarketDesk
from polytui.engine.sim.paper.coverage import LiveCoverage
from polytui.engine.sim.paper.eyes import desk_eyes
from polytui.engine.sim.paper.venue import PaperVenue

NOBODY = "0x" + "00" * 20
TOLD_NS = 10_000_000_000
"""The engine hears of both maker models and of the coverage this often."""


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
        self._offer = offer
        self._clock = clock
        self._identity = identity
        self._coverage = LiveCoverage(desk)
        self._told_ns = 0
        self._commands: list[PortCommand] = []
        """Of the present turn: carried out once its events were shown."""
        self.venue = PaperVenue(
            config,
            seed=seed,
            at_ns=clock(),
            eyes=desk_eyes(desk),
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
        """Take a command; it is carried out with the next `advance`.

        The engine's books are at the end of the turn already, and the turn's events are yet to be
        shown: an order that met the one before the other would see the same trade twice.
        """
        self._commands.append(command)

    def on_events(self, events: Sequence[Stamped]) -> None:
        """Show the market's events of a turn to orders that rest, and measure what they cover."""
        self._coverage.see(events)
        on_event = self.venue.on_event
        for stamped in events:
            event = stamped.event
            if isinstance(event, MarketListed):
                self.venue.watch(event.spec)
            else:
                on_event(event)

    def advance(self) -> None:
        """Let time pass, carry out what was asked, and tell the engine what happened."""
        now_ns = self._clock()
        heard = self.venue.advance(now_ns)
        if self._commands:
            commands, self._commands = self._commands, []
            for command in commands:
                if isinstance(command, PlaceOrders):
                    for terms in command.orders:
                        self._coverage.begin(terms.token, now_ns)
                self.venue.carry_out(command)
            heard += self.venue.advance(now_ns)
        for event in heard:
            self._offer(event)
        if now_ns >= self._told_ns + TOLD_NS:
            self._told_ns = now_ns
            self._tell(now_ns)

    def _tell(self, now_ns: int) -> None:
        """Tell the engine how far the fills may be believed, once there are orders."""
        summary, covered = self.venue.summary(), self._coverage.total(now_ns)
        if summary.orders:
            self._offer(
                PaperRead(
                    realm=Realm.PAPER,
                    booked_by=summary.booked_by,
                    models=summary.text,
                    coverage=covered.share,
                    gaps=covered.gaps,
                    silence_ns=covered.silence_ns,
                )
            )

    def next_due_ns(self) -> int | None:
        """Return when something happens, engine time."""
        return self.venue.next_due_ns()
