"""XML read safely: no document types, hence no entities; every element knows its file and line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from msgspec import Struct, field

from riskpipe.errors import InputError
from riskpipe.importers.import_report import LeftOutError


class Element(Struct):
    """One element: its tag without a prefix, its attributes, its own text, its children."""

    tag: str
    attributes: dict[str, str]
    file: str
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    def all(self, *path: str) -> Iterator[Element]:
        """Elements at the end of a path of tags, in the order of the document."""
        if not path:
            yield self
            return
        for child in self.children:
            if child.tag == path[0]:
                yield from child.all(*path[1:])

    def find(self, *path: str) -> Element | None:
        return next(self.all(*path), None)

    def get(self, *path: str) -> str:
        """The text at the end of a path, without the blanks around it; "" where there is none."""
        found = self.find(*path)
        return found.text.strip() if found is not None else ""

    def need(self, *path: str) -> str:
        """:raises LeftOutError: there is no such text."""
        text = self.get(*path)
        if not text:
            raise LeftOutError(f"{'/'.join(path)} is missing")
        return text

    def child(self, *path: str) -> Element:
        """:raises LeftOutError: there is no such element."""
        found = self.find(*path)
        if found is None:
            raise LeftOutError(f"{'/'.join(path)} is missing")
        return found

    def descendants(self, tag: str) -> Iterator[Element]:
        for child in self.children:
            if child.tag == tag:
                yield child
            yield from child.descendants(tag)


def read_xml(path: Path) -> Element:
    """The root element of a file.

    :raises InputError: it cannot be read, is not XML, or has a document type.
    """
    parser = expat.ParserCreate()
    reader = _Reader(path.name, parser)
    try:
        parser.Parse(path.read_bytes(), True)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except expat.ExpatError as error:
        raise InputError(f"{path}: not XML: {error}") from error
    assert reader.root is not None  # expat wants one
    return reader.root


class _Reader:
    """Builds elements from expat's events."""

    def __init__(self, file: str, parser: expat.XMLParserType) -> None:
        self.root: Element | None = None
        self._file, self._parser, self._open = file, parser, list[Element]()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._doctype

    def _doctype(self, *_: object) -> None:
        place = f"{self._file}:{self._parser.CurrentLineNumber}"
        raise InputError(f"{place}: document types (and their entities) are not read; take the <!DOCTYPE> away")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag.rpartition(":")[2], attributes, self._file, self._parser.CurrentLineNumber)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _: str) -> None:
        self._open.pop()

    def _characters(self, text: str) -> None:
        self._open[-1].text += text
