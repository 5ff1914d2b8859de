from __future__ import annotations

import numpy as np


def test_lsqml_starts_flat_stays_on_the_frame_and_repeats(scan, specimen):
    from studylib.arms import ptychi
    from studylib.design import IterationSettings
    from studylib.judge import register
    from studylib.physics.stitch import scanned_box

    settings = IterationSettings(epochs=6, batch_size=24)
    first = ptychi.iterate(scan, settings, 11)
    assert first.seconds > 0 and first.peak_memory_mib > 0 and first.loss[-1] < first.loss[0]
    box = scanned_box(scan.positions).slices
    image, truth = first.object[box], specimen.object[box]
    gauge = register.fit_gauge(image, truth)
    # The probe came in counts: the object's amplitude needs no factor of N.
    assert 0.7 < gauge.scale < 1.3
    shift = register.shift_between(register.apply_gauge(image, gauge), truth, 2.0, "PtyChi")
    assert np.abs(shift).max() <= 0.3
    again = ptychi.iterate(scan, settings, 11)
    np.testing.assert_allclose(again.object, first.object, atol=1e-5)


def test_rpie_stays_bounded_where_many_windows_overlap(scan, specimen):
    """pty-chi adds up the updates of a batch: without a step size the object blows up after some epochs."""
    from studylib.arms import ptychi
    from studylib.design import IterationSettings
    from studylib.judge import register
    from studylib.physics.stitch import scanned_box

    box = scanned_box(scan.positions).slices
    truth, errors = specimen.object[box], []
    for epochs in (5, 60):
        image = ptychi.iterate(scan, IterationSettings(epochs=epochs), 11, "rPIE").object[box]
        image = register.apply_gauge(image, register.fit_gauge(image, truth))
        errors.append(np.abs(image - truth).mean())
    assert errors[1] < 1.2 * errors[0] < 0.3
