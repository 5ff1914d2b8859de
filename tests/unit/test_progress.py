from __future__ import annotations

from studylib import progress


def test_a_bar_in_a_log_is_whole_lines(tmp_path, monkeypatch):
    log = tmp_path / "stage.log"
    log.write_text("before\n")
    monkeypatch.setenv(progress.VARIABLE, str(log))
    monkeypatch.setattr(progress, "LOG_SECONDS", 0)
    with progress.bar(4, "train", "step") as bar:
        for _ in range(4):
            bar.update(1)
    lines = log.read_text().splitlines()
    assert lines[0] == "before" and "\r" not in log.read_text()
    assert all(line.startswith("train:") for line in lines[1:]) and "4/4" in lines[-1]


def test_without_a_log_the_bar_is_tqdms_own(monkeypatch, capsys):
    monkeypatch.delenv(progress.VARIABLE, raising=False)
    with progress.bar(1, "train", "step") as bar:
        bar.update(1)
    assert "train: 100%" in capsys.readouterr().err
