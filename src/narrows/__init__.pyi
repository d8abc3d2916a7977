from . import measure as measure
from .data import load_data as load_data
from .errors import NarrowsError as NarrowsError
from .errors import NarrowsWarning as NarrowsWarning
from .model.autoencoder import Autoencoder as Autoencoder
from .model.evaluate import compare as compare
from .model.evaluate import evaluate as evaluate
from .model.export import export as export
from .model.latent import interpolate as interpolate
from .model.latent import perturb as perturb
from .model.pca import PCA as PCA
from .model.recipes import recipe as recipe
from .model.recipes import recipes as recipes
from .model.store import load as load
from .model.store import save as save
from .model.training.saving import Saving as Saving
from .parts.own import register as register

__version__: str
