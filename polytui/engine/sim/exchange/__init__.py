"""The practice exchange: a wire-faithful Polymarket, pure, seeded, on a virtual clock.

Start reading at `api` (what callers ask and get), `emissions` (what it says by itself), `terms`
(markets and settings), then `exchange`, the facade. Sections named `§` are those of
`venue/polymarket.md` unless another page is named.
"""
