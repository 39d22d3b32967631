"""The page in a real headless Chromium: loads in silence, reaches nothing, links its pictures, obeys keys and colours.

Debian's browser, driven by Playwright; tests are skipped where there is no chromium.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mvc.drift import RULES
from mvc.porcelain.report import report
from mvc.porcelain.workspace import Workspace
from tests.report.hostile import BREAKS, IMAGE, RUN, SCRIPT

pytestmark = pytest.mark.browser
#: milliseconds, for a machine that has much else to do
_PATIENCE = 180_000
CHARTS = ("map", "dendrogram", "length", "turn", "layers")


@pytest.fixture(scope="module")
def url(hostile: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    target = tmp_path_factory.mktemp("browser") / "report.html"
    report(Workspace.open(hostile, author="T <t@example.org>"), target)
    return target.as_uri()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("there is no chromium")
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as driver:
        # no sandbox: tests may run as root
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"], timeout=_PATIENCE)
        yield browser
        browser.close()


class Open:
    """A loaded page, with all that it said and asked for."""

    def __init__(self, browser: Any, url: str, scheme: str = "light") -> None:
        self.page = browser.new_page(viewport={"width": 1300, "height": 1000}, color_scheme=scheme)
        self.page.set_default_timeout(_PATIENCE)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(url)
        self.drawn()

    @property
    def chosen(self) -> str:
        return str(self.page.locator("aside h2").inner_text())

    def drawn(self) -> None:
        """Waits until all pictures show the chosen commit. `wait_for_function` would evaluate text in the page, which
        its policy forbids."""
        while not self.page.evaluate("document.documentElement.dataset.drawn === location.hash.slice(1)"):
            self.page.wait_for_timeout(20)

    def pictures(self) -> dict[str, str]:
        """What each chart shows, pixel by pixel, once drawn."""
        self.drawn()
        script = "(id) => document.querySelector(`#${id} canvas`).toDataURL()"
        return {name: self.page.evaluate(script, name) for name in CHARTS}

    def key(self, key: str) -> str:
        self.page.keyboard.press(key)
        return self.chosen


@pytest.fixture
def opened(chromium: Any, url: str) -> Iterator[Open]:
    one = Open(chromium, url)
    yield one
    one.page.close()


def test_it_loads_in_silence_and_names_do_no_harm(opened: Open, url: str) -> None:
    page = opened.page
    for _ in range(12):  # past commits of every name
        opened.key("n")
    for option in page.locator("#map-scope option").all():
        page.select_option("#map-scope", option.get_attribute("value"))
    assert (opened.said, opened.asked) == ([], [url])
    assert page.evaluate("window.harmed") is None
    assert page.locator("body img, body svg, body b, body iframe").count() == 0
    assert page.locator("script").count() == 3
    assert page.title() == "models <b>& · mvc report"
    page.fill("#search", f"{RUN}@3")
    page.keyboard.press("Enter")
    text = page.locator("aside").inner_text()
    assert opened.chosen == f"{RUN}@3"
    assert BREAKS.replace("\u2028", "\\u2028") in text and f"{IMAGE}.weight" in text
    assert re.search(r"time\s+\d{4}-\d\d-\d\d \d\d:\d\d UTC\n", text)
    assert f"{SCRIPT}.weight" in text


def test_a_commit_chosen_in_one_picture_is_marked_in_all(opened: Open) -> None:
    page = opened.page
    page.fill("#search", f"{RUN}@0")
    page.keyboard.press("Enter")
    before = opened.pictures()
    page.locator("#layers").scroll_into_view_if_needed()
    box = page.locator("#layers canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6)
    told = page.locator("#tip strong").inner_text()
    page.mouse.down()
    page.mouse.up()
    assert opened.chosen == told != f"{RUN}@0"
    after = opened.pictures()
    assert [name for name in CHARTS if before[name] == after[name]] == []


@pytest.mark.parametrize("chart", ["map", "dendrogram", "turn"])
def test_a_click_near_a_commit_chooses_it(opened: Open, chart: str) -> None:
    page = opened.page
    page.locator(f"#{chart}").scroll_into_view_if_needed()
    box = page.locator(f"#{chart} canvas").bounding_box()
    found = set()
    for step in range(1, 40):
        page.mouse.move(box["x"] + box["width"] * step / 40, box["y"] + box["height"] * (0.3 + 0.4 * (step % 5) / 5))
        if page.locator("#tip").is_visible():
            told = page.locator("#tip strong").inner_text()
            page.mouse.down()
            page.mouse.up()
            assert opened.chosen == told
            found.add(told)
            page.locator(f"#{chart}").scroll_into_view_if_needed()
            box = page.locator(f"#{chart} canvas").bounding_box()
        if len(found) > 2:
            break
    assert found


def test_keys_reach_every_commit_and_finding(opened: Open, url: str) -> None:
    page = opened.page
    first = opened.chosen
    assert page.locator("aside .badge").inner_text() == "fail"  # it opens at a finding, and says what to do
    told = page.locator("aside").inner_text()
    assert RULES["MVC004"].remedy in told and "mvc explain MVC004" in told
    page.locator("h1").click()
    back = opened.key("p")
    assert re.search(r"@8$", back) and back != first
    assert opened.key("n") == first == opened.key("f")
    page.focus("#map")
    assert opened.key("ArrowLeft") == back
    other = opened.key("ArrowDown")
    assert other != back
    assert opened.key("ArrowUp") != other
    assert page.locator("#said").inner_text().startswith(opened.chosen)
    opened.key("f")
    assert re.search(
        r", step length [\d.]+, turn [\d.]+ degrees, fail, abnormal step", page.locator("#said").inner_text()
    )
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("no such commit")
    page.keyboard.press("Enter")
    assert page.locator("#search.unknown").count() == 1
    # every control and picture can be reached by Tab
    page.locator("body").press("Tab")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"search", *CHARTS, "map-scope"} <= reached


def test_the_focus_is_seen_and_not_lost(opened: Open) -> None:
    page = opened.page
    focus = "[document.activeElement.dataset.move ?? document.activeElement.id, document.activeElement.tagName]"
    page.locator("[data-move=before]").focus()
    before = opened.chosen
    assert opened.key("Enter") != before
    assert page.evaluate(focus) == ["before", "BUTTON"]
    page.locator("aside .plain").first.focus()
    page.keyboard.press("Enter")
    assert page.evaluate(focus) == ["page", "ASIDE"]
    page.keyboard.press("/")
    page.keyboard.type("nothing of this name")
    page.keyboard.press("Enter")
    assert page.locator("#unknown").inner_text() == "No commit fits."
    page.keyboard.press("Escape")
    assert (page.input_value("#search"), page.locator("#unknown").is_visible()) == ("", False)
    page.locator("body").press("Tab")
    for _ in range(40):
        page.keyboard.press("Tab")
        style = page.evaluate(
            "(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle; })()"
        )
        assert style != "none" or page.evaluate("document.activeElement === document.body")


def test_the_ends_of_a_lineage_are_a_key_away(opened: Open) -> None:
    opened.page.focus("#length")
    assert (opened.key("Home")[-2:], opened.key("End")[-2:]) == ("@0", "@9")


def test_lineages_that_fail_stand_first(opened: Open) -> None:
    page = opened.page
    page.locator("h1").click()
    failing = opened.key("f")
    row = page.locator("#lineages tbody tr").first
    assert row.get_attribute("class") == "chosen"
    row.get_by_role("button").nth(1).click()
    assert opened.chosen == failing


def test_the_charts_figures_stand_in_a_table(opened: Open) -> None:
    page = opened.page
    assert page.locator("#steps table tbody tr").count() == 0
    page.locator("#steps summary").focus()
    page.keyboard.press("Enter")
    page.locator("#steps tbody tr").first.wait_for()
    assert page.locator("#steps tbody tr").count() == 10
    assert page.locator("#steps tr.chosen").inner_text().startswith(opened.chosen)
    page.locator("#steps tbody tr button").nth(3).click()
    assert opened.chosen == page.locator("#steps tr.chosen button").inner_text()
    assert page.locator("#steps tr.chosen").count() == 1
    assert {page.locator(f"#{chart}").get_attribute("role") for chart in CHARTS} == {"application"}
    names = [page.locator(f"#{chart}").get_attribute("aria-label") for chart in CHARTS]
    assert [name.split(".")[0] for name in names] == [
        *("Map", "Dendrogram", "Step length", "Turning angle", "Layers by steps")
    ]


#: the contrast (WCAG 2.2) of each text with what lies under it, where it is less than 4.5
_PALE = """() => {
  const channel = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const paint = (colours) => {
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    return context.getImageData(0, 0, 1, 1).data;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const own = node.parentElement;
    if (!node.data.trim() || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(own.tagName) || !own.checkVisibility()) continue;
    const grounds = [];  // on white paper
    for (let one = own; one; one = one.parentElement) grounds.unshift(getComputedStyle(one).backgroundColor);
    const [a, b] = [paint(["white", ...grounds]), paint(["white", ...grounds, getComputedStyle(own).color])].map(light);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push([node.data.trim().slice(0, 40), own.className, Number(ratio.toFixed(2))]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(chromium: Any, url: str, scheme: str) -> None:
    one = Open(chromium, url, scheme)
    one.page.locator("#steps summary").click()
    for name in (f"{RUN}@0", "v1"):  # a commit that check skipped, and an average
        one.page.fill("#search", name)
        one.page.keyboard.press("Enter")
        assert one.page.evaluate(_PALE) == []
    one.page.locator("h1").click()
    one.key("f")
    assert one.page.evaluate(_PALE) == []
    one.page.emulate_media(media="print")  # ink on paper, whatever the screen had
    assert one.page.evaluate(_PALE) == []
    one.page.close()


def test_an_address_leads_to_a_commit(chromium: Any, opened: Open, url: str) -> None:
    opened.page.fill("#search", "v1")
    opened.page.keyboard.press("Enter")
    address = opened.page.url
    assert re.search(r"#[0-9a-f]{64}$", address)
    again = Open(chromium, address)
    assert again.chosen == opened.chosen
    assert "Averaged of" in again.page.locator("aside").inner_text().replace("AVERAGED OF", "Averaged of")
    again.page.close()


def test_what_check_skipped_is_said_in_sight(opened: Open) -> None:
    page = opened.page
    page.fill("#search", f"{RUN}@0")
    page.keyboard.press("Enter")
    badge = page.locator("aside .badge")
    assert badge.inner_text() == "skip"
    assert badge.bounding_box()["x"] > page.locator("aside").bounding_box()["x"]


def test_a_phone_shows_the_verdict_first_and_paper_shows_everything(opened: Open) -> None:
    page = opened.page
    page.set_viewport_size({"width": 420, "height": 800})
    top = {name: page.locator(name).bounding_box()["y"] for name in ("#verdict", "#length", "aside", "#map")}
    assert sorted(top, key=lambda name: top[name]) == ["#verdict", "#length", "aside", "#map"]
    assert page.evaluate("document.documentElement.scrollWidth") == 420
    page.set_viewport_size({"width": 1300, "height": 400})
    page.emulate_media(media="print")
    cut = "[...document.querySelectorAll('aside, .scroll')].filter((e) => e.scrollHeight > e.clientHeight + 1).length"
    assert page.evaluate(cut) == 0
    page.set_viewport_size(
        {"width": 720, "height": 400}
    )  # paper is narrower than the window that charts were drawn for
    wide = "[...document.querySelectorAll('canvas')].filter((e) => e.clientWidth > e.parentElement.clientWidth).length"
    assert page.evaluate(wide) == 0
    assert not page.locator("#search").is_visible()


def test_it_follows_the_systems_colours(opened: Open) -> None:
    light = opened.pictures()
    ground = "getComputedStyle(document.body).backgroundColor"
    assert opened.page.evaluate(ground) == "rgb(246, 248, 250)"
    opened.page.emulate_media(color_scheme="dark")
    assert opened.page.evaluate(ground) == "rgb(1, 4, 9)"
    opened.page.locator("html[data-theme=dark]").wait_for(state="attached")
    dark = opened.pictures()
    assert [name for name in CHARTS if light[name] == dark[name]] == []
    assert opened.said == []
