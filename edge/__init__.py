"""The device's side: a model file and a frame in, a label out.

Light on purpose: numpy, OpenCV and one runtime, imported when they are first needed. Works as a copied folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.errors import MissingPackage, TinySightError, UserError

if TYPE_CHECKING:
    from edge.classifier import Classifier, Prediction

__version__ = "0.1.0"

__all__ = ["Classifier", "MissingPackage", "Prediction", "TinySightError", "UserError", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the classifier on first use, so that errors and flags cost no OpenCV."""
    if name in ("Classifier", "Prediction"):
        from edge.extras import explained

        with explained():
            from edge import classifier
        return getattr(classifier, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
