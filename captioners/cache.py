"""Captions on disk: no image is captioned twice by the same captioner.

One SQLite file for any number of processes, keyed by the image's digest and the captioner's id, which names model,
revision and prompt. Failures are not kept: another try may succeed.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from captioners.captioner import Caption, Captioner, CaptionerError, Images, check_images, image_digest

TABLE = "CREATE TABLE IF NOT EXISTS captions (captioner TEXT, image TEXT, caption TEXT, PRIMARY KEY (captioner, image))"
PER_QUERY = 500  # SQLite allows 999 values in its oldest builds
WAIT = 30.0  # seconds for another process to finish writing


class CaptionCache:
    """A captioner around a captioner that remembers what it said; `hits` and `misses` count images.

    Belongs to one thread; a forked child makes its own.
    """

    def __init__(self, captioner: Captioner, path: Path) -> None:
        self.captioner = captioner
        self.path = path
        self.hits = self.misses = 0
        self._file = _open(path)

    @property
    def id(self) -> str:
        return self.captioner.id

    @property
    def privileged(self) -> bool:
        return self.captioner.privileged

    def caption(self, images: Images) -> list[Caption]:
        """The captions of `images`; equal images of a batch are captioned once."""
        check_images(images)
        digests = [image_digest(image) for image in images]
        known: dict[str, Caption] = dict(self._look_up(list(dict.fromkeys(digests))))
        missing = {digest: i for i, digest in enumerate(digests) if digest not in known}
        self.misses += len(missing)
        self.hits += len(digests) - len(missing)
        if missing:
            said = dict(zip(missing, self.captioner.caption(images[list(missing.values())]), strict=True))
            self._store({digest: caption for digest, caption in said.items() if isinstance(caption, str)})
            known |= said
        return [known[digest] for digest in digests]

    def close(self) -> None:
        """Lets go of the file; captioning ends with it."""
        self._file.close()

    def _look_up(self, digests: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for start in range(0, len(digests), PER_QUERY):
            some = digests[start : start + PER_QUERY]
            marks = ",".join("?" * len(some))
            query = f"SELECT image, caption FROM captions WHERE captioner = ? AND image IN ({marks})"
            found |= dict(self._file.execute(query, [self.id, *some]).fetchall())
        return found

    def _store(self, captions: Mapping[str, str]) -> None:
        rows = [(self.id, digest, caption) for digest, caption in captions.items()]
        with self._file:
            self._file.executemany("INSERT OR IGNORE INTO captions VALUES (?, ?, ?)", rows)


def _open(path: Path) -> sqlite3.Connection:
    """The file, made if need be; CaptionerError for a damaged or another program's one, which stays as it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = sqlite3.connect(path, timeout=WAIT)
        file.execute("PRAGMA journal_mode=WAL")
        with file:
            file.execute(TABLE)
        columns = [row[1] for row in file.execute("PRAGMA table_info(captions)")]
    except (sqlite3.Error, OSError) as error:
        raise CaptionerError(f"{path}: cannot be used as a file of captions ({error}); name another") from None
    if columns != ["captioner", "image", "caption"]:
        file.close()
        raise CaptionerError(f"{path}: holds other captions than this program's; name another file")
    return file
