"""A page of HTML that holds everything it needs, and may load nothing from anywhere else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from string import Template

_FOLDER = Path(__file__).parent


def assemble(name: str, values: Mapping[str, str] = {}) -> bytes:
    """`NAME.html` with its style and script in it, each behind what all pages share. `values` fill its other `$keys`.

    The content security policy lets exactly this style and this script run, and requests go to the page's own server.
    """
    css = _read("shared.css") + _read(f"{name}.css")
    js = _read("shared.js") + _read(f"{name}.js")
    policy = (
        f"default-src 'none'; style-src {_hash(css)}; script-src {_hash(js)}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return Template(_read(f"{name}.html")).substitute(css=css, js=js, policy=policy, **values).encode()


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
