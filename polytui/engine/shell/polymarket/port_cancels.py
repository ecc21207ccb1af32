"""The port's commands that take risk away: cancels and heartbeats. No gate stops them."""

import asyncio
from collections.abc import Sequence
from typing import Final

from polytui.engine.core import commands
from polytui.engine.core.account_events import CancelAnswered, HeartbeatAnswered
from polytui.engine.core.order_enums import SendOutcome, VenueCode
from polytui.engine.shell.polymarket.auth import Credentials
from polytui.engine.shell.polymarket.entry import CANCEL_MAX, Cancelling, CancelReply
from polytui.engine.shell.polymarket.port_parts import Parts

NO_KEY: Final = CancelReply(
    outcome=SendOutcome.NOT_SENT, code=VenueCode.AUTH, text="there is no API key yet"
)
NOTHING: Final = CancelReply(outcome=SendOutcome.ACCEPTED)
"""What comes of cancelling no order."""
_WORST: Final = (
    SendOutcome.UNKNOWN,
    SendOutcome.REFUSED,
    SendOutcome.NOT_SENT,
    SendOutcome.ACCEPTED,
)
"""Of several requests' outcomes the first of these that occurs is told."""


class PortCancels:
    """Cancels for one realm."""

    def __init__(self, parts: Parts) -> None:
        """Ask through these parts; the connection is made with the first key."""
        self._parts = parts
        self._made: tuple[Credentials, Cancelling] | None = None

    def _cancelling(self) -> Cancelling | None:
        """Return the connections for the key in use; another key gets others."""
        client = self._parts.client
        credentials = client.credentials
        if credentials is None:
            return None
        if self._made is None or self._made[0] is not credentials:
            self.close()
            made = Cancelling(client.clob.http.origin, credentials, timeout_s=client.timeout_s)
            self._made = (credentials, made)
        return self._made[1]

    async def several(self, command: commands.CancelOrders) -> None:
        """Answer `CancelOrders`: in chunks when there are many, as one event."""
        parts, hashes = self._parts, command.hashes
        cancelling = self._cancelling()
        wait_s = parts.budgets.cancel_wait_s(parts.client.clock())
        if cancelling is None:
            self._tell(command.request, [NO_KEY])
            return
        if wait_s:
            later = CancelReply(
                outcome=SendOutcome.NOT_SENT, code=VenueCode.RATE_LIMITED, retry_after_s=wait_s
            )
            self._tell(command.request, [later])
            return
        stamp_s = parts.client.stamp_s()
        chunks = [hashes[i : i + CANCEL_MAX] for i in range(0, len(hashes), CANCEL_MAX)]
        asked = (cancelling.several(chunk, stamp_s=stamp_s) for chunk in chunks)
        replies = await asyncio.gather(*asked) or [NOTHING]
        self._spend(len(command.hashes), replies)
        self._tell(command.request, replies)

    async def market(self, command: commands.CancelMarket) -> None:
        """Answer `CancelMarket`."""
        cancelling = self._cancelling()
        reply = NO_KEY
        if cancelling is not None:
            stamp_s = self._parts.client.stamp_s()
            reply = await cancelling.market(command.market, command.token, stamp_s=stamp_s)
            self._spend(1 + len(reply.canceled), [reply])
        self._tell(command.request, [reply])

    async def everything(self, command: commands.CancelAll) -> None:
        """Answer `CancelAll`: asks no budget, no gate, no journal."""
        cancelling = self._cancelling()
        reply = NO_KEY
        if cancelling is not None:
            reply = await cancelling.everything(stamp_s=self._parts.client.stamp_s())
            self._spend(1 + len(reply.canceled), [reply])
        self._tell(command.request, [reply])

    async def beat(self, command: commands.SendHeartbeat) -> None:
        """Answer `SendHeartbeat`."""
        parts, cancelling = self._parts, self._cancelling()
        if cancelling is None:
            parts.emit(
                HeartbeatAnswered(realm=parts.realm, ok=False, code=VenueCode.AUTH, why=NO_KEY.text)
            )
            return
        reply = await cancelling.beat(command.heartbeat_id, stamp_s=parts.client.stamp_s())
        parts.emit(
            HeartbeatAnswered(
                realm=parts.realm,
                ok=reply.ok,
                heartbeat_id=reply.heartbeat_id,
                code=reply.code,
                why=reply.why,
            )
        )

    def _spend(self, cost: int, replies: Sequence[CancelReply]) -> None:
        budgets, now_ns = self._parts.budgets, self._parts.client.clock()
        budgets.cancels.spend(cost, now_ns)
        for reply in replies:
            budgets.heard(reply.headers, status=reply.http, is_cancel=True, now_ns=now_ns)
        news = budgets.news(self._parts.realm, now_ns)
        if news is not None:
            self._parts.emit(news)

    def _tell(self, request: str, replies: Sequence[CancelReply]) -> None:
        """Tell what became of one command; of several requests the worst counts."""
        outcomes = {reply.outcome for reply in replies}
        outcome = next(one for one in _WORST if one in outcomes)
        worst = next(reply for reply in replies if reply.outcome is outcome)
        self._parts.emit(
            CancelAnswered(
                realm=self._parts.realm,
                request=request,
                outcome=outcome,
                canceled=tuple(h for reply in replies for h in reply.canceled),
                not_canceled=tuple(pair for reply in replies for pair in reply.not_canceled),
                code=worst.code,
                http=worst.http,
                retry_after_s=worst.retry_after_s,
                took_ns=max(reply.took_ns for reply in replies),
            )
        )

    def close(self) -> None:
        """Hang up."""
        if self._made is not None:
            self._made[1].close()
