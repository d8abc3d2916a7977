"""Narrows: train, compare and use autoencoders on images.

The names below are the public face (`__init__.pyi` lists them); each is loaded at its first use, so
that importing Narrows is quick. Importing it also sets how long torch's threads spin, unless torch
is loaded already or the user has said so (`narrows.threads`).
"""

import lazy_loader

from narrows.threads import spin_briefly

spin_briefly()

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
