"""Fill pages of the site that come from the program: the commands with their options."""

from __future__ import annotations

from typing import Any

COMMANDS = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the marker for the commands by their descriptions; mkdocs calls it for each page."""
    return markdown.replace(COMMANDS, commands()) if COMMANDS in markdown else markdown


def commands() -> str:
    """Every command of the command line with its options, as Markdown from the second heading level on."""
    from corit.cli import app

    text = app.generate_docs(heading_level=1)
    return text[text.index("\n## corit ") :]
