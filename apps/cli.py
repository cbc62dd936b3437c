"""The `lmgt` command: the one place that knows every app, and imports each only when it is called."""

import importlib
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from lmgt_core.errors import UserError
from lmgt_core.extras import missing
from lmgt_core.judges.quiet_libraries import quiet_libraries


@dataclass(frozen=True)
class Command:
    """A command's words, one line about it, and where its frozen config and `main(config)` live."""

    words: tuple[str, ...]
    about: str
    config: str  # module:Class
    main: str  # module:function


COMMANDS = (
    Command(
        ("demo",),
        "recommenders and a robot with and without a judge, report and video, in five minutes (make demo)",
        "apps.demo:DemoConfig",
        "apps.demo:main",
    ),
    Command(
        ("housekeep", "train"),
        "train a robot to tidy, with a judge shifting its reward",
        "apps.housekeep.config:TrainConfig",
        "apps.housekeep.train:main",
    ),
    Command(
        ("housekeep", "evaluate"),
        "all the benchmark's metrics of runs, beside doing nothing and acting at random",
        "apps.housekeep.config:EvaluateConfig",
        "apps.housekeep.evaluate:main",
    ),
    Command(
        ("housekeep", "audit"),
        "how well a judge knows where things belong, beside popularity and chance",
        "apps.housekeep.config:AuditConfig",
        "apps.housekeep.audit:main",
    ),
    Command(
        ("housekeep", "watch"),
        "a video of a trained policy: first-person view, map, judge's verdicts and shifts",
        "apps.housekeep.config:WatchConfig",
        "apps.housekeep.watch.command:main",
    ),
    Command(
        ("housekeep", "compare"),
        "captions of the robot's view beside the view itself: what a judge makes of either",
        "apps.housekeep.config:CompareConfig",
        "apps.housekeep.compare.command:main",
    ),
    Command(
        ("housekeep", "captioner"),
        "a LLaVA of some homes, taught to describe the robot's view and to judge what it does",
        "apps.housekeep.config:CaptionerConfig",
        "apps.housekeep.compare.teach:main",
    ),
    Command(
        ("housekeep", "generate"),
        "episodes of generated apartments, in the benchmark's format",
        "apps.housekeep.config:GenerateConfig",
        "apps.housekeep.episodes.generate:main",
    ),
    Command(
        ("housekeep", "data"),
        "what of the benchmark's 3D data is there, what is missing, how to get it",
        "apps.housekeep.config:DataConfig",
        "apps.housekeep.episodes.data_check:main",
    ),
    Command(
        ("control", "train"),
        "train on a classic control task, with a judge shifting the reward",
        "apps.control.config:TrainConfig",
        "apps.control.train:main",
    ),
    Command(
        ("control", "table"),
        "the paper's grid of tasks, algorithms, judges and budgets",
        "apps.control.config:TableConfig",
        "apps.control.study.table:main",
    ),
    Command(
        ("tabular", "train"),
        "train a table in a finite world, where every shift rule is served and evaluations are exact",
        "apps.tabular.config:TrainConfig",
        "apps.tabular.train:main",
    ),
    Command(
        ("slateq", "train"),
        "train a recommendation policy on simulated users, with a judge shifting its reward",
        "apps.slateq.train_config:TrainConfig",
        "apps.slateq.train:main",
    ),
    Command(
        ("slateq", "evaluate"),
        "recommendation policies on the same users: returns, clicks, quality, paired differences",
        "apps.slateq.train_config:EvaluateConfig",
        "apps.slateq.evaluate:main",
    ),
    Command(
        ("slateq", "audit"),
        "what a judge knows of topics, beside a shuffled vocabulary",
        "apps.slateq.config:AuditConfig",
        "apps.slateq.audit:main",
    ),
    Command(
        ("slateq", "log"),
        "sessions of a policy as Parquet: slates, their probabilities, clicks, times",
        "apps.slateq.logs.config:LogConfig",
        "apps.slateq.logs.record:main",
    ),
    Command(
        ("slateq", "import"),
        "a log of one's own, checked, for slateq estimate",
        "apps.slateq.logs.config:ImportConfig",
        "apps.slateq.logs.import_command:main",
    ),
    Command(
        ("slateq", "estimate"),
        "what policies would have earned on a log that another one wrote, and which to choose",
        "apps.slateq.off_policy.config:EstimateConfig",
        "apps.slateq.off_policy.command:main",
    ),
    Command(
        ("atari", "train"),
        "train R2D2, NGU, DQN or PPO on pixels, with a judge of captions or frames shifting the reward",
        "apps.atari_vision.config:TrainConfig",
        "apps.atari_vision.train:main",
    ),
    Command(
        ("atari", "ask"),
        "one picture to a judge: caption, prompt, reply, probabilities, verdict, shift",
        "apps.atari_vision.config:AskConfig",
        "apps.atari_vision.ask:main",
    ),
    Command(
        ("atari", "compare"),
        "captions of frames beside the frames themselves: what a judge makes of either",
        "apps.atari_vision.config:CompareConfig",
        "apps.atari_vision.compare.command:main",
    ),
    Command(
        ("captioner", "train"),
        "a captioner of one world, taught with known descriptions: a small network, or a LLaVA",
        "apps.atari_vision.config:CaptionerTrainConfig",
        "apps.atari_vision.teach:main",
    ),
    Command(
        ("judge", "ask"),
        "one question to a judge: prompt, reply, probabilities, verdict, shift",
        "lmgt_core.audit.commands:AskConfig",
        "apps.cli:ask",
    ),
    Command(
        ("judge", "audit"),
        "judges measured on questions whose answers are known",
        "lmgt_core.audit.commands:AuditConfig",
        "apps.cli:audit",
    ),
    Command(
        ("judge", "distill"),
        "a small network that answers as a judge does",
        "lmgt_core.audit.commands:DistillConfig",
        "apps.cli:distill",
    ),
    Command(
        ("judge", "record"),
        "a model's answers in a file that travels: --judge recorded:FILE",
        "lmgt_core.audit.record:RecordConfig",
        "apps.cli:record",
    ),
    Command(
        ("judge", "verify"),
        "recorded judgments: ask their model again",
        "lmgt_core.audit.record:VerifyConfig",
        "lmgt_core.audit.record:verify",
    ),
    Command(
        ("judge", "score"),
        "a judge's shifts added to the rewards of an offline dataset (Minari)",
        "lmgt_core.offline.score:ScoreConfig",
        "apps.cli:score",
    ),
    Command(
        ("judge", "serve"),
        "a judge as an OpenAI-compatible server on this machine",
        "lmgt_core.judges.openai.serve:ServeConfig",
        "lmgt_core.judges.openai.serve:main",
    ),
    Command(
        ("judge", "cache"),
        "what a file of judgments holds; export, import, prune",
        "lmgt_core.cache.commands:CacheConfig",
        "lmgt_core.cache.commands:main",
    ),
    Command(
        ("models",),
        "language models known by name: list, install, verify, remove",
        "lmgt_core.models.commands:ModelsConfig",
        "lmgt_core.models.commands:main",
    ),
    Command(
        ("study",),
        "a grid of trainings and what it answers: robustness, weight, granularity, complexity, ...",
        "lmgt_core.study.command:StudyConfig",
        "apps.cli:study",
    ),
    Command(
        ("report",),
        "one self-contained page that compares runs",
        "lmgt_core.report.command:ReportConfig",
        "lmgt_core.report.command:main",
    ),
    Command(
        ("completion",),
        "a script that lets bash, zsh or fish complete commands and flags",
        "apps.completion:CompletionConfig",
        "apps.completion:main",
    ),
    Command(
        ("doctor",),
        "what is installed, and what each missing part would need",
        "lmgt_core.doctor:DoctorConfig",
        "lmgt_core.doctor:main",
    ),
)


# What an app brings of packages that several extras have.
EXTRAS = {"housekeep": "housekeep", "atari": "atari", "control": "sb3"}

# What `lmgt judge` and `lmgt study` run in, by --app.
DOMAINS = {
    "housekeep": "apps.housekeep.domain:make_domain",
    "slateq": "apps.slateq.domain:make_domain",
    "atari": "apps.atari_vision.domain:make_domain",
    "control": "apps.control.domain:make_domain",
    "tabular": "apps.tabular.domain:make_domain",
}
STUDIES = {
    "housekeep": "apps.housekeep.study.app:APP",
    "slateq": "apps.slateq.study:APP",
    "atari": "apps.atari_vision.study:APP",
    "control": "apps.control.study.app:APP",
    "tabular": "apps.tabular.study_app:APP",
}


def _of_app(app: str, table: Mapping[str, str]) -> str:
    if app not in table:
        raise UserError(f"--app {app}: no such app; there are: {', '.join(table)}")
    return table[app]


def _judged(command: str, config: Any) -> Any:
    """Runs an `lmgt judge` command on the domain that its config names."""
    domain = load(_of_app(config.app, DOMAINS))(config.env, config.prompts, config.documents)
    return load(f"lmgt_core.audit.{command}")(config, domain)


ask, audit, distill = (partial(_judged, f"commands:{command}") for command in ("ask", "audit", "distill"))
record = partial(_judged, "record:record")


def score(config: Any) -> Any:
    """Scores a dataset of an environment of the app that its config names."""

    def make_domain(env: str) -> Any:
        return load(_of_app(config.app, DOMAINS))(env, config.prompts, config.documents)

    return load("lmgt_core.offline.score:score")(config, make_domain)


def study(config: Any) -> Any:
    """Runs a study with the app that its config names."""
    return load("lmgt_core.study.command:main")(config, _of_app(config.app, STUDIES))


def usage() -> str:
    """The list of commands."""
    width = max(len(" ".join(c.words)) for c in COMMANDS)
    lines = [f"  lmgt {' '.join(c.words):<{width}}  {c.about}" for c in COMMANDS]
    return "\n".join(
        [
            "LMGT: a language model judges what an agent does, and its judgments shift the reward that it learns from.",
            "",
            *lines,
            "",
            "Each command explains itself with --help. Start with: lmgt demo",
        ]
    )


def find(arguments: Sequence[str]) -> Command:
    """The command that `arguments` begin with; UserError with the nearest choices when there is none."""
    for command in COMMANDS:
        if tuple(arguments[: len(command.words)]) == command.words:
            return command
    group = [c for c in COMMANDS if c.words[0] == arguments[0]]
    choices = ", ".join(" ".join(c.words) for c in (group or COMMANDS))
    given = " ".join(arguments[: 2 if group else 1])
    raise UserError(f"lmgt {given}: no such command; there are: {choices}")


def load(where: str) -> Any:
    """The object at `module:name`."""
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)


def run(arguments: Sequence[str]) -> int:
    """Parses and runs one command; 0, or 2 for what the user must mend."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    group = [c for c in COMMANDS if c.words[0] == arguments[0] and len(c.words) > 1]
    if group and (len(arguments) == 1 or arguments[1] in ("-h", "--help")):
        print("\n".join(f"  lmgt {' '.join(c.words):<20}  {c.about}" for c in group))
        return 0
    command = find(arguments)
    import tyro

    config = tyro.cli(
        load(command.config),
        prog="lmgt " + " ".join(command.words),
        args=present_flags(command, arguments[len(command.words) :]),
    )
    load(command.main)(config)
    return 0


def present_flags(command: Command, arguments: Sequence[str]) -> list[str]:
    """The arguments with flags of before 0.2 under their present names, which the app's config module lists."""
    module = importlib.import_module(command.config.partition(":")[0])
    names: Mapping[str, str] = getattr(module, "OLD_FLAGS", {})
    split = [argument.partition("=") for argument in arguments]
    return [names.get(flag, flag) + equals + value for flag, equals, value in split]


def way_on(arguments: Sequence[str]) -> str:
    """How to go on with an interrupted command: with --resume where it has one, else by giving it again."""
    flag = "--resume" if hasattr(load(find(arguments).config), "resume") else ""
    again = shlex.join([*arguments, *([flag] if flag and flag not in arguments else [])])
    return f"{'continue' if flag else 'start it again'} with: lmgt {again}"


def main() -> None:
    """Entry point: ends with 0, 2 for a user's mistake (one line), 130 when interrupted."""
    quiet_libraries()
    try:
        code = run(sys.argv[1:])
    except UserError as error:
        print(f"lmgt: {' '.join(str(error).split())}", file=sys.stderr)
        code = 2
    except ModuleNotFoundError as error:
        words = " ".join(["lmgt", *sys.argv[1:3]])
        line = missing(words, (error.name or "").partition(".")[0], EXTRAS.get(sys.argv[1], ""))
        if not line:  # nothing of an extra: a mistake of the project's
            raise
        print(line, file=sys.stderr)
        code = 2
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except KeyboardInterrupt:
        print(f"lmgt: interrupted; {way_on(sys.argv[1:])}", file=sys.stderr)
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
