"""Keys, balances, rewards and the odds and ends of an account (`venue/polymarket.md` §2, §3.2)."""

from typing import Any, Final

from aiohttp import web
from msgspec import Struct
from msgspec.json import Decoder

from polytui.engine.core.units import U
from polytui.engine.shell.venue.crypto import SignatureFault, address_bytes, checksum
from polytui.engine.shell.venue.data_api import SPENDERS
from polytui.engine.shell.venue.gamma_records import REWARDS_ASSET, Record, iso_text
from polytui.engine.shell.venue.keys import ApiKey, wallet_login
from polytui.engine.shell.venue.refused import BAD_TOKEN, Refused
from polytui.engine.shell.venue.wallets import wallets_of
from polytui.engine.shell.venue.web_tools import Desk, paged, read_as, reply
from polytui.engine.sim.exchange.api import COLLATERAL
from polytui.engine.sim.exchange.terms import AssetType, MarketTerms, Restriction

UNLIMITED: Final = str((1 << 256) - 1)
REWARDS_PAGE: Final = 100


class _KeyName(Struct):
    key: str


_key_name: Final = Decoder(_KeyName)
_order_ids: Final = Decoder(list[str])


class Account(Desk):
    """The handlers."""

    def routes(self) -> list[web.RouteDef]:
        """List them."""
        return [
            web.post("/auth/api-key", self.create_key),
            web.get("/auth/derive-api-key", self.derive_key),
            web.get("/auth/api-keys", self.list_keys),
            web.delete("/auth/api-key", self.delete_key),
            web.post("/auth/readonly-api-key", self.create_readonly),
            web.get("/auth/readonly-api-keys", self.list_readonly),
            web.delete("/auth/readonly-api-key", self.delete_readonly),
            web.get("/auth/ban-status/closed-only", self.closed_only),
            web.get("/balance-allowance", self.balance),
            web.get("/balance-allowance/update", self.update_balance),
            web.get("/order-scoring", self.scoring),
            web.post("/orders-scoring", self.several_scoring),
            web.get("/notifications", self.notifications),
            web.delete("/notifications", self.drop_notifications),
            web.get("/rewards/markets/current", self.rewards_current),
            web.get("/rewards/markets/multi", self.rewards_current),
            web.get("/rewards/markets/{condition}", self.rewards_of),
            web.get("/rewards/user", self.earnings),
            web.get("/rewards/user/total", self.total_earnings),
            web.get("/rewards/user/percentages", self.percentages),
            web.get("/rewards/user/markets", self.earnings),
            web.get("/rebates/current", self.rebates),
        ]

    # --- keys ------------------------------------------------------------------------------------

    async def create_key(self, request: web.Request) -> web.StreamResponse:
        """Give a wallet its key, once per nonce."""
        address, nonce = wallet_login(request.headers, now_s=self.venue.now_s())
        key = self.venue.ring.create(address, nonce)
        if key is None:
            raise Refused(400, "Could not create api key")
        for wallet in wallets_of(address).all():
            self.venue.exchange.open_account(wallet)
        self.venue.flush()
        return reply(key.credentials())

    async def derive_key(self, request: web.Request) -> web.StreamResponse:
        """Give a wallet the key it has."""
        address, nonce = wallet_login(request.headers, now_s=self.venue.now_s())
        key = self.venue.ring.find(address, nonce)
        if key is None:
            raise Refused(400, "Could not derive api key!")
        return reply(key.credentials())

    async def list_keys(self, request: web.Request) -> web.StreamResponse:
        """List a wallet's trading keys."""
        key = await self.key(request)
        mine = [k.key for k in self.venue.ring.of(key.address) if not k.is_read_only]
        return reply({"apiKeys": mine})

    async def delete_key(self, request: web.Request) -> web.StreamResponse:
        """Forget this key; its open orders stay, as they do at the venue."""
        key = await self.key(request)
        self.venue.ring.delete(key.key)
        return reply("OK")

    async def create_readonly(self, request: web.Request) -> web.StreamResponse:
        """Give a key that may only look."""
        key = await self.key(request)
        made = self.venue.ring.create(key.address, key.nonce, is_read_only=True)
        if made is None:
            raise Refused(400, "Could not create readonly api key")
        return reply(made.credentials())

    async def list_readonly(self, request: web.Request) -> web.StreamResponse:
        """List a wallet's read-only keys."""
        key = await self.key(request)
        mine = [k.key for k in self.venue.ring.of(key.address) if k.is_read_only]
        return reply({"readonlyApiKeys": mine})

    async def delete_readonly(self, request: web.Request) -> web.StreamResponse:
        """Forget a read-only key of this wallet."""
        key = await self.key(request)
        wanted = self.venue.ring.get(read_as(_key_name, await request.read()).key)
        if wanted is None or not wanted.is_read_only or wanted.address != key.address:
            raise Refused(404, "readonly api key not found")
        self.venue.ring.delete(wanted.key)
        return reply("OK")

    async def closed_only(self, request: web.Request) -> web.StreamResponse:
        """Say whether this account may only reduce."""
        key = await self.key(request)
        found = (self.venue.restrictions.get(w) for w in wallets_of(key.address).all())
        return reply({"closed_only": Restriction.CLOSED_ONLY in found})

    # --- balances --------------------------------------------------------------------------------

    def _wallet(self, request: web.Request, key: ApiKey) -> str:
        """Choose the wallet whose money is meant by the signature type."""
        text = request.query.get("signature_type", "0")
        found = wallets_of(key.address).of_type(int(text)) if text in ("0", "1", "2", "3") else ()
        if not found:
            raise Refused(400, "Invalid signature_type")
        known = set(self.venue.exchange.accounts())
        held = (w for w in found if w in known and self._has_money(w))
        return next(held, found[0])

    def _has_money(self, wallet: str) -> bool:
        return self.venue.exchange.balance(wallet, COLLATERAL).balance_u6 > 0

    def _asset(self, request: web.Request) -> tuple[str, AssetType]:
        kind = request.query.get("asset_type", "")
        if kind == "COLLATERAL":
            return COLLATERAL, AssetType.COLLATERAL
        token = request.query.get("token_id", "")
        if kind not in ("CONDITIONAL", "CONDITIONAL-V2"):
            raise Refused(400, "Invalid asset_type")
        if self.venue.exchange.market_of(token) is None:
            raise Refused(400, BAD_TOKEN)
        return token, AssetType.CONDITIONAL

    async def balance(self, request: web.Request) -> web.StreamResponse:
        """Show a balance and its allowances as the venue believes them to be."""
        wallet = self._wallet(request, await self.key(request))
        asset, kind = self._asset(request)
        exchange = self.venue.exchange
        if wallet not in exchange.accounts():
            return reply({"balance": "0", "allowances": {}})
        allowances = {}
        for spender, address in SPENDERS.items():
            amount = exchange.allowance(wallet, spender, kind)
            allowances[checksum(address)] = UNLIMITED if amount is None else str(amount)
        balance = exchange.cached_balance(wallet, asset)
        return reply({"balance": str(balance), "allowances": allowances})

    async def update_balance(self, request: web.Request) -> web.StreamResponse:
        """Read the chain again."""
        wallet = self._wallet(request, await self.key(request))
        exchange = self.venue.exchange
        if wallet in exchange.accounts():
            exchange.refresh_balance_cache(wallet)
            if self.venue.switches.stale_balances:
                exchange.hold_balance_cache(wallet)
        return reply({})

    # --- scoring and rewards ---------------------------------------------------------------------

    async def scoring(self, request: web.Request) -> web.StreamResponse:
        """Say whether an order earned rewards in the last sample."""
        key = await self.key(request)
        return reply({"scoring": self._scores(key, request.query.get("order_id", ""))})

    async def several_scoring(self, request: web.Request) -> web.StreamResponse:
        """Say the same of several orders."""
        key = await self.key(request)
        wanted = read_as(_order_ids, await request.read())
        return reply({order_id: self._scores(key, order_id) for order_id in wanted})

    def _scores(self, key: ApiKey, order_id: str) -> bool:
        order = self.venue.exchange.order(order_id)
        return order is not None and order.owner == key.key and order.is_scoring

    def _rewarded(self) -> list[MarketTerms]:
        return [t for t in self.venue.exchange.markets() if t.rewards.pool_day_u6]

    async def rewards_current(self, request: web.Request) -> web.StreamResponse:
        """List the markets that pay rewards."""
        rows = [_reward(terms) for terms in self._rewarded()]
        return reply(paged(rows, request.query.get("next_cursor", ""), REWARDS_PAGE))

    async def rewards_of(self, request: web.Request) -> web.StreamResponse:
        """Show one market's rewards."""
        wanted = request.match_info["condition"]
        rows = [_reward(t) | _reward_market(t) for t in self._rewarded() if t.condition == wanted]
        return reply(paged(rows, request.query.get("next_cursor", ""), REWARDS_PAGE))

    async def earnings(self, request: web.Request) -> web.StreamResponse:
        """List today's earnings by market: the exchange keeps them by account only, so one row."""
        key = await self.key(request)
        rows = [row for row in self._earned(key) if row["earnings"]]
        return reply(paged(rows, request.query.get("next_cursor", ""), REWARDS_PAGE))

    async def total_earnings(self, request: web.Request) -> web.StreamResponse:
        """Add up today's earnings."""
        return reply(self._earned(await self.key(request)))

    def _earned(self, key: ApiKey) -> list[Record]:
        exchange = self.venue.exchange
        known = set(exchange.accounts())
        return [
            {
                "date": iso_text(exchange.now_ns),
                "asset_address": REWARDS_ASSET,
                "maker_address": checksum(wallet),
                "earnings": exchange.accrued(wallet).rewards_u6 / U,
                "asset_rate": 1,
            }
            for wallet in wallets_of(key.address).all()
            if wallet in known
        ]

    async def percentages(self, request: web.Request) -> web.StreamResponse:
        """Know no shares: samples are not kept by market."""
        await self.key(request)
        return reply({})

    async def rebates(self, request: web.Request) -> web.StreamResponse:
        """List a maker's rebates of today."""
        text = request.query.get("maker_address", "")
        try:
            address_bytes(text)
        except SignatureFault:
            raise Refused(400, "Invalid maker_address") from None
        exchange = self.venue.exchange
        if text.lower() not in exchange.accounts():
            return reply([])
        row = {
            "date": iso_text(exchange.now_ns)[:10],
            "asset_address": REWARDS_ASSET,
            "maker_address": checksum(text),
            "rebated_fees_usdc": str(exchange.accrued(text.lower()).rebates_u6 / U),
        }
        return reply([row])

    async def notifications(self, request: web.Request) -> web.StreamResponse:
        """Have nothing to notify."""
        await self.key(request)
        return reply([])

    async def drop_notifications(self, request: web.Request) -> web.StreamResponse:
        """Forget what there is not."""
        await self.key(request)
        return reply("OK")


def _reward(terms: MarketTerms) -> Record:
    rate = terms.rewards.pool_day_u6 / U
    config = {
        "id": 0,
        "asset_address": REWARDS_ASSET,
        "start_date": iso_text(terms.start_ns)[:10],
        "end_date": "2500-12-31",
        "rate_per_day": rate,
        "total_rewards": 0,
    }
    return {
        "condition_id": terms.condition,
        "rewards_max_spread": terms.rewards.max_spread_u6 / 10_000,
        "rewards_min_size": terms.rewards.min_qty_u6 // U,
        "rewards_config": [config],
        "native_daily_rate": rate,
        "total_daily_rate": rate,
    }


def _reward_market(terms: MarketTerms) -> dict[str, Any]:
    return {
        "question": terms.question,
        "market_slug": terms.slug,
        "event_slug": terms.slug,
        "image": "",
        "tokens": [
            {"token_id": token, "outcome": outcome, "price": 0.5}
            for token, outcome in zip(terms.tokens, terms.outcomes, strict=True)
        ],
    }
