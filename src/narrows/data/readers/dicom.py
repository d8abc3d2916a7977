"""DICOM: the pictures of a scanner, a frame at a time, in the units that the file gives them.

    v = slope x + intercept         x: what is stored, with BitsStored bits; v: Hounsfield units, say
    black, white                    the first window of centre c and width w:
                                    c - 1/2 - (w - 1)/2 and c - 1/2 + (w - 1)/2; without a window
                                    the least and the greatest v that BitsStored allows

In MONOCHROME1 the least value is white: v becomes least + greatest - v. Integers stay integers if
slope and intercept are (a CT of 12 bits, less 1024, is int16), else v is float32. Palettes and YBR
become RGB. Files of several frames may give each its own slope and window.

Values after the rescaling mean the same in all files, so a set of them keeps its values, and its black
and white are the lowest and the highest of all windows (`levels.Window`).
References: DICOM PS3.3, C.7.6.3, C.11.1, C.11.2.1.2 and C.7.6.16.2, https://www.dicomstandard.org.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from narrows.errors import DataError, extra
from narrows.levels import Levels, Window
from narrows.reading import reading

MOST_TIMES = 2000  # a picture may be larger than its file, if it is compressed
KEPT_TYPES = (np.uint8, np.uint16, np.int16)
WINDOWS = {  # black and white of a centre and a width, by VOILUTFunction
    "LINEAR": lambda centre, width: (centre - width / 2, centre + width / 2 - 1),
    "LINEAR_EXACT": lambda centre, width: (centre - width / 2, centre + width / 2),
}


def read_dicom(path: Path) -> Iterator[tuple[np.ndarray, Levels | None]]:
    """The frames of a file, `(H, W)` or `(H, W, 3)`, each with its values of black and white.

    Raises `DataError`, `MissingExtra`.
    """
    pydicom = extra("pydicom", "dicom")
    pixels = extra("pydicom.pixels", "dicom")
    with reading(path, fault="cannot be read as DICOM"):
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        _refuse_sizes(path, dataset)
        is_deflated = dataset.file_meta.TransferSyntaxUID.is_deflated
        source = pydicom.dcmread(path) if is_deflated else path  # frames are read from a path alone
        for number, frame in enumerate(_frames(pixels, source, dataset)):
            yield _picture(pixels, dataset, number, frame)


def _frames(pixels: Any, source: Any, dataset: Any) -> Iterator[np.ndarray]:
    """All frames. JPEG 2000 whose sign differs from the header's is refused by pydicom's
    `iter_pixels` (3.0) and taken by its `pixel_array`, which is slow for many frames.
    """
    count = 0
    try:
        for frame in pixels.iter_pixels(source):
            yield frame
            count += 1
    except ValueError:
        if count:
            raise
        for number in range(int(dataset.get("NumberOfFrames") or 1)):
            yield pixels.pixel_array(source, index=number)


def _refuse_sizes(path: Path, dataset: Any) -> None:
    """Refuse a file without a picture, and one that its length cannot hold: `DataError`."""
    if "Rows" not in dataset or "Columns" not in dataset:
        kind = dataset.get("SOPClassUID", dataset.file_meta.get("MediaStorageSOPClassUID"))
        raise DataError(f"{path} is DICOM without a picture ({getattr(kind, 'name', kind)})")
    samples = dataset.SamplesPerPixel
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        samples = 2  # two pixels share their colour
    size = dataset.Rows * dataset.Columns * samples * dataset.BitsAllocated // 8
    most = path.stat().st_size
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_compressed or syntax.is_deflated:
        most *= MOST_TIMES
    if size > most:
        raise DataError(
            f"{path} says that it holds {dataset.Rows} x {dataset.Columns} pixels, but it has "
            f"{path.stat().st_size:,} bytes"
        )


def _picture(
    pixels: Any, dataset: Any, number: int, frame: np.ndarray
) -> tuple[np.ndarray, Levels | None]:
    if dataset.BitsAllocated == 1:
        return frame.astype(bool), None
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        return pixels.apply_color_lut(frame, dataset), None
    if frame.ndim == 3:
        bits = dataset.BitsStored
        return frame, None if bits == 8 * frame.itemsize else Levels(0, 2**bits - 1)
    if frame.dtype.kind == "f":
        return frame, _window(dataset, number)
    return _grey(pixels, dataset, number, frame)


def _grey(
    pixels: Any, dataset: Any, number: int, frame: np.ndarray
) -> tuple[np.ndarray, Levels | None]:
    values, (low, high) = _rescaled(pixels, dataset, number, frame)
    levels = _window(dataset, number) or Window(low, high)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        values = low + high - values
        levels = Window(low + high - levels.white, low + high - levels.black)
    return values.astype(_type_of(low, high)), levels


def _rescaled(
    pixels: Any, dataset: Any, number: int, frame: np.ndarray
) -> tuple[np.ndarray, tuple[float, float]]:
    """The values v of what is stored, and the least and the greatest that they can be."""
    if "ModalityLUTSequence" in dataset:
        values = pixels.apply_modality_lut(frame, dataset)
        return values.astype(np.int64), (0, np.iinfo(values.dtype).max)
    bits = dataset.BitsStored
    low = -(2 ** (bits - 1)) if dataset.PixelRepresentation else 0
    slope, intercept = _rescale(dataset, number)
    values = frame.astype(type(slope * intercept)) * slope + intercept
    ends = low * slope + intercept, (low + 2**bits - 1) * slope + intercept
    return values, (min(ends), max(ends))


def _type_of(low: float, high: float) -> np.dtype:
    """The smallest type that holds all integers from low to high; float32 if they are none."""
    if not (float(low).is_integer() and float(high).is_integer()):
        return np.dtype(np.float32)
    for kind in KEPT_TYPES:
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return np.dtype(kind)
    return np.dtype(np.float32 if max(-low, high) <= 2**24 else np.float64)


def _rescale(dataset: Any, number: int) -> tuple[float, float]:
    """Slope and intercept, integers if they are."""
    group = _group(dataset, number, "PixelValueTransformationSequence")
    slope = float(group.get("RescaleSlope") or 1)
    intercept = float(group.get("RescaleIntercept") or 0)
    if slope.is_integer() and intercept.is_integer():
        return int(slope), int(intercept)
    return slope, intercept


def _window(dataset: Any, number: int) -> Window | None:
    """Black and white of the first window; None if there is none, or it is not linear."""
    group = _group(dataset, number, "FrameVOILUTSequence")
    centre = _first(group.get("WindowCenter"))
    width = _first(group.get("WindowWidth"))
    window = WINDOWS.get(group.get("VOILUTFunction") or "LINEAR")
    if centre is None or width is None or window is None:
        return None
    black, white = window(centre, width)
    return Window(black, white) if black < white else None


def _first(value: Any) -> float | None:
    """The first of one or several numbers."""
    if value is None or value == "":
        return None
    return float(value) if isinstance(value, (str, float, int)) else float(value[0])


def _group(dataset: Any, number: int, sequence: str) -> Any:
    """Where a frame's values are: in its own group, in that of all frames, or in the file itself."""
    of_frames = dataset.get("PerFrameFunctionalGroupsSequence") or []
    of_all = dataset.get("SharedFunctionalGroupsSequence") or []
    for group in (*of_frames[number : number + 1], *of_all[:1]):
        if group.get(sequence):
            return group[sequence][0]
    return dataset
