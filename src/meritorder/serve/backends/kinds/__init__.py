"""The kinds of backends there are. A new one is one small file here and its line in `KINDS`."""

from meritorder.serve.backends.kinds.cerebras import CEREBRAS
from meritorder.serve.backends.kinds.dynamo import DYNAMO
from meritorder.serve.backends.kinds.kind import Kind
from meritorder.serve.backends.kinds.llama_cpp import LLAMA_CPP
from meritorder.serve.backends.kinds.openai import OPENAI
from meritorder.serve.backends.kinds.sglang import SGLANG
from meritorder.serve.backends.kinds.tensorrt_llm import TENSORRT_LLM
from meritorder.serve.backends.kinds.vllm import VLLM

KINDS: dict[str, Kind] = {kind.name: kind for kind in (OPENAI, VLLM, SGLANG, TENSORRT_LLM, LLAMA_CPP, DYNAMO, CEREBRAS)}

__all__ = ["KINDS", "Kind"]
