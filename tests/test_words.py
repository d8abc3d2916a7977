"""The words of the documents: private ones, which only their author would use, do not come back.

CONTRIBUTING.md has the pairs of words, under its glossary mark; the words below are those of them
that are never right. Code in documents is exempt, and so are names of figures and keys of files.
"""

import re
from pathlib import Path

import pytest

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
GLOSSARY = "<!-- glossary -->"  # the table after it quotes the words
CODE = re.compile(r"```.*?```|`[^`\n]*`|^ {4}\S.*$", re.DOTALL | re.MULTILINE)
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PATTERN = re.compile(rf"\b({'|'.join(BANNED)})\b", re.IGNORECASE)


def banned_words(text: str) -> list[str]:
    """Each banned word with its line, as a message."""
    messages = []
    for number, line in enumerate(text.splitlines(), 1):
        messages += [f"line {number}: {word!r}, write: {BANNED[word.lower()]}" for word in PATTERN.findall(line)]
    return messages


def without_code(text: str) -> str:
    """The prose of a document: code is blanked, lines keep their numbers."""
    return CODE.sub(lambda code: "\n" * code[0].count("\n"), text.partition(GLOSSARY)[0])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_banned_words_are_not_in_documents(path):
    assert not banned_words(without_code(path.read_text(encoding="utf-8")))


def test_a_banned_word_is_noticed_in_prose_and_not_in_code():
    text = "It is told.\n\n```python\ntold = 1\n```\n\nThe kind `beside`, So Many."
    assert banned_words(without_code(text)) == [
        "line 1: 'told', write: reported, printed, said",
        "line 7: 'So Many', write: this many",
    ]
