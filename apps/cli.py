"""The `lmgt` command: the one place that knows every app, and imports each only when it is called."""

import importlib
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from lmgt_core.errors import UserError


@dataclass(frozen=True)
class Command:
    """A command's words, one line about it, and where its frozen config and `main(config)` live."""

    words: tuple[str, ...]
    about: str
    config: str  # module:Class
    main: str  # module:function


COMMANDS = (
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
        "apps.housekeep.watch:main",
    ),
    Command(
        ("housekeep", "generate"),
        "episodes of generated apartments, in the benchmark's format",
        "apps.housekeep.config:GenerateConfig",
        "apps.housekeep.generate:main",
    ),
    Command(
        ("housekeep", "demo"),
        "train, evaluate, report and video in a few minutes (make demo)",
        "apps.housekeep.demo:DemoConfig",
        "apps.housekeep.demo:main",
    ),
    Command(
        ("report",),
        "one self-contained page that compares runs",
        "lmgt_core.report:ReportConfig",
        "lmgt_core.report:main",
    ),
    Command(
        ("doctor",),
        "what is installed, and what each missing part would need",
        "lmgt_core.doctor:DoctorConfig",
        "lmgt_core.doctor:main",
    ),
)


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
            "Each command explains itself with --help. Start with: lmgt housekeep demo",
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


def load(where: str) -> object:
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
        load(command.config),  # type: ignore[arg-type]
        prog="lmgt " + " ".join(command.words),
        args=list(arguments[len(command.words) :]),
    )
    load(command.main)(config)  # type: ignore[operator]
    return 0


def main() -> None:
    """Entry point: ends with 0, 2 for a user's mistake (one line), 130 when interrupted."""
    try:
        code = run(sys.argv[1:])
    except UserError as error:
        print(f"lmgt: {' '.join(str(error).split())}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print(f"lmgt: interrupted; continue with: lmgt {shlex.join(sys.argv[1:])} --resume", file=sys.stderr)
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
