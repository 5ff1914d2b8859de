"""Images of one share of the counts, judged by the other."""

from __future__ import annotations

import numpy as np
import pytest

from studylib.learn import split_training
from tests.asymmetric import OBJECT, scan_of


def test_an_image_is_made_of_one_share_and_the_other_is_kept():
    scan, given = scan_of(1_000), []

    def images(part):
        given.append(part)
        return OBJECT

    splits = split_training.Splits(scan, images, 0.2, 2, 16, 0.1, np.random.default_rng(1))
    for part, draw in zip(given, splits.draws, strict=True):
        np.testing.assert_array_equal(draw.fitted + draw.kept, scan.counts)
        np.testing.assert_array_equal(part.counts, draw.fitted)
        assert draw.kept.sum() / scan.counts.sum() == pytest.approx(0.2, abs=0.01)
        assert part.metadata["share"] == 0.8
        assert np.abs(part.probe / scan.probe).mean() == pytest.approx(0.8**0.5)
    assert not np.array_equal(*(draw.kept for draw in splits.draws))


def test_every_held_position_is_judged_once_and_none_is_trained_on():
    splits = split_training.Splits(scan_of(1_000), lambda _: OBJECT, 0.2, 1, 16, 0.2, np.random.default_rng(1))
    judged = np.concatenate([held for _, _, held in splits.to_judge()])
    np.testing.assert_array_equal(np.sort(judged), splits.held)
    generator = np.random.default_rng(2)
    seen = [splits.piece(generator, splits.kept) for _ in range(60)]
    assert all(len(part) and not np.isin(part, splits.held).any() for _, part in seen)
    assert np.isin(splits.kept, np.concatenate([part for _, part in seen])).mean() > 0.9
    assert len({corner for corner, _ in seen}) > 20
