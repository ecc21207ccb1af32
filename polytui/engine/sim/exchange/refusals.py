"""Every refusal the venue knows, with its HTTP status and exact text.

Texts: §3.4, completed from docs.polymarket.com/resources/error-codes (2026-11-21) and from answers
quoted in py-clob-client issues 301 (SIZE), 305 and py-clob-client-v2 99 (ACCURACY), Polymarket.Net
issue 5 (PRODUCT), py-clob-client-v2 112 and rs-clob-client-v2 36 (BALANCE with its sums).
"""

from polytui.engine.sim.exchange.api import ErrorCode, VenueError

_BALANCE = "not enough balance / allowance: the balance is not enough -> balance: {balance}"
_ALLOWANCE = (
    "not enough balance / allowance: the allowance is not enough -> "
    "spender: {spender}, allowance: {balance}"
)

TEXTS: dict[ErrorCode, tuple[int, str]] = {
    ErrorCode.PAYLOAD: (400, "Invalid order payload"),
    ErrorCode.OWNER: (400, "the order owner has to be the owner of the API KEY"),
    ErrorCode.MAKER: (400, "maker address not allowed, please use the deposit wallet flow"),
    ErrorCode.BANNED: (400, "'{account}' address banned"),
    ErrorCode.CLOSED_ONLY: (400, "'{account}' address in closed only mode"),
    ErrorCode.NO_BOOK: (404, "No orderbook exists for the requested token id"),
    ErrorCode.NOT_READY: (400, "the market is not yet ready to process new orders"),
    ErrorCode.TICK: (
        400,
        "order {id} is invalid. Price ({price}) breaks minimum tick size rule: {tick}",
    ),
    ErrorCode.SIZE: (400, "order {id} is invalid. Size ({size}) lower than the minimum: {minimum}"),
    ErrorCode.MARKETABLE_MIN: (
        400,
        "invalid amount for a marketable BUY order (${amount}), min size: $1",
    ),
    ErrorCode.ACCURACY: (
        400,
        (
            "invalid amounts, the {kind} orders maker amount supports a max accuracy of {maker} "
            "decimals, taker amount a max of {taker} decimals"
        ),
    ),
    ErrorCode.PRODUCT: (
        400,
        (
            "invalid amounts, the {leg} amount for a ${price} order of size {size} should be "
            "'{expected}' but the value submited is '{submitted}'. Please check if you are using "
            "the latest version of the 'clob-client' library"
        ),
    ),
    ErrorCode.EXPIRATION: (400, "invalid expiration"),
    ErrorCode.DUPLICATE: (400, "order {id} is invalid. Duplicated."),
    ErrorCode.POST_ONLY_CROSS: (400, "invalid post-only order: order crosses book"),
    ErrorCode.BALANCE: (400, _BALANCE + "{active}{matched}, order amount{fees}: {amount}"),
    ErrorCode.ALLOWANCE: (400, _ALLOWANCE + "{active}{matched}, order amount{fees}: {amount}"),
    ErrorCode.FOK_KILLED: (
        400,
        "order couldn't be fully filled. FOK orders are fully filled or killed.",
    ),
    ErrorCode.FAK_KILLED: (
        400,
        (
            "no orders found to match with FAK order. FAK orders are partially filled or killed "
            "if no match is found."
        ),
    ),
    ErrorCode.BATCH_TOO_LONG: (400, "Too many orders in payload: {count}, max allowed: {limit}"),
    ErrorCode.CANCEL_TOO_LONG: (400, "Too many orders in payload, max allowed: {limit}"),
    ErrorCode.RESTARTING: (425, "Service not ready"),
    ErrorCode.DISABLED: (
        503,
        "Trading is currently disabled. Check polymarket.com for updates",
    ),
    ErrorCode.CANCEL_ONLY: (
        503,
        ("Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."),
    ),
    ErrorCode.POST_ONLY_MODE: (
        503,
        "post-only mode: only post-only orders and cancels are allowed",
    ),
    ErrorCode.HEARTBEAT_ID: (400, "Invalid Heartbeat ID"),
}


def refuse(code: ErrorCode, *, retry_after_s: int | None = None, **facts: object) -> VenueError:
    """Write a refusal with the facts its text asks for."""
    http, text = TEXTS[code]
    return VenueError(
        code=code,
        text=text.format(**facts) if facts else text,
        http=http,
        retry_after_s=retry_after_s,
    )
