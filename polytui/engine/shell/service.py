"""The engine as a process: composes venue, runner, recorder, accounts and sockets; ends well.

It owns the tasks and nothing of the engine's state. There is one engine per runtime directory. TERM
and INT stop it: no new risk, everything cancelled and proven gone, the log closed, clients told.
HUP is ignored, so that a closed terminal does not reach it. An exception in any task is our bug:
the last events go to a file, and the process ends with one sentence and a code that is not zero.
"""

import asyncio
import os
import signal
import traceback
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import uvloop

import polytui
from polytui.engine.account.directives import Reply
from polytui.engine.core.commands import Command, RecordDecision, RecordTally
from polytui.engine.core.errors import EngineBug, OperatorError
from polytui.engine.core.events import Directive, Event, RunStarted, Stamped
from polytui.engine.core.ids import ConnId
from polytui.engine.core.messages import Answer, Ask
from polytui.engine.core.runconfig import Settings
from polytui.engine.core.view import STATUS, VENUE_LAB, AnySection
from polytui.engine.machine import Engine, Roster
from polytui.engine.project import Projector
from polytui.engine.shell import directives, places
from polytui.engine.shell.accounts.desk import AccountDesk, Process
from polytui.engine.shell.admin import AdminServer
from polytui.engine.shell.admin import Reply as Answering
from polytui.engine.shell.capture import Capture
from polytui.engine.shell.chronicle import Chronicle
from polytui.engine.shell.clock import (
    SECOND_NS,
    read_anchor,
    read_mono_ns,
    sleep_until,
)
from polytui.engine.shell.confirming import Answered, Confirming, look_at
from polytui.engine.shell.ending import end_all
from polytui.engine.shell.heap import freeze_memory
from polytui.engine.shell.loop_lag import STEP_NS, LoopLag
from polytui.engine.shell.metrics.server import MetricsServer, host_health
from polytui.engine.shell.notify import Notifier
from polytui.engine.shell.publishing import Publisher
from polytui.engine.shell.runner import Executors, Runner
from polytui.engine.shell.selfview import Parts, Sizes
from polytui.engine.shell.sequencer import Sequencer
from polytui.engine.shell.sources import Sources
from polytui.engine.shell.webhook import Webhook

EXIT_DONE = 0
EXIT_REFUSED = 2
EXIT_OPEN = 4
"""Something of ours may still be open at the venue; its ids were said."""
EXIT_BUG = 70
"""`EX_SOFTWARE`: we are wrong."""

BEAT_NS = SECOND_NS
KILL_GAP_NS = SECOND_NS // 5
"""The engine hears of kills this often at most; the latch closes at each."""
DRAIN_NS = 8 * SECOND_NS
"""Longest wait for a stop's cancels (fault C2: an engine ends within ten seconds)."""
CLOSE_S = 5.0
"""Longest wait for children, clients and the store at the end."""
_DONE = Reply(ok=True, text="")
LAST_TURNS_MAX = 1_000
"""Turns taken at the end for what still waits: bounds the time a stop takes."""


class Service:
    """One engine, its venue, its log and its clients."""

    def __init__(
        self, settings: Settings, directory: Path, *, strategies: Roster | None = None
    ) -> None:
        """Compose everything; nothing runs before `run`.

        `strategies` stand in for those of the configuration: a rehearsal brings its own.

        Raises:
            OperatorError: the recorder cannot have its directory.
        """
        self._awake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._anchor = read_anchor()
        stamp = datetime.fromtimestamp(self._anchor.wall_ns // SECOND_NS, UTC)
        self.run_id = f"{stamp:%Y%m%d-%H%M%S}-{os.getpid()}"
        self._settings = settings
        self._directory = directory
        self._engine = Engine(strategies)
        self._projector = Projector(self._engine, venue=settings.venue.kind)
        self._sequencer = Sequencer(self._anchor)
        self._capture = Capture(settings.capture, run=self.run_id, anchor=self._anchor)
        self._conns = 0
        self._lag = LoopLag()
        self._notifier = Notifier()
        self._chronicle = Chronicle(Path(settings.store.directory), run=self.run_id)
        self._accounts = self._make_accounts()
        self._accounts.recorder.looking.sample = lambda: self._look(STATUS)
        self._sources = self._make_sources()
        self._runner = self._make_runner()
        self._admin = AdminServer(
            directory,
            run=self.run_id,
            version=polytui.__version__,
            on_ask=self._ask,
            on_watch=self._on_watch,
            on_refused=self._audit,
        )
        self._publisher = Publisher(self._admin, self._look, view_hz=settings.runner.view_hz)
        self._metrics = MetricsServer(
            self._look,
            settings.metrics,
            host=lambda: host_health(self._capture.health(), self._accounts.store.health()),
        )
        self._webhook = Webhook(settings.notify, self._look, clean=self._chronicle.clean)
        self._parts = self._make_parts()
        self._bugs: list[BaseException] = []
        """Exceptions of callbacks, which belong to no task."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._due: asyncio.TimerHandle | None = None
        self._due_ns = 0
        self._killed_ns = -KILL_GAP_NS
        self._confirming = Confirming(look_at(self._engine, self._now_ns))
        self._answered = Answered()

    def _make_accounts(self) -> AccountDesk:
        process = Process(
            offer=self._offer,
            next_conn=self._next_conn,
            clock=self._now_ns,
            lag_ns=self._lag.now_ns,
            on_bug=self._on_bug,
            note=self._chronicle.notice,
            hide=self._chronicle.hide,
            troubles=self._troubles,
        )
        return AccountDesk(
            self._settings, self._directory, engine=self._engine, run=self.run_id, process=process
        )

    def _make_parts(self) -> Parts:
        self._chronicle.hide(self._settings.notify.url)
        return Parts(
            runner=self._runner,
            capture=self._capture,
            lag=self._lag,
            admin=self._admin,
            metrics=self._metrics,
            webhook=self._webhook,
            sizes=Sizes(self._settings),
        )

    def _troubles(self) -> tuple[tuple[str, str], ...]:
        return self._parts.troubles()

    def _make_runner(self) -> Runner:
        return Runner(
            engine=self._engine,
            sequencer=self._sequencer,
            capture=self._capture,
            config=self._settings.runner,
            executors=self._executors(),
            wake=self._awake.set,
            cut=self._sources.cut,
            after=self._on_turn,
        )

    def _make_sources(self) -> Sources:
        """Make what the engine hears markets through; a test or a benchmark brings its own."""
        return Sources(
            self._settings,
            self._directory,
            accounts=self._accounts,
            next_conn=self._next_conn,
            tell=self._chronicle.notice,
        )

    async def run(self, say: Callable[[str], None]) -> int:
        """Serve until told to stop; return the exit code."""
        loop = asyncio.get_running_loop()
        for stop in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(stop, self._stopping.set)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        loop.set_exception_handler(self._on_loop_error)
        started = RunStarted(
            run=self.run_id, version=polytui.__version__, config=self._settings.run
        )
        self._runner.offer_event(started)
        try:
            await self._open(say)
            errors = [*await self._supervise(), *self._bugs]
        except Exception as error:  # noqa: BLE001  whatever is open is closed, then it is told
            errors = [error]
        refusals = [error for error in errors if isinstance(error, OperatorError)]
        bugs = [error for error in errors if not isinstance(error, OperatorError)]
        sentences = [f"polytui: {refusal}" for refusal in refusals] + [self._dump(b) for b in bugs]
        for sentence in sentences:
            say(sentence)
            self._chronicle.fault(sentence)
        left = await self._close(drain=not bugs)
        say(f"polytui engine: stopped after {self._sequencer.seq} events")
        if left:
            say(f"polytui engine: {len(left)} orders may still be open: {' '.join(left)}")
        code = EXIT_OPEN if left else EXIT_REFUSED if refusals else EXIT_DONE
        code = EXIT_BUG if bugs else code
        self._chronicle.end(code, left=len(left))
        return code

    async def _open(self, say: Callable[[str], None]) -> None:
        """Open store, sockets and exporter, and say so."""
        await self._accounts.open()
        await self._admin.start()
        await self._metrics.start()
        say(
            f"polytui engine {polytui.__version__}: {self._settings.venue.kind} venue, "
            f"run {self.run_id}, pid {os.getpid()}, sockets in {self._directory}"
        )
        if self._accounts.upgraded:
            say(f"polytui engine: {self._accounts.upgraded}")
        self._chronicle.begin(
            self._settings.venue.kind, version=polytui.__version__, pid=os.getpid()
        )
        self._notifier.ready(f"{self._settings.venue.kind} venue, run {self.run_id}")
        freeze_memory()

    # --- tasks -----------------------------------------------------------------------------------

    async def _supervise(self) -> list[BaseException]:
        """Run every task until one fails or a stop is asked for; then cancel all and prove it."""
        jobs: tuple[Coroutine[None, None, object], ...] = (
            self._stopping.wait(),
            self._feed_engine(),
            self._sources.run(self._runner),
            self._accounts.run_host(),
            self._lag.run(),
            self._publisher.run(),
            self._webhook.run(),
            self._beat(),
        )
        tasks = [asyncio.ensure_future(job) for job in jobs]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not any(task.exception() for task in done):
            await self._drain_orders()
        await end_all(pending)
        return [_bare(error) for task in done if (error := task.exception()) is not None]

    async def _drain_orders(self) -> None:
        """Stop taking risk, cancel everything, and wait for the venue's own word that it is gone.

        An account that is not up cannot cancel: what it may have open is said at the end.
        """
        self._notifier.stopping("no new orders; cancelling and verifying")
        heard = asyncio.Event()
        drain = Directive(id=f"stop-{self.run_id}", action=directives.DRAIN, actor="engine")
        self._runner.offer_event(drain, done=heard.set)
        deadline_ns = read_mono_ns() + DRAIN_NS
        while read_mono_ns() < deadline_ns:
            if self._bugs or (heard.is_set() and self._accounts.is_drained):
                return
            await sleep_until(read_mono_ns() + STEP_NS)

    def _on_bug(self, bug: BaseException) -> None:
        self._bugs.append(bug)
        self._stopping.set()

    def _on_loop_error(self, _: object, context: dict[str, object]) -> None:
        """Treat an exception in a callback as our bug, unless it is a client's broken line."""
        error = context.get("exception")
        if isinstance(error, OSError):
            return
        bug = error if isinstance(error, BaseException) else EngineBug(str(context.get("message")))
        self._on_bug(bug)

    async def _feed_engine(self) -> None:
        """Take turns while there is input, and when the engine wants one."""
        while True:
            await self._awake.wait()
            self._awake.clear()
            while self._runner.turn():
                await sleep_until(0)
            self._arm()

    def _on_turn(self, events: Sequence[Stamped]) -> None:
        """Let the accounts follow, and tell the service manager that the decision loop lives."""
        self._accounts.on_turn(events)
        self._notifier.beat()

    def _arm(self) -> None:
        """Have the next turn come in time though nothing arrives."""
        due_ns = self._anchor.mono_at(self._wanted_ns())
        if self._due is not None:
            if self._due_ns <= due_ns:
                return
            self._due.cancel()
        self._due_ns = due_ns
        delay_s = max(0, due_ns - read_mono_ns()) / SECOND_NS
        self._due = asyncio.get_running_loop().call_later(delay_s, self._on_due)

    def _wanted_ns(self) -> int:
        """Return when the engine or the paper venue wants a turn, engine time."""
        due_ns, paper_ns = self._runner.next_due_ns(), self._accounts.next_due_ns()
        return due_ns if paper_ns is None else min(due_ns, paper_ns)

    def _on_due(self) -> None:
        self._due = None
        if self._anchor.mono_at(self._wanted_ns()) <= read_mono_ns() + STEP_NS // 10:
            self._awake.set()
        else:
            self._arm()

    def _on_watch(self) -> None:
        self._publisher.on_watch()

    def _now_ns(self) -> int:
        return self._anchor.at_ns(read_mono_ns())

    def _next_conn(self) -> ConnId:
        self._conns += 1
        return ConnId(self._conns)

    def _offer(self, event: Event) -> None:
        self._runner.offer_event(event)

    def _look(self, topic: str) -> AnySection | None:
        """Make a section: the venue's own from the venue, all others from the engine."""
        if topic == VENUE_LAB:
            return self._sources.lab_view()
        return self._projector.section(topic, now_ns=self._now_ns(), shell=self._parts.view())

    async def _beat(self) -> None:
        due_ns = read_mono_ns()
        while True:
            due_ns += BEAT_NS
            await sleep_until(due_ns)
            at_ns = self._anchor.at_ns(read_mono_ns())
            self._admin.beat(at_ns=at_ns, seq=self._sequencer.seq)

    # --- what is asked ---------------------------------------------------------------------------

    def _ask(self, ask: Ask, actor: str, reply: Answering) -> None:
        """Let a directive into the log; answer when the engine has taken it."""
        if ask.action == directives.KILL:
            self._kill(ask, actor, reply)
            return
        if ask.action == directives.UNLOCK:
            self._unlock(ask, actor, reply)
            return
        if self._answered.repeat(ask, actor, reply):
            return
        judged = self._judge(ask, actor)
        if isinstance(judged, Answer):
            self._audit(ask, actor, judged)
            reply(judged)
            return
        self._answered.begin(ask, actor)

        def done() -> None:
            answer = directives.done(judged, self._engine.directives.get(ask.id, _DONE))
            self._answered.end(ask, actor, answer)
            self._chronicle.asked(ask, actor, answer)
            reply(answer)
            if ask.action == directives.STOP:
                self._stopping.set()
            elif ask.action == directives.FAULT:
                self._sources.cause(ask.args[0])

        directive = Directive(id=ask.id, action=ask.action, args=judged.args, actor=actor)
        self._runner.offer_event(directive, done=done)

    def _judge(self, ask: Ask, actor: str) -> Ask | Answer:
        strategies = [strategy.id for strategy in self._engine.strategies]
        refusal = directives.refuse(ask, strategies=strategies, troubles=self._sources.troubles)
        return refusal or self._confirming.judge(ask, actor, now_ns=read_mono_ns())

    def _audit(self, ask: Ask, actor: str, answer: Answer) -> None:
        """Keep who asked for what did not become an event, and what came of it."""
        self._accounts.recorder.answered(ask, actor, answer, at_ns=self._now_ns())
        self._chronicle.asked(ask, actor, answer)

    def _unlock(self, ask: Ask, actor: str, reply: Answering) -> None:
        """Hand a passphrase to the signer: never an event, never recorded, never repeated."""

        async def unlock() -> None:
            live = self._accounts.live
            why = "there is no account" if live is None else await live.unlock("".join(ask.args))
            answer = directives.unlocked(ask.id, why)
            self._audit(ask, actor, answer)
            reply(answer)

        task = asyncio.get_running_loop().create_task(unlock())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _kill(self, ask: Ask, actor: str, reply: Answering) -> None:
        """Close the gate, answer, then tell the engine before all else that waits.

        Nothing is judged and nothing is waited for. Who kills in bursts closes the latch each time
        and is answered each time; the engine, which cancels everything at each, hears less often.
        """
        reason = " ".join(ask.args)[: directives.TEXT_CHARS_MAX] or actor
        self._accounts.kill_now(reason)
        answer = Answer(id=ask.id, ok=True, code="done", text=directives.KILLED)
        reply(answer)
        now_ns = read_mono_ns()
        if now_ns - self._killed_ns < KILL_GAP_NS:
            self._audit(ask, actor, answer)
        else:
            self._chronicle.asked(ask, actor, answer)
            self._killed_ns = now_ns
            name = f"{ask.id[: directives.TEXT_CHARS_MAX]}-{now_ns:x}"
            kill = Directive(id=name, action=ask.action, args=(reason,), actor=actor)
            self._runner.offer_first(kill)

    def _executors(self) -> Executors:
        return {
            RecordDecision: _nothing_more,
            RecordTally: _nothing_more,
            **self._accounts.executors(),
            **self._sources.executors(lambda: self._runner),
        }

    # --- the end ---------------------------------------------------------------------------------

    async def _close(self, *, drain: bool) -> list[str]:
        """Step what still waits, hang up, close the log; return what may still be open."""
        if self._due is not None:
            self._due.cancel()
        for _ in range(LAST_TURNS_MAX if drain else 0):
            if not self._runner.turn():
                break
        left = self._accounts.open_orders
        keep_venue = bool(left) or not drain
        with suppress(TimeoutError):  # whoever does not let go is left behind: the process ends
            async with asyncio.timeout(CLOSE_S):
                await asyncio.gather(
                    self._accounts.close(),
                    self._sources.close(keep_venue=keep_venue),
                    self._admin.close(),
                    self._metrics.close(),
                )
        self._capture.close()
        self._notifier.close()
        return left

    def _dump(self, bug: BaseException) -> str:
        """Write what led to our bug into a file; return one sentence about it."""
        path = self._directory / f"engine-bug-{self.run_id}.txt"
        lines = [*traceback.format_exception(bug), "", *self._runner.recent(), ""]
        path.write_text("\n".join(line.rstrip() for line in lines), encoding="utf-8")
        return (
            f"polytui engine: stopped by a fault of its own ({type(bug).__name__}: {bug}); "
            f"the last events are in {path}"
        )


def serve(
    settings: Settings, say: Callable[[str], None], *, strategies: Roster | None = None
) -> int:
    """Run one engine in this process until it is told to stop; return the exit code.

    Raises:
        OperatorError: the runtime directory or the recorder's cannot be used, or another engine
            already runs there.
    """
    os.umask(places.PRIVATE_UMASK)
    directory = places.runtime_dir(settings.runtime_dir)
    places.prepare(directory)
    lock = places.take_lock(directory)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(Service(settings, directory, strategies=strategies).run(say))
    finally:
        os.close(lock)


def _bare(error: BaseException) -> BaseException:
    """Take a lone exception out of the groups that task groups put around it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _nothing_more(command: Command) -> None:
    """Carry out a command that was carried out by being recorded."""
