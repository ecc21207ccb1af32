"""The practice venue as a process, one of its wallets with signer and API key, and its orders."""

import json
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from bench.processes import end, polytui
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.events import MarketSpec
from polytui.engine.core.order_enums import OrderType
from polytui.engine.core.runconfig import SignerConfig, VenueConfig
from polytui.engine.core.trading import Draft, Identity, Terms
from polytui.engine.core.units import U
from polytui.engine.orders.drafting import make_terms
from polytui.engine.orders.hashing import Hasher
from polytui.engine.shell.accounts.live import practice_venue
from polytui.engine.shell.clock import read_wall_ns
from polytui.engine.shell.latch import KillLatch
from polytui.engine.shell.polymarket.auth import Credentials
from polytui.engine.shell.polymarket.client import VenueClient
from polytui.engine.shell.signer.client import SignerClient
from polytui.engine.shell.signer.frames import Begin

SEED: Final = 1
TICK_U6: Final = 10_000
MARKET: Final = MarketSpec(market="0xbench", tokens=("", ""), title="bench")
"""Of a market, terms hold the protocol alone, and whether its risk is negative."""


@contextmanager
def venue(
    *, singles: int = 8, rate: float = 20.0, control: Path | None = None
) -> Iterator[dict[str, Any]]:
    """Run `polytui venue`; yield what it says of itself."""
    with tempfile.TemporaryDirectory(prefix="pv") as directory:
        path = control or Path(directory, "c.sock")
        command = polytui("venue", "--port", "0", "--control", str(path), "--seed", str(SEED))
        command += ["--singles", str(singles), "--rate", str(rate), "--idle", "60"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            try:
                yield json.loads(process.stdout.readline())
            finally:
                end(process)


def bid_on(token: str, *, px_u6: int, qty_u6: int) -> Draft:
    """Want to buy and to let the order rest."""
    return Draft(
        strategy="bench",
        market=MARKET.market,
        group="",
        token=token,
        outcome=Outcome.YES,
        side=Side.BUY,
        px_u6=px_u6,
        qty_u6=qty_u6,
        order_type=OrderType.GTC,
    )


def terms_of(cid: str, wish: Draft, hasher: Hasher, *, at_ns: int) -> Terms:
    """Make of a wish what is signed and sent, as the engine does."""
    return make_terms(cid, wish, MARKET, hasher, tick_u6=TICK_U6, at_ns=at_ns, venue_offset_ns=0)


class Trader:
    """The venue's first wallet: builds orders as the engine does and has them signed."""

    def __init__(self, client: VenueClient, signer: SignerClient, label: str) -> None:
        assert signer.identity is not None, signer.hello.why
        self.client = client
        self.signer = signer
        self.label = label
        self.identity: Identity = signer.identity
        self.hasher = Hasher(self.identity)

    @property
    def credentials(self) -> Credentials:
        """The API key."""
        assert self.client.credentials is not None, "expected to be logged in"
        return self.client.credentials

    def bid(self, n: int, token: str) -> Terms:
        """Make the n-th bid, which rests far below the market."""
        wish = bid_on(token, px_u6=TICK_U6, qty_u6=5 * U)
        return terms_of(f"{self.label}-{n}", wish, self.hasher, at_ns=read_wall_ns())

    async def sign(self, orders: Sequence[Terms]) -> list[str]:
        """Have orders signed; none may be refused."""
        results = await self.signer.sign(orders)
        assert all(result.signature for result in results), results
        return [result.signature for result in results]


@asynccontextmanager
async def trader(
    ready: dict[str, Any], *, tokens: Sequence[str], label: str
) -> AsyncIterator[Trader]:
    """Start a signer for the venue's first wallet and log in."""
    with tempfile.TemporaryDirectory(prefix="bt") as directory:
        latch = KillLatch(Path(directory, "kill.latch"))
        config = practice_venue(VenueConfig(), ready["urls"])
        begin = Begin(
            signer=SignerConfig(source="practice", orders_per_s=1_000),
            venue=config,
            latch=str(latch.path),
            practice_label=f"polytui practice venue, seed {SEED}, wallet eoa",
            tokens=tuple(tokens),
        )
        signer = await SignerClient.start(begin, print)
        client = VenueClient(config, clock=read_wall_ns)
        try:
            found = await client.log_in(address=_owner(signer), signer=signer)
            assert isinstance(found, Credentials), found
            yield Trader(client, signer, label)
        finally:
            client.close()
            await signer.close()
            latch.close()


def _owner(signer: SignerClient) -> str:
    assert signer.identity is not None, signer.hello.why
    return signer.identity.owner
