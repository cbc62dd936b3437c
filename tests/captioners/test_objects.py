"""The objects captioner, on frames drawn by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from captioners.captioner import CaptionFailure, Images
from captioners.objects import NOTHING, ObjectsCaptioner, paint_ids, read_ids
from captioners.testing import CaptionerContract, assert_fails_alone

NAMES = {1: "shelf in the bedroom", 2: "bed in the bedroom", 9: "toaster on the shelf"}


def frame(*rectangles: tuple[int, int, int, int, int]) -> np.ndarray:
    """A 12 x 12 frame with rectangles (id, top, left, bottom, right)."""
    ids = np.zeros((12, 12), np.int32)
    for thing, top, left, bottom, right in rectangles:
        ids[top:bottom, left:right] = thing
    return ids


class TestObjectsCaptioner(CaptionerContract):
    def captioner(self) -> ObjectsCaptioner:
        return ObjectsCaptioner(NAMES)

    def images(self) -> Images:
        frames = [frame((1, 0, 0, 6, 3)), frame((2, 0, 9, 6, 12)), frame((1, 0, 0, 4, 4), (9, 0, 5, 2, 7))]
        return paint_ids(np.stack(frames))

    def test_a_frame_with_an_unknown_id_fails_alone(self) -> None:
        assert_fails_alone(self.captioner(), self.images(), paint_ids(frame((77, 0, 0, 2, 2))[None]))

    def test_the_failure_names_the_id(self) -> None:
        (caption,) = self.captioner().caption_semantic(frame((77, 0, 0, 2, 2))[None])
        assert caption == CaptionFailure("the frame shows id 77, which has no name")


def test_things_are_listed_by_size_with_side_and_distance() -> None:
    ids = frame((1, 0, 0, 12, 4), (2, 0, 4, 6, 8), (9, 0, 10, 2, 12))
    depth = np.zeros((12, 12), np.float32)
    depth[ids == 1], depth[ids == 2], depth[ids == 9] = 1.9, 3.3, 0.1
    (caption,) = ObjectsCaptioner(NAMES).caption_semantic(ids[None], depth[None])
    assert caption == (
        "In view: shelf in the bedroom (left, 2 m); bed in the bedroom (centre, 3.5 m); "
        "toaster on the shelf (right, 0.5 m)."
    )


def test_without_depth_no_distance_is_claimed() -> None:
    (caption,) = ObjectsCaptioner(NAMES).caption_semantic(frame((1, 0, 4, 12, 8))[None])
    assert caption == "In view: shelf in the bedroom (centre)."


def test_pixels_without_a_hit_do_not_count_as_near() -> None:
    ids, depth = frame((1, 0, 0, 12, 4)), np.zeros((12, 12), np.float32)
    depth[:3] = 4.0  # a quarter of the shelf's pixels have a distance, the others none
    (seen,) = ObjectsCaptioner(NAMES).sightings(ids, depth)  # type: ignore[misc]
    assert seen.metres == 4.0


def test_an_empty_frame_says_so() -> None:
    assert ObjectsCaptioner(NAMES).caption_semantic(frame()[None]) == [NOTHING]


def test_specks_and_what_exceeds_the_limit_are_left_out() -> None:
    ids = frame((1, 0, 0, 4, 4), (2, 0, 4, 3, 8), (9, 11, 11, 12, 12))
    (caption,) = ObjectsCaptioner(NAMES, min_share=0.01).caption_semantic(ids[None])
    assert "toaster" not in str(caption)
    (caption,) = ObjectsCaptioner(NAMES, limit=1).caption_semantic(ids[None])
    assert caption == "In view: shelf in the bedroom (left)."


def test_other_names_or_settings_make_another_id() -> None:
    ids = {ObjectsCaptioner(NAMES).id, ObjectsCaptioner({1: "shelf"}).id, ObjectsCaptioner(NAMES, limit=3).id}
    assert len(ids) == 3


def test_it_is_labelled_as_privileged() -> None:
    assert ObjectsCaptioner(NAMES).privileged


def test_a_failure_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        CaptionFailure("")


def test_ids_that_do_not_fit_into_a_colour_are_refused() -> None:
    with pytest.raises(ValueError, match="fit"):
        paint_ids(np.full((1, 1, 1), 1 << 24, np.int32))


@given(hnp.arrays(np.int32, (2, 3, 4), elements=st.integers(0, (1 << 24) - 1)))
def test_painted_ids_read_back(ids: np.ndarray) -> None:
    assert np.array_equal(read_ids(paint_ids(ids)), ids)


@given(hnp.arrays(np.int32, (3, 6, 6), elements=st.sampled_from([0, 1, 2, 9])))
def test_colours_and_ids_give_the_same_caption(ids: np.ndarray) -> None:
    captioner = ObjectsCaptioner(NAMES)
    assert captioner.caption(paint_ids(ids)) == captioner.caption_semantic(ids)
