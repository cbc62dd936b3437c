"""The trainings whose numbers are stored: each is a command line of `lmgt`, so nothing here knows a module's name.

A judge of the kinds `random` and `noisy-oracle` is in none of them: what these draw is about to change. Rules whose
weight fades are in RUNS everywhere but in Housekeep, which weighs a step by the weight of the next one: those runs are
in FADING, and are expected to change when that is mended. No run was left out for differing between two executions. A
fading rule on Housekeep's primitive actions was: in so few decisions nothing is grabbed, so its judge is never asked,
which holds of the two primitive runs that are here, too.
"""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """One training, study, evaluation or audit: the words after `lmgt`, without --out and --json."""

    name: str
    command: str
    quick: bool = False
    """Whether it is one of the default suite; the others are marked slow."""
    networks: bool = True
    """Whether its numbers come from a neural network's arithmetic, which differs between kinds of processor."""

    @property
    def words(self) -> list[str]:
        """The command's words."""
        return shlex.split(self.command)

    @property
    def shows_rows(self) -> bool:
        """Whether it evaluates or audits, and writes a table's rows with --json; the others write a folder."""
        return self.words[1] in ("evaluate", "audit")


ONE, TWO = "--seeds 0", "--seeds 0 1"

CONTROL = "control train"
BLACKJACK = f"{CONTROL} --env Blackjack-v1 --steps 2000"
WATCH = f"{CONTROL} --env PocketWatch-v0 --steps 10000"
CARTPOLE = f"{CONTROL} --env CartPole-v1 --steps 600 --evaluate-every 600"
PENDULUM = f"{CONTROL} --env Pendulum-v1 --steps 300 --evaluate-every 300"

SLATES = "slateq train --users 16 --evaluate-users 10"
LEARNED = f"{SLATES} --steps 1500 --evaluate-every 1500 --agent.warm-up 200 --agent.batch-size 64"
TABLE = f"{SLATES} --policy tabular --evaluate-every 2000 --agent.warm-up 200 --agent.batch-size 64"

HOUSEKEEP = "housekeep train --episodes builtin:train --select 0:4"
SKILLS = f"{HOUSEKEEP} --steps 150 --evaluate-every 150 --evaluate-count 2"
PRIMITIVE = f"{HOUSEKEEP} --control primitive --steps 300 --evaluate-every 300 --evaluate-count 1 --judge oracle"

ATARI = "atari train --captioner objects"
BOX = f"{ATARI} --env Blackjack-box --steps 300 --evaluate-every 150 --evaluation-episodes 20 --audit-questions 200"
POLE = f"{ATARI} --env CartPole --steps 300 --evaluate-every 300 --evaluation-episodes 2 --audit-questions 100"
FREEWAY = f"{ATARI} --env Freeway --agent r2d2 --steps 200 --limit 50 --evaluate-every 200 --evaluation-episodes 1"
SMALL = (
    "--set actors=4 processes=false burn_in=4 length=8 period=4 batch_size=4 decisions_per_update=16 n_steps=3 "
    "target_every=5 hidden_size=32"
)

RUNS = (
    Run("control-blackjack-none", f"{BLACKJACK} --algorithm q-learning --judge none {TWO}", quick=True, networks=False),
    Run(
        "control-blackjack-oracle",
        f"{BLACKJACK} --algorithm q-learning --judge oracle {TWO}",
        quick=True,
        networks=False,
    ),
    Run("control-blackjack-td", f"{BLACKJACK} --algorithm td --judge oracle {TWO}", quick=True, networks=False),
    Run(
        "control-blackjack-annealed",
        f"{BLACKJACK} --algorithm q-learning --judge oracle --rule annealed --scale 0.5 {TWO}",
        quick=True,
        networks=False,
    ),
    Run("control-blackjack-minilm-gated", f"{BLACKJACK} --algorithm q-learning --judge minilm {ONE}"),
    Run(
        "control-blackjack-minilm-ungated",
        f"{BLACKJACK} --algorithm q-learning --judge minilm --no-gate --rule continuous {ONE}",
    ),
    Run("control-watch-td-none", f"{WATCH} --algorithm td --judge none {TWO}", quick=True, networks=False),
    Run(
        "control-watch-td-oracle", f"{WATCH} --algorithm td --judge oracle --no-gate {TWO}", quick=True, networks=False
    ),
    Run(
        "control-watch-q-oracle",
        f"{WATCH} --algorithm q-learning --judge oracle --no-gate {TWO}",
        quick=True,
        networks=False,
    ),
    Run("control-cartpole-dqn-none", f"{CARTPOLE} --algorithm dqn --judge none {TWO}"),
    Run("control-cartpole-dqn-oracle", f"{CARTPOLE} --algorithm dqn --judge oracle {TWO}"),
    Run(
        "control-cartpole-dqn-annealed", f"{CARTPOLE} --algorithm dqn --judge oracle --rule annealed:exponential {TWO}"
    ),
    Run("control-cartpole-dqn-centered", f"{CARTPOLE} --algorithm dqn --judge oracle --rule centered {ONE}"),
    Run("control-cartpole-dqn-ahead", f"{CARTPOLE} --algorithm dqn --judge oracle --judge-ahead {TWO}"),
    Run("control-cartpole-ppo-oracle", f"{CARTPOLE} --algorithm ppo --judge oracle {TWO}"),
    Run("control-cartpole-a2c-oracle", f"{CARTPOLE} --algorithm a2c --judge oracle {TWO}"),
    Run("control-pendulum-td3-oracle", f"{PENDULUM} --algorithm td3 --judge oracle {ONE}"),
    Run("control-pendulum-sac-oracle", f"{PENDULUM} --algorithm sac --judge oracle {ONE}"),
    Run(
        "slateq-evaluate",
        "slateq evaluate --policies Random,MYOP-GS,quality,UCB,Thompson,popularity --users 40 --batch 20",
        quick=True,
        networks=False,
    ),
    Run(
        "slateq-evaluate-recsim",
        "slateq evaluate --policies Random,MYOP-GS --users 3 --batch 1 --simulator recsim --budget 20",
        networks=False,
    ),
    Run("slateq-table-none", f"{TABLE} --steps 2000 --judge none {ONE}"),
    Run("slateq-table-oracle", f"{TABLE} --steps 500 --judge oracle {ONE}"),
    Run("slateq-ql-none", f"{LEARNED} --policy QL-OT-GS --judge none {ONE}"),
    Run("slateq-ql-minilm", f"{LEARNED} --policy QL-OT-GS --judge minilm {TWO}"),
    Run("slateq-ql-slates", f"{LEARNED} --policy QL-OT-GS --judge oracle --judge-unit slate {ONE}"),
    Run("slateq-sarsa-oracle", f"{LEARNED} --policy SARSA-TS --judge oracle --rule annealed {ONE}"),
    Run("slateq-ql-n-oracle", f"{LEARNED} --policy QL-OT-GS-N --judge oracle {ONE}"),
    Run("housekeep-evaluate", "housekeep evaluate nothing random --episodes builtin:val --select 0:2", quick=True),
    Run("housekeep-audit", "housekeep audit --judge oracle minilm preference"),
    Run("housekeep-skills-none", f"{SKILLS} --judge none {TWO}"),
    Run("housekeep-skills-oracle", f"{SKILLS} --judge oracle {ONE}", quick=True),
    Run("housekeep-skills-minilm", f"{SKILLS} --judge minilm {TWO}"),
    Run("housekeep-skills-preference", f"{SKILLS} --judge preference --rule continuous --reward dense {ONE}"),
    Run("housekeep-skills-lookahead", f"{SKILLS} --judge oracle --rule lookahead {ONE}"),
    Run("housekeep-primitive-dqn", f"{PRIMITIVE} --algorithm dqn {ONE}"),
    Run("housekeep-primitive-ppo", f"{PRIMITIVE} --algorithm ppo --reward dense {ONE}"),
    Run("atari-box-dqn-none", f"{BOX} --agent dqn --judge none {TWO}"),
    Run("atari-box-dqn-oracle", f"{BOX} --agent dqn --judge oracle {TWO}"),
    Run("atari-box-ppo-oracle", f"{BOX} --agent ppo --judge oracle {TWO}"),
    Run("atari-cartpole-r2d2-oracle", f"{POLE} --agent r2d2 --judge oracle --set processes=false {TWO}"),
    Run("atari-cartpole-ngu-oracle", f"{POLE} --agent ngu --judge oracle --set processes=false {ONE}", quick=True),
    Run("atari-freeway-r2d2-none", f"{FREEWAY} --judge none {SMALL} {ONE}"),
    Run("atari-freeway-r2d2-oracle", f"{FREEWAY} --judge oracle --no-gate {SMALL} {TWO}"),
    Run(
        "study-tabular", "study tests/golden/studies/tabular.yaml --app tabular --workers 1", quick=True, networks=False
    ),
    Run("study-control", "study tests/golden/studies/control.yaml --app control --workers 1"),
    Run("study-housekeep", "study tests/golden/studies/housekeep.yaml --app housekeep --workers 1"),
)

FADING = (
    Run("housekeep-skills-annealed", f"{SKILLS} --judge oracle --rule annealed {ONE}"),
    Run("housekeep-skills-pies", f"{SKILLS} --judge oracle --rule pies {ONE}"),
    Run("housekeep-skills-adops", f"{SKILLS} --judge oracle --rule adops {ONE}"),
)
