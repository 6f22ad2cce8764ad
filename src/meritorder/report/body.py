"""A report's page: sections, figures and the frame around them, in one HTML file that holds everything it shows."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any

from meritorder import __version__
from meritorder.problems import InputError, Problem
from meritorder.report.figures import Figure
from meritorder.report.text import safe

_FOLDER = Path(__file__).parent


class Body:
    """The parts of the page in order, with the figures' data by id."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.anchors: list[tuple[str, str]] = []
        self.data: dict[str, Any] = {}

    def section(
        self, title: str, *parts: str, lead: str = "", css: str = "", nav: bool = True, anchor: str = ""
    ) -> None:
        """A section with its heading; in the page's menu if `nav`."""
        anchor = anchor or f"part-{len(self.parts)}"
        if nav:
            self.anchors.append((anchor, title))
        text = f'<p class="lead">{safe(lead)}</p>' if lead else ""
        self.parts.append(
            f'<section id="{anchor}" class="{css}"><h2>{safe(title)}</h2>{text}{"".join(parts)}</section>'
        )

    def open_panel(self, name: str, hidden: bool) -> None:
        """What follows is shown with its tab only."""
        self.parts.append(f'<div data-panel="{name}"{" hidden" if hidden else ""}>')

    def close_panel(self) -> None:
        """The end of what a tab shows."""
        self.parts.append("</div>")

    def figures(self, made: Sequence[Figure], wide: bool = False) -> str:
        """Boxes in which the page draws these figures; those without data are left out."""
        return f'<div class="figures">{"".join(self._figure(f, wide) for f in made if f.data)}</div>'

    def _figure(self, figure: Figure, wide: bool) -> str:
        name = f"figure-{len(self.data)}"
        self.data[name] = {"data": figure.data, "layout": figure.layout, "height": figure.height}
        names = ", ".join(trace["name"] for trace in figure.data if "name" in trace)
        spoken = f"{figure.title}. {figure.note} Shown: {names}." if names else f"{figure.title}. {figure.note}"
        return (
            f"<figure{' class=wide' if wide else ''}>"
            f"<figcaption><h3>{safe(figure.title)}</h3><p>{safe(figure.note)}</p></figcaption>"
            f'<div class="plot" id="{name}" role="img" aria-label="{safe(spoken)}" '
            f'style="min-height:{figure.height}px"></div></figure>'
        )


def tabs(kind: str, names: Sequence[str]) -> str:
    """Buttons that show one of the panels `KIND-0`, `KIND-1` ..."""
    buttons = "".join(
        f'<button type="button" role="tab" data-for="{kind}-{i}" aria-selected="{"true" if i == 0 else "false"}" '
        f'tabindex="{0 if i == 0 else -1}">{safe(name)}</button>'
        for i, name in enumerate(names)
    )
    return f'<div class="tabs" role="tablist" aria-label="{safe(kind)}">{buttons}</div>'


def whole_page(body: Body, title: str, about: str) -> str:
    """The HTML of a report with these parts."""
    import orjson

    # Inside a script element only "<" could end it or open a comment.
    data = orjson.dumps(body.data).decode().replace("<", "\\u003c")
    page = Template((_FOLDER / "page.html").read_text(encoding="utf-8"))
    return page.substitute(
        version=__version__,
        title=safe(title),
        about=safe(about),
        css=(_FOLDER / "page.css").read_text(encoding="utf-8"),
        js=(_FOLDER / "page.js").read_text(encoding="utf-8"),
        plotly=_plotly(),
        nav="".join(f'<a href="#{anchor}">{safe(name)}</a>' for anchor, name in body.anchors),
        main="\n".join(body.parts),
        figures=data,
        hint=" Drag over a figure to zoom, double-click to go back.",
    )


def _plotly() -> str:
    """Plotly's JavaScript out of its Python package, which is found without being imported (that takes long)."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise InputError(Problem("the package plotly is not installed", fix="install meritorder with its dependencies"))
    return (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
