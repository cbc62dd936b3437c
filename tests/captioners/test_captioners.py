"""Every captioner of the package under one contract, and what is special about each."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from captioners.cache import CaptionCache
from captioners.captioner import Caption, Captioner, CaptionerError, CaptionFailure, Images
from captioners.memory import FrameMemory, MemoryCaptioner
from captioners.models import llava, openai_server
from captioners.models.trained import TrainedCaptioner, load_captioner
from captioners.models.training import CaptionerSettings, exact_match, train_captioner
from captioners.ocr import OcrCaptioner, Reading, Region, Text, find_ink
from captioners.phrasing import Phrasing
from captioners.registry import CaptionerContext, make_captioner, parse_captioner
from captioners.testing import CaptionerContract, assert_fails_alone
from lmgt_core.judges.frame_network import shrink
from tests.lmgt_core import tiny_models

PHRASING = Phrasing("A {colour} square on the {side}.", {"colour": ("red", "blue"), "side": ("left", "right")})


def squares(count: int, seed: int = 0) -> tuple[Images, list[dict[str, str]]]:
    """Noisy frames of 24 x 32 pixels with a coloured square on one side."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (count, 24, 32, 3), dtype=np.uint8)
    facts = []
    for image in images:
        colour, side = ("red", "blue")[rng.integers(2)], ("left", "right")[rng.integers(2)]
        image[8:16, slice(4, 12) if side == "left" else slice(20, 28), 0 if colour == "red" else 2] = 250
        facts.append({"colour": colour, "side": side})
    return images, facts


@pytest.fixture(scope="module")
def trained() -> TrainedCaptioner:
    images, facts = squares(120)
    settings = CaptionerSettings(epochs=8, batch=16)
    return train_captioner("squares", PHRASING, images, facts, np.random.default_rng(0), settings)


@pytest.fixture(scope="module")
def llava_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_tiny_llava(tmp_path_factory.mktemp("models") / "llava")


class TestTrained(CaptionerContract):
    @pytest.fixture(autouse=True)
    def _trained(self, trained: TrainedCaptioner) -> None:
        self.made = trained

    def captioner(self) -> Captioner:
        return self.made

    def images(self) -> Images:
        return squares(8, seed=5)[0]

    def test_it_reads_frames_that_it_has_not_seen(self) -> None:
        assert exact_match(self.made, *squares(40, seed=9)) >= 0.95
        assert self.made.exact is not None and self.made.exact >= 0.9

    def test_a_file_gives_the_same_captioner_back(self, tmp_path: Path) -> None:
        (tmp_path / "c").write_bytes(self.made.content)
        loaded = load_captioner(tmp_path / "c")
        assert loaded.id == self.made.id and loaded.exact == self.made.exact
        assert loaded.caption(self.images()) == self.made.caption(self.images())

    def test_a_damaged_file_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "c").write_bytes(self.made.content[:-500])
        with pytest.raises(CaptionerError, match="no trained captioner, or a damaged one"):
            load_captioner(tmp_path / "c")

    def test_another_world_cannot_use_it(self, tmp_path: Path) -> None:
        (tmp_path / "c").write_bytes(self.made.content)
        with pytest.raises(CaptionerError, match="trained for squares, not for circles"):
            make_captioner(f"trained:{tmp_path / 'c'}", CaptionerContext("circles", ""))


class TestMemory(CaptionerContract):
    def captioner(self) -> Captioner:
        memory = FrameMemory()
        for image, facts in zip(*squares(4), strict=True):
            memory.remember(image, facts)
        return MemoryCaptioner(memory, PHRASING.words, "squares")

    def images(self) -> Images:
        return squares(4)[0]

    def test_a_frame_that_no_game_has_shown_fails_alone(self) -> None:
        assert_fails_alone(self.captioner(), self.images(), squares(1, seed=8)[0])

    def test_it_is_labelled_as_privileged(self) -> None:
        assert self.captioner().privileged


def test_the_memory_forgets_the_oldest_frames() -> None:
    memory, (images, facts) = FrameMemory(limit=2), squares(3)
    for image, fact in zip(images, facts, strict=True):
        memory.remember(image, fact)
    assert memory.recall(images[2]) == facts[2]
    with pytest.raises(LookupError):
        memory.recall(images[0])


def written(*texts: str) -> Images:
    """White pages of 60 x 200 pixels with a text each."""
    from PIL import Image, ImageDraw, ImageFont

    pages = []
    for text in texts:
        page = Image.new("RGB", (200, 60), "white")
        ImageDraw.Draw(page).text((20, 10), text, "black", font=ImageFont.load_default(36))
        pages.append(np.asarray(page))
    return np.stack(pages)


def compose(texts: dict[str, Text]) -> Reading:
    text = texts["page"].text
    mended = text.replace("O", "0")
    if not mended.isdigit():
        return Reading(CaptionFailure(f"{text!r} is no number"))
    return Reading(f"The number {mended}.", int(mended != text))


class TestOcr(CaptionerContract):
    def captioner(self) -> Captioner:
        return OcrCaptioner([Region("page", 0, 1, 0, 1)], compose, "numbers")  # type: ignore[arg-type]

    def images(self) -> Images:
        return written("17", "204", "93")

    def test_it_reads_what_is_written(self) -> None:
        assert self.captioner().caption(self.images()) == ["The number 17.", "The number 204.", "The number 93."]

    def test_what_the_grammar_refuses_fails_alone_and_is_counted(self) -> None:
        assert_fails_alone(self.captioner(), self.images(), written("HELLO"))
        captioner = OcrCaptioner([Region("page", 0, 1, 0, 1)], compose, "numbers")  # type: ignore[arg-type]
        captioner.caption(written("HELLO", "12"))
        assert (captioner.stats.refused, captioner.stats.lines) == (1, 2)

    def test_equal_ink_is_read_once(self) -> None:
        captioner = OcrCaptioner([Region("page", 0, 1, 0, 1)], compose, "numbers")  # type: ignore[arg-type]
        captioner.caption(written("17", "17"))
        captioner.caption(written("17"))
        assert captioner.stats.lines == 1


def test_without_regions_every_frame_fails_with_the_reason() -> None:
    (caption,) = OcrCaptioner([], compose, "none").caption(written("1"))  # type: ignore[arg-type]
    assert caption == CaptionFailure("nothing is written in frames of this kind")


def test_a_blank_piece_has_no_ink() -> None:
    assert find_ink(np.full((9, 9, 3), 77, np.uint8)) is None and find_ink(np.zeros((0, 3, 3), np.uint8)) is None


class TestLlava(CaptionerContract):
    """A tiny random LLaVA: everything is real but what it says."""

    @pytest.fixture(autouse=True)
    def _folder(self, llava_folder: Path) -> None:
        self.folder = llava_folder

    def captioner(self) -> Captioner:
        return llava.load(str(self.folder), {"max_tokens": "12"}, "Describe.")

    def images(self) -> Images:
        return np.stack([np.full((30, 20, 3), value, np.uint8) for value in (0, 120, 255)])

    def test_8_bit_weights_still_write(self) -> None:
        made = llava.load(str(self.folder), {"bits": "8", "device": "cpu", "max_tokens": "4"}, "Describe.")
        assert all(isinstance(c, str) for c in made.caption(self.images())) and ":8:" in made.id

    def test_another_prompt_is_another_captioner(self) -> None:
        assert llava.load(str(self.folder), {}, "A").id != llava.load(str(self.folder), {}, "B").id


def test_a_model_that_sees_no_images_is_refused(tmp_path: Path) -> None:
    folder = tiny_models.save_tiny_llama(tmp_path / "llama")
    with pytest.raises(CaptionerError, match="sees no images"):
        llava.load(str(folder), {}, "Describe.")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("llava:/no/where/here", "no such folder"),
        ("llava", "needs a model"),
        ("llava:x?colour=red", "unknown option colour"),
        ("oracle", "no such captioner"),
        ("trained", "needs a file"),
        ("trained:/no/file", "cannot be read"),
        ("openai:m@http://user:pass@localhost/v1", "user, password"),
        ("openai:m@http://127.0.0.1:9/v1", "cannot be reached"),
    ],
)
def test_a_wrong_name_is_one_line(spec: str, said: str) -> None:
    with pytest.raises(CaptionerError, match=said) as error:
        make_captioner(spec, CaptionerContext("squares", "Describe."))
    assert "\n" not in str(error.value)


def test_names_are_taken_apart() -> None:
    assert parse_captioner("llava:a/b?bits=8&batch=2") == ("llava", "a/b", {"bits": "8", "batch": "2"})


class _Server(BaseHTTPRequestHandler):
    unwanted = ""

    def do_GET(self) -> None:
        self._send({"data": []})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.unwanted and self.unwanted in asked:
            return self._send({"error": {"message": f"{self.unwanted} is not supported with this model"}})
        picture = asked["messages"][0]["content"][0]["image_url"]["url"]
        text = f"A picture of {len(picture)} letters." if len(picture) > 200 else ""
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        self._send({"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]})

    def _send(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class TestServed(CaptionerContract):
    @pytest.fixture(autouse=True)
    def _served(self) -> Iterator[None]:
        server = HTTPServer(("127.0.0.1", 0), _Server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}/v1"
        yield
        server.shutdown()
        server.server_close()

    def captioner(self) -> Captioner:
        return openai_server.load(f"m@{self.url}", {}, "Describe.")

    def images(self) -> Images:
        rng = np.random.default_rng(0)
        images = np.zeros((3, 20, 20, 3), np.uint8)
        for i in range(3):
            images[i, : 6 * i + 6] = rng.integers(0, 255, (6 * i + 6, 20, 3))
        return images

    @pytest.mark.parametrize("unwanted", ["temperature", "max_tokens"])
    def test_it_leaves_out_what_the_server_does_not_know(self, unwanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_Server, "unwanted", unwanted)
        assert all(isinstance(caption, str) for caption in self.captioner().caption(self.images()))

    def test_an_empty_answer_is_a_failure(self) -> None:
        (caption,) = self.captioner().caption(np.zeros((1, 1, 1, 3), np.uint8))
        assert caption == CaptionFailure("the server's answer is empty")


class Counted:
    """Says how bright an image is, and counts what it is asked; fails on black."""

    id, privileged = "counted", False

    def __init__(self) -> None:
        self.asked = 0

    def caption(self, images: Images) -> list[Caption]:
        self.asked += len(images)
        return [f"brightness {int(i.mean())}" if i.any() else CaptionFailure("too dark") for i in images]


def test_no_image_is_captioned_twice_but_a_failed_one(tmp_path: Path) -> None:
    images = np.stack([np.full((4, 4, 3), v, np.uint8) for v in (9, 9, 7, 0)])
    counted = Counted()
    cache = CaptionCache(counted, tmp_path / "captions.sqlite")
    first = cache.caption(images)
    assert first == ["brightness 9", "brightness 9", "brightness 7", CaptionFailure("too dark")]
    assert counted.asked == 3
    again = CaptionCache(counted, tmp_path / "captions.sqlite")
    assert again.caption(images) == first and counted.asked == 4
    assert (again.hits, again.misses) == (3, 1)


def test_another_programs_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("not a database, but long enough to be read as one" * 20)
    with pytest.raises(CaptionerError, match="cannot be used"):
        CaptionCache(Counted(), tmp_path / "notes")
    assert (tmp_path / "notes").read_text().startswith("not a database")


def test_a_phrasing_reads_what_it_writes_and_nothing_else() -> None:
    for _, facts in zip(range(4), squares(4)[1], strict=True):
        assert PHRASING.read(PHRASING.words(facts)) == facts
    for text in ("A green square on the left.", "A red square on the left. Really.", ""):
        with pytest.raises(LookupError):
            PHRASING.read(text)
    with pytest.raises(LookupError, match="green"):
        PHRASING.words({"colour": "green", "side": "left"})


def test_shrinking_takes_the_mean_of_each_block() -> None:
    image = np.zeros((1, 4, 4, 3), np.uint8)
    image[0, :2, :2] = 255
    assert shrink(image, 2)[0, 0].tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert shrink(image, 4).shape == (1, 3, 4, 4)
