"""Images of an archive -> files of arrays, image by image: never all of them in memory.

x.npy   all of them as one array
x.npz   the same under `images`; if they are of several shapes or types, each under its name
"""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from narrows.codec.extras import Extras
from narrows.codec.index import Form
from narrows.data.write import memory_mapped
from narrows.errors import OutputError
from narrows.files import atomic
from narrows.mapped import AT_ONCE, give_pages_back

Images = Iterator[np.ndarray]


def write_npy(images: Images, form: Form | None, extras: Extras, path: Path) -> None:
    """See the module. form: that all images have, if there is one. Raises `OutputError`."""
    if form is None:
        raise OutputError(
            f"{path}: these images are of several shapes or types; write them as .npz, or as a folder"
        )
    shape, dtype = (form.images, *form.shape), np.dtype(form.dtype)
    with memory_mapped(path, shape, dtype, force=True) as array:
        filled = 0
        for place, image in enumerate(images):
            array[place] = image
            filled += image.nbytes
            if filled > AT_ONCE:
                give_pages_back(array)
                filled = 0


def write_npz(images: Images, form: Form | None, extras: Extras, path: Path) -> None:
    """See the module. Raises `OutputError`."""
    with (
        atomic(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
    ):
        if form is None:
            for origin, image in zip(extras.origins(), images):
                with _array_in(file, origin.label) as array:
                    npy.write_array(array, image, allow_pickle=False)
            return
        with _array_in(file, "images") as array:
            fields = {
                "descr": npy.dtype_to_descr(np.dtype(form.dtype)),
                "fortran_order": False,
                "shape": (form.images, *form.shape),
            }
            npy.write_array_header_1_0(array, fields)
            for image in images:
                array.write(image.tobytes())


def _array_in(file: zipfile.ZipFile, name: str) -> IO[bytes]:
    return file.open(f"{name}.npy", "w", force_zip64=True)


ARRAY_WRITERS: dict[str, Callable[[Images, Form | None, Extras, Path], None]] = {
    ".npy": write_npy,
    ".npz": write_npz,
}
