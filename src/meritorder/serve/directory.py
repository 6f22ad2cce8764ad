"""`Directory`: which service of the fleet file a client means by `model` and `service_tier`."""

from __future__ import annotations

from collections.abc import Sequence

from meritorder.fleet.schema import Fleet
from meritorder.problems import did_you_mean
from meritorder.serve.backends.backend import Backend
from meritorder.serve.doors.caller import Caller
from meritorder.serve.errors import Refused

# `service_tier` of a request -> tier of a service; others are as good as none
_ASKED = {"priority": "priority", "flex": "flex"}


class Directory:
    """Names of models and the services behind them.

    A name is looked for, in this order, among the services' own names and their `live.names`, the fleet's models, and
    the names that backends know their models by; the first kind of name that fits decides.
    """

    def __init__(self, fleet: Fleet, backends: Sequence[Backend]) -> None:
        self._backends = backends
        self._services = tuple(fleet.services)
        self._tiers = [service.live.tier or "default" for service in fleet.services.values()]
        self._by_name: dict[str, tuple[int, ...]] = {name: (i,) for i, name in enumerate(fleet.services)}
        self._by_fleet_model: dict[str, tuple[int, ...]] = {}
        for i, service in enumerate(fleet.services.values()):
            for name in service.live.names:
                if i not in self._by_name.get(name, ()):
                    self._by_name[name] = (*self._by_name.get(name, ()), i)
            self._by_fleet_model[service.model] = (*self._by_fleet_model.get(service.model, ()), i)
        for name, services in self._by_fleet_model.items():
            self._by_name.setdefault(name, services)
        self._by_backend_model: dict[str, tuple[int, ...]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take in what backends have said of their models since; now and then."""
        found: dict[str, tuple[int, ...]] = {}
        for backend in self._backends:
            services = self._by_fleet_model.get(backend.fleet_model, ())
            for name in (backend.model, *backend.models):
                if name and services:
                    known = found.get(name, ())
                    found[name] = known + tuple(i for i in services if i not in known)
        self._by_backend_model = found

    def find(self, model: str, tier: str | None, caller: Caller) -> int:
        """Index of the service. Raises Refused: 404 for a name that nothing has."""
        services = self._by_name.get(model) or self._by_backend_model.get(model)
        if services is None:
            # the name is the client's own text: no more of it than a name can be
            hint = did_you_mean(model[:100], self.names(caller))
            raise Refused(404, "model_not_found", f"There is no model `{model[:100]}` here; {hint}.", param="model")
        if len(services) == 1:
            return services[0]
        if caller.services is not None:
            allowed = tuple(i for i in services if self._services[i] in caller.services)
            services = allowed or services  # none allowed: the doors say so
        wanted = _ASKED.get(tier or "", "default")
        for i in services:
            if self._tiers[i] == wanted:
                return i
        return next((i for i in services if self._tiers[i] == "default"), services[0])

    def tier(self, service: int) -> str:
        """The tier that a service is, as OpenAI's API names it."""
        return self._tiers[service]

    def names(self, caller: Caller | None = None) -> list[str]:
        """Every name that `find` knows, sorted; of a caller: those it may use."""
        found = []
        for name, services in {**self._by_backend_model, **self._by_name}.items():
            if caller is not None:
                if caller.models is not None and name not in caller.models:
                    continue
                if caller.services is not None and not any(self._services[i] in caller.services for i in services):
                    continue
            found.append(name)
        return sorted(found)
