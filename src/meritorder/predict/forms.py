"""All forms of tables that `merit predict` knows."""

from __future__ import annotations

from meritorder.predict.energy import ENERGY
from meritorder.predict.form import Form
from meritorder.predict.inferencex_form import INFERENCEX
from meritorder.predict.kernel_power import KERNEL_POWER
from meritorder.predict.mlperf import MLPERF
from meritorder.predict.open_loop import OPEN_LOOP
from meritorder.predict.operators import OPERATOR_FORMS
from meritorder.predict.requests import REQUESTS
from meritorder.predict.splitwise import SPLITWISE
from meritorder.predict.wafer_port import WAFER_PORT
from meritorder.predict.wafer_service import WAFER_CALL, WAFER_SPEED, WAFER_TEST

FORMS: tuple[Form, ...] = (
    *(INFERENCEX, OPEN_LOOP, REQUESTS, ENERGY, MLPERF, SPLITWISE, KERNEL_POWER),
    *(WAFER_PORT, WAFER_TEST, WAFER_CALL, WAFER_SPEED),
    *OPERATOR_FORMS,
)
