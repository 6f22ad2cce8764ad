"""A first look at an endpoint, before a sweep is designed: how it takes requests, and about how fast it is."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

from meritorder.calibrate.asking import MANNERS, Asker, Manner
from meritorder.calibrate.design import Pace
from meritorder.problems import InputError, Problem

_PROMPT, _LONG = 32, 160  # tokens
_OUTPUT = 12
_STALL = 1.3  # a full iteration takes so much longer than one that only decodes
_ENOUGH = 0.75  # of the tokens asked for: the endpoint does not end answers when it likes


async def find_manner(asker: Asker) -> Manner:
    """The first manner in which it answers with as many tokens as asked. Sets it. Raises InputError: in none."""
    came = 0
    for manner in MANNERS:
        asker.manner = manner
        answer = asker.send(_PROMPT, _OUTPUT)
        try:
            await asker.until([answer])
        except InputError:
            if answer.http in (400, 422) and manner != MANNERS[-1]:
                continue  # it doesn't take requests like that
            raise
        came = max(came, answer.output_tokens)
        if answer.output_tokens >= _ENOUGH * _OUTPUT:
            counted = answer.prompt_tokens
            if manner.tokens and abs(counted - _PROMPT) <= 2:
                return manner
            if not manner.tokens:
                asker.manner = await _weigh_words(asker, counted)
                return asker.manner
    what = f"ends its answers after {came} of {_OUTPUT} tokens, whatever is asked"
    fix = "serve it with an engine that knows ignore_eos, or calibrate from its log with --log"
    raise InputError(Problem(what, asker.where, fix=fix))


async def look(asker: Asker, sequences: int, context: int) -> Pace:
    """About how fast it is: one request alone, a longer one, and as many as it runs at a time."""
    long = max(min(_LONG, context - 2 * _OUTPUT), _PROMPT + 1)
    firsts = []
    for prompt in (_PROMPT, long):
        answer = asker.send(prompt, _OUTPUT)
        await asker.until([answer])
        firsts.append(answer)
    many = [asker.send(8, 2 * _OUTPUT) for _ in range(sequences)]
    await asker.until(many)
    gap, gap_many = (_gap(firsts[-1].token_times()), _gap(min((a.token_times() for a in many), key=_gap)))
    short_s, long_s = (a.seen[0] - a.sent for a in firsts)
    per_token = max((long_s - short_s) / (long - _PROMPT), 1e-2 * gap / _PROMPT)
    request = max(short_s - per_token * _PROMPT, 0.0)
    return Pace(gap, max(gap_many - gap, 0.0) / max(sequences - 1, 1), per_token, request)


async def find_budget(asker: Asker, longest: int) -> int | None:
    """Most tokens in an iteration, from how often a sequence that decodes has to wait while a long prompt is computed;
    None where it is computed at once. The median of three tries. `longest`: tokens that the prompt may have.
    """
    prompt = round(0.7 * 2.0 ** math.floor(math.log2(longest / 0.7)))  # leaves no small rest for any power of two
    parts = sorted([await _count_parts(asker, prompt) for _ in range(3)])[1]
    if parts < 2:
        return None
    powers = {2**n: math.ceil(prompt / (2**n - 1)) for n in range(4, 20)}
    nearest = min(powers, key=lambda power: abs(powers[power] - parts))
    return nearest if abs(powers[nearest] - parts) <= 0.15 * parts else math.ceil(prompt / parts) + 1


async def _count_parts(asker: Asker, prompt: int) -> int:
    """In how many iterations a prompt is computed."""
    decoding = asker.send(8, 40)
    await asker.until([decoding], 6)
    falling = asker.send(prompt, 1)
    await asker.until([falling])
    await asker.until([decoding])
    times = decoding.token_times()
    usual = sorted(b - a for a, b in pairwise(times))[len(times) // 3]
    last = falling.seen[0] + 0.5 * usual
    pauses = [b - a for a, b in pairwise(times) if b > falling.sent and a < last]
    most = max(pauses, default=0.0)
    parts = sum(pause > usual + 0.25 * (most - usual) for pause in pauses)
    return parts if most >= _STALL * usual else 1


async def _weigh_words(asker: Asker, few: int) -> Manner:
    """Tokens of a word, and of what stands around the words, as the endpoint counts."""
    answer = asker.send(4 * _PROMPT, 1)
    await asker.until([answer])
    per_word = (answer.prompt_tokens - few) / (3 * _PROMPT)
    if per_word <= 0.0:
        fix = "use an endpoint that sends `usage`, or calibrate from its log with --log"
        raise InputError(Problem("does not say how many tokens prompts have", asker.where, fix=fix))
    return replace(asker.manner, per_word=per_word, overhead=few - per_word * _PROMPT)


def _gap(times: list[float]) -> float:
    return (times[-1] - times[0]) / max(len(times) - 1, 1)
