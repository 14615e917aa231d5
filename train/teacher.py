"""Takes a finished run's model as a teacher, if it may teach: same classes, no photo that its student is tested on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import tensorflow as tf
import tf_keras as keras

from edge.errors import UserError
from edge.run_folder import resolve_run
from train.dataset import Manifest, read_manifest


def load_teacher(run: Path, manifest: Manifest, image_size: tuple[int, int]) -> tuple[keras.Model, str]:
    """Load the model of a run as a teacher.

    Args:
        run: The teacher's folder.
        manifest: What its student is trained on.
        image_size: (height, width) of the student's images; the teacher sees them scaled to its own size.

    Returns:
        The model, from the student's raw pixels to scores; and the SHA-256 of its file.

    Raises:
        UserError: If the folder holds no such model, or it may not teach.
    """
    run = resolve_run(run)
    _check(read_manifest(run / "dataset.json"), manifest, run)
    path = run / "model.keras"
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        model = keras.models.load_model(path, compile=False)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"Expected a trained model in {path}, got: {reason}; name a finished run's folder") from error
    size = tuple(model.input_shape[1:3])
    if size == image_size:
        return model, digest
    images = keras.Input((*image_size, 3))
    return keras.Model(images, model(tf.image.resize(images, size))), digest


def _check(taught: Manifest, manifest: Manifest, run: Path) -> None:
    """Refuse a teacher of other classes, and one that knows the answers to the exam."""
    if taught.labels != manifest.labels:
        raise UserError(
            f"Expected a teacher of the classes {', '.join(manifest.labels)}, the model in {run} knows "
            f"{', '.join(taught.labels)}; choose another --teacher"
        )
    known = {photo.sha256 for photo in taught.of("train")}
    for split in ("validation", "test"):
        seen = [photo for photo in manifest.of(split) if photo.sha256 in known]
        if seen:
            raise UserError(
                f"Expected a teacher that was not trained on this run's {split} photos, the model in {run} was on "
                f"{len(seen):,}, such as {seen[0].path}; give both runs the same --split and --seed"
            )
