"""A TOML file as a dict; for one that cannot be read, the line, the column and the usual cause."""

import re
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

from narrows.errors import DataError, did_you_mean
from narrows.reading import cause_of, reading

LONGEST = 1 << 20  # bytes of a file
MOST_TRIED = 200  # lines behind which an end may be missing: each is a reading of all before it
SLIPS = {  # the beginning of what tomllib says -> the usual cause
    "Invalid value": "texts stand in straight quotes, true and false have no capitals, "
    "numbers begin with a digit",
    "Cannot overwrite a value": "the key is given twice",
    "Cannot declare": "tables of which there are several have double brackets, as in [[runs]]",
    'Expected "\'"': "the text has no end",
    "Illegal character '\\n'": "the text has no end",
    "Unclosed array": "values stand between [ and ], with commas",
    "Unescaped '\\'": "write \\\\ for a backslash, or put the text in single quotes",
    "Expected newline": "one key = value a line",
    "Expected '='": "a key of several words stands in quotes",
    "Invalid initial character for a key": "a table { ... } stands on one line",
}


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file holds. Raises `DataError` with file, line and column for one that cannot be
    read.
    """
    text = _text(path)
    with reading(path):  # numbers of 5000 digits, arrays in arrays in arrays ...
        try:
            plain = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise DataError(_slip(path, text, str(error))) from error
    if not plain:
        raise DataError(f"{path} is empty: there is no key in it")
    return plain


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LONGEST:
            raise DataError(f"{path} is no study file: it has more than {LONGEST:,} bytes")
        raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")  # some editors mark UTF-8 so
        return raw.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, {_bad_byte(error)}; save the file as UTF-8") from error
    except OSError as error:
        raise DataError(_why_unreadable(path, error)) from error


def _bad_byte(error: UnicodeDecodeError) -> str:
    """Line and column of the first byte that is not UTF-8."""
    before = error.object[: error.start].decode().split("\n")
    place = f"line {len(before)}, column {len(before[-1]) + 1}"
    return f"{place}: the byte {error.object[error.start]:#04x} is not UTF-8"


def _why_unreadable(path: Path, error: OSError) -> str:
    if path.is_dir():
        names = ", ".join(_toml_files(path)) or "none that is .toml"
        return f"{path} is a folder, expected a file; files in it: {names}"
    if not path.exists():
        near = _toml_files(path.parent)
        cure = f"{path.parent} holds no .toml file; docs/studies.md has an example"
        if near:
            cure = did_you_mean(path.name, near)
        return f"there is no file {path}; {cure}"
    return f"{path} cannot be read: {cause_of(error)}"


def _toml_files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("*.toml"))


def _slip(path: Path, text: str, message: str) -> str:
    """tomllib's words, "Invalid value (at line 3, column 5)", with the line itself and the usual
    cause.
    """
    lines = text.split("\n")
    message, _, place = message.rpartition(" (at ")
    row, column = map(int, re.findall(r"\d+", place) or _unended(lines))
    message = re.sub(r"\(('.*?'),?\)", _dotted_key, message)
    cause = _usual_cause(message)
    message = message[:1].lower() + message[1:]
    if line := _printable(lines[row - 1]):
        message += f" in `{line}`"
    return f"{path}, line {row}, column {column}: {message}{cause}"


def _dotted_key(keys: re.Match[str]) -> str:
    """A key as the file has it: tomllib's ('a', 'b') is [a.b]."""
    return f"[{keys[1]}]".replace("', '", ".").replace("'", "")


def _usual_cause(message: str) -> str:
    for beginning, cause in SLIPS.items():
        if message.startswith(beginning):
            return f"; {cause}"
    return ""


def _printable(line: str) -> str:
    """The beginning of a line, with marks for what cannot be printed."""
    beginning = line.strip()[:60]
    return "".join(letter if letter.isprintable() else "?" for letter in beginning)


def _unended(lines: list[str]) -> tuple[int, int]:
    """Row and column of what has no end before the file has: behind the longest beginning that can
    be read.
    """
    for row in range(len(lines), max(0, len(lines) - MOST_TRIED), -1):
        with suppress(tomllib.TOMLDecodeError):
            tomllib.loads("\n".join(lines[: row - 1]))
            return row, len(lines[row - 1].rstrip()) + 1
    return 1, 1
