"""Hyper-parameters of R2D2; the defaults are the paper's (Kapturowski et al. 2019, appendix) unless it is said."""

from dataclasses import dataclass, replace

from lmgt_core.errors import UserError


@dataclass(frozen=True)
class R2D2Config:
    """What R2D2 can be told; lengths are decisions, an update is one gradient step."""

    actors: int = 256
    """Copies of the world that act side by side, each with an exploration rate of its own."""
    processes: bool = True
    """Every copy in a process of its own; off: all in this one, which is faster where a step takes microseconds."""
    epsilon: float = 0.4
    """Actor i explores in a share epsilon ** (1 + epsilon_spread * i / (actors - 1)) of its decisions."""
    epsilon_spread: float = 7.0
    epsilon_evaluation: float = 0.0
    discount: float = 0.997
    n_steps: int = 5
    clip_rewards: bool = False
    """Learn from the reward's sign; the paper rescales values instead. Clipping comes before the shift."""
    rescaling: float = 1e-3
    """The eps of h(x) = sign(x)(sqrt(|x| + 1) - 1) + eps x; see value_rescaling.py."""
    burn_in: int = 40
    """Decisions before a sequence that only bring the recurrent state up to date."""
    length: int = 80
    """Decisions of a sequence that are learned from."""
    period: int = 40
    """Decisions from the start of one sequence to that of the next; at least burn_in."""
    capacity: int = 100_000
    """Sequences in the replay (the paper: 4 million transitions)."""
    warm_up: int = 2_500
    """Sequences before the first update (not in the paper)."""
    batch_size: int = 64
    decisions_per_update: int = 2_560
    """Decisions of all actors together between two updates: one a sequence of 40 in a batch of 64, so that each
    decision is replayed about twice (the paper's actors and learner run free, at about 0.8)."""
    priority_exponent: float = 0.9
    priority_maximum: float = 0.9
    """eta of the priority eta * max |error| + (1 - eta) * mean |error| of a sequence."""
    importance_exponent: float = 0.6
    learning_rate: float = 1e-4
    adam_epsilon: float = 1e-3
    gradient_norm: float = 40.0
    """Gradients are scaled down to this norm (not in the paper)."""
    target_every: int = 2_500
    """Updates between two copies into the target network."""
    hidden_size: int = 512
    memory: bool = True
    """An LSTM; off: a feed-forward layer of the same width in its place, the agent without memory."""
    device: str = "auto"
    """auto (a GPU when there is one), cpu, cuda."""
    bfloat16: bool | None = None
    """Forward passes in bfloat16; None: on a GPU only. Targets and priorities are always float32."""
    compile: bool | None = None
    """torch.compile the networks; None: on a GPU only."""

    def __post_init__(self) -> None:
        for name in ("actors", "n_steps", "length", "period", "capacity", "batch_size", "decisions_per_update"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} {getattr(self, name)}: give a number of at least 1")
        if not 0 <= self.burn_in <= self.period:
            raise UserError(f"burn_in {self.burn_in}: lies between 0 and period ({self.period})")
        if not 0 <= self.discount < 1:
            raise UserError(f"discount {self.discount}: lies in [0, 1)")
        if self.warm_up > self.capacity:
            raise UserError(f"warm_up {self.warm_up}: the replay holds no more than capacity ({self.capacity})")


# A desktop's budget for Atari: the paper's network and sequences, fewer actors, a replay of about 3 GiB, and each
# decision replayed about four times.
DESKTOP = R2D2Config(actors=8, capacity=3_000, warm_up=50, batch_size=16, decisions_per_update=160, target_every=500)

# Worlds whose observations are a few numbers: seconds to minutes on one core. One step, since what an exploring actor
# does next is no part of an action's value, and a game of 10 to 200 decisions does not need more; a target network that
# is copied often, since with one step every copy looks one decision further ahead. Chosen on seed 100.
SMALL = R2D2Config(
    actors=16,
    processes=False,
    discount=0.99,
    n_steps=1,
    burn_in=8,
    length=16,
    period=8,
    capacity=5_000,
    warm_up=100,
    batch_size=32,
    decisions_per_update=16,
    learning_rate=5e-4,
    adam_epsilon=1e-5,
    target_every=20,
    hidden_size=64,
)


def without_memory(config: R2D2Config) -> R2D2Config:
    """The same agent with a feed-forward layer in the LSTM's place."""
    return replace(config, memory=False)
