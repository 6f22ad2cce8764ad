"""What the admin port needs of the store of API keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Keyring(Protocol):
    """API keys, without their secrets. Its methods read and write the database, so they run in a thread."""

    def listed(self) -> list[Mapping[str, Any]]:
        """Every key: id, name, tenant, services, limits, budgets, use; never a secret."""

    def create(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make a key; the answer has its secret under `key`, this once. Raises InputError for wrong fields."""

    def rotate(self, key_id: str) -> Mapping[str, Any]:
        """A new secret for a key, likewise. Raises InputError for an unknown id."""

    def revoke(self, key_id: str) -> None:
        """The key opens nothing from now on. Raises InputError for an unknown id."""
