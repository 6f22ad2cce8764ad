"""`Usage`: tokens as a backend counted them, in the words of any of the APIs."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

_NO_ERROR = msgspec.Raw()

# What no answer can have counts as not said.
_Tokens: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]


class _Details(msgspec.Struct):
    cached_tokens: _Tokens | None = None


class Usage(msgspec.Struct):
    """`usage` of an answer or of a stream's last events."""

    prompt_tokens: _Tokens | None = None
    completion_tokens: _Tokens | None = None
    prompt_tokens_details: _Details | None = None
    input_tokens: _Tokens | None = None
    output_tokens: _Tokens | None = None
    input_tokens_details: _Details | None = None
    cache_read_input_tokens: _Tokens | None = None
    cache_creation_input_tokens: _Tokens | None = None

    @property
    def prompt(self) -> int:
        """All tokens of the prompt, cached ones too; 0: not said."""
        if self.prompt_tokens is not None:
            return self.prompt_tokens
        # Anthropic's input_tokens are those behind the cached ones
        return (self.input_tokens or 0) + (self.cache_read_input_tokens or 0) + (self.cache_creation_input_tokens or 0)

    @property
    def output(self) -> int:
        """Tokens of the answer; 0: none, or not said."""
        return self.completion_tokens or self.output_tokens or 0

    @property
    def cached(self) -> int | None:
        """Tokens of the prompt found in the prefix cache; None: not said."""
        details = self.prompt_tokens_details or self.input_tokens_details
        return details.cached_tokens if details is not None else self.cache_read_input_tokens

    def merged(self, later: Usage) -> Usage:
        """This, with what a later event says anew."""
        said = {name: value for name, value in msgspec.structs.asdict(later).items() if value is not None}
        return msgspec.structs.replace(self, **said)


class Whole(msgspec.Struct):
    """What the gateway reads of an answer that is not streamed."""

    usage: Usage | None = None
    error: msgspec.Raw = _NO_ERROR

    @property
    def failed(self) -> bool:
        """Whether it tells of a failure, whatever its status."""
        return self.error is not _NO_ERROR and bytes(self.error) != b"null"


_whole = msgspec.json.Decoder(Whole)


def read_whole(body: bytes) -> Whole | None:
    """None where the body is not a JSON object."""
    try:
        return _whole.decode(body)
    except msgspec.ValidationError:  # usage of an unknown shape: the answer may be sound all the same
        try:
            msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return Whole()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
