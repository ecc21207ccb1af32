"""Posts alerts and kills to a webhook as JSON, off by default, and never holds up the engine.

Once a second the alerts of the View are compared with what was seen before; what is new waits in a
bounded queue, the latest of each alert, and goes out in one post per gap. A post that fails is
tried again, ever more rarely, and given up after `TRIES_MAX`; what is dropped is counted and told
in the next one. A receiver may hear of the same thing twice: ids and `n` tell them apart.

The address is a secret, for its path is the password: it stands in no log, no View, no refusal.
Certificates are verified and redirects are not followed. Texts hold no secrets of ours and nothing
that a chat would take for a link, a mention or markup: titles of markets are hostile. That posting
fails is an alert of class low, which is never posted.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.json import Encoder

from polytui.engine.core.alert_codes import ALERT_CODES
from polytui.engine.core.alert_view import ALERTS, AlertRow, AlertState, AlertsView
from polytui.engine.core.errors import OperatorError
from polytui.engine.core.runconfig import NotifyConfig
from polytui.engine.core.text import sanitise
from polytui.engine.core.view import STATUS, AnySection, PostsView, StatusView
from polytui.engine.shell.clock import SECOND_NS, read_mono_ns, read_wall_ns, sleep_until
from polytui.engine.shell.polymarket.hosts import parse, tls_context
from polytui.engine.shell.polymarket.http import HttpClient, NoAnswer, NotSent

WEBHOOK: Final = "WEBHOOK"
"""The alert that posting fails: never posted itself."""
KILLED: Final = "KILLED"
LOOK_NS: Final = SECOND_NS
QUEUE_MAX: Final = 100
"""Alerts that wait; beyond it the oldest goes."""
POST_MAX: Final = 20
"""Alerts in one post."""
TRIES_MAX: Final = 5
"""Attempts at the same post."""
WAIT_NS_MAX: Final = 600 * SECOND_NS
"""Between attempts at the most."""
TEXT_MAX: Final = 200

_PLAIN: Final = str.maketrans({
    "<": "‹", ">": "›", "@": "(at)", "`": "'", "[": "(", "]": ")", "*": "·", "|": "/", "~": "-",
})  # fmt: skip
_encode: Final = Encoder().encode


class Posted(Struct, frozen=True, kw_only=True):
    """One alert as it is posted; `docs/service.md` describes it."""

    alert: str
    code: str
    cls: str
    what: str
    """`raised` or `gone`."""
    subject: str
    text: str
    age_s: int
    cause: str
    consequence: str
    todo: str


class Post(Struct, frozen=True, kw_only=True):
    """One post."""

    text: str
    """All of it in a few lines, for receivers that read nothing else."""
    n: int
    """Grows with each post of a run; the same for another attempt at it."""
    at: str
    run: str
    version: str
    venue: str
    mode: str
    lost: int
    """Alerts dropped since the start of the run."""
    alerts: tuple[Posted, ...]


class Webhook:
    """The line to one receiver."""

    def __init__(
        self,
        config: NotifyConfig,
        look: Callable[[str], AnySection | None],
        *,
        clean: Callable[[str], str] = str,
    ) -> None:
        """Look at sections of the View; `clean` takes secrets out of a text.

        Raises:
            OperatorError: the address is none.
        """
        self._config = config
        self._look = look
        self._clean = clean
        self._target = ""
        self._client = self._connected(config.url) if config.url else None
        self._told: dict[str, AlertRow] = {}
        """Alerts that stand, of which the receiver was or will be told, by id."""
        self._queue: dict[str, Posted] = {}
        """What waits, the latest of each alert, oldest first."""
        self._sending: tuple[Posted, ...] = ()
        self._is_urgent = False
        self._tries = 0
        self._due_ns = self._urgent_ns = read_mono_ns()
        self._n = 0
        self._posted = self._lost = 0
        self._why = ""

    def _connected(self, url: str) -> HttpClient:
        try:
            parts = urlsplit(url)
            origin = parse(f"{parts.scheme}://{parts.netloc}")
        except (ValueError, OperatorError):
            raise OperatorError("notify.url: expected a URL with https, is not shown") from None
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return HttpClient(origin, connections_max=1)

    def view(self) -> PostsView:
        """Tell how it goes."""
        return PostsView(
            on=self._client is not None,
            posted=self._posted,
            waiting=len(self._queue) + len(self._sending),
            lost=self._lost,
            why=self._why,
        )

    # --- the task --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look and post until cancelled."""
        if self._client is None:
            await asyncio.Event().wait()
            return
        posting: asyncio.Task[None] | None = None
        due_ns = read_mono_ns()
        try:
            while True:
                await sleep_until(due_ns)
                due_ns = read_mono_ns() + LOOK_NS
                await self._safely(self._compare)
                if (posting is None or posting.done()) and self._may_post():
                    post = self._safely(partial(self._post, self._client))
                    posting = asyncio.create_task(post, name="webhook")
        finally:
            if posting is not None:
                posting.cancel()
            self._client.close()

    async def _safely(self, step: Callable[[], Awaitable[None]]) -> None:
        """Take a step; a fault of ours is told like any other failure and must end nothing."""
        try:
            await step()
        except Exception as bug:  # noqa: BLE001  whatever is wrong here, the engine goes on
            self._why = f"a fault of polytui's own: {type(bug).__name__}"
            self._lost += len(self._sending)
            self._sending, self._tries = (), 0
            self._due_ns = self._urgent_ns = read_mono_ns() + WAIT_NS_MAX

    # --- what is new -----------------------------------------------------------------------------

    async def _compare(self) -> None:
        """Queue what was raised and what is gone since the last look."""
        view = self._look(ALERTS)
        if not isinstance(view, AlertsView):
            return
        rows = {row.alert: row for row in (*view.active, *view.shelved)}
        for name, row in rows.items():
            if name not in self._told and row.state is AlertState.UNACK and self._is_wanted(row):
                self._told[name] = row
                self._put(row, "raised", view.at_ns)
        for name, row in list(self._told.items()):
            self._told[name] = rows.get(name, row)
            is_folded = name not in rows and view.flood_since_ns
            if (name not in rows or rows[name].state is AlertState.RTN) and not is_folded:
                self._put(self._told.pop(name), "gone", view.at_ns)

    def _is_wanted(self, row: AlertRow) -> bool:
        is_chosen = row.code == KILLED or row.cls.value in self._config.classes
        return is_chosen and row.code != WEBHOOK

    def _put(self, row: AlertRow, what: str, at_ns: int) -> None:
        rule = ALERT_CODES[row.code]
        self._queue.pop(row.alert, None)
        if len(self._queue) >= QUEUE_MAX:
            self._lost += 1
            del self._queue[next(iter(self._queue))]
        self._queue[row.alert] = Posted(
            alert=row.alert,
            code=row.code,
            cls=row.cls.value,
            what=what,
            subject=self._plain(row.subject),
            text=self._plain(row.text),
            age_s=max(0, at_ns - row.since_ns) // SECOND_NS,
            cause=rule.cause,
            consequence=rule.consequence,
            todo=rule.todo,
        )
        self._is_urgent = self._is_urgent or (row.code == KILLED and what == "raised")

    def _plain(self, text: str) -> str:
        """Make a text that no terminal, chat or browser takes for more than words."""
        clean = sanitise(self._clean(text), limit=TEXT_MAX)
        return clean.translate(_PLAIN).replace("://", ": //")

    # --- posting ---------------------------------------------------------------------------------

    def _may_post(self) -> bool:
        now_ns = read_mono_ns()
        if not (self._queue or self._sending):
            return False
        return now_ns >= self._due_ns or (self._is_urgent and now_ns >= self._urgent_ns)

    async def _post(self, client: HttpClient) -> None:
        """Send what waits; say when the next post is due."""
        if not self._sending:
            names = list(self._queue)[:POST_MAX]
            self._sending = tuple(self._queue.pop(name) for name in names)
            self._n += 1
        gap_ns = self._config.gap_s * SECOND_NS
        if self._is_urgent:
            self._is_urgent = False
            self._urgent_ns = read_mono_ns() + gap_ns
        self._why = await self._attempt(client)
        if not self._why:
            self._posted += len(self._sending)
            self._sending, self._tries = (), 0
        else:
            self._tries += 1
            gap_ns = min(gap_ns << self._tries, max(gap_ns, WAIT_NS_MAX))
            if self._tries >= TRIES_MAX:
                self._lost += len(self._sending)
                self._sending, self._tries = (), 0
        self._due_ns = read_mono_ns() + gap_ns

    async def _attempt(self, client: HttpClient) -> str:
        """Post once; say why it was not taken, without the address, or nothing."""
        try:
            if client.origin.tls:
                await asyncio.to_thread(tls_context)
            request = client.request("POST", self._target, body=_encode(self._made()))
            reply = await client.ask(request, timeout_s=self._config.timeout_s)
        except (NotSent, NoAnswer) as error:
            return str(error).replace(client.origin.host, "the webhook")
        finally:
            client.close()  # by the next post the receiver has forgotten this connection
        if 300 <= reply.status < 400:
            return f"HTTP {reply.status}: redirects are not followed"
        return "" if 200 <= reply.status < 300 else f"HTTP {reply.status}"

    def _made(self) -> Post:
        status = self._look(STATUS)
        assert isinstance(status, StatusView), "expected a status"
        mode = status.mode.value
        lines = [f"polytui {mode.upper()} on {status.venue}: {len(self._sending)} alerts"]
        lines += [f"{row.cls} {row.what} {row.code} {row.text}" for row in self._sending]
        if self._lost:
            lines.append(f"{self._lost} alerts were dropped since the start")
        return Post(
            text="\n".join(lines),
            n=self._n,
            at=f"{datetime.fromtimestamp(read_wall_ns() // SECOND_NS, UTC):%Y-%m-%dT%H:%M:%SZ}",
            run=status.run,
            version=status.version,
            venue=status.venue,
            mode=mode,
            lost=self._lost,
            alerts=self._sending,
        )
