"""Connecting within a limit of time, for requests.

The limits of requests and urllib3 are for each address of a host anew, and know none for the look-up of
its name. So urllib3 gets its connections from a ``Dialer`` here.
"""

from __future__ import annotations

import errno
import os
import queue
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import Any, cast

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from .allowance import Allowance, TooLate
from .channel import Channel, Twin

STAGGER = 0.2
"""Seconds that one address of a name gets at most before the next is tried beside it (after RFC 8305)."""

SOCKET_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    # A long poll over a dead link is noticed after about 4 s: 2 s of silence, then 2 probes 1 s apart.
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 2),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2),
)

Address = tuple[Any, ...]
"""One that ``socket.getaddrinfo`` finds."""

Resolve = Callable[..., Sequence[Address]]
"""``socket.getaddrinfo``, or what stands in for it."""


class Dialer:
    """Connects within ``connect`` seconds; on its channels no more than ``progress`` may pass without any.

    One thread's alone, but for ``cut``. It keeps the last connection in mind, since a hub needs one.
    """

    def __init__(
        self,
        connect: float,
        progress: float,
        *,
        resolve: Resolve = socket.getaddrinfo,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._progress = progress
        self._resolve = resolve
        self._clock = clock
        self._twin: Twin | None = None
        self._channel: Channel | None = None
        self._allowance = Allowance()
        self._ended = threading.Event()

    @property
    def ended(self) -> bool:
        """Whether it was cut."""
        return self._ended.is_set()

    @property
    def stale(self) -> bool:
        """Whether the last connection was kept from an earlier request, and closed at its other end meanwhile."""
        return self._channel is not None and self._channel.stale

    def allow(self, allowance: Allowance) -> None:
        """Let what follows, until this is called again, take no more than ``allowance``."""
        self._allowance = allowance
        if self._channel is not None:
            self._channel.allowance = allowance

    def dial(self, host: str, port: int) -> socket.socket:
        """Connect to a host, whose addresses may be several. Raises ``OSError``."""
        self._channel = None
        if self.ended:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the dialer was cut")
        self._allowance.check()
        deadline = self._clock() + min(self._connect, self._allowance.left)
        # RFC 6874 writes the zone of an address behind %25, and urllib3 as well.
        addresses = self._look_up(host.strip("[]").replace("%25", "%"), port)
        connected = self._connect_to_first(addresses, deadline)
        connected.settimeout(self._progress)
        self._twin = Twin(connected)
        if self._ended.is_set():
            self._twin.cut()
        return connected

    def guard(self, connected: socket.socket) -> Channel:
        """Return the channel over the connection that ``dial`` has made, which may speak TLS by now."""
        assert self._twin
        self._channel = Channel(connected, self._twin, self._progress, self._clock)
        self._channel.allowance = self._allowance
        return self._channel

    def hang_up(self) -> None:
        """Forget the connection that ``dial`` has made, if any: no channel came of it."""
        if self._twin:
            self._twin.close()

    def cut(self) -> None:
        """End what is going on, from any thread; nothing is connected to any more."""
        self._ended.set()
        if self._twin:
            self._twin.cut()

    def _look_up(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of a host.

        The system's look-up has no limit of its own, and can take half a minute where the network is gone;
        then its thread is left to itself.
        """
        found: queue.SimpleQueue[Sequence[Address] | Exception] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                found.put(self._resolve(host, port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                found.put(error)

        threading.Thread(target=look_up, name="kvassfs-look-up", daemon=True).start()
        try:
            result = found.get(timeout=self._connect)
        except queue.Empty:
            raise TooLate(f"its name was not found within {self._connect:g} s") from None
        if isinstance(result, UnicodeError):
            raise socket.gaierror(socket.EAI_NONAME, "no host can have it")
        if isinstance(result, Exception):
            raise result
        return result

    def _connect_to_first(self, addresses: Sequence[Address], deadline: float) -> socket.socket:
        """Connect to several addresses, each a little after the one before, and keep the first that answers."""
        waiting = list(reversed(addresses))
        with closing(_Race()) as race:
            while waiting or race.attempts:
                left = deadline - self._clock()
                if left <= 0:
                    raise TooLate(f"no connection within {self._connect:g} s")
                if waiting:
                    race.begin(waiting.pop())
                if winner := race.wait(min(left / (len(waiting) + 1), STAGGER) if waiting else left):
                    return winner
            raise race.failure


class _Race:
    """Attempts to connect that go on beside each other."""

    def __init__(self) -> None:
        self.attempts: dict[int, socket.socket] = {}
        self.failure = OSError("it has no address")
        """Why the last one that failed did."""

    def begin(self, address: Address) -> None:
        """Begin to connect to an address."""
        try:
            attempt = socket.socket(*address[:3])
        except OSError as error:
            self.failure = error
            return
        for option in SOCKET_OPTIONS:
            attempt.setsockopt(*option)
        attempt.setblocking(False)
        code = attempt.connect_ex(address[4])
        if code in {0, errno.EINPROGRESS}:
            self.attempts[attempt.fileno()] = attempt
        else:
            self._fail(attempt, code)

    def wait(self, seconds: float) -> socket.socket | None:
        """Return the one that has connected, unless none does so soon."""
        poll = select.poll()
        for descriptor in self.attempts:
            poll.register(descriptor, select.POLLOUT)
        for descriptor, _ in poll.poll(seconds * 1000) if self.attempts else ():
            attempt = self.attempts.pop(descriptor)
            code = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not code:
                return attempt
            self._fail(attempt, code)
        return None

    def close(self) -> None:
        """Give up all but the one that has connected."""
        for attempt in self.attempts.values():
            attempt.close()

    def _fail(self, attempt: socket.socket, code: int) -> None:
        attempt.close()
        self.failure = OSError(code, os.strerror(code))


class _Connection(HTTPConnection):
    """A connection of urllib3 that is dialled and guarded."""

    def __init__(self, *arguments: Any, dialer: Dialer, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._dialer = dialer

    def _new_conn(self) -> socket.socket:
        return self._dialer.dial(self._dns_host, self.port)

    def _tunnel(self) -> None:
        """Have a proxy connect to the hub, which may take no more than the hub itself; urllib3 calls it."""
        connected, self.sock = self.sock, cast("socket.socket", self._dialer.guard(self.sock))
        super()._tunnel()
        self.sock = connected

    def connect(self) -> None:
        """Connect, through a proxy and with TLS where that is so."""
        try:
            super().connect()
        except BaseException:
            self._dialer.hang_up()
            raise
        # No more of a socket is used than a channel has.
        self.sock = cast("socket.socket", self._dialer.guard(self.sock))


class _TlsConnection(_Connection, HTTPSConnection):
    """The same with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class DialledAdapter(HTTPAdapter):
    """What a session of requests is given so that its connections come from ``dialer``."""

    def __init__(self, dialer: Dialer) -> None:
        # A pool hands the keywords that it doesn't know to its connections.
        self._pools: dict[str, Any] = {"http": partial(_Pool, dialer=dialer), "https": partial(_TlsPool, dialer=dialer)}
        super().__init__(pool_maxsize=1)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Return the pools of connections through a proxy; one that speaks SOCKS connects in its own way."""
        manager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = self._pools
        return manager
