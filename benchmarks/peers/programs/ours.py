"""TinySight: `edge.Classifier`, from a camera's frame to the best class."""

import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[3]))

from lap import serve

import edge
from edge.classifier import Classifier

classifier = Classifier(sys.argv[1], int(sys.argv[3]))
serve(
    f"{edge.__version__} ({classifier.runtime})",
    classifier.classify,
    label=lambda predictions: predictions[0].index,
)
