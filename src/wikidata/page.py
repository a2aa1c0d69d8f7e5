"""A dataset card as an HTML page, so that a person can look at it before the world does."""

from html import escape
from typing import Any

import yaml
from markdown_it import MarkdownIt

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; }
th, td { border: 1px solid #8888; padding: 0.2rem 0.6rem; text-align: left; }
pre, code { background: #8882; border-radius: 4px; }
pre { padding: 0.8rem; overflow-x: auto; }
"""


def make_page(card: str) -> str:
    """The page of a card that `card.make_card` made: its metadata, its configs, its text."""
    header, _, body = card.removeprefix("---\n").partition("\n---\n")
    metadata = yaml.safe_load(header)
    configs = metadata.pop("configs", [])
    facts = _table(("metadata", "value"), [(name, _words(value)) for name, value in metadata.items()])
    listed = _table(("config", "files", ""), [_config(config) for config in configs])
    text = MarkdownIt("commonmark", {"html": True}).enable("table").render(body)
    title = escape(str(metadata.get("pretty_name", "Dataset card")))
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n{facts}\n{text}\n<h2>{len(configs):,} configs</h2>\n{listed}\n"
        "</body>\n</html>\n"
    )


def _config(config: dict[str, Any]) -> tuple[str, str, str]:
    paths = ", ".join(files["path"] for files in config["data_files"])
    return config["config_name"], paths, "default" if config.get("default") else ""


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [_row("th", columns), *(_row("td", row) for row in rows)]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _row(kind: str, cells: tuple[str, ...]) -> str:
    return "<tr>" + "".join(f"<{kind}>{escape(cell)}</{kind}>" for cell in cells) + "</tr>"


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
