"""The commands of the port tests."""

from polytui.engine.core import commands
from polytui.engine.core.order_enums import Realm

LIVE = Realm.LIVE


def read_open() -> commands.ReadOpenOrders:
    return commands.ReadOpenOrders(cause=1, realm=LIVE, request="r1")


def read_order(order_hash: str) -> commands.ReadOrder:
    return commands.ReadOrder(cause=1, realm=LIVE, order_hash=order_hash)


def cancel_all() -> commands.CancelAll:
    return commands.CancelAll(cause=1, realm=LIVE, request="c1")


def cancel(*hashes: str) -> commands.CancelOrders:
    return commands.CancelOrders(cause=1, realm=LIVE, request="c2", hashes=hashes)
