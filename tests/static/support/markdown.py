"""Markdown as GitHub reads it: links, anchors, code; for the tests of the documentation."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.static.support.project import ROOT, tracked

_FENCE: Final = re.compile(r"^\s*(`{3,}|~{3,})\s*(\S*).*$")
_CODE: Final = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK: Final = re.compile(
    r"!?\[(?P<text>[^\]]*)\]\(\s*<?(?P<target>[^)\s>]*)>?(?:\s+\"[^\"]*\")?\s*\)"
)
_DEFINITION: Final = re.compile(r"^ {0,3}\[(?P<name>[^\]]+)\]:\s*<?(?P<target>[^\s>]+)")
_REFERENCE: Final = re.compile(r"\[(?P<text>[^\]]+)\]\[(?P<name>[^\]]*)\]")
_HEADING: Final = re.compile(r"^ {0,3}#{1,6}\s+(?P<text>.*?)\s*#*\s*$")
_EXPLICIT: Final = re.compile(r"<a\s+(?:id|name)=\"([^\"]+)\"")
_SHELL: Final = ("", "bash", "sh", "shell", "console")


@dataclass(frozen=True)
class Link:
    """A link and the line it is in."""

    target: str
    line: int


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> "Page":
        """The file at `path`."""
        return cls(path, path.read_text())

    @property
    def name(self) -> str:
        """The path from the root of the repository."""
        return self.path.relative_to(ROOT).as_posix()

    def prose(self) -> list[str]:
        """All lines; those of code blocks are empty, so that numbers of lines fit."""
        lines, fence = [], ""
        for line in self.text.splitlines():
            found = _FENCE.match(line)
            if found and not fence:
                fence = found[1]
            elif found and found[1].startswith(fence) and not found[2]:
                fence = ""
            elif not fence:
                lines.append(line)
                continue
            lines.append("")
        return lines

    def blocks(self) -> list[str]:
        """The content of each code block of shell commands."""
        found: list[str] = []
        fence = ""
        for line in self.text.splitlines():
            mark = _FENCE.match(line)
            if mark and not fence:
                fence = mark[1]
                wanted = mark[2] in _SHELL
                found += [""] if wanted else []
            elif mark and mark[1].startswith(fence) and not mark[2]:
                fence = ""
            elif fence and wanted:
                found[-1] += line.strip() + "\n"
        return found

    def code(self) -> list[str]:
        """Each piece of inline code, on one line; none goes beyond its paragraph."""
        paragraphs = re.split(r"\n\s*\n|\n(?=\s*(?:[-*|]|\d+\.) ?)", "\n".join(self.prose()))
        spans = (match[2] for text in paragraphs for match in _CODE.finditer(text))
        return [" ".join(span.split()) for span in spans]

    def links(self) -> Iterator[Link]:
        """Every link; a reference without a definition leads to `[name]`."""
        lines = [_CODE.sub("", line) for line in self.prose()]
        known = {d["name"].lower(): d["target"] for d in map(_DEFINITION.match, lines) if d}
        for number, line in enumerate(lines, 1):
            definition = _DEFINITION.match(line)
            if definition:
                yield Link(definition["target"], number)
                continue
            for found in _LINK.finditer(line):
                yield Link(found["target"], number)
            for found in _REFERENCE.finditer(line):
                name = found["name"] or found["text"]
                yield Link(known.get(name.lower(), f"[{name}]"), number)

    def anchors(self) -> set[str]:
        """The anchors that GitHub gives the headings, and those that are written down."""
        found, seen = set(), Counter[str]()
        for line in self.prose():
            found |= set(_EXPLICIT.findall(line))
            if heading := _HEADING.match(line):
                slug = anchor(heading["text"])
                found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
                seen[slug] += 1
        return found


def anchor(heading: str) -> str:
    """What GitHub makes of the text of a heading: github.com/gjtorikian/html-pipeline."""
    text = _LINK.sub(lambda found: found["text"], heading)
    text = re.sub(r"<[^>]+>", "", text)
    text = re.sub(r"(?<!\w)_([^_]+)_(?!\w)", r"\1", text)
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def pages() -> list[Page]:
    """Every Markdown file of the repository."""
    return [Page.read(path) for path in tracked() if path.suffix == ".md"]


def documentation() -> list[Page]:
    """What describes the present state: all but the changelog, which tells of former ones."""
    return [page for page in pages() if page.name != "CHANGELOG.md"]
