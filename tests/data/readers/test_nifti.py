"""NIfTI: slices along an axis, scaled values, several volumes, cut off and gzipped files."""

import gzip
import tarfile

import numpy as np
import pytest

from narrows.data import load_data
from narrows.data.readers.nifti import read_nifti
from narrows.data.readers.picture_stream import stream_pictures
from narrows.errors import BuildError, DataError

nibabel = pytest.importorskip("nibabel")
VALUES = np.random.default_rng(0).integers(-300, 3000, (7, 6, 5, 3), np.int16)


def write(path, values, kind=nibabel.Nifti1Image, **fields):
    image = kind(values, np.eye(4))
    for name, value in fields.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


def stacked(path, axis=2):
    return np.stack([pixels for pixels, _ in read_nifti(path, axis)])


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_along_an_axis_one_volume_after_the_other(tmp_path, name, kind, axis):
    path = write(tmp_path / name, VALUES, kind)
    volumes = [np.moveaxis(VALUES[..., k], axis, 0) for k in range(3)]
    assert np.array_equal(stacked(path, axis), np.concatenate(volumes))
    assert stacked(path, axis).dtype == np.int16


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_a_file_of_any_name_and_one_in_a_tar_are_read(tmp_path, kind, ending):
    path = write(tmp_path / f"a{ending}", VALUES[..., 0], kind)
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.add(path, path.name)
    for file in (path.rename(tmp_path / "scan.dat"), tmp_path / "set.tar"):
        assert np.array_equal(load_data(file)[0], np.moveaxis(VALUES[..., 0], 2, 0))


def test_a_header_whose_values_are_in_another_file_is_refused(tmp_path):
    nibabel.save(nibabel.Nifti1Pair(VALUES, np.eye(4)), tmp_path / "a.img")
    with pytest.raises(DataError, match=r"a\.hdr "):
        stacked(tmp_path / "a.hdr")


@pytest.mark.parametrize("shape", [(7, 6), (7, 6, 5), (7, 6, 1, 3)])
def test_any_number_of_axes(tmp_path, shape):
    values = VALUES.ravel()[: np.prod(shape)].reshape(shape)
    found = stacked(write(tmp_path / "a.nii", values))
    assert found.shape == (np.prod(shape[2:], dtype=int), 7, 6)
    assert np.array_equal(found[0], values.reshape(7, 6, -1)[..., 0])


def test_the_axis_is_an_option_of_every_way_to_read(tmp_path):
    """Of a file, of a folder of volumes and pictures, and behind a path."""
    values = VALUES[..., 0]
    path = write(tmp_path / "a.nii", values)
    for found in (
        load_data(path, axis=0)[0],
        load_data(f"{path}::axis=0")[0],
        load_data(tmp_path, axis=-3)[0],
        [picture.pixels for picture in stream_pictures(tmp_path, axis=0)],
    ):
        np.testing.assert_array_equal(found, values)
    with pytest.raises(BuildError, match="axis: got 3, expected one of 0 to 2"):
        load_data(tmp_path, axis=3)


def test_scaled_values_are_floats(tmp_path):
    image = nibabel.Nifti1Image(VALUES[..., 0], np.eye(4))
    image.header.set_slope_inter(0.25, 3)
    nibabel.save(image, tmp_path / "a.nii")
    found = stacked(tmp_path / "a.nii")
    assert found.dtype == np.float32
    assert np.array_equal(found, np.moveaxis(VALUES[..., 0] * 0.25 + 3, 2, 0))


def test_colours_and_the_range_to_be_seen(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (7, 6, 5, 3), np.uint8)
    packed = colours.view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    assert np.array_equal(stacked(write(tmp_path / "a.nii", packed)), np.moveaxis(colours, 2, 0))
    write(tmp_path / "b.nii", VALUES, cal_min=-100, cal_max=900)
    assert next(read_nifti(tmp_path / "b.nii"))[1] == (-100, 900)


def test_what_is_damaged_or_unknown_is_refused(tmp_path):
    path = write(tmp_path / "a.nii", VALUES)
    with pytest.raises(BuildError, match="axis: got 3"):
        stacked(path, 3)
    intact = path.read_bytes()
    path.write_bytes(intact[:-10])
    with pytest.raises(DataError, match="but it has"):
        stacked(path)
    huge = bytearray(intact)
    huge[42:48] = np.array([30000] * 3, "<i2").tobytes()
    packed = tmp_path / "b.nii.gz"
    packed.write_bytes(gzip.compress(huge))
    with pytest.raises(DataError, match=r"array of \(30000, 30000, 30000, 3\)"):
        stacked(packed)
    packed.write_bytes(gzip.compress(intact)[:-100])
    with pytest.raises(DataError, match=r"b\.nii\.gz cannot be read as NIfTI"):
        stacked(packed)
    with pytest.raises(DataError, match="complex"):
        stacked(write(tmp_path / "c.nii", VALUES.astype(np.complex64)))
