"""A trained run becomes a model that comes with the package (`shipped`).

    python -m narrows.model.files.ship RUN NAME ["what to keep in the file"]

The file has the network alone, without what samples and anomaly scores need: those of a denoiser say
nothing, and would be most of the file.
"""

import sys
from pathlib import Path

from narrows.errors import unknown
from narrows.files import write_file
from narrows.model.estimator.base import ImageModel
from narrows.model.file_format import to_bytes
from narrows.model.files.shipped import SHIPPED, in_half
from narrows.model.files.store import header_and_tensors, load


def ship(run: str, name: str, about: str = "") -> Path:
    """Write the model of a run as the one of that name. Raises `UnknownName`, `DataError`."""
    if name not in SHIPPED:
        raise unknown("shipped model", name, SHIPPED)
    header, tensors = header_and_tensors(_network_alone(load(run)), {"card": about})
    return write_file(SHIPPED[name], to_bytes(header, in_half(tensors)))


def _network_alone(model: ImageModel) -> ImageModel:
    """The model, without densities, thresholds and the size of errors."""
    model.density_ = model.usual_error_ = model.calibration_ = None
    model.thresholds_, model.threshold_ = {}, None
    return model


if __name__ == "__main__":
    print(ship(*sys.argv[1:]))
