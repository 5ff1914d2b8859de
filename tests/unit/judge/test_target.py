"""What a plan is asked for."""

from __future__ import annotations

import math

import pytest

from studylib.errors import InputError
from studylib.judge.target import Target


@pytest.mark.parametrize(("quantity", "value"), [("mae", 0.0), ("mae", math.nan), ("resolution", 0.5), ("mae", 4.0)])
def test_a_wish_that_is_none_is_refused(quantity, value):
    with pytest.raises(InputError, match=quantity):
        Target(quantity, value)
