"""Work in several processes: none outlives the one that started it, and one that dies is an error, not a long wait."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for_any
from typing import Any, TypeVar

from lmgt_core.errors import UserError

Order = TypeVar("Order")
Result = TypeVar("Result")
Tick = Callable[[int], None]
POLL_SECONDS = 0.5  # between two looks at how far the processes are
_done: Any = None  # in a worker: shared int64 [order], how far each order is; each is written by one process only


def in_processes(
    work: Callable[[Order, Tick], Result], orders: Sequence[Order], workers: int, tick: Tick
) -> Iterator[tuple[Order, Result]]:
    """Yields (order, work(order, tick)) as each is done, `workers` at a time; in this process where one suffices.

    `work` is a function that spawned processes can import, or a `functools.partial` of one; what it ticks reaches
    `tick` here. An exception in `work` is raised here. UserError when a process dies, by want of memory or a signal:
    what was yielded by then is done.
    """
    if workers == 1 or len(orders) < 2:
        for order in orders:
            yield order, work(order, tick)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before they start: their libraries read it when they load
    context = multiprocessing.get_context("spawn")
    done = context.RawArray("q", len(orders))
    ticked = 0
    with ProcessPoolExecutor(min(workers, len(orders)), context, _begin, (done,)) as pool:
        running: dict[Future[Result], Order] = {}
        try:
            running = {pool.submit(_work, work, number, order): order for number, order in enumerate(orders)}
            while running:
                finished, _ = wait(running, POLL_SECONDS, FIRST_COMPLETED)
                total = sum(done)
                tick(total - ticked)
                ticked = total
                for future in finished:
                    yield running.pop(future), future.result()
        except BrokenProcessPool:
            raise UserError(
                "a worker process died (out of memory, or killed): what was finished is kept; start again to go on, "
                "with --resume where the command has it, and fewer --workers if memory is short"
            ) from None
        finally:
            for future in running:
                future.cancel()


def die_with_parent() -> None:
    """Ends this process as soon as the one that started it is gone, however that went."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch(sentinel: int) -> None:
        wait_for_any([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()


def _begin(done: Any) -> None:
    global _done
    _done = done
    die_with_parent()


def _work(work: Callable[[Order, Tick], Result], number: int, order: Order) -> Result:
    def tick(more: int) -> None:
        _done[number] += more

    return work(order, tick)
