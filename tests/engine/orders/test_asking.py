"""Reads repeated for ever: none is lost between a failure and an answer that came too late."""

from polytui.engine.orders.asking import AGAIN_NS, ANSWER_NS, Asking, S


def test_a_retry_that_was_abandoned_is_asked_again_when_it_is_wanted() -> None:
    asking = Asking(0)
    asking.want(S)
    asking.ask("clock-1", S)
    asking.failed("the port is busy", S)
    retry_ns = S + AGAIN_NS[0]
    assert asking.is_due(retry_ns)
    asking.ask("clock-2", retry_ns)
    asking.answered(retry_ns - 1)
    asking.abandon()
    asking.want(retry_ns + S)
    assert asking.is_due(retry_ns + S)


def test_wanting_never_hastens_a_retry_nor_doubles_an_open_question() -> None:
    asking = Asking(0)
    asking.ask("orders-1", S)
    asking.want(S)
    assert not asking.is_due(S + 1), "a question is open"
    asking.failed("503", 2 * S)
    asking.want(2 * S)
    assert not asking.is_due(2 * S), "the retry waits its time"
    assert asking.is_due(2 * S + AGAIN_NS[0])
    asking.ask("orders-2", 3 * S)
    assert not asking.is_due(3 * S + ANSWER_NS - 1)
