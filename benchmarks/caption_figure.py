"""One frame of each world beside what captioners make of it: docs/figures/captions.png.

    python -m benchmarks.caption_figure --out docs/figures/captions.png

`objects` is privileged: it reads the emulator's memory. Each frame is the last of 60 different frames of play (seed 0),
half random and half the expert's.
"""

import argparse
import textwrap
from pathlib import Path

from apps.atari_vision.domain import world_captioner
from apps.atari_vision.frames import collect
from apps.atari_vision.worlds import world
from captioners.captioner import CaptionFailure
from captioners.memory import FrameMemory
from lmgt_core.files import write_atomic
from lmgt_core.report.figures import RC, rendered

WORLDS = ("Blackjack-box", "Blackjack-cards", "CartPole", "Pong", "Freeway")
CAPTIONERS = ("objects", "ocr")
SEEN, COLUMNS, INCHES = 60, 34, 2.3


def captions(name: str) -> tuple[object, list[str]]:
    """A frame [height, width, 3] of the world, and a line for each captioner: its words, or why it has none."""
    memory, made = FrameMemory(), world(name)
    frames = collect(made, SEEN, 0)
    image = frames.images[-1]
    memory.remember(image, frames.memories[-1])
    lines = []
    for spec in CAPTIONERS:
        captioner = world_captioner(spec, made, memory)
        assert captioner is not None
        (said,) = captioner.caption(image[None])
        words = f"nothing ({said.reason})" if isinstance(said, CaptionFailure) else said
        lines.append(f"{spec}{' (privileged)' if captioner.privileged else ''}: {words}")
    return image, lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/figures/captions.png"))
    out = parser.parse_args().out
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**RC, "savefig.dpi": 110}):
        figure = Figure(figsize=(INCHES * len(WORLDS), 4.6), layout="constrained")
        for axes, name in zip(figure.subplots(1, len(WORLDS)), WORLDS, strict=True):
            image, lines = captions(name)
            axes.imshow(image)
            axes.set_axis_off()
            axes.set_anchor("N")
            axes.set_title(name, fontsize=10)
            said = "\n\n".join("\n".join(textwrap.wrap(line, COLUMNS)) for line in lines)
            axes.text(0, -0.04, said, transform=axes.transAxes, va="top", fontsize=7)
        write_atomic(out, rendered(figure, "png"))
    print(out)


if __name__ == "__main__":
    main()
