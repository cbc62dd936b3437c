"""One picture of a video: first-person view, map, and what is going on in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from apps.housekeep.watch.map import AGENT, RIGHT, WRONG, Colour
from lmgt_core.judging.judgment import Judgment, Verdict

Picture = NDArray[np.uint8]  # [height, width, 3]

BACKGROUND: Colour = (16, 18, 22)
TEXT: Colour = (240, 240, 238)
FAINT: Colour = (150, 154, 162)
SILENT: Colour = (255, 159, 10)
GAP, HEADER, FOOTER, STRIP = 12, 44, 126, 29  # pixels
SHOWN_JUDGMENTS = 3


@dataclass(frozen=True)
class Judged:
    """A judgment to show: the step, the pick or place in words, what the judge said, and what that shifted."""

    step: int
    words: str
    judgment: Judgment
    shift: float

    @property
    def verdict(self) -> tuple[str, Colour]:
        """Verdict, probability and shift in words, and their colour."""
        judgment = self.judgment
        if judgment.verdict is Verdict.UNREADABLE:
            return "unreadable · shift 0", SILENT
        chance = "" if judgment.probabilities is None else f" {judgment.confidence:.2f}"
        if judgment.abstained:
            return f"judge abstained ({judgment.verdict}{chance}) · shift 0", SILENT
        says = f"{judgment.verdict.upper()}{chance}"
        colour = {Verdict.GOOD: RIGHT, Verdict.BAD: WRONG}.get(judgment.verdict, FAINT)
        return f"{says} · shift {self.shift:+.2f}", colour


@dataclass(frozen=True)
class Status:
    """What the words of one picture are made of."""

    doing: str
    steps: int
    max_steps: int
    holding: str  # "" for nothing
    right: int
    right_at_start: int
    objects: int
    success: float | None  # the benchmark's object success so far
    caption: str = ""  # what a captioner says of the view, and which one
    judged: Sequence[Judged] = ()


class Screen:
    """Puts pictures together; `side` is the height and width of the view and of the map, in pixels."""

    def __init__(self, side: int, title: str, judge: str) -> None:
        self.side, self.title, self.judge = side, title, judge
        self.width = _even(2 * side + 3 * GAP)
        self.height = _even(HEADER + side + FOOTER + GAP)
        self._large, self._normal, self._small = (ImageFont.load_default(size) for size in (20, 17, 14))

    def compose(self, view: Picture, home: Picture, status: Status, box: Sequence[float] | None = None) -> Picture:
        """The picture, uint8 [height, width, 3]. `view` is enlarged to `side`; `box` points something out in it, as
        left, top, right, bottom in shares of the view."""
        image = Image.new("RGB", (self.width, self.height), BACKGROUND)
        image.paste(Image.fromarray(view).resize((self.side, self.side), Image.Resampling.BILINEAR), (GAP, HEADER))
        image.paste(Image.fromarray(home), (2 * GAP + self.side, HEADER))
        canvas = ImageDraw.Draw(image, "RGBA")
        self._header(canvas, status)
        self._overlay(canvas, status, box)
        self._judge(canvas, status)
        self._score(canvas, status)
        return np.asarray(image)

    def _header(self, canvas: ImageDraw.ImageDraw, status: Status) -> None:
        canvas.text((GAP, HEADER / 2), self.title, TEXT, self._large, anchor="lm")
        steps = f"step {status.steps} of {status.max_steps}"
        canvas.text((self.width - GAP, HEADER / 2), steps, TEXT, self._large, anchor="rm")

    def _overlay(self, canvas: ImageDraw.ImageDraw, status: Status, box: Sequence[float] | None) -> None:
        left, top, side = GAP, HEADER, self.side
        if box is not None:
            corners = [(left if i % 2 == 0 else top) + share * side for i, share in enumerate(box)]
            canvas.rectangle(corners, None, AGENT, 2)
        x, y = left + side / 2, top + side / 2
        for dx, dy in ((9, 0), (0, 9)):
            canvas.line([(x - dx, y - dy), (x + dx, y + dy)], (0, 0, 0, 200), 5)
            canvas.line([(x - dx, y - dy), (x + dx, y + dy)], (255, 255, 255, 255), 2)
        self._strip(canvas, (left, top), f"{status.doing}")
        holding = f"holding: {status.holding}" if status.holding else "hand empty"
        self._strip(canvas, (left, top + side - STRIP), holding)
        self._strip(canvas, (2 * GAP + side, top), "from above: truth, hidden from the agent")
        self._legend(canvas, (2 * GAP + side, top + side - STRIP))

    def _strip(self, canvas: ImageDraw.ImageDraw, corner: tuple[float, float], words: str) -> None:
        """A dark band across one panel with words on it."""
        x, y = corner
        canvas.rectangle([x, y, x + self.side - 1, y + STRIP], (0, 0, 0, 165))
        words = fitted(canvas, words, self._normal, self.side - 16)
        canvas.text((x + 8, y + STRIP / 2), words, TEXT, self._normal, anchor="lm")

    def _legend(self, canvas: ImageDraw.ImageDraw, corner: tuple[float, float]) -> None:
        x, y = corner
        canvas.rectangle([x, y, x + self.side - 1, y + STRIP], (0, 0, 0, 165))
        middle = y + STRIP / 2
        for colour, words, hollow in ((RIGHT, "right", False), (WRONG, "wrong", False), (WRONG, "not seen yet", True)):
            disc = [x + 8, middle - 6, x + 20, middle + 6]
            canvas.ellipse(disc, None if hollow else colour, colour, 2)
            canvas.text((x + 26, middle), words, TEXT, self._small, anchor="lm")
            x += 42 + canvas.textlength(words, self._small)

    def _judge(self, canvas: ImageDraw.ImageDraw, status: Status) -> None:
        x, y = GAP, HEADER + self.side + 8
        sees = status.caption
        canvas.text((x, y), fitted(canvas, sees, self._small, self.side), FAINT, self._small)
        y += 22
        heading = (
            f"judge: {self.judge}" if status.judged or self.judge == "none" else f"judge: {self.judge} - not asked yet"
        )
        canvas.text((x, y), fitted(canvas, heading, self._small, self.side), FAINT, self._small)
        for i, judged in enumerate(reversed(status.judged[-SHOWN_JUDGMENTS:])):
            y_line = y + 22 + i * 22
            words, colour = judged.verdict
            room = self.side - 10 - canvas.textlength(words, self._small)
            left = fitted(canvas, f"{judged.step}  {judged.words}", self._small, room)
            canvas.text((x, y_line), left, TEXT if i == 0 else FAINT, self._small)
            canvas.text((x + self.side, y_line), words, colour, self._small, anchor="ra")

    def _score(self, canvas: ImageDraw.ImageDraw, status: Status) -> None:
        x, y = 2 * GAP + self.side, HEADER + self.side + 10
        canvas.text((x, y), f"objects right: {status.right} of {status.objects}", TEXT, self._large)
        canvas.text((x, y + 26), f"at the start: {status.right_at_start}", FAINT, self._small)
        success = "undefined" if status.success is None else f"{status.success:.2f}"
        canvas.text((x + self.side, y), f"object success {success}", TEXT, self._large, anchor="ra")
        wide = self.side / max(status.objects, 1)
        for i in range(status.objects):
            colour = RIGHT if i < status.right else (70, 74, 82)
            canvas.rectangle([x + i * wide, y + 52, x + (i + 1) * wide - 4, y + 66], colour)


def fitted(
    canvas: ImageDraw.ImageDraw, words: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float
) -> str:
    """`words`, shortened with an ellipsis until they are at most `room` pixels wide."""
    width = canvas.textlength(words, font)
    if width <= room:
        return words
    words = words[: int(len(words) * room / width) + 2]
    while words and canvas.textlength(words + "…", font) > room:
        words = words[:-1]
    return words.rstrip() + "…"


def _even(pixels: int) -> int:
    """The next even number: video codecs halve the colour's resolution."""
    return pixels + pixels % 2
