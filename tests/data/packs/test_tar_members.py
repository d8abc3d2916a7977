"""Tars of others: links, files that are in them twice, labels of dotted names, masks and strays."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from narrows.data import ImageSet, read_data


def labels(found: ImageSet) -> list[int]:
    assert found.labels is not None
    return found.labels.tolist()


def picture(value: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (4, 6), value).save(file, "PNG")
    return file.getvalue()


def write_tar(path, *members):
    """Each member is (name, bytes), (name, value of a picture), or (name, kind of link, target)."""
    with tarfile.open(path, "w") as tar:
        for name, content, *target in members:
            member = tarfile.TarInfo(name)
            if target:
                member.type, member.linkname = content, target[0]
                tar.addfile(member)
                continue
            data = picture(content) if isinstance(content, int) else content
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def values(found) -> dict[str, int]:
    return dict(zip(found.names, found.images[:, 0, 0].tolist()))


def test_labels_of_dotted_names_are_those_of_the_same_name(tmp_path):
    members = []
    for k in range(4):
        members += [(f"img.{k}.png", 10 * k), (f"img.{k}.cls", str(k % 2).encode())]
    found = read_data(write_tar(tmp_path / "a.tar", *members))
    assert labels(found) == [0, 1, 0, 1]


def test_images_of_one_key_share_its_label(tmp_path):
    members = [
        ("7.left.png", 1),
        ("7.right.png", 2),
        ("7.cls", b"cat"),
        ("8.png", 3),
        ("8.cls", b"dog"),
    ]
    found = read_data(write_tar(tmp_path / "a.tar", *members))
    assert (found.classes, labels(found)) == (("cat", "dog"), [0, 0, 1])


def test_labels_that_some_images_lack_are_not_used_and_that_is_said(tmp_path):
    found = read_data(write_tar(tmp_path / "a.tar", ("7.png", 1), ("7.cls", b"1"), ("8.png", 2)))
    assert found.labels is None
    assert found.notes == ("images have no .cls, so none is used: 1 (8.png)",)


def test_of_a_file_that_is_in_a_tar_twice_the_later_counts(tmp_path):
    tar = write_tar(tmp_path / "a.tar", ("x.png", 1), ("y.png", 2), ("x.png", 3))
    found = read_data(tar)
    assert values(found) == {"x.png": 3, "y.png": 2}
    assert found.notes == (f"files are in {tar} twice, the later counts: 1 (x.png)",)


@pytest.mark.parametrize(
    ("kind", "target"), [(tarfile.SYMTYPE, "../a/x.png"), (tarfile.LNKTYPE, "a/x.png")]
)
def test_a_link_to_a_file_is_that_file(tmp_path, kind, target):
    tar = write_tar(tmp_path / "a.tar", ("a/x.png", 5), ("b/y.png", kind, target), ("b/z.png", 6))
    assert values(read_data(tar)) == {"a/x.png": 5, "b/y.png": 5, "b/z.png": 6}


def test_links_that_lead_nowhere_are_reported(tmp_path):
    links = {"gone.png": "none.png", "loop.png": "pool.png", "pool.png": "loop.png", "dog": "cat"}
    members = [(name, tarfile.SYMTYPE, target) for name, target in links.items()]
    found = read_data(write_tar(tmp_path / "a.tar", ("cat/1.png", 1), *members))
    assert found.names == ("cat/1.png",)
    reasons = dict(found.skipped)
    assert set(reasons) == set(links)
    assert reasons["gone.png"] == "it is a link to none.png, which is not in the tar"
    assert reasons["dog"].startswith("it is a link to the folder cat")
    assert "circle" in reasons["loop.png"]


def test_masks_and_strays_of_a_tar_are_left_out_and_named(tmp_path):
    members = [
        "train/good/0.png",
        "test/bad/0.png",
        "ground_truth/bad/0.png",
        "other/1.png",
        "2.png",
    ]
    found = read_data(write_tar(tmp_path / "a.tar", *((name, 1) for name in members)), "all")
    assert found.names == tuple(members[:2])
    assert [name for name, _ in found.skipped] == members[3:]
    assert found.notes == ("masks, which are used in folders alone: 1 (ground_truth/bad/0.png)",)
    np.testing.assert_array_equal(found.labels, [1, 0])
