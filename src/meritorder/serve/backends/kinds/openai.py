"""Any server that speaks OpenAI's API: nothing beyond that is relied on."""

from meritorder.serve.backends.kinds.kind import Kind

OPENAI = Kind(
    name="openai",
    every_s=10.0,  # its list of models may count against a rate limit
)
