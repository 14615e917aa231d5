"""The range in which a share of photos lies in truth, given how many were looked at."""

from __future__ import annotations

import math

_Z = 1.959963984540054  # of the normal distribution's middle 95 %


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, 0-1, of n photos (Wilson, 1927); (0, 1) for none."""
    if n == 0:
        return 0.0, 1.0
    z2 = _Z * _Z / n
    middle = share + z2 / 2
    half = _Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n))
    return max(0.0, (middle - half) / (1 + z2)), min(1.0, (middle + half) / (1 + z2))
