"""Pictures in files."""

from pathlib import Path

import numpy as np
from PIL import Image as Picture
from PIL import UnidentifiedImageError

from captioners.captioner import Image
from lmgt_core.errors import UserError


def read_picture(path: Path) -> Image:
    """The picture in `path` as uint8 RGB [height, width, 3]; UserError for what is no whole picture."""
    try:
        if path.stat().st_size == 0:
            raise UserError(f"{path}: the file is empty; give a picture such as a PNG")
        with Picture.open(path) as picture:
            return np.array(picture.convert("RGB"))
    except UnidentifiedImageError:
        raise UserError(f"{path}: is no picture that can be read; give a PNG or JPEG") from None
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give the file of a picture") from None
    except (OSError, SyntaxError, ValueError, Picture.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: the picture is damaged ({reason}); save it again") from None
