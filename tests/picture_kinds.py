"""One grey picture `(H, W)` uint8 in each format of pictures: KINDS[name](image) -> the bytes of a file."""

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image


def by_pillow(form: str, mode: str = "L", **options: Any) -> Callable[[np.ndarray], bytes]:
    def encode(image: np.ndarray) -> bytes:
        file = BytesIO()
        Image.fromarray(image).convert(mode).save(file, form, **options)
        return file.getvalue()

    return encode


def pfm(image: np.ndarray) -> bytes:
    """Floats in [0, 1], the lowest row first."""
    head = b"Pf\n%d %d\n-1.0\n" % image.shape[::-1]
    return head + (image[::-1] / np.float32(255)).astype("<f4").tobytes()


def qoi(image: np.ndarray) -> bytes:
    """Each pixel as a complete one (QOI_OP_RGB)."""
    head = struct.pack(">4sIIBB", b"qoif", *image.shape[::-1], 3, 0)
    return head + b"".join(bytes([254, v, v, v]) for v in image.ravel()) + bytes(7) + b"\x01"


def dicom(image: np.ndarray) -> bytes:
    pytest.importorskip("pydicom")
    from pydicom import dataset, uid

    data: Any = dataset.Dataset()
    data.file_meta = dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = uid.SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = uid.generate_uid()
    data.Rows, data.Columns = image.shape
    data.SamplesPerPixel, data.PixelRepresentation = 1, 0
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.PixelData = image.tobytes()
    file = BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def nifti(image: np.ndarray) -> bytes:
    nibabel = pytest.importorskip("nibabel")
    return nibabel.Nifti1Image(image[..., None], np.eye(4)).to_bytes()


def jpeg_xl(image: np.ndarray) -> bytes:
    return pytest.importorskip("imagecodecs").jpegxl_encode(image, lossless=True)


def heic(image: np.ndarray) -> bytes:
    heif = pytest.importorskip("pillow_heif")
    file = BytesIO()
    heif.from_pillow(Image.fromarray(image).convert("RGB")).save(file, quality=95)
    return file.getvalue()


KINDS: dict[str, Callable[[np.ndarray], bytes]] = {
    "PNG": by_pillow("PNG"),
    "JPEG": by_pillow("JPEG", quality=95),
    "WebP": by_pillow("WEBP", "RGB", lossless=True),
    "TIFF": by_pillow("TIFF"),
    "BMP": by_pillow("BMP"),
    "GIF": by_pillow("GIF"),
    "PGM": by_pillow("PPM"),
    "PPM": by_pillow("PPM", "RGB"),
    "PFM": pfm,
    "AVIF": by_pillow("AVIF", "RGB", quality=95),
    "JPEG 2000": by_pillow("JPEG2000"),
    "QOI": qoi,
    "DICOM": dicom,
    "NIfTI": nifti,
    "JPEG XL": jpeg_xl,
    "HEIC": heic,
}
