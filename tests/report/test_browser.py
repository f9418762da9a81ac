"""The page in a real browser; skipped where there is none."""

import base64
import shutil

import pytest

CHROMIUM = next(
    (
        path
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (path := shutil.which(name))
    ),
    None,
)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Chromium and its chromedriver on the path"
)


@pytest.fixture(scope="module")
def browser():
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--window-size=1280,1000",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, page):
    def look(width=1280, dark=False):
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(page.as_uri())
        return browser

    return look


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_it_fits_and_nothing_is_wrong(opened, width, dark):
    browser = opened(width, dark)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert (
        browser.execute_script(
            "return performance.getEntriesByType('resource').filter(e =>"
            " !e.name.startsWith('data:')).length"
        )
        == 0
    )
    background, ink = browser.execute_script(
        "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
    )
    bright = [sum(int(part) for part in each[4:-1].split(",")[:3]) for each in (background, ink)]
    assert (bright[0] < bright[1]) == dark
    stroke = browser.execute_script(
        "return getComputedStyle(document.querySelector('.plot svg"
        ' path[style*="--series-0"]\')).stroke'
    )
    assert stroke == ("rgb(92, 195, 238)" if dark else "rgb(11, 110, 153)")


def test_values_are_read_by_keyboard_and_pointer(opened):
    from selenium.webdriver import ActionChains, Keys

    browser = opened()
    plot = browser.find_element("css selector", ".plot")
    words = [
        each.get_attribute("data-value") for each in plot.find_elements("css selector", ".point")
    ]
    reading = plot.find_element("xpath", "following-sibling::p[@class='reading']")
    plot.send_keys(Keys.ARROW_RIGHT)
    assert reading.text == words[0]
    plot.send_keys(Keys.ARROW_RIGHT)
    assert reading.text == words[1]
    plot.send_keys(Keys.END)
    assert reading.text == words[-1]
    assert browser.find_element("id", "tip").text == words[-1]
    plot.send_keys(Keys.ESCAPE)
    assert not browser.find_element("id", "tip").is_displayed()
    ActionChains(browser).move_to_element(plot.find_elements("css selector", ".point")[0]).perform()
    assert reading.text == words[0]


def test_tables_sort_by_keyboard(opened):
    from selenium.webdriver import Keys

    browser = opened()
    table = browser.find_element("css selector", "#run1-features ~ .scroll table.sortable")
    button = table.find_elements("css selector", "thead button")[1]

    def column():
        return [
            float(each.get_attribute("data-sort"))
            for each in table.find_elements("css selector", "tbody tr td:nth-child(2)")
        ]

    before = column()
    button.send_keys(Keys.ENTER)
    assert column() == sorted(before, reverse=True)
    assert (
        table.find_elements("css selector", "thead th")[1].get_attribute("aria-sort")
        == "descending"
    )
    button.send_keys(Keys.SPACE)
    assert column() == sorted(before)


def test_it_prints(opened):
    browser = opened(dark=True)
    document = base64.b64decode(
        browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]
    )
    assert document.startswith(b"%PDF")
    assert len(document) > 50_000
