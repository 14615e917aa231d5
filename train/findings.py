"""The pre-flight as preflight.json, which reports and other programs read."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from typing import Any

from train.duplicates import NEAR
from train.examine import ODDITIES
from train.intake import Intake, copies
from train.preflight import NearDuplicates, Preflight
from train.sources import escape

FINDINGS = "preflight.json"

_EXAMPLES = 20  # names of each oddity; all of what is wrong is listed
_STRAYS = 1000


def findings(preflight: Preflight) -> dict[str, Any]:
    """Return what a pre-flight found, as JSON knows it. Paths are relative to `root`, and printable."""
    intake, manifest = preflight.intake, preflight.manifest
    used = {file.path: file.split for file in manifest.files}
    photos = [photo for photo in intake.photos if photo.path in used]
    strays = intake.source.strays
    refused = {leak.copy.path for leak in intake.leaks} if preflight.settings.leaks == "refuse" else set()
    quarantined = [each for each in manifest.quarantined if each.path not in refused]
    return {
        "name": manifest.name,
        "source": manifest.source,
        "licence": manifest.licence,
        "root": escape(str(manifest.root)),
        "notes": list(intake.source.notes),
        "photos": {"found": len(intake.photos), "used": len(manifest.files), "quarantined": len(quarantined)},
        "split": {
            "ratios": list(manifest.split.ratios),
            "seed": manifest.split.seed,
            "given": list(manifest.split.given),
            "group_by": manifest.split.group_by,
            "groups": len({photo.candidate.group for photo in photos} - {""}),
        },
        "classes": {
            label: {split: counts[label] for split, counts in manifest.counts().items()} for label in manifest.labels
        },
        "imbalance": _imbalance(Counter(photo.label for photo in photos)),
        "formats": dict(Counter(photo.kind for photo in photos).most_common()),
        "sizes": _sizes([photo.size for photo in photos]),
        "oddities": {name: _named(photo.path for photo in photos if name in photo.oddities) for name in ODDITIES},
        "quarantined": [{"path": each.path, "reason": each.reason} for each in quarantined],
        "strays": {"count": len(strays), "examples": list(strays[:_STRAYS])},
        "leaks": {
            "handling": preflight.settings.leaks,
            "count": len(intake.leaks),
            "pairs": [
                {
                    "paths": [leak.copy.path, leak.kept.path],
                    "splits": [leak.copy.candidate.split or "train", leak.kept.candidate.split],
                    "identical": "bytes" if leak.is_same_file else "pixels",
                }
                for leak in intake.leaks
            ],
        },
        "straddling_groups": {escape(group): list(splits) for group, splits in intake.straddling.items()},
        "conflicts": [
            {"paths": [each.path for each in group], "labels": [each.label for each in group]}
            for group in intake.conflicts
        ],
        "identical": _identical(intake, used),
        "near_duplicates": _near(preflight.near, preflight.settings.near_duplicates),
    }


def _imbalance(counts: Counter[str]) -> dict[str, Any]:
    """Return the largest and the smallest class, and how many times larger it is."""
    (largest, most), (smallest, fewest) = counts.most_common()[0], counts.most_common()[-1]
    return {"largest": largest, "smallest": smallest, "ratio": round(most / fewest, 2)}


def _sizes(sizes: list[tuple[int, int]]) -> dict[str, Any]:
    """Return the sizes, (height, width), with the fewest, the middle and the most pixels."""
    by_pixels = sorted(sizes, key=lambda size: size[0] * size[1])
    middle = statistics.median_low(range(len(by_pixels)))
    return {
        "different": len(set(sizes)),
        "smallest": list(by_pixels[0]),
        "median": list(by_pixels[middle]),
        "largest": list(by_pixels[-1]),
    }


def _named(paths: Iterable[str]) -> dict[str, Any]:
    """Return how many there are, and the first by name."""
    listed = list(paths)
    return {"count": len(listed), "examples": listed[:_EXAMPLES]}


def _identical(intake: Intake, used: dict[str, str]) -> dict[str, Any]:
    """Return the photos that are used and have copies, but no leaks: such are told apart."""
    leaking = {leak.kept.content for leak in intake.leaks}
    found = copies(photo for photo in intake.photos if photo.path in used)
    groups = [group for group in found if group[0].content not in leaking]
    return {
        "groups": len(groups),
        "photos": sum(map(len, groups)),
        "list": [
            {
                "paths": [each.path for each in group],
                "split": used[group[0].path],
                "identical": "bytes" if len({each.sha256 for each in group}) == 1 else "pixels",
            }
            for group in groups
        ],
    }


def _near(near: NearDuplicates, handling: str) -> dict[str, Any]:
    """Return the photos that look alike, those across splits first."""
    return {
        "handling": handling,
        "distance": NEAR,
        "count": near.pairs,
        "across_splits": near.across_splits,
        "across_classes": near.across_classes,
        "pairs": [
            {
                "paths": [photo.path for photo in pair.photos],
                "splits": list(pair.splits),
                "labels": [photo.label for photo in pair.photos],
                "distance": pair.distance,
            }
            for pair in near.listed
        ],
    }
