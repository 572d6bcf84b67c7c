"""README as the page of a package index, where a path in the repository leads nowhere.

The build backend calls this hook, see pyproject.toml. The repository's address is known where
GitHub builds, from variables that its workflows set; links and pictures then get whole addresses.
Elsewhere a link becomes its text, and a picture is left out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

# ![alt](target) or [text](target), the text perhaps over several lines; whole addresses, and the
# page's own headings, are left alone
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+://|#)([^)\s]+)\)")


class PypiPage(MetadataHookInterface):
    """Fills in what pyproject.toml calls dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the page and the project's addresses."""
        repository, version = where_github_builds(os.environ)
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = with_whole_addresses(readme, repository, version)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = (
            {
                "Source": repository,
                "Issues": f"{repository}/issues",
                "Changelog": f"{repository}/blob/{version}/CHANGELOG.md",
            }
            if repository
            else {}
        )


def where_github_builds(variables: Mapping[str, str]) -> tuple[str, str]:
    """The repository's address, and the tag or branch that is built; empty elsewhere."""
    if "GITHUB_REPOSITORY" not in variables:
        return "", ""
    server = variables.get("GITHUB_SERVER_URL", "https://github.com")
    version = variables.get("GITHUB_REF_NAME", "HEAD")
    return f"{server}/{variables['GITHUB_REPOSITORY']}", version


def with_whole_addresses(readme: str, repository: str, version: str) -> str:
    """Lead links to the repository's pages, and pictures to its files."""

    def replacement(match: re.Match[str]) -> str:
        picture, text, path = match.groups()
        if not repository:
            return "" if picture else text
        kind = "raw" if picture else "blob"
        return f"{picture}[{text}]({repository}/{kind}/{version}/{path})"

    return LINK.sub(replacement, readme)
