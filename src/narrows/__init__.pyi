from . import measure as measure
from .codec.compress import compress as compress
from .codec.decompress import decompress as decompress
from .codec.fitting import fit_pixel_model as fit_pixel_model
from .codec.model_files import load as load
from .codec.model_files import save as save
from .data import load_data as load_data
from .denoise.denoise import denoise as denoise
from .denoise.restore import restore as restore
from .errors import NarrowsError as NarrowsError
from .errors import NarrowsWarning as NarrowsWarning
from .model.detector.detector import AnomalyDetector as AnomalyDetector
from .model.estimator.autoencoder import Autoencoder as Autoencoder
from .model.estimator.neighbours import Neighbours as Neighbours
from .model.estimator.pca import PCA as PCA
from .model.files.onnx import export as export
from .model.recipes import recipe as recipe
from .model.recipes import recipes as recipes
from .model.training.checkpoint import Checkpoint as Checkpoint
from .model.use.evaluate import compare as compare
from .model.use.evaluate import evaluate as evaluate
from .model.use.latent import interpolate as interpolate
from .model.use.latent import perturb as perturb
from .registry import register as register

__version__: str
