"""`fedblocks tui --demo --serve` in a real browser."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 60.0

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
]


@pytest.fixture
def url():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from fedblocks.cli.main import main; main()", "tui", "--demo", "--serve"]
    server = subprocess.Popen(
        [*command, "--port", str(port), "--speed", "40"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            urlopen(address, timeout=5).read()
            break
        except (URLError, ConnectionError):
            assert server.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.1)
    yield address
    server.terminate()
    server.wait(timeout=20)


def test_a_browser_shows_the_screens_and_its_keys_work(url):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": 1200, "height": 760})
        # The page names a font of another server; it must do without.
        page.route("**/*", lambda route: route.continue_() if route.request.url.startswith(url) else route.abort())
        page.goto(url)
        page.wait_for_selector("body.-first-byte", timeout=PATIENCE * 1000)
        shots = os.environ.get("FEDBLOCKS_SCREENSHOTS")
        page.wait_for_timeout(6_000 if shots else 1_500)
        page.mouse.click(600, 600)  # a page has the keys when it has been clicked on
        tabs = {}
        for name, keys in (("slash", "3 Enter"), ("clients", "2"), ("job", "4 Enter"), ("overview", "1")):
            for key in keys.split():
                page.keyboard.press(key)
                page.wait_for_timeout(2_500 if shots else 600)
            # The second line names the screen; the first one has a clock in it.
            tabs[name] = page.screenshot(clip={"x": 0, "y": 18, "width": 1200, "height": 18})
            if shots:
                page.screenshot(path=f"{shots}/browser-{name}.png")
        browser.close()
    assert len(set(tabs.values())) == len(tabs), "each digit shows another screen"
