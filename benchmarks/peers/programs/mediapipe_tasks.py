"""MediaPipe Tasks' ImageClassifier, as its guide uses it on a camera's frames; it takes no number of threads."""

import sys
from importlib.metadata import version

import cv2
import mediapipe
from lap import serve
from mediapipe.tasks.python import BaseOptions, vision

options = vision.ImageClassifierOptions(BaseOptions(model_asset_path=sys.argv[1]), max_results=1)
with vision.ImageClassifier.create_from_options(options) as classifier:

    def answer(frame):
        """Answer as the guide does."""
        image = mediapipe.Image(mediapipe.ImageFormat.SRGB, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        return classifier.classify(image).classifications[0].categories[0].index

    serve(version("mediapipe"), answer)
