"""How requests of a known length are put to an endpoint: as tokens where it takes them, else as text."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np
import orjson

from meritorder.calibrate.answer import Answer
from meritorder.problems import InputError, Problem
from meritorder.serve.http.client import Upstream
from meritorder.serve.replay.prompts import WORDS

TOKENS = (1_000, 21_000)  # all vocabularies of models that people serve have these, behind special tokens in front
_ENDLESS = " Count up from 1 and never stop: 1 2 3"


@dataclass(frozen=True)
class Manner:
    """What the endpoint takes."""

    chat: bool = False
    tokens: bool = True  # prompts as arrays of tokens
    ignore_eos: bool = True
    overhead: float = 0.0  # tokens of a text prompt beside its words
    per_word: float = 1.0  # tokens of a word


MANNERS = (
    Manner(),
    Manner(tokens=False),
    Manner(chat=True, tokens=False),
    Manner(chat=True, tokens=False, ignore_eos=False),
)


class Asker:
    """Sends requests; waits for what happens to them."""

    def __init__(
        self,
        upstream: Upstream,
        model: str,
        headers: bytes,
        where: str,
        timeout_s: float,
        seed: int = 0,
        tokens: tuple[int, int] = TOKENS,
    ) -> None:
        """`tokens`: prompts are of these, the last excluded; `where`: the endpoint in messages."""
        self.manner = MANNERS[0]
        self.model, self.where = model, where
        self._upstream, self._timeout_s = upstream, timeout_s
        self._headers = b"content-type: application/json\r\naccept: text/event-stream\r\n" + headers
        self._tokens = tokens
        self._draw = np.random.default_rng(seed)
        self._changed = asyncio.Event()

    def send(self, prompt: int, output: int) -> Answer:
        """Ask for `output` tokens behind a prompt of `prompt` tokens that no other begins like."""
        body = self._body(prompt, output)
        path = b"/v1/chat/completions" if self.manner.chat else b"/v1/completions"
        answer = Answer(prompt, self._changed.set)
        answer.call = self._upstream.send(b"POST", path, self._headers, body, answer)
        return answer

    async def until(self, answers: list[Answer], tokens: int | None = None) -> None:
        """Until all of them have so many tokens, or are over. Raises InputError where one fails."""
        try:
            async with asyncio.timeout(self._timeout_s):
                while True:
                    self._changed.clear()
                    for answer in answers:
                        if answer.why:
                            raise self.failed(answer)
                    if all(a.ended or (tokens is not None and len(a.seen) >= tokens) for a in answers):
                        return
                    await self._changed.wait()
        except TimeoutError:
            what = f"did not answer in {self._timeout_s:g} s"
            raise InputError(Problem(what, self.where, fix="see whether it hangs, or give more --timeout")) from None

    def failed(self, answer: Answer) -> InputError:
        """What a failed request means."""
        if answer.http in (401, 403):
            fix = "give the endpoint's key with --key"
        elif answer.http == 404:
            fix = "name a model that it serves with --model"
        elif answer.http == 400:
            fix = "are its limits those of --slots and --context?"
        else:
            fix = "is the endpoint up? give its address without /v1"
        status = f"{answer.http}: " if answer.http not in (0, 200) else ""
        return InputError(Problem(f"a request failed: {status}{answer.why}", self.where, fix=fix))

    def _body(self, prompt: int, output: int) -> bytes:
        manner = self.manner
        asked = {
            "model": self.model,
            "max_tokens": output,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if manner.ignore_eos:
            asked["ignore_eos"] = True
        if manner.tokens:
            asked["prompt"] = self._draw.integers(*self._tokens, prompt)
        else:
            words = max(round((prompt - manner.overhead) / manner.per_word), 1)
            text = bytes(WORDS[self._draw.integers(0, len(WORDS), words)].tobytes()).decode()
            text += "" if manner.ignore_eos else _ENDLESS
            asked |= {"messages": [{"role": "user", "content": text}]} if manner.chat else {"prompt": text}
        return orjson.dumps(asked, option=orjson.OPT_SERIALIZE_NUMPY)
