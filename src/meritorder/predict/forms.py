"""All forms of tables that `merit predict` knows."""

from __future__ import annotations

from meritorder.predict.form import Form

FORMS: tuple[Form, ...] = ()
