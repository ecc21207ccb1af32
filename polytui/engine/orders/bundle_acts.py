"""What a bundle asks of its owner, and how its wishes become drafts."""

from msgspec import Struct
from msgspec.structs import replace

from polytui.engine.core.decision import Decision, Intent
from polytui.engine.core.enums import Outcome, Side
from polytui.engine.core.events import MarketSpec
from polytui.engine.core.order_enums import OrderType, Purpose
from polytui.engine.core.trading import Draft
from polytui.engine.core.units import proceeds_u6, text_u6
from polytui.engine.market.snapshot import MarketSnapshot
from polytui.engine.orders.bundle import Bundle
from polytui.engine.orders.residue import MARKETABLE_MIN_U6, Exit

MAKER = "maker"
"""Tag of an intent that wants to rest: GTD, post-only, with the configured life."""
REST_LIFE_NS = 240 * 1_000_000_000
"""Life of a resting exit at the venue: the dead man's switch behind our own cancel (G24)."""
REPAIR_MIN_U6 = 2 * MARKETABLE_MIN_U6
"""A leg that may fail must be worth buying again, even at half its price."""


class MakeDraft(Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Make an order of this and tell `Bundles.on_order` what became of it, whatever it is."""

    draft: Draft


class CancelOrder(Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Ask the order to be cancelled."""

    cid: str
    why: str


class MergePairs(Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Turn settled pairs into cash: one `MovePairs` with this request id."""

    bundle: str
    request: str
    market: str
    qty_u6: int


class Alert(Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Tell the operator, once."""

    code: str
    text: str


Action = MakeDraft | CancelOrder | MergePairs | Alert


def refusal_of(decision: Decision, spec: MarketSpec, stock_u6: int) -> str:
    """Say why a decision can be no bundle, or nothing.

    A sell box needs stock of both sides: splitting on the trigger is an on-chain wait of seconds
    for an edge that lives less (`quant.md` §1.5), so without stock it is refused. A buy box of
    which a leg, once its settlement failed, could fall below the venue's dollar is not begun:
    nothing could repair it before the other leg has settled (fault B13).
    """
    intents = decision.intents
    if len(intents) != 2 or len({i.market for i in intents}) != 1:
        return f"expected two legs in one market, was {len(intents)}"
    if {i.outcome for i in intents} != {Outcome.YES, Outcome.NO}:
        return "expected one leg on each outcome"
    if len({i.side for i in intents}) != 1:
        return "expected both legs on the same side"
    if spec.fees is None:
        return "fee unknown: no taker order"
    least_u6 = min(i.qty_u6 for i in intents)
    cheap_u6 = proceeds_u6(min(i.px_u6 for i in intents), least_u6)
    if intents[0].side is Side.BUY and cheap_u6 < REPAIR_MIN_U6:
        return f"a leg of ${text_u6(cheap_u6)} may be too small to be bought again"
    if intents[0].side is Side.SELL and stock_u6 < min(spec.min_qty_u6, least_u6):
        have = text_u6(max(0, stock_u6))
        return f"sell box: {have} pairs in stock, and a split on the trigger comes too late"
    return ""


def leg_draft(
    decision: Decision, intent: Intent, spec: MarketSpec, epoch: int, *, bundle: str
) -> Draft:
    """Turn one leg of a decision into a FAK at its own planned limit."""
    return Draft(
        strategy=decision.strategy,
        market=intent.market,
        group=spec.group,
        token=intent.token,
        outcome=intent.outcome,
        side=intent.side,
        px_u6=intent.px_u6,
        qty_u6=intent.qty_u6,
        order_type=OrderType.FAK,
        purpose=Purpose.OPEN,
        snapshot=decision.snapshot,
        epoch=epoch,
        bundle=bundle,
        leg=intent.leg,
        why=f"edge {text_u6(decision.score_u6)} over {text_u6(decision.threshold_u6)}",
    )


def single_draft(decision: Decision, spec: MarketSpec, epoch: int) -> Draft:
    """Turn a decision of one leg into its order: a FAK, or with the tag MAKER a resting quote."""
    intent = decision.intents[0]
    draft = leg_draft(decision, intent, spec, epoch, bundle="")
    if MAKER not in intent.tags:
        return draft
    return replace(draft, order_type=OrderType.GTD, post_only=True)


def exit_draft(bundle: Bundle, way: Exit, quotes: MarketSnapshot, at_ns: int) -> Draft:
    """Turn a way out into an order: buying completes, selling reduces."""
    is_resting = way.order_type is OrderType.GTD
    return Draft(
        strategy=bundle.strategy,
        market=bundle.market,
        group=quotes.spec.group,
        token=quotes.spec.tokens[0 if way.outcome is Outcome.YES else 1],
        outcome=way.outcome,
        side=way.side,
        px_u6=way.px_u6,
        qty_u6=way.qty_u6,
        order_type=way.order_type,
        post_only=is_resting,
        expires_ns=at_ns + REST_LIFE_NS if is_resting else 0,
        purpose=Purpose.HEDGE if way.side is Side.BUY else Purpose.REDUCE,
        snapshot=quotes.id,
        epoch=quotes.epoch,
        bundle=bundle.id,
        leg=1,
        why=f"residue {way.plan.value}, {text_u6(way.cost_u6)} short of par",
    )


def call_back(bundle: Bundle, why: str, at_ns: int) -> list[Action]:
    """Ask for the end of what rests, once."""
    actions: list[Action] = []
    for child in bundle.exits():
        if child.plan == "rest" and child.cid and not child.cancel_ns:
            child.cancel_ns = at_ns
            actions.append(CancelOrder(cid=child.cid, why=why))
    return actions
