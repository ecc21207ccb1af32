"""The control port: JSON lines on a Unix socket of its own, for whoever rehearses failures.

One line asks, one line answers. It is no part of the venue's surface: a client under test must
never talk to it. The socket is private to the user, as the directory it lies in.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from msgspec import DecodeError, Struct, ValidationError, convert, structs, to_builtins
from msgspec.json import Decoder, encode

from polytui.engine.core.errors import OperatorError
from polytui.engine.shell.venue.acts import carry_out
from polytui.engine.shell.venue.venue import Venue
from polytui.engine.sim.exchange.exchange import Exchange
from polytui.engine.sim.exchange.terms import AssetType, Spender
from polytui.engine.sim.faults import AnyAct, Switches
from polytui.engine.sim.population.crowd import Temper
from polytui.engine.sim.practice_lab import PracticeLab
from polytui.engine.sim.practice_world import PracticeWorld
from polytui.engine.sim.scenario import active_faults

LINE_MAX: Final = 1 << 20
CLIENTS_MAX: Final = 16


class Ask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """A line."""

    id: str | int = 0


class GetState(Ask, frozen=True, kw_only=True, tag="state"):
    """Tell the time, the mode, the faults in force, the markets and who is connected."""


class SetSwitches(Ask, frozen=True, kw_only=True, tag="switches"):
    """Change switches; those not named stay. Tokens and markets may be named as in scenarios."""

    set: dict[str, Any] = {}
    reset: bool = False
    """Begin from a healthy venue."""


class DoAct(Ask, frozen=True, kw_only=True, tag="act"):
    """Do one thing of `sim/faults`."""

    act: AnyAct


class SetPopulation(Ask, frozen=True, kw_only=True, tag="population"):
    """Turn the population's knobs; those not named stay."""

    set: dict[str, Any] = {}


class OnChain(Ask, frozen=True, kw_only=True, tag="chain"):
    """Do what a wallet does on chain: there is no chain to do it on."""

    op: str
    """deposit, withdraw, split, merge, redeem, convert, approve or revoke."""
    address: str
    market: str = ""
    group: str = ""
    index_set: int = 0
    amount_u6: int = 0


class GetLab(Ask, frozen=True, kw_only=True, tag="lab"):
    """Show what the console's lab page shows."""


class Cause(Ask, frozen=True, kw_only=True, tag="cause"):
    """Let a trouble of the lab happen now."""

    name: str


class GetReady(Ask, frozen=True, kw_only=True, tag="ready"):
    """Repeat the line that was printed at the start: URLs and wallets."""


class Stop(Ask, frozen=True, kw_only=True, tag="stop"):
    """End the venue."""


AnyAsk = GetState | SetSwitches | DoAct | SetPopulation | OnChain | GetLab | Cause | GetReady | Stop


class Control:
    """The socket and the answers."""

    def __init__(
        self,
        venue: Venue,
        world: PracticeWorld | None,
        path: Path,
        *,
        lab: PracticeLab | None = None,
        ready: Callable[[], dict[str, Any]] = dict,
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; nothing is opened before `start`."""
        self._venue = venue
        self._lab = lab
        self._ready = ready
        self._stop = stop
        self._world = world
        self.path = path
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._decoder = Decoder(AnyAsk)
        self._doers: dict[type[Ask], Callable[[Any], dict[str, Any]]] = {
            GetState: self._state,
            SetSwitches: self._switch,
            DoAct: self._act,
            SetPopulation: self._populate,
            OnChain: self._chain,
            GetLab: self._show_lab,
            Cause: self._cause,
            GetReady: lambda _ask: self._ready(),
            Stop: self._end,
        }

    @property
    def clients(self) -> int:
        """Count who is connected."""
        return len(self._clients)

    async def start(self) -> None:
        """Listen; whatever lay at the path is stale."""
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, str(self.path), limit=LINE_MAX)
        self.path.chmod(0o600)

    async def close(self) -> None:
        """Stop listening and hang up."""
        if self._server is not None:
            self._server.close()
        for client in tuple(self._clients):
            client.close()
        self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= CLIENTS_MAX:
            writer.close()
            return
        self._clients.add(writer)
        try:
            with suppress(ConnectionError):  # who asks may leave at any time
                while line := await _next_line(reader):
                    writer.write(encode(self.answer(line)) + b"\n")
                    await writer.drain()
        finally:
            self._clients.discard(writer)
            writer.close()

    def answer(self, line: bytes) -> dict[str, Any]:
        """Carry out one line."""
        try:
            ask = self._decoder.decode(line)
        except ValidationError as error:
            return {"id": 0, "ok": False, "text": str(error)}
        except (DecodeError, UnicodeDecodeError, RecursionError) as error:
            return {"id": 0, "ok": False, "text": f"not JSON: {error}"}
        try:
            self._venue.touch()
            found = self._doers[type(ask)](ask)
        except OperatorError as refusal:
            return {"id": ask.id, "ok": False, "text": str(refusal)}
        return {"id": ask.id, "ok": True, **found}

    # --- what it does ----------------------------------------------------------------------------

    def _state(self, _ask: GetState) -> dict[str, Any]:
        venue = self._venue
        exchange = venue.exchange
        market, user = venue.hub.counts()
        return {
            "now_ns": exchange.now_ns,
            "seed": venue.seed,
            "mode": exchange.mode.value,
            "scenario": self._world.scenario.script.title if self._world else "",
            "faults": active_faults(venue.switches),
            "switches": to_builtins(venue.switches),
            "markets": sum(exchange.resolution(t.condition) is None for t in exchange.markets()),
            "open_orders": len(exchange.open_orders()),
            "sockets": {"market": market, "user": user},
            "digest": exchange.digest(),
        }

    def _switch(self, ask: SetSwitches) -> dict[str, Any]:
        base = Switches() if ask.reset else self._venue.switches
        switches = _merged(base, ask.set, Switches)
        if self._world is not None:
            self._world.switch(switches)
            switches = self._world.switches
        self._venue.apply(switches)
        return {"faults": active_faults(switches)}

    def _act(self, ask: DoAct) -> dict[str, Any]:
        act = carry_out(self._venue, ask.act)
        return {"act": to_builtins(act)}

    def _populate(self, ask: SetPopulation) -> dict[str, Any]:
        if self._world is None:
            raise OperatorError("nobody trades on this venue but its clients")
        population = self._world.population
        population.retemper(_merged(population.temper, ask.set, Temper))
        return {"population": to_builtins(population.temper)}

    def _end(self, _ask: Stop) -> dict[str, Any]:
        self._stop()
        return {}

    def _show_lab(self, _ask: GetLab) -> dict[str, Any]:
        if self._lab is None:
            raise OperatorError("this venue has no lab")
        return {"lab": to_builtins(self._lab.view(self._venue.exchange.now_ns))}

    def _cause(self, ask: Cause) -> dict[str, Any]:
        if self._lab is None:
            raise OperatorError("this venue has no lab")
        self._lab.cause(ask.name, self._venue.exchange.now_ns)
        return {"cause": ask.name}

    def _chain(self, ask: OnChain) -> dict[str, Any]:
        account = ask.address.lower()
        doer = _CHAIN.get(ask.op)
        if doer is None:
            raise OperatorError(f"expected one of {', '.join(_CHAIN)}, was {ask.op!a}")
        exchange = self._venue.exchange
        if account not in exchange.accounts():
            exchange.open_account(account, approved=False)
        if ask.market and exchange.market(ask.market) is None:
            raise OperatorError("expected the condition id of a market")
        paid_u6 = doer(exchange, account, ask)
        self._venue.flush()
        return {"paid_u6": paid_u6 or 0}


async def _next_line(reader: asyncio.StreamReader) -> bytes:
    """Read a line; empty at the end, which a line above `LINE_MAX` is as well."""
    try:
        return await reader.readline()
    except ValueError:
        return b""


def _merged(base: Any, changes: dict[str, Any], type_: type[Any]) -> Any:
    """Put changes over a struct, strictly."""
    try:
        return convert(to_builtins(structs.asdict(base)) | changes, type_)
    except ValidationError as error:
        raise OperatorError(str(error)) from None


def _approve(exchange: Exchange, account: str, amount_u6: int | None) -> None:
    for spender in Spender:
        for asset in AssetType:
            exchange.approve(account, spender, asset, amount_u6)


_CHAIN: Final[dict[str, Callable[[Exchange, str, OnChain], int | None]]] = {
    "deposit": lambda exchange, account, ask: exchange.deposit(account, ask.amount_u6),
    "withdraw": lambda exchange, account, ask: exchange.withdraw(account, ask.amount_u6),
    "split": lambda exchange, account, ask: exchange.split(account, ask.market, ask.amount_u6),
    "merge": lambda exchange, account, ask: exchange.merge(account, ask.market, ask.amount_u6),
    "redeem": lambda exchange, account, ask: exchange.redeem(account, ask.market),
    "convert": lambda exchange, account, ask: exchange.convert(
        account, ask.group, index_set=ask.index_set, amount_u6=ask.amount_u6
    ),
    "approve": lambda exchange, account, _ask: _approve(exchange, account, None),
    "revoke": lambda exchange, account, _ask: _approve(exchange, account, 0),
}
