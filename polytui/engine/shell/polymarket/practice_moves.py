"""Splits, merges and redemptions on the practice venue: there is no chain, so its control port.

On polymarket.com a wallet's pairs are moved by transactions through the relayer, which this
adapter does not speak: a port without a mover says so.
"""

import asyncio
from typing import Any, Final

from msgspec import Struct
from msgspec.json import Decoder, encode

from polytui.engine.core.account_events import PairsMoved
from polytui.engine.core.commands import MovePairs
from polytui.engine.core.order_enums import SendOutcome
from polytui.engine.wire.account import UNREADABLE, escaped

NO_MOVES: Final = "this port cannot split, merge or redeem: it needs the relayer"
OPS: Final = frozenset({"split", "merge", "redeem"})
ANSWER_S: Final = 3.0


class _Answer(Struct):
    ok: bool
    text: str = ""
    paid_u6: int = 0


_answer: Final = Decoder(_Answer)


class PracticeMover:
    """Moves one wallet's pairs."""

    def __init__(self, control: str, wallet: str) -> None:
        """Ask the control socket at this path, for this wallet."""
        self._control = control
        self._wallet = wallet

    async def __call__(self, command: MovePairs) -> PairsMoved:
        """Carry out a move; accepted means that it is done. Never raises."""
        if command.op not in OPS:
            return _moved(command, SendOutcome.NOT_SENT, why=f"no such move: {command.op}"[:80])
        ask = {
            "do": "chain",
            "op": command.op,
            "address": self._wallet,
            "market": command.market,
            "amount_u6": command.qty_u6,
        }
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_unix_connection(self._control)
        except (OSError, TimeoutError) as error:
            return _moved(command, SendOutcome.NOT_SENT, why=type(error).__name__)
        try:
            async with asyncio.timeout(ANSWER_S):
                writer.write(encode(ask) + b"\n")
                line = await reader.readline()
            answer = _answer.decode(line)
        except (OSError, TimeoutError, *UNREADABLE) as error:
            return _moved(command, SendOutcome.UNKNOWN, why=type(error).__name__)
        finally:
            writer.close()
        if not answer.ok:
            return _moved(command, SendOutcome.REFUSED, why=escaped(answer.text))
        return _moved(command, SendOutcome.ACCEPTED, paid_u6=answer.paid_u6)


def _moved(command: MovePairs, outcome: SendOutcome, **told: Any) -> PairsMoved:
    return PairsMoved(
        realm=command.realm,
        request=command.request,
        outcome=outcome,
        op=command.op,
        market=command.market,
        qty_u6=command.qty_u6,
        **told,
    )
