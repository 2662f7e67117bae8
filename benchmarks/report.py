"""How a benchmark tells its figures."""

from __future__ import annotations

from typing import Any

Result = dict[str, Any]


def compared(what: str, unit: str, n: int, ours: tuple[str, float], alternative: tuple[str, float], **more: Any) -> Result:
    """One figure beside its alternative, printed and returned."""
    result = {"what": what, "unit": unit, "n": n, ours[0]: round(ours[1], 3), alternative[0]: round(alternative[1], 3),
              "ratio": round(ours[1] / alternative[1], 2), **more}
    extra = "".join(f", {key.replace('_', ' ')} {value}" for key, value in more.items())
    print(f"{what}: {ours[0]} {ours[1]:.3g} {unit}, {alternative[0]} {alternative[1]:.3g} {unit}, "
          f"ratio {result['ratio']:.2f} (n = {n}{extra})", flush=True)
    return result
