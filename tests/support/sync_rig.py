"""A hub and devices in one process, and the line between them, on which things happen to messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from random import Random
from typing import Any, NamedTuple

from kvassfs.errors import HubUnreachable
from kvassfs.store import Store
from kvassfs.sync import Progress, Synchroniser, block_messages, messages
from kvassfs.sync.limits import DEVICE_LIMITS, HUB_LIMITS, MessageLimits
from kvassfs.sync.seal import Seal
from tests.support.original import OriginalClient, OriginalHub
from tests.support.replicas import ADDRESS, KEEPING, KEY, KvassHub, Pool, Replica, posted

HTML = b"<!DOCTYPE html><html><title>Welcome</title></html>"


class Message(NamedTuple):
    """A message on its way to the hub, and what delivers it there and returns the answer."""

    call: str
    body: bytes
    deliver: Callable[[], bytes]


def pushed_keys(message: Message) -> list[str]:
    """Return the keys in a push; echoes have none."""
    return [delivery.entry.key for delivery in messages.decode_push(Seal(KEY).unseal(message.body))]


Action = Callable[[Message], bytes]
"""What becomes of a message, and the answer to it."""


class Line:
    """The way to a hub, on which something can happen to messages."""

    address = ADDRESS

    def __init__(self, hub: KvassHub | OriginalHub) -> None:
        self.hub = hub
        self.messages: list[Message] = []
        self.plans: dict[str, list[Action]] = {}

    def on(self, call: str, *actions: Action) -> None:
        """Have the next calls of a kind carried by ``actions``."""
        self.plans[call] = list(actions)

    def post(self, call: str, body: bytes | Iterable[bytes], *, wait: float = 0.0, largest: int = 0) -> bytes:
        whole = body if isinstance(body, bytes) else b"".join(body)
        message = Message(call, whole, lambda: posted(self.hub, call, whole))
        self.messages.append(message)
        plan = self.plans.get(call)
        return plan.pop(0)(message) if plan else message.deliver()

    def calls(self) -> list[str]:
        """Return the calls since this was last asked."""
        calls = [message.call for message in self.messages]
        self.messages.clear()
        return calls

    def pushed_keys(self) -> list[list[str]]:
        """Return the keys in each push so far, but for those of echoes alone."""
        return [keys for message in self.messages if message.call == "push" and (keys := pushed_keys(message))]

    def blocks(self, direction: str) -> Counter[bytes]:
        """Return how often each block was sent (``put``), or asked for by its hash (``get``)."""
        return Counter(
            block
            for message in self.messages
            if message.call == "blocks"
            for block in getattr(block_messages.decode_blocks_request(Seal(KEY).unseal(message.body)), direction)
        )


def arrives(message: Message) -> bytes:
    return message.deliver()


def is_lost(_: Message) -> bytes:
    raise HubUnreachable(ADDRESS, "no answer")


def is_unanswered(message: Message) -> bytes:
    message.deliver()
    raise HubUnreachable(ADDRESS, "no answer")


def is_answered(body: bytes) -> Action:
    return lambda _: body


def while_under_way(action: Callable[[], object]) -> Action:
    def carry(message: Message) -> bytes:
        answer = message.deliver()
        action()
        return answer

    return carry


class ThreadedHub(KvassHub):
    """A hub that opens its store for every request: a store belongs to one thread."""

    def __init__(self, home: Replica, limits: MessageLimits) -> None:
        super().__init__(lambda: home.store, limits=limits)
        self._home = home

    def answer(self, call: str, body: bytes, *, patient: bool = False) -> bytes | None:
        with Store.open(self._home.path, clock=self._home.clock, sizes=KEEPING, machine=self._home.machine) as store:
            return KvassHub(lambda: store, limits=self._limits).answer(call, body, patient=patient)


@cache
def pool() -> Pool:
    return Pool(5)


class Rig:
    """A hub, devices and the line between them. Times of different replicas are never equal.

    ``limits`` are of hub and devices, where they are not the usual ones.
    """

    def __init__(self, limits: MessageLimits | None = None) -> None:
        self.limits = limits or DEVICE_LIMITS
        self.random = Random(0)
        self.replicas = pool().replicas(5, self.random)
        for number, replica in enumerate(self.replicas):
            replica.clock.step = 1_000_000
            replica.clock.advance(number * 100_000)
        self.home, self.a, self.b, self.c, self.other_home = self.replicas
        self.line = Line(KvassHub(lambda: self.home.store, self.random.randbytes, limits or HUB_LIMITS))
        self.moved: list[Progress] = []
        self.slept = 0.0
        self.during_sleep: Callable[[], object] = lambda: None

    def on(self, replica: Replica, **options: Any) -> Synchroniser:
        """Return what exchanges for a device, as a process makes it."""
        return Synchroniser(
            replica.store,
            self.line,
            random=replica.random,
            sleep=self.sleep,
            report=self.moved.append,
            limits=self.limits,
            **options,
        )

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.during_sleep()

    def exchange(self, *replicas: Replica) -> None:
        for replica in replicas:
            self.on(replica).exchange()

    def original_hub(self) -> OriginalHub:
        """Have a hub of the original program answer from now on."""
        self.line.hub = OriginalHub(9009, KEY, self.random.randbytes)
        return self.line.hub

    def original_client(self) -> OriginalClient:
        return OriginalClient(7001, KEY, self.random.randbytes, self.c.clock, self.line.post)


def waits(replica: Replica) -> int:
    """Return how many entries of a device the hub has not acknowledged."""
    return replica.store.outbox.count_dirty()[0]


def value(replica: Replica, key: str) -> bytes:
    return replica.store.get(key).read()


BLOCKS = 20
"""Blocks in a large value."""


def large(size: int = 64 * BLOCKS) -> bytes:
    """Return a value whose blocks are all different."""
    return b"".join(b"%8d" % number for number in range(size // 8))
