"""An HTTP connection that no server can keep busy: every body has a greatest length and a last moment."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2


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


class BoundedTransport(httpx2.HTTPTransport):
    """Cuts every answer, errors too, at `limit` bytes and `seconds`; compressed ones are not unpacked."""

    def __init__(self, limit: int, seconds: float) -> None:
        super().__init__()
        self._limit, self._seconds = limit, seconds

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer, its body bounded."""
        deadline = time.monotonic() + self._seconds
        response = super().handle_request(request)
        headers = [(k, v) for k, v in response.headers.raw if k.lower() != b"content-encoding"]
        stream = _BoundedStream(response.stream, self._limit, deadline)
        return httpx2.Response(response.status_code, headers=headers, stream=stream, extensions=response.extensions)
