"""A simulator from what the command line says."""

from apps.slateq.config import WorldConfig, check_world
from apps.slateq.simulator.protocol import Simulator
from apps.slateq.simulator.worlds import VECTORISED
from lmgt_core.errors import UserError


def make_simulator(config: WorldConfig, users: int = 1) -> Simulator:
    """`users` simulated users of the world in `config`; UserError for a world that cannot be."""
    check_world(config)
    if config.simulator == "recsim":
        if users != 1:
            raise UserError(f"--simulator recsim: serves one user at a time, not {users}; use --users 1 or vectorised")
        from apps.slateq.simulator.recsim_adapter import RecSimSimulator

        return RecSimSimulator(config)
    return VECTORISED[config.env](config, users)
