"""A simulator in a process and an interpreter of its own: this file is what that process runs.

It needs the standard library of Python 3.9, numpy, and what it serves. The parent starts it with three inherited file
descriptors: a socket, a memory for frames, and the read end of a pipe that nobody writes to (the lifeline).

Protocol, version 1. A message is its length (4 bytes, big-endian) and so many bytes of JSON, never a pickle. The parent
speaks first: `{"protocol": 1, "world": "module:function", "options": {...}, "size": [height, width]}`; the answer
is `{"protocol": 1, "value": {"python": "3.9.18"}}`. Then every request `{"call": NAME, "arguments": [...]}` gets one
answer: `{"value": ..., "state": ...}` (`state` after load, step and grab_release: pose, what is held, where every
object is), or `{"error": {"kind": "user" | "value" | "runtime" | "protocol" | "fault", "text": ...}}`. A frame's
pixels go into the memory: rgb uint8 [height, width, 3], then instances int32 and distances float32 [height, width].

The process ends when the socket closes. Where the kernel can do it, the lifeline kills the process the moment the
parent is gone, even if it is stuck inside a library's call that no Python code can interrupt.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import mmap
import os
import select
import signal
import socket
import struct
import sys
import threading
import traceback
import types
from typing import Any

import numpy as np

PROTOCOL = 1
LENGTH = struct.Struct(">I")
MAX_BYTES = 2**26  # of one message; the longest, an episode with its files, has some 100 kB
CHANGING = ("load", "step", "grab_release")  # calls whose answer brings the state
CALLS = (*CHANGING, "render", "visible", "path", "course", "snap", "floor_cells", "seen_floor", "clear")
KINDS = {"UserError": "user", "ValueError": "value", "RuntimeError": "runtime"}


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Sends one message; ValueError for one that is too long."""
    content = json.dumps(message, default=plain).encode()
    if len(content) > MAX_BYTES:
        raise ValueError(f"a message of {len(content)} bytes; at most {MAX_BYTES} go over the wire")
    connection.sendall(LENGTH.pack(len(content)) + content)


def receive(connection: socket.socket) -> dict[str, Any] | None:
    """The next message; None when the other side has closed the connection; ValueError for what is no message."""
    head = _exactly(connection, LENGTH.size)
    if head is None:
        return None
    (length,) = LENGTH.unpack(head)
    if length > MAX_BYTES:
        raise ValueError(f"a message of {length} bytes; at most {MAX_BYTES} go over the wire")
    content = _exactly(connection, length)
    if content is None:
        return None
    message = json.loads(content.decode())
    if not isinstance(message, dict):
        raise ValueError("a message that is no JSON object")
    return message


def _exactly(connection: socket.socket, count: int) -> bytearray | None:
    content = bytearray(count)
    view, got = memoryview(content), 0
    while got < count:
        more = connection.recv_into(view[got:])
        if not more:
            return None
        got += more
    return content


def plain(value: Any) -> Any:
    """numpy's numbers and arrays as Python's."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} does not go over the wire")


def memory_bytes(size: tuple[int, int]) -> int:
    """Bytes that a frame of (height, width) takes, with room for aligning its arrays."""
    return 11 * size[0] * size[1] + 16


def frame_views(memory: mmap.mmap, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rgb, instances, distances) as arrays on the memory."""
    height, width = size
    pixels = height * width
    start = -(-3 * pixels // 8) * 8
    rgb = np.frombuffer(memory, np.uint8, 3 * pixels, 0).reshape(height, width, 3)
    semantic = np.frombuffer(memory, np.int32, pixels, start).reshape(height, width)
    depth = np.frombuffer(memory, np.float32, pixels, start + 4 * pixels).reshape(height, width)
    return rgb, semantic, depth


class Server:
    """Answers requests about `world`; frames go into `views`."""

    def __init__(self, world: Any, views: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
        self.world, self.views = world, views

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request, whatever goes wrong."""
        call, arguments = request.get("call"), request.get("arguments", [])
        try:
            if call not in CALLS:
                raise ValueError(f"{call!r} is no call of protocol {PROTOCOL}")
            answer = {"value": getattr(self, "_" + call)(*arguments)}
            return {**answer, "state": self._state()} if call in CHANGING else answer
        except Exception as error:
            return {"error": told(error)}

    def _state(self) -> dict[str, Any]:
        world = self.world
        pose, items = world.pose, range(len(world.items))
        return {
            "position": pose.position,
            "yaw": pose.yaw,
            "tilt": pose.tilt,
            "held": world.held,
            "on": [world.receptacle_of(n) for n in items],
            "at": [world.item_position(n) for n in items],
        }

    def _load(self, message: dict[str, Any]) -> None:
        self.world.load_message(message)

    def _step(self, action: int) -> dict[str, Any]:
        return vars(self.world.step(action))

    def _grab_release(self, instance: int) -> dict[str, Any]:
        return vars(self.world.grab_release(instance))

    def _render(self) -> None:
        frame = self.world.render()
        for view, image in zip(self.views, (frame.rgb, frame.semantic, frame.depth)):  # noqa: B905 - Python 3.9
            view[...] = image

    def _visible(self, count: int, asked: list[int] | None) -> list[int]:
        if asked is None:
            return sorted(self.world.visible())
        among = np.zeros(count, bool)
        among[asked] = True
        return sorted(self.world.visible(among))

    def _path(self, goal: list[float], start: list[float] | None) -> Any:
        return self.world.path(goal, start)

    def _course(self, goal: list[float]) -> int | None:
        return self.world.course(goal)

    def _snap(self, point: list[float]) -> Any:
        return self.world.snap(point)

    def _floor_cells(self) -> Any:
        return self.world.floor_cells()

    def _seen_floor(self) -> Any:
        return self.world.seen_floor()

    def _clear(self, x: float, z: float, targets: list[list[float]]) -> list[int]:
        return self.world.clear(x, z, targets)


def told(error: Exception) -> dict[str, str]:
    """An error as it goes over the wire: a fault brings its trace."""
    kind = KINDS.get(type(error).__name__, "fault")
    text = str(error) if kind != "fault" else traceback.format_exc()
    return {"kind": kind, "text": text}


def die_with_parent(lifeline: int) -> None:
    """Ends this process when the other end of the lifeline is gone."""
    if hasattr(fcntl, "F_SETSIG"):  # Linux: the kernel does it
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
        if select.select([lifeline], [], [], 0)[0]:
            os._exit(1)  # it was gone before
        return

    def wait() -> None:
        select.select([lifeline], [], [])
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def know_project() -> None:
    """Makes `apps.housekeep.simulator` importable without its parents' folder on the path.

    That folder may be another interpreter's site-packages, whose compiled packages must not be found here.
    """
    folder = os.path.dirname(os.path.abspath(__file__))
    name, package = "apps.housekeep.simulator", folder
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != folder]
    while name:
        sys.modules[name] = module = types.ModuleType(name)
        module.__path__ = [package]
        name, package = name.rpartition(".")[0], os.path.dirname(package)


def make_world(where: str, options: dict[str, Any], size: tuple[int, int]) -> Any:
    """The world that `module:function` makes of (size, options)."""
    module, _, function = where.partition(":")
    return getattr(importlib.import_module(module), function)(size, **options)


def serve(connection: socket.socket, memory: int) -> None:
    """Answers requests until the parent closes the connection."""
    hello = receive(connection)
    if hello is None:
        return
    if hello.get("protocol") != PROTOCOL:
        text = f"the worker speaks protocol {PROTOCOL}, the program protocol {hello.get('protocol')}"
        send(connection, {"protocol": PROTOCOL, "error": {"kind": "protocol", "text": text}})
        return
    size = (int(hello["size"][0]), int(hello["size"][1]))
    try:
        world = make_world(hello["world"], hello["options"], size)
    except Exception as error:
        send(connection, {"protocol": PROTOCOL, "error": told(error)})
        return
    server = Server(world, frame_views(mmap.mmap(memory, memory_bytes(size)), size))
    send(connection, {"protocol": PROTOCOL, "value": {"python": sys.version.split()[0]}})
    while (request := receive(connection)) is not None:
        send(connection, server.answer(request))
    world.close()


def main() -> None:
    """`worker.py SOCKET MEMORY LIFELINE`, three inherited file descriptors."""
    connection, memory, lifeline = (int(argument) for argument in sys.argv[1:4])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent; the lifeline tells the worker
    die_with_parent(lifeline)
    know_project()
    serve(socket.socket(fileno=connection), memory)


if __name__ == "__main__":
    main()
