"""The words of documents and code: private ones, which only their author would use, do not come
back.

CONTRIBUTING.md has the pairs of words, under its glossary mark; the words below are those of them
that are never right. In documents code is exempt, in code the names that files have.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import narrows

ROOT = Path(__file__).parents[1]
BANNED = {  # word -> what to write
    "told": "reported, printed, said",
    "beside": "next to, with, against, compared with",
    "the house": "the package",
    "so many": "this many",
    "onward": "incremental fit, resume",
    "spoilt": "bad weights",
    "oddness": "anomaly, anomaly score",
    "where there is": "if there is",
    "where there are": "if there are",
    "no number": "not finite, NaN",
    "no numbers": "not finite, NaN",
    "slope": "gradient",
    "slopes": "gradient",
}
BANNED_IN_CODE = ["told", "beside", "the house", "so many", "onward", "spoilt", "oddness"]
IN_FILES = {  # names of figures and keys, which keep their spelling
    "study/figures/__init__.py": ['"beside": images.beside'],
    "study/figures/images.py": ["def beside("],
    "model/training/progress.py": ['"told": "warnings"'],
}
GLOSSARY = "<!-- glossary -->"  # the table after it quotes the words
CODE = re.compile(r"```.*?```|`[^`\n]*`|^ {4}\S.*$", re.DOTALL | re.MULTILINE)
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCE = Path(narrows.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))


def banned_words(text: str, banned: Iterable[str] = BANNED) -> list[str]:
    """Each banned word with its line, as a message."""
    pattern = re.compile(rf"\b({'|'.join(banned)})\b", re.IGNORECASE)
    messages = []
    for number, line in enumerate(text.splitlines(), 1):
        for word in pattern.findall(line):
            messages.append(f"line {number}: {word!r}, write: {BANNED[word.lower()]}")
    return messages


def without_code(text: str) -> str:
    """The prose of a document: code is blanked, lines keep their numbers."""
    return CODE.sub(lambda code: "\n" * code[0].count("\n"), text.partition(GLOSSARY)[0])


def test_banned_words_are_not_in_documents():
    faults = {
        path.name: banned_words(without_code(path.read_text(encoding="utf-8")))
        for path in DOCUMENTS
    }
    assert not {name: words for name, words in faults.items() if words}


def test_banned_words_are_not_in_code():
    faults = {}
    for path in MODULES:
        name = path.relative_to(SOURCE).as_posix()
        text = path.read_text(encoding="utf-8")
        for allowed in IN_FILES.get(name, ()):
            assert allowed in text
            text = text.replace(allowed, "")
        faults[name] = banned_words(text, BANNED_IN_CODE)
    assert not {name: words for name, words in faults.items() if words}


def test_a_banned_word_is_noticed_in_prose_and_not_in_code():
    text = "It is told.\n\n```python\ntold = 1\n```\n\nThe kind `beside`, So Many."
    assert banned_words(without_code(text)) == [
        "line 1: 'told', write: reported, printed, said",
        "line 7: 'So Many', write: this many",
    ]
