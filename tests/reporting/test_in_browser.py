"""The page of report.py in a real browser: it asks nobody, sorts, and fits a phone."""

import shutil
from contextlib import closing

import pytest
from toy_report import finish, page_of

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
PHONE = {"width": 360, "height": 740}
INTRUDE = """() => {
  const script = document.createElement("script");
  script.textContent = "document.title = 'owned'";
  document.body.append(script);
}"""
OPTIONS = {"executable_path": CHROMIUM, "args": ["--no-sandbox"], "timeout": 120_000}


def heading(page, caption, column):
    return page.locator("table", has_text=caption).first.locator("thead th").nth(column)


def column(page, caption, number):
    cells = page.locator("table", has_text=caption).first.locator(
        f"tbody tr > :nth-child({number + 1})"
    )
    return [cell.get_attribute("data-value") for cell in cells.all()]


def test_the_page(folder, monkeypatch):
    """One browser for everything: it takes seconds to start."""
    finish(folder)
    page_of(monkeypatch)
    requests, complaints = [], []
    with (
        playwright.sync_playwright() as started,
        closing(started.chromium.launch(**OPTIONS)) as browser,
    ):
        page = browser.new_page(viewport=PHONE, color_scheme="dark")
        page.set_default_timeout(120_000)  # milliseconds, on a busy machine
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((folder / "page.html").as_uri())

        assert page.title() == "SASRec: workspace"  # no title's script has changed it
        widths = "[document.documentElement.scrollWidth, window.innerWidth]"
        for summary in page.locator("summary").all():
            summary.click()
        assert page.evaluate(widths) == [360, 360]
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")

        numbers = [float(one) for one in column(page, "Test metrics, full", 1)]
        button = heading(page, "Test metrics, full", 1).locator("button")
        button.click()
        for falls, aria in ((True, "descending"), (False, "ascending")):
            found = [float(one) for one in column(page, "Test metrics, full", 1)]
            assert found == sorted(numbers, reverse=falls)
            assert heading(page, "Test metrics, full", 1).get_attribute("aria-sort") == aria
            button.focus()
            page.keyboard.press("Enter")
        heading(page, "Test metrics, full", 0).locator("button").click()
        names = page.locator("table", has_text="Test metrics, full").first.locator("tbody th")
        assert names.all_inner_texts() == sorted(names.all_inner_texts())

        page.emulate_media(color_scheme="light")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
        page.set_viewport_size({"width": 1280, "height": 900})
        assert page.evaluate(widths) == [1280, 1280]
        page.evaluate(INTRUDE)
        assert page.title() == "SASRec: workspace"  # the page's policy lets no other script run
        assert [text for text in complaints if "Content Security Policy" not in text] == []
        assert len(complaints) == 1
    assert requests == [(folder / "page.html").as_uri()]
