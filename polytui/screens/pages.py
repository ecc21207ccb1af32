"""The pages by name; a page's module is imported when it is first opened."""

from importlib import import_module

from polytui.actions import KILL, VENUE_LAB
from polytui.screens.page import Page

PAGE_TYPES = {
    "overview": "Overview",
    "book": "Book",
    "orders": "Orders",
    "positions": "Positions",
    "decisions": "Decisions",
    "risk": "Risk",
    "modules": "Modules",
    "alerts": "Alerts",
    VENUE_LAB: "VenueLab",
    KILL: "Kill",
}
"""By the name of the page, which is that of its module."""


def make_page(name: str) -> Page:
    """Build a page."""
    page = getattr(import_module(f"polytui.screens.{name}"), PAGE_TYPES[name])(name)
    assert isinstance(page, Page), f"expected a page, was {type(page).__name__}"
    return page
