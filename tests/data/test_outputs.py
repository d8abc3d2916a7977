"""Names of outputs: which is a folder, which a file, and which is refused."""

import pytest

from narrows.data.outputs import any_place, file_place, folder_place
from narrows.data.write import image_place
from narrows.errors import OutputError

KNOWN = (".png", ".npy")


@pytest.mark.parametrize(
    ("output", "many", "ending"),
    [
        ("x.png", False, ".png"),
        ("x.NPY", True, ".npy"),
        ("x", False, ""),
        ("x/", False, ""),
        ("x_0.1/", False, ""),
        ("x.png/", False, ""),
        ("there.png", False, ""),
        ("there_0.5", False, ""),
        ("x_0.1", True, ""),
        ("x.v2", True, ""),
    ],
)
def test_an_output_is_a_folder_by_a_slash_by_being_one_or_by_many_files(
    tmp_path, monkeypatch, output, many, ending
):
    monkeypatch.chdir(tmp_path)
    for name in ("there.png", "there_0.5"):
        (tmp_path / name).mkdir()
    place = any_place(output, "images", KNOWN, many)
    assert (place.ending, place.is_folder) == (ending, not ending)
    assert str(place.path) == output.rstrip("/")


@pytest.mark.parametrize(("output", "many"), [("x.doc", True), ("x_0.1", False), ("x.pngg", True)])
def test_an_ending_that_is_not_written_is_refused_with_what_to_do(output, many):
    with pytest.raises(OutputError, match=r"use \.png, \.npy, or end the name of a folder in /"):
        any_place(output, "images", KNOWN, many)


def test_a_file_is_needed_where_a_table_is_written(tmp_path):
    assert file_place("x.csv", "scores").ending == ".csv"
    assert file_place("x", "scores").path.name == "x"
    for output in ("x/", str(tmp_path)):
        with pytest.raises(OutputError, match="is a folder; scores need the name of a file"):
            file_place(output, "scores")
    with pytest.raises(OutputError, match=r"codes are written as \.npz, not as \.doc"):
        file_place("x.doc", "codes", (".npz",))


def test_a_folder_is_needed_where_many_files_are_written(tmp_path):
    (tmp_path / "x").write_text("mine")
    assert folder_place("maps_0.5").is_folder
    with pytest.raises(OutputError, match="is a file; a folder's name is needed"):
        folder_place(str(tmp_path / "x"))
    with pytest.raises(OutputError, match="is a file; a folder's name is needed"):
        image_place(f"{tmp_path / 'x'}")
