"""Every alert there is: cause, consequence, what to do, time to act, what the engine does alone.

What has not all five is no alert but a line in the journal (`JOURNAL`). A code that the engine
emits and this table does not know is a fault of ours, and a test says so.
"""

from collections.abc import Mapping

from msgspec import Struct

from polytui.engine.core.alert_view import AlertClass
from polytui.engine.core.enums import Mode

_C, _H, _L = AlertClass.CRITICAL, AlertClass.HIGH, AlertClass.LOW


class AlertCode(Struct, frozen=True, kw_only=True):
    """One kind of alert."""

    code: str
    cls: AlertClass
    cause: str
    consequence: str
    todo: str
    """What a person does about it."""
    within: str
    """How long there is to do it."""
    engine: str
    """What the engine does by itself, without waiting for anybody."""
    after_s: int = 0
    """Seconds its cause must stand before it is raised."""
    latches: bool = False
    """Whether it stands until a person resets its cause."""
    quiet: frozenset[Mode] = frozenset()
    """Modes in which it is suppressed: what it warns of cannot happen there."""


_NO_ORDERS = frozenset({Mode.SHADOW, Mode.REPLAY})

_ALL: tuple[AlertCode, ...] = (
    AlertCode(
        code="KILLED",
        cls=_C,
        cause="A person, a breaker or the latch on disk killed trading.",
        consequence="No order leaves; positions stay as they are.",
        todo="Read the receipt (K): it must read 0 and verified. Then find out why.",
        within="now",
        engine="Cancels everything and reads the venue back until it is empty.",
        latches=True,
    ),
    AlertCode(
        code="STALE_SENT",
        cls=_C,
        cause="An order left on state that was stale when its bytes were written.",
        consequence="It may rest at a price nobody would choose now.",
        todo="Kill, keep the log: this is a fault of ours.",
        within="now",
        engine="Halts the realm until a person resumes it.",
        latches=True,
    ),
    AlertCode(
        code="BREAKER",
        cls=_C,
        cause="A loss, a drawdown, failed settlements or a repetition passed its limit.",
        consequence="Entries are refused; the loss of a day kills.",
        todo="Look at page 6, panel d; reset it only when its cause is understood.",
        within="10 min",
        engine="Refuses what the breaker covers until a person resets it.",
        latches=True,
    ),
    AlertCode(
        code="USER_FEED_LOST",
        cls=_C,
        cause="Nothing was heard on the user stream for 5 s.",
        consequence="Fills may happen that are not known here.",
        todo="Check the venue; kill if it stays away.",
        within="1 min",
        engine="Refuses new orders and reads orders and trades over REST.",
        quiet=_NO_ORDERS,
    ),
    AlertCode(
        code="UNKNOWN_ORDER",
        cls=_C,
        cause="An order was sent and its answer was lost.",
        consequence="It may rest or fill; its market is blocked.",
        todo="Page 3, panel d: wait, or cancel it at the venue.",
        within="1 min",
        engine="Blocks the market and looks the order up until it is proven.",
    ),
    AlertCode(
        code="ORDER_UNKNOWN",
        cls=_C,
        cause="An order has been in doubt for longer than its alarm.",
        consequence="Neither resting nor dead is proven; its risk is counted as real.",
        todo="Look for it at the venue (page 3, panel d has its hash).",
        within="1 min",
        engine="Keeps looking it up and counts its worst case.",
    ),
    AlertCode(
        code="ORDER_STUCK",
        cls=_C,
        cause="An order is in doubt past the time at which it must have ended.",
        consequence="The venue and this engine disagree.",
        todo="Halt, and look at the venue.",
        within="now",
        engine="Keeps its market blocked.",
    ),
    AlertCode(
        code="CANCEL_UNCONFIRMED",
        cls=_C,
        cause="Several cancels of one order were not confirmed.",
        consequence="The order may still fill.",
        todo="Cancel it on the venue's own site, or kill.",
        within="1 min",
        engine="Repeats the cancel until the venue confirms.",
    ),
    AlertCode(
        code="LEG_OPEN",
        cls=_C,
        cause="One leg of a two-leg group filled and the other did not.",
        consequence="A position is naked and follows the market.",
        todo="Watch it being unwound: page 3, panel c.",
        within="1 min",
        engine="Completes or sells it by rule, inside its bound.",
    ),
    AlertCode(
        code="LEG_WORSE",
        cls=_H,
        cause="The second leg can be had only at a worse price than planned.",
        consequence="The group earns less, or loses a little.",
        todo="Look at the group; nothing must be done.",
        within="5 min",
        engine="Takes the cheaper of completing and selling.",
    ),
    AlertCode(
        code="RESIDUE_STUCK",
        cls=_C,
        cause="A naked leg could not be unwound inside its bound.",
        consequence="The position stays naked.",
        todo="Sell it by hand, or accept it: page 3, panel c.",
        within="5 min",
        engine="Tries again when the book changes.",
    ),
    AlertCode(
        code="BUNDLE_WAITS",
        cls=_L,
        cause="A two-leg group waits for a settlement or an answer.",
        consequence="Its money is bound for longer.",
        todo="Nothing, unless it lasts.",
        within="30 min",
        engine="Goes on when what it waits for comes.",
    ),
    AlertCode(
        code="BUNDLE_FROZEN",
        cls=_H,
        cause="A two-leg group met something its rules do not cover.",
        consequence="It is left as it is.",
        todo="Look at it: page 3, panel c.",
        within="10 min",
        engine="Opens nothing more in it.",
    ),
    AlertCode(
        code="MERGE_UNKNOWN",
        cls=_H,
        cause="A merge of pairs was sent and its answer was lost.",
        consequence="Cash and pairs are counted carefully until it is known.",
        todo="Look at the transaction.",
        within="10 min",
        engine="Reads the balances until they tell.",
    ),
    AlertCode(
        code="POS_MISMATCH",
        cls=_C,
        cause="The venue's word on orders, positions or cash differs from ours.",
        consequence="One of them is wrong; the market is halted.",
        todo="Page i shows both numbers; resolve it, then resume.",
        within="10 min",
        engine="Halts the market and reads again.",
    ),
    AlertCode(
        code="INTAKE_CLOSED",
        cls=_H,
        after_s=60,
        cause="Start-up or reconciliation has not proven the account yet.",
        consequence="No strategy may open anything.",
        todo="Page 6 says what is missing.",
        within="10 min",
        engine="Keeps reading until everything agrees.",
        quiet=_NO_ORDERS,
    ),
    AlertCode(
        code="ACCOUNT_GONE",
        cls=_C,
        cause="The signer or the venue's account is not reachable any more.",
        consequence="No order can be signed or sent; what rests, rests.",
        todo="See the doctor; cancel at the venue if it does not come back.",
        within="1 min",
        engine="Refuses new orders; the sentinel can still cancel.",
    ),
    AlertCode(
        code="SHUT_OUT",
        cls=_C,
        cause="The venue shuts this account out: its region, a ban, its keys, or closing only.",
        consequence="No order is taken; what rests, rests until it is cancelled.",
        todo="Ask the venue why; after a ban resume (page 6) when it says so.",
        within="10 min",
        engine="Halts; cancels go on, a flatten may try.",
    ),
    AlertCode(
        code="SENTINEL",
        cls=_C,
        cause="The sentinel cancelled everything: the engine was silent, or the latch was closed.",
        consequence="No order of this key rests; what had left may still fill.",
        todo="Read what it says; find out why the engine was silent (page 9, loop lag).",
        within="10 min",
        engine="Reads orders and trades anew before anything else leaves.",
    ),
    AlertCode(
        code="HALTED",
        cls=_H,
        after_s=5,
        cause="A cause that only a person clears stands.",
        consequence="No new order leaves.",
        todo="Page 6 names the cause; resume when it is gone.",
        within="10 min",
        engine="Refuses every entry; cancels pass.",
        quiet=_NO_ORDERS,
    ),
    AlertCode(
        code="REDUCING",
        cls=_H,
        after_s=5,
        cause="A cause lets only what lowers risk pass.",
        consequence="Positions shrink and none is opened.",
        todo="Page 6 names the cause.",
        within="10 min",
        engine="Passes hedges and exits alone.",
        quiet=_NO_ORDERS,
    ),
    AlertCode(
        code="VENUE",
        cls=_H,
        after_s=5,
        cause="The venue restarts, refuses or limits us.",
        consequence="Orders are refused or late.",
        todo="Wait; check the venue's own word if it lasts.",
        within="10 min",
        engine="Waits, and asks again at the venue's pace.",
        quiet=_NO_ORDERS,
    ),
    AlertCode(
        code="LIMBO",
        cls=_H,
        after_s=2,
        cause="An order is older than its state may be.",
        consequence="Something was lost on the way.",
        todo="Page 3 marks it.",
        within="5 min",
        engine="Looks it up.",
    ),
    AlertCode(
        code="SETTLEMENT",
        cls=_H,
        cause="A fill has not settled for more than 2 minutes.",
        consequence="It may still fail; its money is not free.",
        todo="Page i shows it; watch the chain if it lasts.",
        within="10 min",
        engine="Counts the worse of both ends and reads the trade again.",
    ),
    AlertCode(
        code="CAP_NEAR",
        cls=_L,
        after_s=10,
        cause="Exposure is above 80 % of its cap.",
        consequence="Entries will soon be refused.",
        todo="Lower it, or leave it.",
        within="30 min",
        engine="Refuses what would pass the cap.",
    ),
    AlertCode(
        code="CAP_FULL",
        cls=_H,
        cause="Exposure has reached its cap.",
        consequence="Every entry is refused.",
        todo="Lower it, or leave it.",
        within="30 min",
        engine="Refuses what would pass the cap.",
    ),
    AlertCode(
        code="ARM_EXPIRES",
        cls=_L,
        cause="The armed session ends within 10 minutes.",
        consequence="Quotes are pulled then and nothing more is sent.",
        todo="Arm again, or let it be.",
        within="10 min",
        engine="Disarms at 0.",
    ),
    AlertCode(
        code="FEED_LOST",
        cls=_H,
        after_s=3,
        cause="A feed that prices are made from is stale or gone.",
        consequence="Its markets are not shown to strategies.",
        todo="Check the source and the network.",
        within="5 min",
        engine="Pulls the quotes that lean on it and connects again.",
    ),
    AlertCode(
        code="BOOKS",
        cls=_L,
        after_s=10,
        cause="Books are suspect or stale.",
        consequence="Strategies are not shown these markets.",
        todo="Nothing, unless it lasts: page 1.",
        within="10 min",
        engine="Resynchronises them.",
    ),
    AlertCode(
        code="STORE",
        cls=_C,
        after_s=2,
        cause="The store does not take what must be durable.",
        consequence="No order may leave.",
        todo="See the doctor: disk, rights, the store's integrity.",
        within="1 min",
        engine="Refuses every order until it writes again; the kill works.",
    ),
    AlertCode(
        code="LOOP_LAG",
        cls=_H,
        after_s=30,
        cause="The engine's loop is late by more than its limit.",
        consequence="Decisions are old when they are made.",
        todo="Find what blocks it: page 9.",
        within="5 min",
        engine="The gate refuses orders while it is late.",
        quiet=_NO_ORDERS,
    ),
    AlertCode(
        code="DISK",
        cls=_H,
        cause="Less than 1 GB is free on the store's disk.",
        consequence="The log and then trading stop when it is full.",
        todo="Free space, or compact the journal.",
        within="30 min",
        engine="Halts before it is full; the kill works.",
    ),
    AlertCode(
        code="METRICS",
        cls=_L,
        after_s=10,
        cause="The exporter cannot have its port.",
        consequence="Nobody can scrape: Prometheus and its rules are blind.",
        todo="Free the port, or set metrics.port; page 9, panel c says why.",
        within="30 min",
        engine="Tries again every 5 s.",
    ),
    AlertCode(
        code="WEBHOOK",
        cls=_L,
        after_s=30,
        cause="The webhook does not take what is posted to it.",
        consequence="Nobody away from the screen is told of alerts.",
        todo="Look at page 9, panel c, then at the receiver and at notify.url.",
        within="30 min",
        engine="Tries again, ever more rarely; what waits too long is dropped and counted.",
    ),
    AlertCode(
        code="PAUSED",
        cls=_L,
        after_s=5,
        cause="An operator paused strategies.",
        consequence="They propose nothing.",
        todo="Resume them when it is time.",
        within="none",
        engine="Nothing.",
    ),
)

ALERT_CODES: Mapping[str, AlertCode] = {code.code: code for code in _ALL}

JOURNAL = frozenset({"MODE"})
"""Codes, up to their first `_` where they go on, that are told once and need nobody."""


def is_known(code: str) -> bool:
    """Tell whether a code is an alert or a line of the journal."""
    return code in ALERT_CODES or code.partition("_")[0] in JOURNAL
