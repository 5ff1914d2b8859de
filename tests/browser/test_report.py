"""The report and the index in a browser without a network."""

from __future__ import annotations

import io
import shutil
import time

import numpy as np
import pytest

from tests.browser.conftest import SCREENSHOTS

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def url(smoke) -> str:
    return (smoke[0] / "analysis/report.html").as_uri()


@pytest.fixture
def report(watch, url):
    """The report, opened offline, its explorer ready."""
    watched = watch(offline=True, viewport={"width": 1200, "height": 900})
    start = time.perf_counter()
    watched.page.goto(url)
    watched.page.locator("img").first.wait_for(state="visible")
    print(f"first picture visible after {time.perf_counter() - start:.2f} s")
    watched.page.wait_for_selector("#explorer[data-ready=yes]")
    return watched


def contrast(locator) -> float:
    """Return the standard deviation of what an element shows, of 255."""
    from PIL import Image

    return float(np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("L")).std())


def test_it_asks_for_nothing_and_complains_of_nothing(report, url, smoke):
    report.page.screenshot(path=SCREENSHOTS / "report.png", full_page=True)
    assert report.requests == [url] and report.errors == []
    assert (smoke[0] / "analysis/report.html").stat().st_size < 8e6


def test_no_picture_is_blank_and_all_have_words(report):
    # The half that is not judged is folded away.
    report.page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    pictures = report.page.locator("img")
    assert pictures.count() >= 7
    for i in range(pictures.count()):
        assert contrast(pictures.nth(i)) > 5
        words = pictures.nth(i).get_attribute("alt")
        assert len(words) > 10 and "No description" not in words


def test_tabs_turn_the_picture(report):
    plot = report.page.locator("#explorer-picture")
    assert contrast(plot) > 5 and plot.get_attribute("aria-label") == "PtychoPINN, test split, phase [rad]"
    before = plot.screenshot()
    for name in ("Baseline", "amplitude", "error", "train"):
        report.page.get_by_label(name, exact=True).check()
    assert plot.get_attribute("aria-label") == "Baseline, train split, error of the amplitude"
    assert plot.screenshot() != before and report.errors == []


def test_hovering_and_the_slider_draw_profiles(report):
    page = report.page
    area = page.locator("#explorer-picture .nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 4)
    page.wait_for_function("document.getElementById('explorer-readout').textContent.includes('PtychoPINN')")
    told = page.locator("#explorer-readout").text_content()
    assert told.startswith("row ") and "truth" in told and "PtyChi" in told
    page.mouse.move(5, 5)
    slider = page.locator("#explorer-row")
    before = page.locator("#explorer-profile").screenshot()
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.locator("#explorer-at").text_content() == slider.input_value()
    assert page.locator("#explorer-profile").screenshot() != before


def serious(page) -> list[str]:
    """Return the serious faults that axe-core finds."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_of_accessibility(watch, url, scheme):
    page = watch(offline=True, color_scheme=scheme).page
    page.goto(url)
    page.wait_for_selector("#explorer[data-ready=yes]")
    page.screenshot(path=SCREENSHOTS / f"report_{scheme}.png", full_page=True)
    assert serious(page) == []


def test_it_prints_and_fits_a_phone(watch, url):
    page = watch(offline=True, viewport={"width": 400, "height": 800}).page
    page.goto(url)
    page.wait_for_selector("#explorer[data-ready=yes]")
    page.screenshot(path=SCREENSHOTS / "report_phone.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF") and len(pdf) > 100_000


def test_a_hub_called_script_runs_none(smoke, tmp_path, watch):
    from studylib.evidence import index, report
    from studylib.run.hub import Hub

    name = "<script>document.title='owned'<script>"
    shutil.copytree(smoke[0], tmp_path / name)
    text = report.render(Hub(tmp_path / name)).read_text()
    assert "<script>document.title" not in text and "&lt;script&gt;document" in text
    watched = watch(offline=True)
    watched.page.goto(index.write(tmp_path).as_uri())
    assert watched.page.title() == "Dose-overlap study: runs" and watched.errors == []


def test_a_script_that_came_in_with_the_evidence_does_not_run(tmp_path, watch):
    import nbformat

    from studylib.evidence import report

    html = "<p>text</p><script>document.title='owned'</script><img src='data:,' onerror=\"document.title='owned'\">"
    output = nbformat.v4.new_output("display_data", data={"text/html": html})
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output])]), tmp_path / "a.ipynb"
    )
    page = report.render_page(tmp_path / "a.ipynb", tmp_path / "a.html", "ours")
    watched = watch(offline=True)
    watched.page.goto(page.as_uri())
    watched.page.wait_for_timeout(300)
    assert watched.page.title() == "ours" and watched.page.get_by_text("text").is_visible()


def test_the_index_sorts_and_links(smoke, tmp_path, watch):
    from studylib.evidence import index

    for name in ("b", "a"):
        shutil.copytree(smoke[0], tmp_path / name)
    watched = watch(offline=True)
    page = watched.page
    page.goto(index.write(tmp_path).as_uri())
    column = page.locator("tbody tr td:first-child")
    assert column.all_text_contents() == ["a", "b"]
    page.get_by_role("button", name="hub").click()
    page.get_by_role("button", name="hub").click()
    assert column.all_text_contents() == ["b", "a"]
    assert serious(page) == []
    page.screenshot(path=SCREENSHOTS / "index.png")
    page.get_by_role("link", name="a").click()
    assert "Dose and overlap" in page.locator("h1").text_content() and watched.errors == []
