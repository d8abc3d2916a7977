"""The error maps of the verb score: written to a folder, and compared with masks, if there are some."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from narrows.cli.anomalies import Scored, masks_in, separation_of
from narrows.cli.inputs import pictures
from narrows.cli.output import tell
from narrows.cli.sharded_job import Job
from narrows.errors import wrong

if TYPE_CHECKING:
    from narrows.data.outputs import Place


class ErrorMaps:
    """maps: the folder of the maps; "" to write none. Raises `NarrowsError` if maps cannot be written
    there.
    """

    def __init__(self, job: Job, normal: Sequence[str], maps: str):
        from narrows.data.map_names import map_stems
        from narrows.data.outputs import folder_place

        self.job = job
        self.normal = normal
        self.place = job.free(folder_place(maps)) if maps else None
        self.count = 0  # of files that were written
        self.pages = 0  # of stacks in a folder that has masks
        self.stems: dict[str, str] = {}
        if self.place:
            if not job.one_by_one:
                raise wrong("--maps", job.images, "an image file, or a folder of them")
            self.stems = map_stems(job.listing.names)
            self._refuse_inputs(self.place)

    def _refuse_inputs(self, place: "Place") -> None:
        """Refuse a folder in which a map would replace one of the pictures."""
        from narrows.data.map_names import MAP_ENDING

        listing, folder = self.job.listing, place.path.resolve()
        inputs = {listing.path.resolve() / name for name in listing.names}
        for stem in self.stems.values():
            if folder / f"{stem}{MAP_ENDING}" in inputs:
                expected = "a folder in which no map replaces a picture"
                raise wrong("--maps", place.path, expected, f"{stem}{MAP_ENDING} is a picture")

    @cached_property
    def masks(self) -> Any:
        from narrows.data.readers.masks import Masks

        if self.job.share:  # measures are of all images, not of a share of them
            return Masks({})
        return masks_in(self.job.listing, self.normal, self.job.reading)

    def measured(self, model: Any, scored: Scored, threshold: float) -> dict[str, Any]:
        """What the scores say of images, and the maps, which are written, of pixels."""
        return separation_of(scored, threshold, self.normal) | self.measures(model)

    def measures(self, model: Any) -> dict[str, float]:
        """Write the maps. Returns how well they find anomalous pixels; nothing without masks."""
        from narrows.model.use.separation import localisation

        if not (self.place or (self.normal and self.job.one_by_one and self.masks)):
            return {}
        masked = ((error, self._mask(name, error.shape)) for name, error in self._maps(model))
        measures = localisation((error, mask) for error, mask in masked if mask is not None)
        if self.pages:
            tell(
                f"note: {self.pages:,} pages of stacks have no mask each, so their pixels are not measured"
            )
        if self.place:
            self.job.done(self.place, self.count)
        return measures

    def _mask(self, name: str, shape: tuple[int, ...]) -> Any:
        """The mask of a picture; None if there is none of its size."""
        if not self.masks:
            return None
        mask = self.masks.read(name, shape)
        if mask is None and name not in (*self.masks.files, *self.masks.missing):
            self.pages += 1
        if mask is None and name in self.masks.files:
            tell(f"note: the mask of {name} has another size, so its pixels are not measured")
        return mask

    def _maps(self, model: Any) -> Iterator[tuple[str, Any]]:
        """The name and the map of each picture, after it was written."""
        from narrows.data.readers.picture_stream import ignore_skipped
        from narrows.model.use.error_maps import drawn_error
        from narrows.model.use.folders import map_errors

        scale = self._scale(model) if self.place else 0
        found = self.job.pictures(ignore_skipped, "mapping")  # reported when they were scored
        for picture, error in map_errors(model, found, ignore_skipped):
            if self.place:
                self._write(picture, drawn_error(model, picture, error, scale), self.place)
            yield picture.name, error

    def _write(self, picture: Any, pixels: Any, place: "Place") -> None:
        from narrows.data.map_names import MAP_ENDING
        from narrows.data.write import path_below, write_images

        page = picture.name[len(picture.file) :]  # of a stack: #1, #2, ...
        name = f"{self.stems[picture.file]}{page}{MAP_ENDING}"
        write_images(pixels[None], path_below(place.path, name), force=True)
        self.count += 1

    def _scale(self, model: Any) -> float:
        """The error of full colour, which is the same in all shares; the first one draws it."""
        from narrows.data.readers.picture_stream import ignore_skipped
        from narrows.model.use.error_maps import SHARE, error_scale, sample_of

        job = self.job
        files = [job.listing.path / name for name in sample_of(job.listing.names)]
        reading = replace(job.reading, strict=False)
        sample = pictures(job.images, files, reading, ignore_skipped, "choosing the scale")
        scale = error_scale(model, sample)
        tell(
            f"error maps: full colour is an error of {scale:.3g} or more, of 1 from black to white; "
            f"{100 * SHARE:g} % of the pixels of {len(files):,} files are below"
        )
        if not job.share or job.share.place == 1:
            self._draw_scale(model, scale)
        return scale

    def _draw_scale(self, model: Any, scale: float) -> None:
        from narrows.data.map_names import SCALE_NAME
        from narrows.draw.overlay import colour_bar
        from narrows.draw.style import save
        from narrows.model.use.error_maps import scale_words

        assert self.place is not None
        title = "Colours of errors, the same in all pictures of this folder"
        save(colour_bar(scale, title, scale_words(model)), self.place.path / SCALE_NAME)
        self.count += 1
