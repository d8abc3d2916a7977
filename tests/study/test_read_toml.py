"""A TOML file is read, or refused in one sentence that says where and what is wrong."""

import errno
import os
import re
from unittest.mock import Mock

import pytest

from narrows.errors import DataError
from narrows.study.read_toml import read_toml


def refused(path) -> str:
    with pytest.raises(DataError) as caught:
        read_toml(path)
    return str(caught.value)


@pytest.fixture
def file(tmp_path):
    """A function that writes a file of text or bytes."""

    def write(content: str | bytes, name: str = "study.toml"):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / name

    return write


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
def test_a_sound_file_is_read(file, mark, end):
    text = end.join(['title = "ü"', "[[runs]]", "epochs = 3", ""])
    assert read_toml(file(mark + text.encode())) == {"title": "ü", "runs": [{"epochs": 3}]}


SOUND = ['title = "ü"', "text = [", '  "one",', "]", "[[runs]]", 'name = "a"', "epochs = 3"]


@pytest.mark.parametrize("row", range(len(SOUND) + 1))
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
@pytest.mark.parametrize("slip", ["x y = 3", "= 1", '"x'])
def test_a_slip_is_reported_with_its_line(file, row, end, slip):
    said = refused(file(end.join([*SOUND[:row], slip, *SOUND[row:]])))
    assert f"study.toml, line {row + 1}, column " in said
    assert "\n" not in said


@pytest.mark.parametrize("row", [0, 1, 4, 5, 6, 7])  # not within the list
@pytest.mark.parametrize("slip", ["z = 'x", 'z = """x', "z = '''x"])
def test_what_has_no_end_is_reported_where_it_begins(file, row, slip):
    said = refused(file("\n".join([*SOUND[:row], slip, *SOUND[row:], ""])))
    assert f"study.toml, line {row + 1}, column {len(slip) + 1}: " in said
    assert f"in `{slip}`" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "a = 1\nb = tru",
            "line 2, column 5: invalid value in `b = tru`; texts stand in straight quotes, ",
        ),
        (
            "a = 1\na = 2\n",
            "line 2, column 6: cannot overwrite a value in `a = 2`; the key is given twice",
        ),
        ("a = 1 b = 2", "line 1, column 7: expected newline or end of document"),
        (
            "[x]\n[x]",
            "cannot declare [x] twice in `[x]`; tables of which there are several have double brackets",
        ),
        ("[x.y]\n[x.y]", "cannot declare [x.y] twice"),
        ('p = "C:\\q"', "write \\\\ for a backslash, or put the text in single quotes"),
        (
            'a = "x\nb = 1',
            "line 1, column 7: illegal character '\\n' in `a = \"x`; the text has no end",
        ),
        ("a = 'x", "line 1, column 7: expected \"'\" in `a = 'x`; the text has no end"),
        (
            "w = [\n1]\nx = [1,\n2\n\n",
            "line 3, column 8: unclosed array in `x = [1,`; values stand between [ and ]",
        ),
        ("a = ", "line 1, column 4: invalid value in `a =`; "),
        ("a = 1\nb = \x01", "line 2, column 5: invalid value in `b = ?`"),
    ],
)
def test_a_slip_is_reported_with_its_cause(file, text, said):
    assert said in refused(file(text))


def test_a_file_that_is_not_utf8_is_reported_with_the_place(file):
    said = refused(file("a = 1\nb = 'grün'".encode("latin-1")))
    assert "line 2, column 8: the byte 0xfc is not UTF-8; save the file as UTF-8" in said
    assert "not UTF-8" in refused(file("a = 1".encode("utf-16")))


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "\ufeff"])
def test_an_empty_file_is_refused(file, text):
    assert "study.toml is empty" in refused(file(text))


def test_a_file_that_is_missing_is_reported_with_its_neighbours(file, tmp_path):
    file("a = 1")
    file("a = 1", "other.toml")
    file("a = 1", "readme.md")
    said = refused(tmp_path / "stdy.toml")
    assert said.endswith("stdy.toml; did you mean 'study.toml'? known: other.toml, study.toml")
    assert "there is no file" in refused(tmp_path / "nowhere" / "study.toml")


def test_a_folder_is_reported_with_the_files_in_it(file, tmp_path):
    assert "is a folder, expected a file; files in it: none" in refused(tmp_path)
    file("a = 1")
    assert refused(tmp_path).endswith("files in it: study.toml")


def test_a_file_that_may_not_be_read_is_refused(file, monkeypatch):
    path = file("a = 1")
    # root may read what has no permissions
    error = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    monkeypatch.setattr(type(path), "read_bytes", Mock(side_effect=error))
    assert re.search("study.toml cannot be read: .*denied", refused(path))


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 100_000, "a = " + "9" * 5000, "a = " + "{a=" * 5000],
    ids=["nest", "9", "{"],
)
def test_what_python_cannot_hold_is_refused_with_the_file(tmp_path, text):
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(DataError, match=f"^{path}"):
        read_toml(path)


def test_a_file_of_megabytes_is_no_study(tmp_path):
    path = tmp_path / "study.toml"
    path.write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(DataError, match="has more than 1,048,576 bytes"):
        read_toml(path)
