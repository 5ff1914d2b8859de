"""explore.ipynb in JupyterLab: all cells run, and a widget changes a picture."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import TimeoutError

from tests.browser.conftest import CHROMIUM, SCREENSHOTS
from tests.conftest import ROOT

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian: apt-get install chromium)"),
]


@pytest.fixture
def lab(smoke, tmp_path) -> Iterator[str]:
    """JupyterLab on a copy of the notebook that looks at the smoke run."""
    notebook = json.loads((ROOT / "notebooks/explore.ipynb").read_text())
    cell = next(c for c in notebook["cells"] if "parameters" in c["metadata"].get("tags", []))
    cell["source"] = [f"folder = {str(smoke[0].parent)!r}"]
    (tmp_path / "explore.ipynb").write_text(json.dumps(notebook))
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0", "--ServerApp.port_retries=0",
        "--IdentityProvider.token=", f"--ServerApp.root_dir={tmp_path}", "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    log = (tmp_path / "lab.log").open("w+")
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path)
    try:
        address = None
        for _ in range(120):
            time.sleep(0.5)
            if found := re.search(r"http://(?:localhost|127\.0\.0\.1):(\d+)/", (tmp_path / "lab.log").read_text()):
                address = f"http://127.0.0.1:{found[1]}"
                break
        assert address, (tmp_path / "lab.log").read_text()
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


def run_all(page, picture) -> None:
    """Run all cells until a picture shows: on a busy machine JupyterLab loses a click that comes while it starts."""
    for _ in range(4):
        page.locator(".jp-Notebook .jp-Cell").first.click()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        with suppress(TimeoutError):
            picture.wait_for(timeout=60_000)
            return
    pytest.fail("no picture; the notebook shows:\n" + page.locator(".jp-Notebook").inner_text()[-3000:])


def accept_dialogs(page) -> None:
    """Answer what JupyterLab asks while the machine is busy (which kernel, whether to reconnect) as it proposes."""
    dialog = page.locator(".jp-Dialog")
    page.add_locator_handler(dialog, lambda asked: asked.locator(".jp-mod-accept").last.click(), times=3)


def test_explore_runs_and_its_widgets_turn_the_picture(lab, watch):
    watched = watch(viewport={"width": 1400, "height": 2600})  # all cells in view: JupyterLab hides the others
    page = watched.page
    accept_dialogs(page)
    page.goto(f"{lab}/lab/tree/explore.ipynb")
    page.locator(".jp-Notebook").wait_for()
    # Cells that are run before the kernel is there are never executed.
    page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").first.wait_for(timeout=120_000)
    pictures = page.locator(".jp-Cell:has-text('explore.arms(run)') img")
    run_all(page, pictures.first)
    page.locator(".jp-Cell:has-text('explore.profiles(run)') img").first.wait_for(timeout=120_000)
    page.screenshot(path=SCREENSHOTS / "lab.png")
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    before = pictures.first.get_attribute("src")
    page.locator(".jp-Cell:has-text('explore.arms(run)')").get_by_role("button", name="Baseline").click()
    page.wait_for_function(
        "before => [...document.querySelectorAll('.jp-Cell img')].every(i => i.getAttribute('src') !== before)",
        arg=before,
    )
    assert pictures.first.get_attribute("src") != before
