"""Tables about a public service on CS-3: prompt and answer times of single calls, and speeds of one user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meritorder.catalog.load import Catalog
from meritorder.catalog.model import ModelSpec
from meritorder.catalog.names import model_of
from meritorder.perf.wafer_service import answer_seconds, prompt_seconds, service_placement, user_seconds, vendor_share
from meritorder.predict.cells import number, text
from meritorder.predict.each import each
from meritorder.predict.form import Answer, Progress, Row

PROVIDER, MACHINE, SERVICE = "Cerebras", "cs-3", "cerebras-service"
TESTED = "llama-3.3-70b"
PACES = {"short_input_short_output": "pace_short", "short_input_long_output": "pace_creative"}
BEFORE_SPECULATION = "2024-10"  # the service's 70B became 3.5 times as fast on the same wafers


@dataclass(frozen=True)
class WaferServiceForm:
    """A form whose rows are answered one by one."""

    name: str
    needs: frozenset[str]
    adds: tuple[str, ...]
    answer: Callable[[Row, Catalog], Answer]

    def predict(self, rows: Sequence[Row], catalog: Catalog, progress: Progress) -> list[Answer]:
        """An answer for each row."""
        return each(rows, progress, lambda row: self.answer(row, catalog))


def _test(row: Row, catalog: Catalog) -> Answer:
    """Llama 3.3 70B by kind of prompt: what is asked decides how well drafts are accepted."""
    service = catalog.setups[SERVICE]
    place = service_placement(catalog.accelerators[MACHINE], catalog.models[TESTED])
    prompt, output = number(row, "prompt_tokens"), number(row, "completion_tokens")
    pace = service[PACES.get(row["prompt_type"], "pace_analysis")]
    answered = output * user_seconds(place, service) / pace + prompt * service["start"]
    values = {"server_prompt_ms": prompt_seconds(place, prompt) * 1e3, "server_decode_tok_s": output / answered}
    return Answer(values, "how fast an answer comes depends on its text" if output < 100 else "")


def _call(row: Row, catalog: Catalog) -> Answer:
    found = _hosted(row, catalog)
    if isinstance(found, Answer):
        return found
    service = catalog.setups[SERVICE]
    place = service_placement(catalog.accelerators[MACHINE], found)
    prompt, output = number(row, "prompt_tokens"), number(row, "completion_tokens")
    values = {"prompt_s": prompt_seconds(place, prompt), "completion_s": answer_seconds(place, service, prompt, output)}
    return Answer(values, "one call, load unknown")


def _speed(row: Row, catalog: Catalog) -> Answer:
    found = _hosted(row, catalog)
    if isinstance(found, Answer):
        return found
    service = catalog.setups[SERVICE]
    place = service_placement(catalog.accelerators[MACHINE], found)
    token = user_seconds(place, service, row["date"] >= BEFORE_SPECULATION)
    claim = service["vendor_claim"] ** vendor_share(row["kind"])
    note = "speculative decoding and wafers are not published; errors of a third are usual"
    return Answer({"tok_s_per_user": claim / token}, note)


def _hosted(row: Row, catalog: Catalog) -> ModelSpec | Answer:
    """The shape of the row's model on CS-3, or why there is no answer."""
    if row["provider"] != PROVIDER:
        return Answer({}, f"{row['provider']}: only services on CS-3 are modelled")
    return catalog.models[model_of(text(row, "model"))]


WAFER_TEST = WaferServiceForm(
    "CS-3 service, one model",
    frozenset({"prompt_type", "prompt_tokens", "completion_tokens", "concurrency"}),
    ("server_prompt_ms", "server_decode_tok_s"),
    _test,
)
WAFER_CALL = WaferServiceForm(
    "CS-3 service, single calls",
    frozenset({"provider", "model", "date", "prompt_tokens", "completion_tokens"}),
    ("prompt_s", "completion_s"),
    _call,
)
WAFER_SPEED = WaferServiceForm(
    "CS-3 service, speed of one user",
    frozenset({"provider", "model", "date", "kind", "precision"}),
    ("tok_s_per_user",),
    _speed,
)
