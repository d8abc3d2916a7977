"""Shares of inputs: together they are all of them, in order, and each looks at no other's."""

from pathlib import Path

import numpy as np
import pytest

from narrows.data import read_data
from narrows.data.image_set import ImageSet, Span
from narrows.data.packs.pack import pack
from narrows.data.share import Share, part_path, take_share
from narrows.errors import BuildError, DataError
from small_files import write_idx, write_picture


@pytest.mark.parametrize("of", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("total", [1, 2, 7, 19, 20, 1000])
def test_shares_are_neighbours_and_differ_by_one_at_most(total, of):
    rows = [Share(place, of).rows(total) for place in range(1, of + 1)]
    assert [row for one in rows for row in range(total)[one]] == list(range(total))
    counts = {one.stop - one.start for one in rows}
    assert max(counts) - min(counts) <= 1


def test_a_share_is_read_from_its_text(tmp_path):
    assert take_share("2/4") == Share(2, 4)
    assert part_path(tmp_path / "a.b.npz", Share(2, 4)) == tmp_path / "a.b-2-of-4.npz"
    assert part_path(tmp_path / "out", Share(1, 12)) == tmp_path / "out-1-of-12"
    assert part_path(tmp_path / "out", None) == tmp_path / "out"
    with pytest.raises(BuildError, match="got '5/4', expected i/n"):
        take_share("5/4")


@pytest.fixture(params=["folder", "pack", "npy", "idx", "set"])
def data(request, tmp_path, images):
    """Five images or more in a form, two of the files broken."""
    if request.param == "set":
        return "digits"
    for k in range(5):
        write_picture(tmp_path / "in" / "ab"[k > 2] / f"{k}.png", fill=k)
    for name in ("a/0.jpg", "b/9.png"):
        (tmp_path / "in" / name).write_bytes(b"none")
    if request.param == "folder":
        return tmp_path / "in"
    if request.param == "pack":
        pack(tmp_path / "in", tmp_path / "set.tar", check=False)
        return tmp_path / "set.tar"
    if request.param == "idx":
        return write_idx(tmp_path / "x-images-idx3-ubyte", images)
    np.save(tmp_path / "x.npy", images)
    return tmp_path / "x.npy"


@pytest.mark.parametrize("of", [1, 2, 3, 9])
def test_shares_of_a_set_are_the_set(data, of):
    whole = read_data(data)
    parts = [read_data(data, share=Share(place, of)) for place in range(1, of + 1)]
    full = [part for part in parts if len(part)]
    np.testing.assert_array_equal(np.concatenate([part.images for part in full]), whole.images)
    for field in ("names", "labels", "skipped"):
        if getattr(whole, field) is not None:
            assert [one for part in parts for one in getattr(part, field)] == list(
                getattr(whole, field)
            )
    assert {part.classes for part in parts} == {whole.classes}
    spans = [part.span for part in parts if part.span]
    assert len({(span.total, span.inputs) for span in spans}) == 1
    assert [0, *(span.stop for span in spans)] == [
        *(span.first for span in spans),
        len(whole) + len(whole.skipped),
    ]


def inputs(path: Path) -> str:
    span = read_data(path, share=Share(1, 2)).span
    assert span
    return span.inputs


def test_other_inputs_have_another_name(tmp_path, images):
    np.save(tmp_path / "x.npy", images)
    np.save(tmp_path / "y.npy", 255 - images)
    for name in "ab":
        write_picture(tmp_path / "in" / f"{name}.png")
    names = [inputs(tmp_path / data) for data in ("x.npy", "y.npy", "in")]
    (tmp_path / "in" / "b.png").rename(tmp_path / "in" / "c.png")
    names.append(inputs(tmp_path / "in"))
    assert len(set(names)) == 4


def test_a_share_of_a_memory_map_is_a_view_of_it(tmp_path, images):
    np.save(tmp_path / "x.npy", images)
    found = read_data(tmp_path / "x.npy", share=Share(2, 2)).images
    base = found
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)
    np.testing.assert_array_equal(found, images[2:])


def test_a_share_may_hold_nothing_that_can_be_read_but_the_whole_may_not(tmp_path):
    write_picture(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"none")
    found = read_data(tmp_path, share=Share(2, 2))
    assert (len(found), [name for name, _ in found.skipped]) == (0, ["b.png"])
    with pytest.raises(DataError, match="replace or remove it"):
        read_data(tmp_path, share=Share(2, 2), strict=True)
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataError, match="none of the 1 images"):
        read_data(tmp_path)


@pytest.mark.parametrize(
    ("asked", "modes", "given"),
    [
        ("RGB", ["L"], (3,)), ("RGB", ["LA"], (3,)), ("RGB", ["RGBA"], (3,)), ("RGBA", ["RGBA"], (4,)),
        ("L", ["LA"], ()), ("L", ["L", "RGB"], (3,)), ("RGBA", ["RGBA", "RGB"], (3,)),
    ],
)  # fmt: skip
def test_pictures_are_brought_to_a_mode_that_goes_with_them(tmp_path, asked, modes, given):
    for k, mode in enumerate(modes):
        write_picture(tmp_path / f"{k}.png", mode, fill=0)
    assert read_data(tmp_path, mode=asked).images.shape[3:] == given


def test_inputs_are_identified_by_exactly_these_digits():
    """Manifests hold them: with other digits the parts of machines with other versions are not joined."""
    X = (np.arange(60) * 4).astype(np.uint8).reshape(5, 4, 3)
    assert Share(2, 4).span_of_files(["a/1.png", "é.png", "z"]) == Span(0, 1, 3, "9e84c68703d7f420")
    assert Share(2, 4).take(ImageSet(np.concatenate([X, X]))).span == Span(
        2, 5, 10, "b62b7876f792d694"
    )
    names = (["ab", "c"], ["a", "bc"], ["abc"], ["c", "ab"], ["ab", "d"])
    assert len({Share(1, 1).span_of_files(files).inputs for files in names}) == 5


@pytest.mark.parametrize(
    "text", ["", "3", "a/b", "0/4", "5/4", "1/0", "-1/4", "1.5/4", "1/2/3", "²/4"]
)
def test_a_shard_that_is_not_i_of_n_is_refused(text):
    with pytest.raises(BuildError, match=r"--shard: got .* expected i/n with i from 1 to n"):
        take_share(text)
