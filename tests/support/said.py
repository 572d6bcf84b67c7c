"""What one of the pad's tools says to the learner, aloud as well."""

import re
from html import unescape

from digitlab.widgets.tools.base import Tool


def said(tool: Tool) -> str:
    """The words of a tool's status line."""
    assert 'role="status"' in tool._status.value
    return unescape(re.sub(r"<[^>]*>", "", tool._status.value))
