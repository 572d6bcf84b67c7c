"""Ask every web address in the notebooks and guides whether it is still there.

``python tools/check_links.py`` prints those that are not, and is run every week.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import nbformat

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\((https?://[^)\s]+)\)")  # [text](address)
# A server may refuse programs, or too many questions at once: the page is there all the same.
THERE = {HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.TOO_MANY_REQUESTS}
PATIENCE = 30  # seconds


def main() -> int:
    """Check all addresses; returns 1 if one of them is gone."""
    addresses = sorted(set(links()))
    with ThreadPoolExecutor(8) as pool:
        problems = [problem for problem in pool.map(trouble, addresses) if problem]
    print(*problems, f"{len(addresses)} addresses, {len(problems)} gone", sep="\n")
    return int(bool(problems))


def links() -> Iterator[str]:
    """Yield the addresses of all links in Markdown, of files and of notebooks' cells."""
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")]:
        yield from LINK.findall(path.read_text(encoding="utf-8"))
    for path in ROOT.glob("notebooks/0*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                yield from LINK.findall(cell.source)


def trouble(address: str) -> str:
    """Say what is wrong with an address: nothing, if its page is there."""
    # LINK admits http and https alone.
    request = Request(address, headers={"User-Agent": "Mozilla/5.0 (link check)"})  # noqa: S310
    try:
        with urlopen(request, timeout=PATIENCE):  # noqa: S310
            return ""
    except HTTPError as error:
        return "" if error.code in THERE else f"{address}: {error.code} {error.reason}"
    except (URLError, TimeoutError) as error:
        return f"{address}: {error}"


if __name__ == "__main__":
    sys.exit(main())
