"""JavaScript for tests: run by Node.js or, where there is none, by a browser; and that browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

import pytest

EVALUATOR = (files("functrace.exploring") / "evaluate.js").read_text(encoding="utf-8")


def evaluated(body: str, given: Any) -> Any:
    """What a function with this body returns of ``given``, beside the page's evaluator."""
    node = shutil.which("node")
    script = f"{EVALUATOR}\nfunction asked(given) {{ {body} }}\n"
    if node is None:
        with browser() as driver:
            return driver.execute_script(f"{script} return asked(arguments[0]);", given)
    script += (
        'const given = JSON.parse(require("fs").readFileSync(0, "utf8"));'
        "process.stdout.write(JSON.stringify(asked(given)));"
    )
    done = subprocess.run(
        [node, "-e", script], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


@contextmanager
def browser(width: int = 1400, height: int = 900, dark: bool = False) -> Generator[Any]:
    """A Chromium without a window; the test is skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver")
    names = ("chromium", "chromium-browser", "google-chrome")
    binary = next(filter(None, map(shutil.which, names)), None)
    drives = shutil.which("chromedriver")
    if binary is None or drives is None:
        pytest.skip("there is no Chromium with its driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(drives)
    driver = webdriver.Chrome(options=options, service=service)
    try:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        resize(driver, width, height)
        yield driver
    finally:
        driver.quit()


def resize(driver: Any, width: int, height: int = 900) -> None:
    """Show the page as on a screen of this size."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
