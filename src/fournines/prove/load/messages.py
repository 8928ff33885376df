"""A quorum queue as OpenStack's clients use it: a list of nodes, confirms, heartbeats, a connection that comes back."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, SupportsIndex

import aiormq
from aiormq.abc import DeliveredMessage
from aiormq.connection import TransportFactory
from pamqp.commands import Basic
from yarl import URL

from fournines.prove.deliveries import Delivery
from fournines.prove.load.attempt import Attempt, RefusedError
from fournines.prove.load.http import trusting
from fournines.prove.load.spec import Broker

Subscribe = Callable[[Any], Awaitable[None]]

# A lost connection is what is being measured; the library would print a traceback for each.
logging.getLogger("aiormq").setLevel(logging.CRITICAL)


#: kombu's own, and so OpenStack's, where the budget says nothing shorter. Seconds.
CONNECT_S = 5.0


class _Heard(asyncio.StreamReader):
    """Remembers when the peer was last heard (loop time)."""

    last: float = 0.0

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        self.last = asyncio.get_running_loop().time()
        super().feed_data(data)


class _Wire(TransportFactory):
    """TCP, or TLS over it, with the budget's TCP_USER_TIMEOUT, and a view of when the broker was last heard."""

    def __init__(self, user_timeout: float, cafile: str) -> None:
        self._user_timeout = user_timeout
        self._trust = trusting(cafile)
        self.heard: _Heard | None = None
        self.transport: asyncio.Transport | None = None

    async def create(self, url: URL, **_: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        self.heard = reader = _Heard(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _protocol = await loop.create_connection(
            lambda: protocol, url.host or "", url.port or 0, ssl=self._trust
        )
        self.transport = transport
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(self._user_timeout * 1000))
        reader.last = loop.time()
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


class _Link:
    """One connection that comes back: the next node of the list, `reconnect_delay` apart, for ever."""

    def __init__(self, broker: Broker, first: int, subscribe: Subscribe | None = None) -> None:
        self._broker = broker
        self._nodes = itertools.islice(itertools.cycle(broker.nodes), first % len(broker.nodes), None)
        self._subscribe = subscribe
        self._ready = asyncio.Event()
        self._channel: Any = None
        self._name = first
        self._opened = itertools.count()
        #: Of the connection that is open: a name that no other has had, and how many messages were sent over it.
        self.connection = ""
        self.sent = itertools.count()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @property
    def ready(self) -> bool:
        return self._ready.is_set()

    async def channel(self) -> Any:
        await self._ready.wait()
        return self._channel

    async def _keep(self) -> None:
        while True:
            # However a connection ends, the next one is tried: the library raises half a dozen unrelated kinds.
            with contextlib.suppress(Exception):
                await self._serve(next(self._nodes))
            self._ready.clear()
            await asyncio.sleep(self._broker.reconnect_delay)

    async def _serve(self, node: str) -> None:
        """Returns when the connection to `node` is over."""
        wire = _Wire(self._broker.user_timeout, self._broker.cafile)
        who = self._broker
        url = URL.build(
            scheme="amqp", host=node, port=who.port, user=who.user, password=who.password, path=f"/{who.vhost}"
        ).with_query(heartbeat=max(1, round(who.heartbeat)))
        connection: Any = aiormq.Connection(url, transport_factory=wire)
        try:
            async with asyncio.timeout(min(CONNECT_S, who.user_timeout or CONNECT_S)):
                await connection.connect()
            # A frozen broker accepts connections and says nothing: the queue's declaration is bounded like a heartbeat.
            async with asyncio.timeout(2 * who.heartbeat):
                self._channel = await connection.channel(publisher_confirms=True)
                await declare(self._channel, who.queue)
                if self._subscribe:
                    await self._subscribe(self._channel)
            self.connection, self.sent = f"{self._name}.{next(self._opened)}", itertools.count()
            self._ready.set()
            await self._watch(wire, connection)
        finally:
            self._ready.clear()
            if wire.transport:
                wire.transport.abort()
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1.0):
                    await connection.close()

    async def _watch(self, wire: _Wire, connection: Any) -> None:
        """Until the connection ends or the broker was silent for two heartbeats, py-amqp's and so OpenStack's rule."""
        loop = asyncio.get_running_loop()
        assert wire.heard is not None
        while not connection.is_closed and not self._channel.is_closed:
            if loop.time() - wire.heard.last > 2 * self._broker.heartbeat:
                return
            await asyncio.sleep(0.1)


async def declare(channel: Any, queue: str, *, passive: bool = False) -> int:
    """Messages that are ready in `queue`, which is made unless `passive`."""
    arguments = {"x-queue-type": "quorum"}
    answer = await channel.queue_declare(queue, durable=True, passive=passive, arguments=arguments)
    return answer.message_count or 0


class MessageProbes:
    """`delivered(value, intended, how)` is called for every message; `intended` is that of its publish."""

    what = "RabbitMQ"

    def __init__(self, broker: Broker, delivered: Callable[[str, float, Delivery], None]) -> None:
        self._broker = broker
        self._delivered = delivered
        # As many of each as there are nodes, each on its own: the workers of an API, the consumers of a topic.
        count = range(len(broker.nodes))
        self._publishers = [_Link(broker, n) for n in count]
        self._consumers = [_Link(broker, n, self._consume) for n in count]
        self._turn = itertools.count()
        self._consumer = itertools.count()
        self.confirmed: set[str] = set()
        self.consumed: set[str] = set()
        self._arrived = asyncio.Event()

    async def start(self) -> None:
        """Returns when every node has let each of its clients in."""
        self.connect()
        for link in self._publishers + self._consumers:
            await link.channel()

    def connect(self) -> None:
        """Begins to, and goes on while some nodes are away."""
        for link in self._publishers + self._consumers:
            link.start()

    def forget(self) -> None:
        """What was confirmed and consumed: for who never drains, and runs for months."""
        self.confirmed.clear()
        self.consumed.clear()

    async def close(self) -> None:
        await asyncio.gather(*(link.close() for link in self._publishers + self._consumers))

    async def publish(self, attempt: Attempt) -> None:
        link = self._publisher()
        channel = await link.channel()
        body = f"{attempt.value} {attempt.intended!r} {link.connection} {next(link.sent)}".encode()
        attempt.sent = True
        try:
            await channel.basic_publish(
                body, routing_key=self._broker.queue, mandatory=True, properties=Basic.Properties(delivery_mode=2)
            )
        except aiormq.exceptions.PublishError as error:
            raise RefusedError("unroutable") from error
        self.confirmed.add(attempt.value)

    async def drain(self, within: float) -> int | None:
        """Waits until every confirmed message was delivered. Messages left in the queue; None if it does not say."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self.confirmed - self.consumed:
                    self._arrived.clear()
                    await self._arrived.wait()
        try:
            async with asyncio.timeout(5.0):
                return await declare(await self._publisher().channel(), self._broker.queue, passive=True)
        except (OSError, TimeoutError, aiormq.AMQPError, RuntimeError):
            return None

    def _publisher(self) -> _Link:
        """The next one that has a connection; if none has, the next one, to wait for it."""
        first = next(self._turn) % len(self._publishers)
        ahead = self._publishers[first:] + self._publishers[:first]
        return next((link for link in ahead if link.ready), ahead[0])

    async def _consume(self, channel: Any) -> None:
        await channel.basic_qos(prefetch_count=100)
        consumer = str(next(self._consumer))
        await channel.basic_consume(self._broker.queue, functools.partial(self._on_message, consumer))

    async def _on_message(self, consumer: str, message: DeliveredMessage) -> None:
        value, intended, publisher, number = message.body.decode().split()
        again = bool(message.redelivered)
        self._delivered(value, float(intended), Delivery(publisher, int(number), consumer, again))
        self.consumed.add(value)
        self._arrived.set()
        await message.channel.basic_ack(message.delivery_tag or 0)
