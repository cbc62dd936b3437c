"""`recorded:FILE`: a model's answers, asked once and kept in a file that travels; what was not asked stays unanswered.

`lmgt judge record` makes such files and `lmgt judge verify` asks the model again. A file is JSON, compressed: what was
asked of whom (judge, id, kind, where the questions come from, command, revision, machine), the system texts and menus,
and each question with its answer. Probabilities are kept to six decimals.
"""

import gzip
import hashlib
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmgt_core.errors import UserError
from lmgt_core.files import write_atomic
from lmgt_core.judging.answers import Offered
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import VERDICTS, Cost, Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, JudgeSpec

FORMAT = "lmgt-recorded-1"
SUFFIX = ".json.gz"
DECIMALS = 6
LARGEST = 256 * 2**20  # bytes of a file once it is unpacked


@dataclass(frozen=True, eq=False)
class Recording:
    """Answers of the judge `id`, in the order in which they are kept.

    `about` says what else the file tells: `judge` (its name for --judge), `app`, `env`, `strategy`, `command`, ...
    """

    id: str
    kind: JudgeKind
    about: Mapping[str, str]
    answers: Sequence[tuple[Prompt, Judgment]]
    digest: str = ""
    """Of the file that it was read from: the first 12 hex digits of its SHA-256."""

    def write(self, path: Path) -> None:
        """Writes the file, whole or not at all; equal recordings have equal bytes."""
        systems = list(dict.fromkeys(prompt.system for prompt, _ in self.answers))
        menus = list(dict.fromkeys(prompt.answers for prompt, _ in self.answers))
        content = {
            "format": FORMAT,
            "id": self.id,
            "kind": self.kind.value,
            "about": dict(self.about),
            "systems": systems,
            "menus": menus,
            "answers": [
                [
                    systems.index(prompt.system),
                    menus.index(prompt.answers),
                    prompt.user,
                    dict(sorted(prompt.facts.items())),
                    judgment.verdict.value,
                    judgment.probabilities and [round(p, DECIMALS) for p in judgment.probabilities],
                    judgment.reply,
                    [round(judgment.cost.seconds, 4), judgment.cost.prompt_tokens, judgment.cost.reply_tokens],
                ]
                for prompt, judgment in self.answers
            ],
        }
        write_atomic(path, gzip.compress(json.dumps(content, ensure_ascii=False).encode(), mtime=0))


def read_recording(path: Path) -> Recording:
    """The recording in a file; UserError for one that is missing, damaged or none."""
    try:
        packed = path.read_bytes()
        unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
        text = unpack.decompress(packed, LARGEST)
        if unpack.unconsumed_tail or not unpack.eof:
            raise ValueError("it is cut, or too large")
        content = json.loads(text)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        menus = [_menu(menu) for menu in content["menus"]]
        answers = [_answer(row, content["systems"], menus) for row in content["answers"]]
        about = {str(name): str(value) for name, value in content["about"].items()}
        digest = hashlib.sha256(packed).hexdigest()[:12]
        return Recording(str(content["id"]), JudgeKind(content["kind"]), about, answers, digest)
    except OSError as error:
        raise UserError(f"{path}: the recorded judgments cannot be read ({error.strerror or error})") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, zlib.error, RecursionError) as error:
        raise UserError(f"{path}: is no file of recorded judgments, or a damaged one ({error})") from None


def _menu(menu: Sequence[Sequence[str]]) -> Offered:
    return tuple((str(word), Verdict(verdict)) for word, verdict in menu)


def _answer(row: Sequence[Any], systems: Sequence[str], menus: Sequence[Offered]) -> tuple[Prompt, Judgment]:
    system, menu, user, facts, verdict, probabilities, reply, (seconds, read, wrote) = row
    if Verdict(verdict) not in VERDICTS:
        raise ValueError(f"an answer is {verdict}")
    chances: tuple[float, float, float] | None = None
    if probabilities is not None:
        good, neutral, bad = map(float, probabilities)
        if min(good, neutral, bad) < 0 or not math.isclose(good + neutral + bad, 1, abs_tol=1e-4):
            raise ValueError(f"the probabilities {probabilities} are none")
        chances = (good, neutral, bad)
    prompt = Prompt(systems[system], str(user), (), {str(k): str(v) for k, v in facts.items()}, menus[menu])
    cost = Cost(float(seconds), int(read), int(wrote))
    return prompt, Judgment(Verdict(verdict), chances, str(reply), cost=cost, cached=True)


class RecordedJudge:
    """Answers as the recording does; a question that is not in it is unreadable and says so."""

    cacheable = False

    def __init__(self, recording: Recording, source: str) -> None:
        self.recording = recording
        self.kind = recording.kind
        self.id = f"recorded:{recording.id}:{recording.digest}"
        self._answers = {prompt.digest: judgment for prompt, judgment in recording.answers}
        about = recording.about
        asked = f"{about['app']} {about['env']} with --strategy {about['strategy']}" if "app" in about else "others"
        self._missing = Judgment(Verdict.UNREADABLE, reason=f"not among the questions of {source} ({asked})")

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """The recorded judgment of each prompt."""
        return [self._answers.get(prompt.digest, self._missing) for prompt in prompts]


def make(spec: JudgeSpec, context: JudgeContext) -> Judge:
    """The judge `recorded:FILE`, or `recorded:NAME` for one of the app's; UserError where there is none."""
    if not spec.argument or spec.options:
        raise UserError(f"--judge {spec}: recorded:FILE takes a file of `lmgt judge record`, and no options")
    path = find_recording(spec.argument, context.recordings)
    return RecordedJudge(read_recording(path), path.name)


def find_recording(name: str, folder: Path | None) -> Path:
    """The file of this name, else the app's recording of this name; UserError where there is neither."""
    if (path := Path(name)).exists():
        return path
    there = sorted(folder.glob(f"*{SUFFIX}")) if folder is not None else []
    for known in there:
        if known.name == f"{name}{SUFFIX}":
            return known
    names = ", ".join(known.name.removesuffix(SUFFIX) for known in there) or "none"
    raise UserError(f"--judge recorded:{name}: no such file; recordings that come with this app: {names}")
