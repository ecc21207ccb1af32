"""How an API key is obtained: the wallet proves itself once, by a signature of the signer's."""

from typing import Protocol

from polytui.engine.core.order_enums import VenueCode
from polytui.engine.shell.polymarket.auth import (
    Credentials,
    checksum,
    read_credentials,
    wallet_headers,
)
from polytui.engine.shell.polymarket.http import NoAnswer, NotSent, Reply
from polytui.engine.shell.polymarket.rest import READ_S, Failed, Rest, failed
from polytui.engine.shell.signer.frames import LoginSigned


class LoginSigner(Protocol):
    """Who holds the wallet's key: the signer's client."""

    async def login(self, *, timestamp_s: int, nonce: int = 0) -> LoginSigned:
        """Sign `ClobAuth` for this time, or refuse."""


async def obtain(
    rest: Rest, *, address: str, signer: LoginSigner, stamp_s: int, nonce: int = 0
) -> Credentials | Failed:
    """Derive this wallet's API key, or create it when there is none yet.

    Asking twice is harmless: the venue gives the same key for the same nonce.
    """
    signed = await signer.login(timestamp_s=stamp_s, nonce=nonce)
    if not signed.signature:
        return Failed(why=f"the signer refused: {signed.refusal}", code=VenueCode.WALLET)
    address = checksum(address)
    headers = wallet_headers(
        address=address, signature=signed.signature, stamp_s=stamp_s, nonce=nonce
    )
    derived = await _ask(rest, "GET", "/auth/derive-api-key", headers)
    if isinstance(derived, Failed) and derived.http not in (400, 404):
        return derived
    answer = derived
    if isinstance(answer, Failed):
        answer = await _ask(rest, "POST", "/auth/api-key", headers)
    if isinstance(answer, Failed):
        return answer
    found = read_credentials(address, answer.body)
    return found or Failed(why="the answer holds no API key", http=answer.status)


async def _ask(rest: Rest, method: str, path: str, headers: str) -> Reply | Failed:
    request = rest.http.request(method, path, headers=headers)
    try:
        reply = await rest.http.ask(request, timeout_s=READ_S, again=True)
    except (NotSent, NoAnswer) as error:
        return Failed(why=str(error))
    return reply if reply.status == 200 else failed(reply)
