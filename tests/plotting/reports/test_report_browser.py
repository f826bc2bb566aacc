"""Reports in a real browser: Debian's chromium, which `.ci/run` installs."""

import os

import numpy as np
import pytest
import soundfile

from audiopipe import beam, configs
from audiopipe.plotting import write_report

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
SCRIPT = "<script>alert(1)</script>"
DECODED = """
const done = arguments[0];
const links = [...document.querySelectorAll("svg image")].map(one => one.href.baseVal);
Promise.all(links.map(async link => {
  const image = new Image();
  image.src = link;
  await image.decode();
  return image.naturalWidth;
})).then(done, error => done(String(error)));
"""
DURATIONS = """
const done = arguments[0];
Promise.all([...document.querySelectorAll("audio")].map(one => new Promise((resolve, reject) => {
  if (one.readyState >= 1) resolve(one.duration);
  one.addEventListener("loadedmetadata", () => resolve(one.duration));
  one.addEventListener("error", () => reject(one.error.message));
}))).then(done, error => done(String(error)));
"""

pytestmark = pytest.mark.skipif(
    not (os.path.exists(CHROMIUM) and os.path.exists(DRIVER)),
    reason=f"{CHROMIUM} and {DRIVER} are not installed: apt-get install chromium chromium-driver",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_script_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Returns the address of a report with hostile names, two channels, a long clip and a failure."""
    folder = tmp_path_factory.mktemp("browser")
    noise = np.random.default_rng(0).standard_normal((88_000, 2)) / 10
    lines = ["id,path,speaker"]
    for number in range(6):
        soundfile.write(folder / f"{number}.wav", noise[: 88_000 if number == 0 else 9000 + 100 * number], 8000)
        lines.append(f"{SCRIPT if number == 1 else number},{number}.wav,<img src=x onerror=alert(2)>{number % 2}")
    lines.append(f"{'long' * 60},none.wav,</style><h1>")
    (folder / "clips.csv").write_text("\n".join(lines))
    config = configs.StftMagPhase(sample_rate=8000, n_fft=256, channels=None)
    beam.precompute(folder / "clips.csv", folder / "features", config, max_failure_ratio=0.5)
    write_report(folder / "features", folder / "report.html", input=folder / "clips.csv", compare=folder / "features")
    return (folder / "report.html").as_uri()


def open_page(browser, page, width, scheme):
    browser.get_log("browser")
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_the_page_loads_without_errors_and_fits_its_width(browser, page, width, scheme):
    open_page(browser, page, width, scheme)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    wide = browser.execute_script(
        "return [...document.querySelectorAll('main *')].filter(one => one.getBoundingClientRect().right > innerWidth)"
        ".map(one => one.tagName + ' ' + one.className)"
    )
    assert wide == []


def test_pictures_decode(browser, page):
    open_page(browser, page, 1280, "light")
    widths = browser.execute_async_script(DECODED)
    assert len(widths) >= 6 * 4 * 2  # clips, panels of magnitude and phase of two channels, and two sets
    assert min(widths) > 100
    assert browser.execute_script("return [...document.querySelectorAll('svg')].every(one => one.clientHeight > 50)")


def test_players_know_how_long_their_sounds_are(browser, page):
    open_page(browser, page, 1280, "light")
    durations = browser.execute_async_script(DURATIONS)
    assert len(durations) == 6 + 3 + 3  # random clips, and unusual ones of both sets
    assert max(durations) == pytest.approx(10, abs=0.1)
    assert min(durations) == pytest.approx(9100 / 8000, abs=0.1)


def test_hostile_names_stay_text(browser, page):
    open_page(browser, page, 1280, "light")
    titles = browser.execute_script("return [...document.querySelectorAll('.clip h3')].map(one => one.textContent)")
    assert SCRIPT in titles
    count = "return document.querySelectorAll('script, img, main h1, [onerror]').length"
    assert browser.execute_script(count) == 0
    assert "<img src=x onerror=alert(2)>1" in browser.execute_script("return document.body.textContent")


def test_light_and_dark_have_colours_of_their_own_and_readable_text(browser, page):
    def luminances():
        colours = browser.execute_script(
            "const style = getComputedStyle(document.body);"
            "const label = getComputedStyle(document.querySelector('svg text'));"
            "const card = getComputedStyle(document.querySelector('.panel'));"
            "return [style.backgroundColor, style.color, card.backgroundColor, label.fill]"
        )
        return [_luminance(colour) for colour in colours]

    for scheme in ("light", "dark"):
        open_page(browser, page, 1280, scheme)
        paper, ink, card, label = luminances()
        assert (paper > ink) == (card > label) == (scheme == "light")
        assert _contrast(paper, ink) > 7
        assert _contrast(card, label) > 4.5


def _luminance(colour):
    """Returns the relative luminance of a colour such as `rgb(1, 2, 3)`, as WCAG defines it."""
    values = [int(value) / 255 for value in colour.removeprefix("rgb(").removesuffix(")").split(", ")]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def _contrast(first, second):
    low, high = sorted((first, second))
    return (high + 0.05) / (low + 0.05)
