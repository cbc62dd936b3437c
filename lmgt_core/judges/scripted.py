"""The judge that replays given replies: for tests, demonstrations and recorded sessions."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from lmgt_core.errors import UserError
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, JudgeSpec
from lmgt_core.judging.verdict_parser import parse_verdict

Replies = Sequence[str] | Mapping[str, str]


class ScriptedJudge:
    """Reads its verdicts out of given replies: a list, used up in order, or prompt digest -> reply.

    Where no reply is left or recorded, the answer is unreadable and says so.
    """

    kind = JudgeKind.BASELINE
    cacheable = False

    def __init__(self, replies: Replies) -> None:
        self.replies = replies
        self.used = 0
        content = json.dumps(dict(replies) if isinstance(replies, Mapping) else list(replies))
        self.id = f"scripted:{hashlib.sha256(content.encode()).hexdigest()[:16]}"

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """The verdict in each prompt's reply, with the reply as transcript."""
        return [self._answer(p) for p in prompts]

    def _answer(self, prompt: Prompt) -> Judgment:
        if isinstance(self.replies, Mapping):
            if prompt.digest not in self.replies:
                return Judgment(Verdict.UNREADABLE, reason=f"no reply is recorded for prompt {prompt.digest[:16]}")
            return _read(self.replies[prompt.digest])
        if self.used >= len(self.replies):
            return Judgment(Verdict.UNREADABLE, reason=f"all {len(self.replies)} replies are used up")
        self.used += 1
        return _read(self.replies[self.used - 1])


def _read(reply: str) -> Judgment:
    verdict, reason = parse_verdict(reply)
    return Judgment(verdict, reply=reply, reason=reason)


def load_replies(path: Path) -> Replies:
    """The replies in a JSON file: a list of texts, or an object prompt digest -> text; UserError for anything else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--judge scripted:{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise UserError(f"--judge scripted:{path}: not JSON; write a list of replies, or digest: reply") from None
    texts = content.values() if isinstance(content, dict) else content
    if not isinstance(content, dict | list) or not all(isinstance(t, str) for t in texts):
        raise UserError(f"--judge scripted:{path}: expected a JSON list of texts, or an object digest: text")
    replies: Replies = content
    return replies


def make(spec: JudgeSpec, context: JudgeContext) -> Judge:
    """The judge `scripted:FILE`."""
    if not spec.argument or spec.options:
        raise UserError(f"--judge {spec}: scripted:FILE needs a JSON file of replies")
    return ScriptedJudge(load_replies(Path(spec.argument)))
