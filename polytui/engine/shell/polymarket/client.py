"""One venue as we reach it: its servers, our login there, its clock."""

from collections.abc import Callable

from polytui.engine.core.runconfig import VenueConfig
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, sleep_until
from polytui.engine.shell.polymarket import hosts, login
from polytui.engine.shell.polymarket.auth import Credentials
from polytui.engine.shell.polymarket.clock_sync import ClockSync
from polytui.engine.shell.polymarket.public_reads import PublicReads
from polytui.engine.shell.polymarket.rest import READ_S, Failed, Rest

PHASES: tuple[int, ...] = (0, 210_000_000, 430_000_000, 640_000_000, 850_000_000)
"""When the clock is asked, from the first asking on: at different fractions of a second."""


class VenueClient:
    """The connections and what is known of the other side."""

    def __init__(
        self, config: VenueConfig, *, clock: Callable[[], int], timeout_s: float = READ_S
    ) -> None:
        """Open nothing yet; `clock` returns engine time.

        Raises:
            OperatorError: an address must not be spoken to.
        """
        hosts.check(config)
        self.config = config
        self.clock = clock
        self.timeout_s = timeout_s
        self.sync = ClockSync()
        self.clob = Rest(config.clob, stamp_s=self.stamp_s, timeout_s=timeout_s)
        self.gamma = Rest(config.gamma, timeout_s=timeout_s, connections_max=4)
        self.data = Rest(config.data, timeout_s=timeout_s, connections_max=2)
        self.place: Rest | None = None
        """Who is asked where we are; None where nobody is."""
        if config.geoblock:
            self.place = Rest(config.geoblock, timeout_s=timeout_s, connections_max=1)
        self.public = PublicReads(self.clob)
        self.credentials: Credentials | None = None

    def stamp_s(self) -> int:
        """Tell the venue's time in whole seconds, as far as we know it."""
        return (self.clock() + self.sync.offset_ns) // SECOND_NS

    def use(self, credentials: Credentials) -> None:
        """Log in with a key from now on."""
        self.credentials = credentials
        self.clob.credentials = credentials

    async def log_in(self, *, address: str, signer: login.LoginSigner) -> Credentials | Failed:
        """Obtain this wallet's API key and use it; `address` is the key's own."""
        found = await login.obtain(
            self.clob, address=address, signer=signer, stamp_s=self.stamp_s()
        )
        if isinstance(found, Credentials):
            self.use(found)
        return found

    async def measure_clock(self) -> Failed | None:
        """Ask the venue's clock until its offset is narrow; once, when it is known already.

        Returns the failure when not a single answer came.
        """
        begun_ns = read_mono_ns()
        failure: Failed | None = Failed(why="the clock was not asked")
        for phase_ns in PHASES:
            await sleep_until(begun_ns + phase_ns)
            asked_ns = self.clock()
            answer = await self.public.time_s()
            if isinstance(answer, Failed):
                return answer if failure is not None else None
            self.sync.heard(answer, asked_ns=asked_ns, read_ns=self.clock())
            failure = None
            if self.sync.is_narrow:
                break
        return failure

    def close(self) -> None:
        """Hang up."""
        for rest in (self.clob, self.gamma, self.data, self.place):
            if rest is not None:
                rest.close()
