"""What every captioner must do; inherit and give `captioner` and `images`."""

import numpy as np
import pytest

from captioners.captioner import Captioner, CaptionFailure, Images


class CaptionerContract:
    """Inherit this in a class named Test..., and override the two factory methods."""

    def captioner(self) -> Captioner:
        raise NotImplementedError

    def images(self) -> Images:
        """At least three different images that the captioner can caption, uint8 [batch, height, width, 3]."""
        raise NotImplementedError

    def test_an_image_gets_a_caption(self) -> None:
        images = self.images()
        captions = self.captioner().caption(images)
        assert len(captions) == len(images) >= 3
        assert all(isinstance(caption, str) and caption.strip() for caption in captions)

    def test_captions_come_in_the_order_of_the_images(self) -> None:
        images, captioner = self.images(), self.captioner()
        together = captioner.caption(images)
        assert captioner.caption(images[::-1]) == together[::-1]
        assert [captioner.caption(images[i : i + 1])[0] for i in range(len(images))] == together
        assert len(set(together)) > 1

    def test_equal_images_get_equal_captions(self) -> None:
        images = self.images()
        assert self.captioner().caption(images) == self.captioner().caption(images.copy())

    @pytest.mark.parametrize("size", [(1, 1), (7, 5), (40, 61)])
    def test_any_size_gets_a_caption_or_a_reason(self, size: tuple[int, int]) -> None:
        (caption,) = self.captioner().caption(np.full((1, *size, 3), 200, np.uint8))
        assert caption.reason if isinstance(caption, CaptionFailure) else caption.strip()

    def test_an_empty_batch_gets_no_captions(self) -> None:
        assert self.captioner().caption(self.images()[:0]) == []

    def test_the_images_are_left_as_they_were(self) -> None:
        images = self.images()
        before = images.copy()
        self.captioner().caption(images)
        assert np.array_equal(images, before)

    def test_the_id_is_stable_and_not_empty(self) -> None:
        assert self.captioner().id == self.captioner().id != ""
        assert isinstance(self.captioner().privileged, bool)

    @pytest.mark.parametrize("shape", [(4, 4, 3), (1, 4, 4), (1, 4, 4, 4)])
    def test_what_is_not_a_batch_of_images_is_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="images"):
            self.captioner().caption(np.zeros(shape, np.uint8))

    def test_images_of_another_type_are_refused(self) -> None:
        with pytest.raises(ValueError, match="uint8"):
            self.captioner().caption(self.images().astype(np.float32))


def assert_fails_alone(captioner: Captioner, images: Images, broken: Images) -> None:
    """`broken` [1, height, width, 3] fails with a reason in the middle of a batch whose other images are captioned."""
    alone = captioner.caption(images)
    captions = captioner.caption(np.concatenate([images[:1], broken, images[1:]]))
    assert isinstance(captions[1], CaptionFailure) and captions[1].reason
    assert [captions[0], *captions[2:]] == alone
