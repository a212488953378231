"""Draws what was measured, as pictures that are the same for the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure as Drawing

from benchmarks.figures import OURS, Figure, rounded
from benchmarks.growth import Curve
from benchmarks.report import pictures
from benchmarks.results import Results

STYLE = {"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 9}
OWN, OTHER = "#2a7de1", "#9aa3ad"


def draw(results: Results, folder: Path) -> None:
    """Draw all pictures that the report shows into `folder`; others are removed from there."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for key, record in results.workloads.items():
        for picture in pictures(key, record):
            path = folder / f"{picture.name}.svg"
            if picture.figures:
                draw_bars(picture.figures, path)
            else:
                draw_curves(picture.curves, path)


def draw_bars(figures: Sequence[Figure], path: Path) -> None:
    """The medians as bars on a logarithmic axis, the least first, with all samples as dots."""
    drawn = sorted(figures, key=lambda one: one.median)
    drawing, axes = _sheet(height=0.5 + 0.3 * len(drawn))
    for row, figure in enumerate(reversed(drawn)):
        colour = OWN if figure.subject == OURS else OTHER
        axes.barh(row, figure.median, color=colour, height=0.6)
        axes.plot(figure.samples, [row] * len(figure.samples), "k.", markersize=2)
        axes.annotate(
            f" {rounded(figure.median)}",
            (max(figure.samples), row),
            va="center",
        )
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.set_yticks(range(len(drawn)), [one.subject for one in reversed(drawn)])
    axes.set_xlabel(drawn[0].unit)
    _save(drawing, path)


def draw_curves(curves: Sequence[Curve], path: Path) -> None:
    """The costs against the sizes, both on logarithmic axes."""
    drawing, axes = _sheet(height=3)
    for curve in curves:
        sizes = [point.size for point in curve.points]
        costs = [point.median for point in curve.points]
        label = f"{curve.title}: exponent {curve.exponent:.2f}"
        if curve.subject != OURS:
            label = f"{curve.subject}, {label}"
        axes.plot(sizes, costs, "o-", markersize=3, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(curves[0].of)
    axes.set_ylabel(curves[0].unit)
    axes.legend(frameon=False)
    _save(drawing, path)


def _sheet(height: float) -> tuple[Drawing, mpl.axes.Axes]:
    mpl.rcParams.update(STYLE)
    drawing = Drawing(figsize=(7, height), layout="constrained")
    axes = drawing.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return drawing, axes


def _save(drawing: Drawing, path: Path) -> None:
    drawing.savefig(path, format="svg", metadata={"Date": None}, transparent=False)
