"""DICOM: values in the file's units, windows, inversion, frames, and files that hold no picture."""

import numpy as np
import pytest

import narrows as nw
from narrows.data import read_data
from narrows.data.readers.dicom import read_dicom
from narrows.errors import DataError
from narrows.levels import Window
from narrows.model.estimator.inference import with_input_levels

pydicom = pytest.importorskip("pydicom")
dataset_of = pytest.importorskip("pydicom.dataset")
uid = pytest.importorskip("pydicom.uid")
TWELVE_BITS = np.random.default_rng(0).integers(0, 4096, (3, 6, 5), np.uint16)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.dcm"


def write(path, frames, syntax=uid.ExplicitVRLittleEndian, compressed=None, **fields):
    """Frames `(N, H, W)` or `(N, H, W, 3)`; fields: by DICOM's names."""
    dataset = dataset_of.Dataset()
    dataset.file_meta = dataset_of.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = uid.SecondaryCaptureImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = uid.generate_uid()
    dataset.SOPClassUID = uid.SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames.shape[:3]
    dataset.SamplesPerPixel = 1 if frames.ndim == 3 else 3
    dataset.PhotometricInterpretation = "MONOCHROME2" if frames.ndim == 3 else "RGB"
    dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = 8 * frames.itemsize
    dataset.PixelRepresentation = int(frames.dtype.kind == "i")
    dataset.PixelData = frames.tobytes()
    dataset["PixelData"].VR = "OW"
    for name, value in fields.items():
        setattr(dataset, name, value)
    dataset.HighBit = dataset.BitsStored - 1
    if compressed:
        dataset.compress(compressed)
    dataset.save_as(path, enforce_file_format=True)
    return path


def stacked(path):
    """All frames, and the levels of each."""
    frames = list(read_dicom(path))
    return np.stack([pixels for pixels, _ in frames]), [levels for _, levels in frames]


@pytest.mark.parametrize("compressed", [None, uid.RLELossless])
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2"])
def test_values_of_dicom_keep_their_type_and_place(path, dtype, compressed):
    frames = (TWELVE_BITS * 13).astype(dtype)
    values, levels = stacked(write(path, frames, compressed=compressed))
    assert np.array_equal(values, frames)
    assert values.dtype == frames.dtype
    signed = (-32768, 32767)
    assert levels == [signed if dtype == "i2" else (0, np.iinfo(dtype).max)] * 3


def test_bits_stored_say_where_white_is(path):
    values, levels = stacked(write(path, TWELVE_BITS, BitsStored=12))
    assert np.array_equal(values, TWELVE_BITS)
    assert levels[0] == (0, 4095)


def test_rescale_gives_hounsfield_units_as_integers(path):
    write(path, TWELVE_BITS, BitsStored=12, RescaleSlope=1, RescaleIntercept=-1024)
    values, levels = stacked(path)
    assert np.array_equal(values, TWELVE_BITS.astype(int) - 1024)
    assert values.dtype == np.int16
    assert levels[0] == (-1024, 3071)


def test_a_slope_that_is_no_integer_gives_floats(path):
    write(path, TWELVE_BITS, BitsStored=12, RescaleSlope="0.37", RescaleIntercept="-5.5")
    values, levels = stacked(path)
    assert values.dtype == np.float32
    assert np.array_equal(values, (TWELVE_BITS * 0.37 - 5.5).astype(np.float32))
    assert levels[0] == (-5.5, 4095 * 0.37 - 5.5)


@pytest.mark.parametrize(
    ("function", "black", "white"),
    [(None, -160, 239), ("LINEAR", -160, 239), ("LINEAR_EXACT", -160, 240)],
)
def test_the_first_window_is_black_and_white(path, function, black, white):
    fields = {"VOILUTFunction": function} if function else {}
    write(path, TWELVE_BITS, WindowCenter=[40, 500], WindowWidth=[400, 9], **fields)
    assert stacked(path)[1][0] == (black, white)


def test_monochrome1_is_inverted_with_its_window(path):
    monochrome1 = {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12}
    values, levels = stacked(write(path, TWELVE_BITS, **monochrome1))
    assert np.array_equal(values, 4095 - TWELVE_BITS)
    assert levels[0] == (0, 4095)
    window = {"WindowCenter": 1000, "WindowWidth": 200, "VOILUTFunction": "LINEAR_EXACT"}
    levels = stacked(write(path, TWELVE_BITS, **monochrome1, **window))[1]
    assert levels[0] == (4095 - 1100, 4095 - 900)
    signed = TWELVE_BITS.astype(np.int16) - 2048
    values, _ = stacked(write(path, signed, **monochrome1))
    assert np.array_equal(values, -1 - signed)


def test_frames_may_have_a_slope_and_a_window_each(path):
    groups = []
    for slope in (1, 2, 3):
        rescale = dataset_of.Dataset()
        rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = slope, 0, "US"
        window = dataset_of.Dataset()
        window.WindowCenter, window.WindowWidth = 100 * slope, 50
        window.VOILUTFunction = "LINEAR_EXACT"
        group = dataset_of.Dataset()
        group.PixelValueTransformationSequence = [rescale]
        group.FrameVOILUTSequence = [window]
        groups.append(group)
    write(path, TWELVE_BITS, BitsStored=12, PerFrameFunctionalGroupsSequence=groups)
    values, levels = stacked(path)
    assert np.array_equal(values, TWELVE_BITS * np.array([1, 2, 3])[:, None, None])
    assert levels == [(75, 125), (175, 225), (275, 325)]


def test_colours_and_palettes_become_rgb(path):
    colours = np.random.default_rng(0).integers(0, 256, (2, 6, 5, 3), np.uint8)
    values, levels = stacked(write(path, colours))
    assert np.array_equal(values, colours)
    assert levels == [None, None]
    palette = np.random.default_rng(1).integers(0, 65536, (3, 256), np.uint16)
    tables = {}
    for name, table in zip(("Red", "Green", "Blue"), palette):
        tables[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tables[f"{name}PaletteColorLookupTableData"] = table.tobytes()
    places = (TWELVE_BITS >> 4).astype(np.uint8)
    write(path, places, PhotometricInterpretation="PALETTE COLOR", **tables)
    assert np.array_equal(stacked(path)[0], np.moveaxis(palette[:, places], 0, -1))


def test_what_cannot_be_a_picture_is_refused(path):
    intact = write(path, TWELVE_BITS).read_bytes()
    path.write_bytes(intact[:-200])
    with pytest.raises(DataError, match=r"a\.dcm cannot be read as DICOM"):
        stacked(path)
    write(path, TWELVE_BITS, Rows=60000, Columns=60000)
    with pytest.raises(DataError, match="60000 x 60000 pixels, but it has"):
        stacked(path)
    dataset = pydicom.dcmread(write(path, TWELVE_BITS))
    del dataset.Rows
    dataset.save_as(path)
    with pytest.raises(DataError, match="DICOM without a picture"):
        stacked(path)


def series(folder):
    """Slices of one scan, each with a window of its own; one with a slope and a wider type."""
    for k, (centre, width) in enumerate([(100, 50), (200, 60), (400, 800)]):
        window = {"WindowCenter": centre, "WindowWidth": width, "VOILUTFunction": "LINEAR_EXACT"}
        write(folder / f"{k}.dcm", TWELVE_BITS[k : k + 1], BitsStored=12, **window)
    return folder


def test_a_series_keeps_its_values_and_has_one_range(tmp_path):
    found = read_data(series(tmp_path), "all")
    assert found.images.dtype == np.uint16
    np.testing.assert_array_equal(found.images, TWELVE_BITS)
    assert found.levels == (0, 800)
    assert "3 different windows; their values are kept" in found.notes[0]
    write(
        tmp_path / "3.dcm", TWELVE_BITS[:1], RescaleIntercept=-1024, RescaleSlope=1, BitsStored=12
    )
    found = read_data(tmp_path, "all")
    assert found.images.dtype == np.float32
    np.testing.assert_array_equal(found.images[3], TWELVE_BITS[0] - np.float32(1024))
    assert found.levels == (-1024, 3071)


def test_a_model_reads_values_of_any_window_by_its_own_levels(tmp_path):
    """What comes back of a slice does not depend on how it is to be viewed."""
    data = read_data(series(tmp_path), "all")
    model = with_input_levels(nw.PCA(1), data.levels).fit(data.images)
    seen = [with_input_levels(model, Window(*ends)) for ends in ((75, 125), (0, 800))]
    first, second = (one.anomaly_score(data.images, "error") for one in seen)
    np.testing.assert_array_equal(first, second)
    assert seen[0].levels_for(np.dtype(np.uint16)) == (0, 800)
