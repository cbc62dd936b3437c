"""An HTTP client that no server can keep busy: every body has a greatest length and a last moment."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")  # no proxy leads there


class TooLong(httpx2.TransportError):
    """The body is longer than the limit, or took longer than the limit."""


class _BoundedStream(httpx2.SyncByteStream):
    def __init__(self, stream: Any, limit: int, deadline: float) -> None:
        self._stream, self._limit, self._deadline = stream, limit, deadline

    def __iter__(self) -> Iterator[bytes]:
        read = 0
        for part in self._stream:
            read += len(part)
            if read > self._limit:
                raise TooLong(f"its answer is longer than {self._limit} bytes")
            if time.monotonic() > self._deadline:  # a read's own timeout starts anew with every byte
                raise TooLong("its answer did not end in time")
            yield part

    def close(self) -> None:
        self._stream.close()


class BoundedClient(httpx2.Client):
    """Cuts every answer, errors too, at `limit` bytes and `seconds`; compressed ones are not unpacked.

    The proxies of the environment are used, whatever their kind; redirects are not followed, since they could carry the
    key elsewhere.
    """

    def __init__(self, limit: int, seconds: float) -> None:
        direct: dict[str, httpx2.BaseTransport | None] = {f"all://{host}": None for host in LOOPBACK}
        super().__init__(timeout=seconds, headers={"Accept-Encoding": "identity"}, mounts=direct)
        self._limit, self._seconds = limit, seconds

    def send(self, request: httpx2.Request, *, stream: bool = False, **settings: Any) -> httpx2.Response:
        """The answer, its body bounded."""
        deadline = time.monotonic() + self._seconds
        response = super().send(request, stream=True, **settings)
        response.stream = _BoundedStream(response.stream, self._limit, deadline)
        response.headers.pop("content-encoding", None)
        if not stream:
            try:
                response.read()
            finally:
                response.close()
        return response
