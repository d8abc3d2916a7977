"""Verbs on files: info, export."""

from narrows.cli.options import Force, Json, Output
from narrows.cli.output import give_facts


def info(file: str, /, *, json: Json = False) -> None:
    """Show what a file contains. Of a model: parts, sizes, threshold, last losses, versions; no model
    is built. Of an archive (.nrw): images, names, sizes, bits per pixel, and how its blocks are packed.

    Example: narrows info my-run

    Example: narrows info photos.nrw

    Parameters
    ----------
    file
        A run folder, a model file, a pixel model (.nrwm) or an archive (.nrw).
    """
    from pathlib import Path

    from narrows.codec.describe import describe_file

    path = Path(file)
    give_facts(describe_file(path / "model.safetensors" if path.is_dir() else path), json)


def export(
    run: str, /, *, output: Output, what: str = "whole", dtype: str = "", force: Force = False
) -> None:
    """Write a model as ONNX, for programs without Narrows; scaling and threshold are included.

    Example: narrows export my-run -o model.onnx

    Parameters
    ----------
    run
        A run folder, or a model file.
    what
        whole, encoder or decoder.
    dtype
        Type of its input images, such as uint8 or float32; by default that of the training images.
    """
    from narrows.data.outputs import file_place
    from narrows.files import refuse_overwrite
    from narrows.model.files.onnx import ENDINGS
    from narrows.model.files.onnx import export as write_onnx
    from narrows.model.files.store import load

    place = file_place(output, "models for other programs", ENDINGS)
    path = refuse_overwrite(place.path, force)
    print(write_onnx(load(run), path, what, dtype=dtype or None))
