"""Checks of the venue: reachable and of our version, its clock, our region, our rate tier."""

from typing import Final

from polytui.engine.decide.words import MS, span
from polytui.engine.orders.reconcile import VERSION
from polytui.engine.shell.doctor.case import Case
from polytui.engine.shell.doctor.report import Finding, fail, warn, well
from polytui.engine.shell.polymarket.budgets import CANCEL_FACTOR, TIERS
from polytui.engine.shell.polymarket.rest import Failed

_NETWORK: Final = "see the network, DNS and the venue's status page; then the addresses in [venue]"
_FIRST: Final = "put the venue's line right first"


def check_venue(case: Case) -> Finding:
    """Ask whether every server answers, and whether it takes the orders that we sign."""
    facts = case.venue
    name = "a practice venue started for this" if facts.started else facts.clob
    if facts.why:
        return fail(facts.why, _NETWORK)
    if isinstance(facts.version, Failed):
        return fail(f"{name}: {facts.version.why}", _NETWORK)
    if facts.version != VERSION:
        return fail(
            f"{name} takes order version {facts.version}, we sign {VERSION}",
            "update polytui before trading: every order would be refused",
        )
    broken = [f"{what}: {why}" for what, why in facts.others if why]
    if broken:
        return fail(f"{name} answers; {'; '.join(broken)}", _NETWORK)
    return well(f"{name}, order version {facts.version}, {1 + len(facts.others)} servers answer")


def check_clock(case: Case) -> Finding:
    """Compare our clock with the venue's: orders carry times, and cancels depend on them."""
    facts = case.venue
    if facts.why or facts.clock_why:
        return warn(f"not measured: {facts.why or facts.clock_why}", _FIRST)
    most_ns = case.settings.run.limits.clock_offset_ms * MS
    offset_ns, about_ns = facts.offset_ns, facts.uncertainty_ns
    said = f"venue minus ours {span(offset_ns)}, to {span(about_ns)}; limit {span(most_ns)}"
    if abs(offset_ns) - about_ns > most_ns:
        return fail(said, "let NTP set the clock: timedatectl set-ntp true, or chrony")
    if abs(offset_ns) + about_ns > most_ns:
        return warn(said, "near the limit or measured badly: run it again, see timedatectl")
    return well(said)


def check_region(case: Case) -> Finding:
    """Ask the venue whether it serves this place."""
    place = case.venue.place
    if place is None:
        return warn("nobody is asked: venue.geoblock is empty", "set venue.geoblock")
    if case.venue.why or isinstance(place, Failed):
        why = case.venue.why or (place.why if isinstance(place, Failed) else "")
        return warn(f"not known: {why}", _FIRST)
    if place.blocked:
        return fail(
            f"blocked ({place.country or 'country unknown'})",
            "run polytui where the venue may be used; going round it is unlawful",
        )
    return well(f"open ({place.country or 'country unknown'})")


def check_tier(case: Case) -> Finding:
    """Ask how many orders a second the venue grants, and compare with our own limits."""
    if case.holder:
        risk = case.engine.risk if case.engine is not None else None
        if risk is None or risk.orders_left < 0:
            return well(f"{case.holder}; the venue has not told it yet")
        return well(f"{case.holder}: {risk.orders_left} orders, {risk.cancels_left} cancels left")
    tier = case.venue.tier
    if isinstance(tier, Failed):
        if case.venue.key:
            return warn(f"not known: {tier.why}", "none needed: the lowest tier is assumed")
        return warn("not asked: there is no API key", "put the signer right first")
    if tier not in TIERS:
        return warn(f"{tier}, which is unknown here", "none needed: the lowest tier is assumed")
    rate, burst = TIERS[tier]
    ours = case.settings.run.limits.orders_per_s
    said = (
        f"{tier}: {rate} orders/s ({burst} at once), {rate * CANCEL_FACTOR} cancels/s; "
        f"we send {ours}/s at most"
    )
    if ours > rate:
        return warn(said, f"lower run.limits.orders_per_s to {rate}")
    return well(said)
