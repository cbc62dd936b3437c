"""Work on a Ray cluster."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from lmgt_core.errors import UserError
from lmgt_core.extras import need

Order = TypeVar("Order")
Result = TypeVar("Result")


def on_ray(
    work: Callable[[Order, Callable[[int], None]], Result],
    orders: Sequence[Order],
    address: str,
    done: Callable[[], object] = lambda: None,
) -> Iterator[tuple[Order, Result]]:
    """Yields (order, work(order, tick)) as each is done on the cluster at `address` (auto, or local for one here).

    One processor each; `done` is called for each that is finished, since ticks do not travel. An exception in `work`
    is raised here. UserError where Ray is missing or no cluster answers.
    """
    ray = start_ray(address)
    remote: Any = ray.remote(num_cpus=1)(_work)
    try:
        running = {remote.remote(work, order): order for order in orders}
        while running:
            for ready in ray.wait(list(running), timeout=1.0)[0]:
                order = running.pop(ready)
                result: Result = _got(ray, ready)
                done()
                yield order, result
    finally:
        ray.shutdown()


def start_ray(address: str) -> Any:
    """Ray, connected to the cluster at `address`; UserError where that fails."""
    need("--ray", "ray")
    import ray

    try:
        ray.init(address=None if address == "local" else address, ignore_reinit_error=True, log_to_driver=False)
    except (ConnectionError, ValueError) as error:
        raise UserError(f"--ray {address}: no cluster answers there ({error})") from None
    return ray


def _got(ray: Any, ready: Any) -> Any:
    try:
        return ray.get(ready)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause if isinstance(error.cause, Exception) else error
        raise cause from None


def _work(work: Callable[[Any, Callable[[int], None]], Any], order: Any) -> Any:
    return work(order, lambda more: None)
