"""Judgments on disk: nothing is asked twice.

One SQLite file, content-addressed by judge id and prompt digest, for any number of processes at once. WAL with
synchronous=NORMAL: a killed process loses nothing that it had stored, a power cut at most the last moments. A file that
is damaged or another program's is an error and stays as it is. https://www.sqlite.org/wal.html
"""

import hashlib
import json
import sqlite3
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from lmgt_core.cache.file import open_cache_file, storage_errors
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Cost, Judgment, Verdict
from lmgt_core.judging.prompt import Prompt

REMEMBERED = 100_000  # judgments kept in memory, about 1 kB each
_PER_QUERY = 500  # keys; SQLite allows 999 in its oldest builds
_ROW = "verdict, good, neutral, bad, reply, reason, seconds, prompt_tokens, reply_tokens, dollars"
_COLUMNS = f"key, judge, system, user, facts, {_ROW}"


@dataclass
class CacheStats:
    """hits: answered without asking (`seconds_saved` is what they had cost); misses: questions asked; stored: rows."""

    hits: int = 0
    misses: int = 0
    stored: int = 0
    seconds_saved: float = 0.0

    def as_dict(self) -> dict[str, int | float]:
        """The fields by name."""
        return asdict(self)

    def __str__(self) -> str:
        return f"cache: {self.hits} hits, {self.misses} misses, {self.seconds_saved:.1f} s saved"


class JudgeCache:
    """A judge around a judge that remembers what it said.

    Unreadable and abstained answers are not kept, and nothing is when the judge raises. A judge that is not
    `cacheable` is asked directly, and no file is opened for it. Prompts that stand in a batch twice are asked once.
    One process stores an answer first and all use that one, so what was used is what is found again. Belongs to one
    thread; a forked child makes its own.
    """

    def __init__(self, judge: Judge, path: Path | str, remembered: int = REMEMBERED) -> None:
        self.judged = judge
        self.path = Path(path)
        self.stats = CacheStats()
        self._remembered = remembered
        self._memory: OrderedDict[str, Judgment] = OrderedDict()  # prompt digest -> judgment, oldest first
        self._file = open_cache_file(self.path) if judge.cacheable else None

    @property
    def id(self) -> str:
        return self.judged.id

    @property
    def kind(self) -> JudgeKind:
        return self.judged.kind

    @property
    def cacheable(self) -> bool:
        return self.judged.cacheable

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """One judgment a prompt, from memory, from the file, or asked now; looked-up ones are marked `cached`."""
        if self._file is None:
            return self.judged.judge(prompts)
        digests = [p.digest for p in prompts]
        found = self._recall(digests)
        missing = {d: p for d, p in zip(digests, prompts, strict=True) if d not in found}
        looked_up = self._look_up(missing)
        found |= looked_up
        asked = self._ask({d: p for d, p in missing.items() if d not in looked_up})
        return self._count(digests, found, asked)

    def close(self) -> None:
        """Lets go of the file; judging ends with it."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> "JudgeCache":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _recall(self, digests: Sequence[str]) -> dict[str, Judgment]:
        found = {}
        for digest in digests:
            if judgment := self._memory.get(digest):
                self._memory.move_to_end(digest)
                found[digest] = judgment
        return found

    def _look_up(self, prompts: Mapping[str, Prompt]) -> dict[str, Judgment]:
        """What the file holds of these."""
        digest_of = {self._key(digest): digest for digest in prompts}
        keys = list(digest_of)
        found = {}
        with storage_errors(self.path):
            for start in range(0, len(keys), _PER_QUERY):
                some = keys[start : start + _PER_QUERY]
                marks = ",".join("?" * len(some))
                for key, *row in self._connection.execute(
                    f"SELECT key, {_ROW} FROM judgments WHERE key IN ({marks})", some
                ):
                    found[digest_of[key]] = _judgment(row)
        self._remember(found)
        return found

    def _ask(self, prompts: Mapping[str, Prompt]) -> dict[str, Judgment]:
        """The judge's own answers, stored in one transaction."""
        if not prompts:
            return {}
        answers = dict(zip(prompts, self.judged.judge(list(prompts.values())), strict=True))
        worth_keeping = {d: a for d, a in answers.items() if a.verdict is not Verdict.UNREADABLE and not a.abstained}
        stored = self._store({d: prompts[d] for d in worth_keeping}, worth_keeping)
        self.stats.stored += stored
        if stored < len(worth_keeping):  # another process was quicker with some: its answers stand
            return answers | self._look_up({d: prompts[d] for d in worth_keeping})
        self._remember({d: replace(a, cached=True) for d, a in worth_keeping.items()})
        return answers

    def _store(self, prompts: Mapping[str, Prompt], answers: Mapping[str, Judgment]) -> int:
        """The number of rows that were new."""
        rows = [(self._key(d), self.id, *_question(prompts[d]), *_answer(answers[d])) for d in answers]
        marks = ",".join("?" * (_COLUMNS.count(",") + 1))
        with storage_errors(self.path), self._connection:
            before = self._connection.total_changes
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(f"INSERT OR IGNORE INTO judgments ({_COLUMNS}) VALUES ({marks})", rows)
            return self._connection.total_changes - before

    def _count(
        self, digests: Sequence[str], found: Mapping[str, Judgment], asked: Mapping[str, Judgment]
    ) -> list[Judgment]:
        """The judgments in the prompts' order; a question asked now counts as a hit from its second time on."""
        self.stats.misses += len(asked)
        self.stats.hits += len(digests) - len(asked)
        judgments = [found[d] if d in found else asked[d] for d in digests]
        spent = sum(j.cost.seconds for j in asked.values())
        self.stats.seconds_saved += sum(j.cost.seconds for j in judgments) - spent
        return judgments

    def _remember(self, judgments: Mapping[str, Judgment]) -> None:
        self._memory.update(judgments)
        while len(self._memory) > self._remembered:
            self._memory.popitem(last=False)

    def _key(self, digest: str) -> bytes:
        return hashlib.sha256(f"{self.id}\0{digest}".encode()).digest()

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._file is None:
            raise RuntimeError(f"judge {self.id} is not cacheable: there is no cache file")
        return self._file


def _question(prompt: Prompt) -> tuple[str, str, str]:
    """The prompt's text, for people who look into the file; images are only part of the key."""
    return prompt.system, prompt.user, json.dumps(dict(prompt.facts), ensure_ascii=False, sort_keys=True)


def _answer(judgment: Judgment) -> tuple[str | float | int | None, ...]:
    """The columns of _ROW, as plain Python values: SQLite knows no numpy scalars and no lone surrogates."""
    cost = judgment.cost
    probabilities = [float(p) for p in judgment.probabilities] if judgment.probabilities else [None] * 3
    texts = [text.encode("utf-8", "replace").decode() for text in (judgment.reply, judgment.reason)]
    tokens = int(cost.prompt_tokens), int(cost.reply_tokens)
    return (judgment.verdict.value, *probabilities, *texts, float(cost.seconds), *tokens, float(cost.dollars))


def _judgment(row: Sequence[Any]) -> Judgment:
    """The judgment in the columns of _ROW, whose types the table enforces."""
    verdict, good, neutral, bad, reply, reason, *cost = row
    probabilities = None if good is None else (good, neutral, bad)
    return Judgment(Verdict(verdict), probabilities, reply, reason, cost=Cost(*cost), cached=True)
