"""A detector of anomalies for people who do not want to choose.

    images → one or two working scales (`scales`)
           → members (`members`): neighbours and principal components;
             networks too, if they are given minutes (`networks`)
           → held out, fold by fold, and altered (`validation`, `synthetic`)
           → a table of candidates, and the weights of the members (`choice`, `combination`)
           → the members fitted on all images, thresholds from the held-out scores

As a model of images it is its principal components: codes, reconstructions, error maps and new
images are theirs.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from math import inf
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from narrows.errors import BuildError, Faults, unknown, wrong
from narrows.image_batches import ImageBatches
from narrows.machine import flush_denormals
from narrows.model.calibration import FOLDS, Calibration
from narrows.model.detector.choice import (
    CANDIDATES,
    COMBINED,
    Choice,
    in_words,
    members_to_fit,
    read_choice,
)
from narrows.model.detector.combination import Standard, combined
from narrows.model.detector.members import (
    Member,
    Members,
    Setting,
    at_most,
    fit_members,
    is_components,
)
from narrows.model.detector.networks import Networks
from narrows.model.detector.scales import SCALES, chosen_scales
from narrows.model.detector.validation import Unseen, folds_of, score_unseen
from narrows.model.estimator.anomaly import (
    AnomalyScore,
    available_scores,
    default_score,
    find_score,
    own_score,
)
from narrows.model.estimator.base import ImageModel
from narrows.model.estimator.fitting import begin_fit
from narrows.model.file_format import check_tensors
from narrows.model.outputs import Outputs
from narrows.model.trackers import Logger, reported
from narrows.model.training.split import check_calibration
from narrows.model.usual_error import UsualError
from narrows.parts.prior import MOST_CODES
from narrows.scale import FIXED_SCALES

FEWEST = 5  # images
MOST_IMAGES = 20_000  # that members are fitted to,
MOST_BYTES = 2**30  # and what they take in memory


class AnomalyDetector(ImageModel):
    """Finds images that do not belong, by a score that it chooses.

    scale: "auto", see `scales`; "each", "unit" or "local" for this working scale alone. Tables are
        standardised.
    minutes: for networks among the candidates, ≥ 0; 0: without them, in seconds.
    calibration: the share of the images in a fold, in (0, 1).
    levels, image_shape, false_alarms: as of `PCA`.
    Fitted: members_ (the models, by name), choice_ (rows: the table of candidates, see `choice`; weights
        and standards: of the members; scale: which were chosen and why).
    """

    usual_error_: UsualError | None = None
    members_: Members = {}
    standards_: dict[str, Standard]
    choice_: dict[str, Any]

    def __init__(
        self,
        *,
        scale: str = "auto",
        minutes: float = 0,
        levels: tuple[float, float] | str | None = None,
        image_shape: tuple[int, ...] | None = None,
        calibration: float = 0.2,
        false_alarms: float = 0.01,
        random_state: Any = 0,
    ):
        self.scale = scale
        self.minutes = minutes
        self.levels = levels
        self.image_shape = image_shape
        self.calibration = calibration
        self.false_alarms = false_alarms
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, logger: Logger | None = None) -> Self:
        """Learn what normal images look like; `y` is not used. logger: gets the options, and
        what the best candidate is worth (as of epoch 1).
        """
        with reported(logger, self.get_params(deep=False)) as report:
            self._fit(X)
            report({"worth": self.choice_["rows"][0]["worth"]}, 1)
        return self

    @flush_denormals()
    def _fit(self, X: Any) -> None:
        faults = Faults("AnomalyDetector cannot be fitted")
        given = begin_fit(self, X, "auto", faults)
        self.validate_options(faults)
        faults.stop(BuildError)
        most = max(FEWEST, MOST_BYTES // given.images[0].nbytes)
        array = at_most(given.images, min(MOST_IMAGES, most), self.seed_)
        if len(array) < FEWEST:
            expected = f"{FEWEST} at least: fewer do not show what is normal"
            raise wrong("images to fit a detector to", len(array), expected)
        self._fit_members(array)

    def validate_options(self, faults: Faults) -> None:
        """Add to `faults` the options that no fit could use."""
        with faults.catch():
            check_calibration(self.calibration)
            if not self.calibration:
                raise wrong("calibration", self.calibration, "a share of the images in (0, 1)")
        with faults.catch():
            if self.scale not in SCALES:
                raise unknown("scale", self.scale, SCALES)
        with faults.catch():
            if not (isinstance(self.minutes, (int, float)) and 0 <= self.minutes < inf):
                raise wrong("minutes", self.minutes, "a finite number ≥ 0")

    def _fit_members(self, array: np.ndarray) -> None:
        """Choose, fit and calibrate the members."""
        setting, why = self._setting(array)
        folds = folds_of(len(array), self.calibration, array[0].size, self.seed_)
        networks = Networks.within(60 * self.minutes, len(folds), setting)

        def fit(rows: Tensor | None, names: Collection[str] | None) -> Members:
            """Members of these images, or of all for None."""
            images = array if rows is None else array[rows.numpy()]
            return {**networks.fit(images, names), **fit_members(images, setting, names)}

        images = ImageBatches(array, self.layout_, FIXED_SCALES["unit"])
        unseen = score_unseen(images, folds, fit, members_to_fit, self.seed_)
        choice = Choice(unseen)
        members = fit(None, choice.members)
        epochs = {} if networks.epochs is None else {"epochs": networks.epochs}
        self.choice_ = {**choice.as_facts(), "scale": why, **epochs}
        for name in unseen.gathered.keys() & members.keys():
            members[name].model.usual_error_ = unseen.gathered[name].usual
        self._take_members(members)
        self._fit_prior(at_most(array, MOST_CODES, self.seed_))
        self._calibrate_by(unseen, choice)

    def _calibrate_by(self, unseen: Unseen, choice: Choice) -> None:
        """Set the thresholds from scores of images that no member has seen."""
        scores = {**unseen.gathered[self._reference_name].scores(), **choice.scores}
        kept = {kind: scores[kind] for kind in available_scores(self)}
        self._take_calibration(Calibration.of(FOLDS, self.false_alarms, kept))

    def _setting(self, array: np.ndarray) -> tuple[Setting, str]:
        """What members have in common, and why their scales are these."""
        if self.layout_.is_table:
            scales, why = (self.scale_.name,), "on the scale of a table"
        else:
            scales, why = chosen_scales(self.scale, array, self.layout_)
        return Setting(self.layout_, scales, self.image_shape, self.seed_), why

    def _fit_prior(self, array: np.ndarray) -> None:
        """Fit the density of codes, from which `sample` draws."""
        model: Any = self._reference.model
        images = ImageBatches(array, self.layout_, self.scale_)
        codes = [self._encode(images.batch(rows)) for rows in images.batches()]
        model.prior_.fit(torch.cat(codes), self.seed_)

    def _take_members(self, members: Members) -> None:
        """Take over fitted members; `choice_` is known."""
        self.members_ = members
        self.standards_ = {
            name: Standard(*pair) for name, pair in self.choice_["standards"].items()
        }
        self.code_size_ = self._reference.model.code_size_
        usual = self._reference.model.usual_error_
        if usual is not None:  # a copy: tensors of a file share no memory
            self.usual_error_ = replace(usual, squares=usual.squares.clone())

    @property
    def _reference_name(self) -> str:
        """The member whose codes, reconstructions and errors are the detector's: its components."""
        return next(name for name in self.members_ if is_components(name))

    @property
    def _reference(self) -> Member:
        return self.members_[self._reference_name]

    # -- what every model defines -------------------------------------------------------------

    @property
    def own_scores_(self) -> dict[str, AnomalyScore]:
        """The combination, and the score of each member."""
        return {kind: own_score(kind) for kind in (COMBINED, *self.members_)}

    @property
    def n_parameters_(self) -> int:
        """Numbers in the members."""
        return sum(member.model.n_parameters_ for member in self.members_.values())

    def _outputs(self, x: Tensor) -> Outputs:
        unit, reference = self.scale_.unit(x), self._reference
        outputs = reference.outputs(unit)
        others = {name: m for name, m in self.members_.items() if m is not reference}
        scores = {name: member.score(unit) for name, member in others.items()}
        scores[self._reference_name] = reference.score_of(outputs)
        scores[COMBINED] = combined(scores, self.standards_, self.choice_["weights"])
        return replace(outputs, scores=scores, density=None)

    def _score(self, x: Tensor, kind: str | None) -> Tensor:
        """The anomaly score of that kind, of the members alone that it needs."""
        kind = kind or default_score(self)
        weights = self.choice_["weights"] if kind == COMBINED else {kind: 1.0}
        needed = [name for name in self.members_ if weights.get(name)]
        if not needed:  # a score of errors
            return super()._score(x, kind)
        unit = self.scale_.unit(x)
        scores = {name: self.members_[name].score(unit) for name in needed}
        return combined(scores, self.standards_, weights) if kind == COMBINED else scores[kind]

    def _encode(self, x: Tensor) -> Tensor:
        model = self._reference.model
        return model._encode(self._reference.working(self.scale_.unit(x)))

    def _decode(self, z: Tensor) -> Tensor:
        model = self._reference.model
        return self.scale_.work(model.scale_.unit(model._decode(z)))

    def _reconstruct(self, x: Tensor) -> Tensor:
        model, unit = self._reference.model, self.scale_.unit(x)
        scale = model.scale_.of(unit)
        return self.scale_.work(scale.unit(model._reconstruct(scale.work(unit))))

    def _sample_codes(self, count: int, seed: int) -> Tensor:
        return self._reference.model._sample_codes(count, seed)

    @property
    def _widest(self) -> int:
        return max(member.model._widest for member in self.members_.values())

    def filters(self, end: str) -> np.ndarray | None:
        """The components as images."""
        return self._reference.model.filters(end)

    @property
    def choice_in_words_(self) -> str:
        """What it has chosen and why, as text."""
        return in_words(self.choice_, self.minutes)

    @property
    def own_tables_(self) -> list[dict[str, Any]]:
        """The table of candidates."""
        return [{"title": "Candidates", "caption": CANDIDATES, "rows": self.choice_["rows"]}]

    @property
    def member_models_(self) -> dict[str, ImageModel]:
        """The models of the members."""
        return {name: member.model for name, member in self.members_.items()}

    def replace_member_models(self, members: Mapping[str, ImageModel]) -> None:
        """Take others in place of the members' models."""
        kinds = self.choice_["kinds"]
        self.members_ = {name: Member(model, kinds[name]) for name, model in members.items()}

    def take_member_models(self, members: Mapping[str, ImageModel]) -> None:
        """Take over the members of a model file, whose choice is known."""
        self.choice_ = read_choice(self.choice_, set(members))
        self.replace_member_models(members)
        self._take_members(self.members_)
        for name, member in self.members_.items():
            find_score(member.model, member.kind)  # refuses one that the model cannot give
            if member.model.layout_.image != self.layout_.image:
                raise wrong(
                    f"layout of {name}", member.model.layout_.image, f"{self.layout_.image}"
                )

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return {}, {"choice_": self.choice_}

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        if not self.member_models_:
            raise wrong("members", None, "the models that the detector is made of")
        check_tensors({}, tensors)
