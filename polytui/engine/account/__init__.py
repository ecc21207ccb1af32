"""Where the machines of the order path meet: one `Account` per realm, one `ControlRoom` for both.

Nothing here decides what an order, a trade, a bundle or a limit is; it carries what one machine
says to the others, in a fixed order, and turns what changed into records and commands.
"""
