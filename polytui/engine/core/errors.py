"""Whose fault it is decides what happens: ours halts, theirs is data, the operator's a sentence."""


class EngineBug(AssertionError):
    """We are wrong: stop new risk, dump the last events, restart through reconcile."""


class OperatorError(Exception):
    """The request is wrong; the message is one sentence that says what would be right."""


class WireError(Exception):
    """Bytes from outside are not what they should be; the decoder turns it into a `WireFault`."""

    def __init__(self, *, expected: str, got: str, number: bool = True) -> None:
        """Keep what was expected and at most 80 characters of what came, escaped.

        `number` tells a bad numeral from a missing or misshapen field.
        """
        self.expected = expected
        self.number = number
        self.got = shown(got)
        super().__init__(f"expected {expected}, was {self.got}")


SHOWN_MAX = 80
"""Longest piece of foreign text an error message carries."""


def shown(text: str) -> str:
    """Quote foreign text for a message: ASCII escapes only, cut to `SHOWN_MAX` characters."""
    return ascii(text[:SHOWN_MAX]) + ("…" if len(text) > SHOWN_MAX else "")
