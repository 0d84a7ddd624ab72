"""The documentation site: it builds without a warning, and a browser shows it without asking anybody else."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
PATIENCE = 60_000

# What a page makes a browser fetch by itself; a link that a reader follows is none of it.
FETCHED = re.compile(r"""<(?:script|img|iframe|source)\b[^>]*\bsrc="([^"]*)"|<link\b[^>]*\bhref="([^"]*)" """.strip())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The site, built as `make docs` does it, once for all workers."""
    base = tmp_path_factory.getbasetemp()
    built = (base if worker_id == "master" else base.parent) / "site"
    with FileLock(f"{built}.lock"):
        if not built.exists():
            if shutil.which("npm") is None and not (ROOT / ".build" / "mermaid" / "mermaid.min.js").exists():
                pytest.skip("npm, which fetches Mermaid, is not installed")
            subprocess.run(["bash", "scripts/setup/mermaid.sh"], cwd=ROOT, check=True)
            command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", f"{built}.unfinished"]
            run = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            assert run.returncode == 0, run.stdout
            Path(f"{built}.unfinished").rename(built)
    return built


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def address(page: Path) -> str:
    """Where the site has a page of docs/."""
    uri = str(page.relative_to(DOCS).with_suffix(""))
    uri = re.sub(r"(^|/)(README|index)$", r"\1", uri)
    return uri if not uri or uri.endswith("/") else f"{uri}/"


def test_every_page_is_in_the_menu(site: Path) -> None:
    menu = (site / "index.html").read_text(encoding="utf-8")
    linked = set(re.findall(r'<a href="([^"#:]*)"[^>]*class="md-nav__link', menu))
    wanted = {address(page) or "." for page in DOCS.rglob("*.md")}
    assert wanted - linked == set(), "name them in the nav of mkdocs.yml"


def test_every_contract_and_every_package_has_a_page(site: Path) -> None:
    contracts = {path.stem for path in (ROOT / "contracts").glob("*.vy")}
    assert {path.name for path in (site / "reference" / "contracts").iterdir()} == contracts
    packages = {
        ".".join(path.parent.relative_to(ROOT / "sdk").parts) for path in (ROOT / "sdk").rglob("__init__.py")
    } - {"fedblocks.abi", "fedblocks.abi.probes", "fedblocks.abi.v1"}
    assert {path.name for path in (site / "reference" / "sdk").iterdir()} == packages


def test_every_public_name_of_a_module_is_in_the_reference(site: Path) -> None:
    html = (site / "reference" / "sdk" / "fedblocks.rollup" / "index.html").read_text(encoding="utf-8")
    source = (ROOT / "sdk" / "fedblocks" / "rollup" / "stf.py").read_text(encoding="utf-8")
    names = re.findall(r"^(?:class|def) ([A-Za-z]\w*)", source, re.MULTILINE)
    assert len(names) > 5
    for name in names:
        assert f'id="fedblocks.rollup.stf.{name}"' in html


def test_nothing_of_the_house_style_is_left_in_the_text(site: Path) -> None:
    for page in (site / "reference" / "sdk").rglob("*.html"):
        text = re.sub(r"<(pre|code)\b.*?</\1>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r":(?:class|func|meth|mod|attr):|&gt;&gt;&gt;", text), page


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    for page in pages(site):
        for found in FETCHED.finditer(page.read_text(encoding="utf-8")):
            assert not re.match(r"(https?:)?//", found[1] or found[2] or ""), f"{page}: {found[0]}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_pages_diagrams_and_the_search_without_a_network(served: str, scheme: Any) -> None:
    from playwright.sync_api import sync_playwright

    requested: list[str] = []
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(color_scheme=scheme)
        page.on("request", lambda request: requested.append(request.url))
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(served)
        page.click("article a:text-is('Concepts')")
        page.wait_for_url("**/concepts/", timeout=PATIENCE)
        page.wait_for_function("document.querySelectorAll('div.mermaid').length == 2", timeout=PATIENCE)
        # Diagrams are drawn into closed shadow trees: what shows from outside is that they take room.
        page.wait_for_function(
            "[...document.querySelectorAll('div.mermaid')].every(each => each.clientHeight > 80)", timeout=PATIENCE
        )
        page.goto(f"{served}reference/contracts/StakingRegistry/")
        assert page.locator("h3#stake").is_visible()
        page.fill(".md-search__input", "slashStake")
        page.wait_for_selector(".md-search-result__item a[href*='StakingRegistry']", timeout=PATIENCE)
        page.set_viewport_size({"width": 400, "height": 800})
        page.goto(f"{served}guides/auditors/")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400, "wide tables scroll by themselves"
        browser.close()
    assert [url for url in requested if not url.startswith((served, "data:", "blob:"))] == []
    assert [each for each in complaints if not each.startswith(("log", "info", "debug"))] == []
