"""`explore`: a page that is whole, that is valid, and that works in a browser."""

from __future__ import annotations

import json
import re
import time
from contextlib import ExitStack
from html.parser import HTMLParser

import numpy as np
import pytest

import functrace as ft
from functrace.errors import ArgumentError
from tests.exploring.running import browser, evaluated, resize

VOID = {"meta", "input", "link", "br"}


class Document(HTMLParser):
    """The elements of a page; what is opened must be closed."""

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.elements = []
        self.texts = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


def neuron(w, b, x=2.0, y=1.0):
    z = w * x + b
    a = 1 / (1 + np.exp(-z))
    return (a - y) ** 2


def hostile(x):
    text = (
        "</script><script>document.title = 'taken'</script><!-- <img src=x onerror=alert(1)> &amp;"
    )
    return np.sin(x) * len(text)


def data_of(text):
    """The data in a page."""
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_the_page_is_one_whole_file(tmp_path):
    page = ft.explore(neuron)(0.5, -0.25)
    page.save(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text == page.html
    document = Document(text)
    assert text.startswith("<!doctype html>")
    assert not re.search(r"https?:|//[a-z]+\.|\bimport\b|\bfetch\b|XMLHttpRequest|url\(", text)
    for _, attributes in document.elements:
        assert not {"src", "href", "srcset"} & attributes.keys()
    (policy,) = [a["content"] for _, a in document.elements if "http-equiv" in a]
    assert policy.startswith("default-src 'none'")
    assert len(text) < 100_000
    assert repr(page) == "<page that explores neuron: 8 steps>"


def test_pages_have_all_that_they_show():
    data = data_of(ft.explore(neuron)(0.5, -0.25).html)
    titles = ["Program", "Program of the gradient", "Simplified", "NumPy source"]
    assert [pane["title"] for pane in data["panes"]] == titles
    assert any(line["text"] == "    z = w * x + b" for line in data["source"])
    assert [x["name"] for x in data["inputs"]] == ["w", "b"]
    assert len(data["steps"]) == 8
    gradient = ft.grad(neuron, argnums=(0, 1))(0.5, -0.25)
    found = [x["gradients"][0]["data"][0] for x in data["inputs"]]
    np.testing.assert_allclose(found, gradient)
    lines = {line.get("line") for line in data["source"]}
    assert {place["line"] for place in data["places"]} <= lines


def test_what_users_write_is_no_part_of_the_page():
    text = ft.explore(hostile)(0.5).html
    Document(text)
    assert text.count("</script>") == 3
    assert "<img" not in text
    assert any("</script>" in line["text"] for line in data_of(text)["source"])
    bad = lambda x: x
    bad.__name__ = "<b>&{{data}}"
    text = ft.explore(bad)(1.0).html
    assert "<title>&lt;b&gt;&amp;{{data}}</title>" in text
    assert data_of(text)["title"] == "<b>&{{data}}"


def test_numbers_that_are_not_finite():
    with np.errstate(all="ignore"):
        text = ft.explore(lambda x: np.sum(np.log(x)))(np.array([0.0, -1.0, np.inf])).html
    data = data_of(text)
    assert data["inputs"][0]["value"]["data"] == [0, -1, "inf"]
    assert data["steps"][0]["values"][0]["data"] == ["-inf", "nan", "inf"]


def test_large_programs_show_what_was_recorded():
    w, x = np.ones(100), np.ones((500, 100))
    page = ft.explore(lambda w, x: np.mean(np.tanh(x @ w) ** 2))(w, x)
    data = data_of(page.html)
    assert data["program"] is None
    assert data["reason"].startswith("there are 50,6")
    assert "about" in data["inputs"][1]["value"]
    assert len(page.html) < 150_000
    products = ft.explore(lambda n: np.sum(np.outer(n, n)))(np.arange(900))
    assert products.data["reason"].endswith("numbers are computed, of at most 200,000")


def test_notebooks_and_files(tmp_path):
    page = ft.explore(np.sin)(1.0)
    frame = page._repr_html_()
    ((tag, attributes),) = Document(frame).elements
    assert tag == "iframe"
    assert attributes["srcdoc"] == page.html
    assert attributes["sandbox"] == "allow-scripts"
    with pytest.raises(ArgumentError, match=r"saved as \.html, not as 'page\.png'"):
        page.save(tmp_path / "page.png")


def test_names():
    assert ft.explore(ft.jit(neuron))(0.5, -0.25).title == "neuron"
    assert ft.explore(lambda x: x)(0.5).title == "<lambda>"


# In a browser


@ft.jit
def layer(w, b, x):
    return np.tanh(x @ w + b)


def network(params, x, y):
    h = layer(params["W1"], params["b1"], x)
    out = h @ params["W2"]
    return np.mean((out - y) ** 2)


def decided(x):
    while x > 1:
        x = x / 2
    return np.sqrt(x)


def several(x):
    return {"a": np.sin(x), "n": np.sum(x)}


def unknown(a):
    return np.linalg.slogdet(a)[1] + np.sum(a)


PARAMS = {"W1": np.linspace(-1, 1, 6).reshape(2, 3), "b1": np.zeros(3), "W2": np.full((3, 1), 0.5)}
X, Y = np.arange(8.0).reshape(4, 2) / 4, np.ones((4, 1))
PAGES = {
    "neuron": (neuron, (0.5, -0.25)),
    "network": (network, (PARAMS, X, Y)),
    "decided": (decided, (5.0,)),
    "several": (several, (np.arange(3.0),)),
    "unknown": (unknown, (np.eye(2) * 3,)),
    "hostile": (hostile, (0.5,)),
    "whole": (lambda n: n * 2 + 1, (3,)),
    "complex": (lambda z: np.abs(z * z), (1 + 2j,)),
    "flags": (lambda at, x: np.sum(np.where(at, x, 0.0)), (np.arange(2) > 0, np.ones(2))),
    "bytes": (lambda n: n + n, (np.array([200, 3], np.uint8),)),
    "constant": (lambda x: 3.0, (1.0,)),
    "large": (lambda w, x: np.mean(np.tanh(x @ w)), (np.ones(100), np.ones((500, 100)))),
}  # fmt: skip


COMPUTED = """
  const data = evaluator.revived(given);
  const inputs = data.inputs.map((x) => x.value);
  const seen = new Map();
  evaluator.run(data.program, inputs, seen);
  const gradient = data.gradient && evaluator.run(data.gradient, [...inputs, ...data.seeds]);
  return data.steps.map(({ line, outputs }) => [
    seen.get(data.panes[0].lines[line].path).map((x) => x.data),
    (outputs ?? []).map((n) => (n === null ? null : gradient[n].data)),
  ]);
"""


@pytest.mark.parametrize("name", ["neuron", "network", "decided", "several", "whole", "flags"])
def test_what_the_page_computes_first_is_what_was_recorded(name):
    f, args = PAGES[name]
    data = data_of(ft.explore(f)(*args).html)
    for step, (values, gradients) in zip(data["steps"], evaluated(COMPUTED, data), strict=True):
        for value, computed in zip(step["values"], values, strict=True):
            np.testing.assert_allclose(computed, value["data"], rtol=1e-12)
        for value, computed in zip(step.get("gradients", []), gradients, strict=True):
            if value is not None:
                np.testing.assert_allclose(computed, value["data"], rtol=1e-12)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Opens a page in a browser, which is started once."""
    folder = tmp_path_factory.mktemp("pages")
    with ExitStack() as stack:
        driver = stack.enter_context(browser())

        def open_page(name, width=1400):
            file = folder / f"{name}.html"
            if not file.exists():
                f, args = PAGES[name]
                ft.explore(f)(*args).save(file)
            resize(driver, width)
            driver.get(file.as_uri())
            return driver

        yield open_page


def text_of(driver, selector):
    return driver.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map((x) => x.textContent)", selector
    )


def click(driver, name, times=1):
    for _ in range(times):
        driver.execute_script("document.getElementById(arguments[0]).click()", name)


def edit(driver, number, text):
    driver.execute_script(
        "const field = document.querySelectorAll('#numbers input')[arguments[0]];"
        "field.value = arguments[1]; field.dispatchEvent(new Event('input'));",
        number, text,
    )  # fmt: skip


def press(driver, *keys):
    chains = pytest.importorskip("selenium.webdriver.common.action_chains")
    chains.ActionChains(driver).send_keys(*keys).perform()


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_every_page_steps_from_end_to_end_without_errors(opened, name):
    driver = opened(name)
    driver.get_log("browser")
    count = int(driver.execute_script("return document.getElementById('slider').max"))
    click(driver, "forward", count)
    assert text_of(driver, "#where")[0].startswith(f"{count} of {count}: ")
    click(driver, "back", count)
    assert text_of(driver, "#where") == [f"0 of {count}: Start"]
    assert driver.title == (getattr(PAGES[name][0], "__name__", name))
    assert driver.get_log("browser") == []
    asked = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    urls = {
        entry["params"]["request"]["url"].partition(":")[0]
        for entry in asked
        if entry["method"] == "Network.requestWillBeSent"
    }
    assert urls <= {"file", "data"}


@pytest.mark.slow
def test_steps_show_forward_and_backward_values(opened):
    driver = opened("neuron")
    assert text_of(driver, ".f") == text_of(driver, ".g") == []
    click(driver, "forward", 2)
    assert text_of(driver, ".current .code") == ["d: weak_float64 = add(c, b)  # z"]
    assert text_of(driver, ".f") == ["1", "0.75"]
    assert text_of(driver, "#now h2") == ["Forward: z"]
    assert "z = w * x + b" in text_of(driver, "#now .what")
    click(driver, "last")
    w, b = (f"{float(g):.4g}" for g in ft.grad(neuron, argnums=(0, 1))(0.5, -0.25))
    assert text_of(driver, "#numbers .g") == [w, b]
    assert len(text_of(driver, ".listing .f")) == len(text_of(driver, ".listing .g")) == 8


@pytest.mark.slow
def test_keys_step_and_walk_through_lines(opened):
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    driver = opened("neuron")
    driver.execute_script("document.body.focus()")
    press(driver, keys.ARROW_RIGHT, keys.ARROW_RIGHT, keys.ARROW_LEFT)
    assert text_of(driver, "#where")[0].startswith("1 of 17: Forward")
    press(driver, keys.END)
    assert text_of(driver, "#where")[0].startswith("17 of 17")
    press(driver, keys.HOME)
    driver.execute_script("document.querySelector('#source .listing').focus()")
    press(driver, keys.ARROW_DOWN, keys.ARROW_DOWN, keys.ARROW_DOWN)
    assert text_of(driver, "#source .active .code") == ["z = w * x + b"]
    lit = text_of(driver, "#right section:first-child .lit .code")
    assert lit == ["c: weak_float64 = multiply(a, 2.0)", "d: weak_float64 = add(c, b)  # z"]


@pytest.mark.slow
def test_a_line_lights_up_all_that_it_became(opened):
    driver = opened("neuron")
    chains = pytest.importorskip("selenium.webdriver.common.action_chains")
    (line,) = [
        x for x in driver.find_elements("css selector", "#source .line") if "np.exp" in x.text
    ]
    chains.ActionChains(driver).move_to_element(line).perform()
    for pane in range(1, 5):
        assert text_of(driver, f"#right section:nth-child({pane}) .lit"), pane
    assert not text_of(driver, "#source mark")
    (step,) = [
        x for x in driver.find_elements("css selector", "#right .line") if " exp(" in x.text
    ][:1]
    chains.ActionChains(driver).move_to_element(step).perform()
    assert text_of(driver, "#source mark") == ["np.exp(-z)"]
    assert len(text_of(driver, "#source .lit")) == 1
    line.click()  # which keeps it
    chains.ActionChains(driver).move_to_element(driver.find_element("id", "play")).perform()
    assert ["np.exp" in text for text in text_of(driver, "#source .lit")] == [True]
    click(driver, "forward")
    assert ["w * x" in text for text in text_of(driver, "#source .lit")] == [True]


@pytest.mark.slow
def test_edited_numbers_are_computed(opened):
    driver = opened("network")
    assert driver.execute_script("return document.documentElement.dataset.computes") == "all"
    edit(driver, 0, "0.75")
    click(driver, "last")
    params = {**PARAMS, "W1": PARAMS["W1"].copy()}
    params["W1"][0, 0] = 0.75
    shown = text_of(driver, "#right section:first-child .f")[-1]
    assert shown == f"{network(params, X, Y):.4g}"
    gradient = ft.grad(network)(params, X, Y)
    first = " ".join(f"{float(x):.4g}" for x in gradient["W1"].ravel()[:4])
    assert text_of(driver, "#numbers .g")[0] == f"[{first} …]"
    edit(driver, 0, "half")
    assert "cannot be read" in text_of(driver, "#status")[0]
    invalid = "return document.querySelectorAll('[aria-invalid=true]').length"
    assert driver.execute_script(invalid) == 1
    click(driver, "reset")
    assert text_of(driver, "#right section:first-child .f")[-1] == f"{network(PARAMS, X, Y):.4g}"
    edit(driver, 0, "nan")
    assert text_of(driver, "#right section:first-child .f")[-1] == "nan"


@pytest.mark.slow
def test_what_the_page_cannot_compute_it_says(opened):
    driver = opened("unknown")
    assert "does not know the primitive slogdet" in text_of(driver, "#status")[0]
    assert text_of(driver, "#numbers input") == []
    assert len(text_of(driver, "#numbers td")) == 4
    driver = opened("decided")
    assert "Python has asked for values" in text_of(driver, "#about")[0]
    driver = opened("large")
    assert "50,602 numbers" in text_of(driver, "#status")[0]
    driver = opened("whole")
    assert "There is no gradient" in text_of(driver, "#about")[0]
    edit(driver, 0, "2.5")
    assert "cannot be read" in text_of(driver, "#status")[0]
    edit(driver, 0, "5")
    click(driver, "last")
    assert text_of(driver, ".f") == ["10", "11"]
    driver = opened("bytes")
    edit(driver, 0, "256")
    assert "cannot be read" in text_of(driver, "#status")[0]
    edit(driver, 0, "255")
    click(driver, "last")
    assert text_of(driver, ".f") == ["[254 6]"]


@pytest.mark.slow
def test_one_of_several_results(opened):
    driver = opened("several")
    options = text_of(driver, "#result option")
    assert options == ["result['a'][0]", "result['a'][1]", "result['a'][2]", "result['n']"]
    click(driver, "last")
    assert text_of(driver, "#numbers .g") == ["[1 0 0]"]
    driver.execute_script(
        "const select = document.getElementById('result'); select.value = 3;"
        "select.dispatchEvent(new Event('change'))"
    )
    assert text_of(driver, "#numbers .g") == ["[1 1 1]"]


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_wider_than_the_screen(opened, width):
    for name in ("network", "several", "large", "hostile"):
        driver = opened(name, width)
        click(driver, "last")
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width, name


CONTRAST = """
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((x) => x / 255).map((x) =>
      (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (!/, 0\\)$/.test(colour) && colour !== "transparent") return colour;
    }
  };
  return [...document.querySelectorAll(".code, .gutter, .f, .g, .hint, h1, h2, #status, #about")]
    .filter((node) => node.textContent)
    .map((node) => {
      const [a, b] = [luminance(getComputedStyle(node).color), luminance(behind(node))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    });
"""


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_letters_can_be_read_in_light_and_in_dark(tmp_path, dark):
    ft.explore(neuron)(0.5, -0.25).save(tmp_path / "page.html")
    with browser(dark=dark) as driver:
        driver.get((tmp_path / "page.html").as_uri())
        click(driver, "forward", 14)
        ratios = driver.execute_script(CONTRAST)
        assert len(ratios) > 50
        assert min(ratios) >= 4.5
        paper = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", paper))) < 300) == dark


@pytest.mark.slow
def test_playing(opened):
    driver = opened("whole")
    click(driver, "play")
    assert text_of(driver, "#play") == ["Stop"]
    for _ in range(60):
        if text_of(driver, "#where")[0].startswith("2 of 2"):
            break
        time.sleep(0.1)
    assert text_of(driver, "#where")[0].startswith("2 of 2")
