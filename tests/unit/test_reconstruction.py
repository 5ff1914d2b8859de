"""What an arm returns."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.errors import StageError
from studylib.reconstruction import check_object


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.ones((3, 4), np.complex64), r"complex64 \(3, 4\)"), (np.ones((9, 9), np.float32), "float32"),
        (None, "NoneType"), (np.full((9, 9), np.nan, np.complex64), "NaN"),
    ],
)  # fmt: skip
def test_an_image_that_is_none_is_refused_under_the_name_of_its_arm(image, words):
    with pytest.raises(StageError, match=f"Bad returned.*{words}"):
        check_object("Bad", image, (9, 9))
    check_object("Good", np.ones((9, 9), np.complex64), (9, 9))
