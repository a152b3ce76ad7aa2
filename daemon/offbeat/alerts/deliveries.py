"""Notifications on their way: sent in order, again after a wait that grows, given up after so many attempts."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence

import orjson

from offbeat.alerts import payload, rows
from offbeat.alerts.alertmanager import Alertmanager
from offbeat.alerts.command import Command
from offbeat.alerts.mail import Mail
from offbeat.alerts.rows import Delivery
from offbeat.alerts.sinks import Note, SendFailed, Sink
from offbeat.alerts.webhook import Webhook
from offbeat.clock import Clock
from offbeat.config import AlertmanagerConfig, CommandConfig, Config, EmailConfig, SinkConfig, WebhookConfig, sinks_of
from offbeat.errors import Conflict, NotFound, SinkFailed, StoreUnavailable
from offbeat.metrics import Metrics
from offbeat.store.database import Database

LOOK_EVERY_S = 0.5
TOGETHER = 50
"""Deliveries that are looked up at a time."""

log = logging.getLogger(__name__)


def sink_of(name: str, config: SinkConfig, clock: Clock) -> Sink:
    """The sink that *config* asks for."""
    match config:
        case WebhookConfig():
            return Webhook(config)
        case AlertmanagerConfig():
            return Alertmanager(config, clock)
        case EmailConfig():
            return Mail(config, clock)
        case CommandConfig():
            return Command(name, config)
    raise TypeError(f"{name} is of no type that is known here")


class Deliveries:
    """One line for each sink: a receiver that hangs holds up nobody else's.

    store   name of the store, the first part of every id
    active  the alerts that are active and that a sink was told of, as notifications
    """

    def __init__(
        self,
        database: Database,
        config: Callable[[], Config],
        clock: Clock,
        metrics: Metrics,
        chance: random.Random,
        store: str,
        active: Callable[[str], Sequence[Note]],
    ) -> None:
        self._database, self._config, self._clock, self._metrics = database, config, clock, metrics
        self._random, self._store, self._active = chance, store, active
        self._configs: dict[str, SinkConfig] = {}
        self.sinks: dict[str, Sink] = {}
        self._some: dict[str, asyncio.Event] = {}
        self._due_ms: dict[str, int] = {}  # before then there is nothing to look for
        self.waiting: dict[str, int] = {}  # deliveries that wait, by sink
        self._taken: set[int] = set()  # sent, and not yet noted: while nothing can be written they are not sent again
        self._resent_ms: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._noting = asyncio.Lock()  # while it is held, no line is broken off
        for name, one in sinks_of(config().alerts).items():
            self._begin_sink(name, one)

    def _begin_sink(self, name: str, config: SinkConfig) -> None:
        self._configs[name], self.sinks[name] = config, sink_of(name, config, self._clock)
        self._some[name] = asyncio.Event()
        self._due_ms[name] = self._resent_ms[name] = 0
        self.waiting.setdefault(name, 0)
        for outcome in ("delivered", "failed", "dead"):
            self._metrics.alert_deliveries_total.labels(name, outcome)

    async def begin(self) -> None:
        """Give up what waits for a sink that is no more."""
        await self._give_up_orphans()
        self.waiting |= await rows.waiting_counts(self._database)

    async def _give_up_orphans(self) -> None:
        orphans = await rows.waiting_without(self._database, self.sinks)
        if orphans:
            error, now_ms = "the sink is no longer in the settings", self._clock.now_ms()
            await self._database.write([(rows.DEAD, [(0, now_ms, error, number) for number in orphans])])
            log.warning("%d deliveries wait for sinks that are no longer in the settings: they are dead letters",
                        len(orphans))  # fmt: skip
        await self._count_dead()

    async def run(self) -> None:
        """Deliver until cancelled, by the sinks that the settings have."""
        lines: dict[str, asyncio.Task[None]] = {}
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    for name in self.sinks:
                        if name not in lines:
                            lines[name] = group.create_task(self._keep_delivering(name))
                    await self._changed.wait()
                    self._changed.clear()
                    await self.take_over(lines)
        finally:
            for sink in self.sinks.values():
                await sink.close()

    def reload(self) -> None:
        """The settings may have other sinks than before."""
        self._changed.set()

    async def take_over(self, lines: dict[str, asyncio.Task[None]]) -> None:
        """Have the sinks that the settings have now; *lines*, the tasks that deliver, lose those of what has changed.

        An attempt that is under way at a sink that has changed is broken off, and made again at the new one. What waits
        for a sink that is no more is given up.
        """
        now = sinks_of(self._config().alerts)
        for name in [name for name, config in self._configs.items() if now.get(name) != config]:
            if (line := lines.pop(name, None)) is not None:
                async with self._noting:
                    line.cancel()
                    await asyncio.wait((line,))
            await self.sinks.pop(name).close()
            del self._configs[name]
            if name not in now:
                log.info("sink %s is no longer in the settings", name)
                del self.waiting[name]
        for name, config in now.items():
            if name not in self._configs:
                self._begin_sink(name, config)
                log.info("sink %s is taken over from the settings", name)
        while True:
            try:
                return await self._give_up_orphans()
            except StoreUnavailable as e:
                log.warning("what waits for sinks that are no more is not given up yet: %s", e.message)
                await asyncio.sleep(1.0)

    async def added(self, counts: Mapping[str, int]) -> None:
        """So many more deliveries wait for these sinks."""
        for name, count in counts.items():
            if name in self.sinks:
                self.waiting[name] += count
                self._due_ms[name] = 0
                self._some[name].set()
        if counts.keys() - self.sinks:  # the settings have lost one meanwhile
            await self._give_up_orphans()
        await self._count_dead()

    async def _keep_delivering(self, name: str) -> None:
        some = self._some[name]
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await some.wait()
            except TimeoutError:
                pass
            some.clear()
            try:
                while await self.deliver(name):
                    pass
                await self.resend(name)
            except StoreUnavailable as e:
                log.warning("deliveries of %s wait: %s", name, e.message)
                await asyncio.sleep(1.0)

    async def deliver(self, name: str) -> int:
        """Try what is due for the sink *name*, some at a time; how many were delivered. Raises StoreUnavailable."""
        now_ms, done = self._clock.now_ms(), 0
        if now_ms < self._due_ms[name]:
            return 0
        self._due_ms[name] = 1 << 62
        due = await rows.due_deliveries(self._database, name, now_ms, TOGETHER)
        try:
            for one in due:
                done += await self._try(one)
        finally:
            if len(due) == TOGETHER or done:  # others of their alerts may have waited for these
                self._due_ms[name] = 0
            else:
                self._due_ms[name] = min(self._due_ms[name], await rows.next_due_ms(self._database, name))
        return done

    def id_of(self, number: int) -> str:
        """The id of a delivery, by which its receiver knows it again."""
        return f"{self._store}-{number}"

    async def _try(self, one: Delivery) -> bool:
        """Send one delivery, and note what became of it. A daemon that is killed between the two sends it again."""
        error = "" if one.number in self._taken else await self._send(one)
        if not error:
            self._taken.add(one.number)
        async with self._noting:
            return await self._note(one, error)

    async def _note(self, one: Delivery, error: str) -> bool:
        """Note what became of an attempt, *error* or none; is it over with this delivery?"""
        sinks, now_ms = self._metrics.alert_deliveries_total, self._clock.now_ms
        if error:
            config, attempts = self._configs[one.sink], one.attempts + 1
            sinks.labels(one.sink, "failed").inc()
            if attempts < config.attempts_max:
                wait_s = min(config.backoff_max_s, config.backoff_s * 2.0 ** min(attempts - 1, 60))
                due_ms = now_ms() + int(1000 * wait_s * (1 - self._random.random() / 2))
                await self._database.write([(rows.FAILED, [(due_ms, error, one.number)])])
                return False
            dead = (rows.DEAD, [(1, now_ms(), error, one.number)])
            await self._database.write([dead, *rows.bound_dead(self._config().alerts.dead_letters_max)])
            self.waiting[one.sink] -= 1
            sinks.labels(one.sink, "dead").inc()
            log.warning("sink %s: %s of alert %d was given up after %d attempts: %s", one.sink, one.kind, one.alert,
                        attempts, error)  # fmt: skip
            await self._count_dead()
            return True  # what waited behind it may go
        tidy = (rows.TIDY, [(one.alert, rows.DELIVERIES_MAX)])
        await self._database.write([(rows.DELIVERED, [(now_ms(), one.number)]), tidy])
        self._taken.discard(one.number)
        self.waiting[one.sink] -= 1
        sinks.labels(one.sink, "delivered").inc()
        return True

    async def _send(self, one: Delivery) -> str:
        """Why the sink did not take it; empty if it did. A fault of a sink's own is one more reason, and is logged."""
        try:
            await self.sinks[one.sink].send(Note(self.id_of(one.number), orjson.loads(one.body)))
        except SendFailed as e:
            return str(e)
        except Exception as e:
            log.exception("sink %s failed in a way that it should not", one.sink)
            return f"a fault of Offbeat's, its log says more: {type(e).__name__}"
        return ""

    async def _count_dead(self) -> None:
        self._metrics.alert_dead_letters.set(await rows.dead_letter_count(self._database))

    async def resend(self, name: str) -> None:
        """Say again what is active, if the sink *name* must be told so and its time has come."""
        sink, now_ms = self.sinks[name], self._clock.now_ms()
        if not sink.resend_s or now_ms - self._resent_ms[name] < sink.resend_s * 1000:
            return
        self._resent_ms[name] = now_ms
        try:
            if active := self._active(name):
                await sink.resend(active)
        except SendFailed as e:
            log.warning("sink %s: what is active was not sent again: %s", name, e)

    async def retry(self, number: int) -> Delivery:
        """Send a dead letter anew, with all its attempts. Raises NotFound, Conflict if it is none."""
        found = await rows.delivery(self._database, number)
        if found is None:
            raise NotFound(
                f"there is no delivery {number}", hint="GET /api/v1/alerts/dead-letters lists them",
                where={"delivery": number},
            )  # fmt: skip
        if found.state != "dead":
            raise Conflict(f"delivery {number} is {found.state}: it was not given up", where={"delivery": number})
        if found.sink not in self.sinks:
            raise Conflict(
                f"delivery {number} is for the sink {found.sink}, which is not in the settings",
                where={"sink": found.sink},
            )
        await self._database.write([(rows.REVIVE, [(self._clock.now_ms(), number)])])
        await self.added({found.sink: 1})
        revived = await rows.delivery(self._database, number)
        assert revived is not None
        return revived

    async def test(self, name: str) -> str:
        """Send a notification that is a test, once and at once; its id. Raises NotFound, SinkFailed."""
        if name not in self.sinks:
            raise NotFound(
                f"there is no sink {name}",
                hint=f"the settings have {', '.join(self.sinks) or 'none'}",
                where={"sink": name},
            )
        id = f"{self._store}-test-{self._clock.now_ms()}"
        document = payload.trial(self._clock.now_ms(), self._config().alerts.link_url)
        try:
            await self.sinks[name].send(Note(id, document))
        except SendFailed as e:
            raise SinkFailed(f"the sink {name} did not take a test: {e}", where={"sink": name}) from e
        return id
