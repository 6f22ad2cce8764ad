"""What `merit serve` needs beside the fleet itself: where replicas listen, what clients may ask, doors and limits.

`merit simulate` reads past all of it.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from meritorder.fleet.part import Name, Number, Part, Positive, Switch
from meritorder.units import Bytes, Seconds

Url: TypeAlias = Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$", max_length=500)]
# A secret is never written into a fleet file, only where to find it.
Secret: TypeAlias = Annotated[str, Field(pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$")]
_PORT = "([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
Address: TypeAlias = Annotated[str, Field(pattern=rf"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):{_PORT}$")]

Kind: TypeAlias = Literal["openai", "vllm", "sglang", "tensorrt-llm", "llama-cpp", "dynamo", "cerebras"]
Tier: TypeAlias = Literal["priority", "default", "flex"]


class PowerControl(Part):
    """How the power of a pool's machines is read and limited; without it the gateway limits nothing there."""

    driver: Literal["command", "http"] = Field(default="command", description="What `read` and `limit` are.")
    read: str | None = Field(
        default=None,
        min_length=1,
        max_length=1000,
        description="Command that prints watts, one number a line, which are added up; or a URL that answers "
        '`{"watts": ...}`. All of the pool\'s machines; absent: predicted.',
    )
    limit: str = Field(
        min_length=1,
        max_length=1000,
        description="Command that limits each board, `nvidia-smi -pl {watts}`; or a URL that takes "
        '`PUT {"watts": ..., "part": ...}`.',
    )
    timeout: Seconds = Field(default=5.0, gt=0, le=60, description="Longest that one of them may take.")


class Endpoint(Part):
    """Where the replicas of a pool listen, and how to talk to them."""

    kind: Kind = Field(default="openai", description="What serves there: decides which metrics are read and how.")
    urls: tuple[Url, ...] = Field(
        min_length=1, description="One per replica, in their order, without `/v1`: `http://10.0.0.1:8000`."
    )
    model: str | None = Field(
        default=None, max_length=300, description="The model's name there; absent: what the backend's /v1/models says."
    )
    key: Secret | None = Field(default=None, description="API key to use there: `env:NAME` or `file:PATH`.")
    ca: str | None = Field(default=None, description="PEM file of the authority that signed its certificates.")
    power: PowerControl | None = Field(
        default=None, description="Lets the controller read and limit its machines' power; absent: it may not."
    )


class Deadlines(Part):
    """How long a backend may take before it counts as frozen; a request as a whole never takes longer than `answer`."""

    first_token: Seconds = Field(default=60.0, gt=0, description="From sending a request to the first token.")
    token: Seconds = Field(default=15.0, gt=0, description="Between two tokens.")
    answer: Seconds = Field(default=600.0, gt=0, description="From a request's arrival to the end of its answer.")


class Queue(Part):
    """Requests of a service that wait in the gateway while every replica is full."""

    most: Annotated[int, Field(ge=0, le=10_000_000)] = Field(default=1000, description="Most that may wait.")
    time: Seconds = Field(default=30.0, gt=0, description="Longest wait; after it the answer is 429.")


class Tls(Part):
    """The gateway's own certificate."""

    certificate: str = Field(description="PEM file with the certificate chain.")
    key: str = Field(description="PEM file with the private key.")


class DoorLimits(Part):
    """What a client may send, and how slowly."""

    head: Bytes = Field(default=32e3, gt=0, le=1e6, description="Request line and headers.")
    body: Bytes = Field(default=32e6, gt=0, le=1e9, description="Body of a request.")
    connections: Positive = Field(default=10_000, description="Connections at a time, per worker.")
    head_time: Seconds = Field(default=10.0, gt=0, description="Until the headers of a request are there.")
    body_time: Seconds = Field(default=60.0, gt=0, description="Until its body is there.")
    idle_time: Seconds = Field(default=75.0, gt=0, description="Between two requests of a connection.")


class Gateway(Part):
    """How `merit serve` listens and whom it lets in."""

    listen: Address = Field(default="127.0.0.1:8000", description="Where clients connect.")
    admin: Address = Field(default="127.0.0.1:8001", description="Metrics, state and control; keep it private.")
    workers: Annotated[int, Field(ge=1, le=256)] = Field(default=1, description="Processes that share the port.")
    tls: Tls | None = Field(default=None, description="Serve HTTPS with this certificate.")
    keys: Literal["off", "required"] = Field(default="off", description="Whether clients need an API key.")
    database: str | Secret = Field(
        default="sqlite:///meritorder.db", description="Keys and budgets: an SQLAlchemy address, or `env:NAME`."
    )
    limits: DoorLimits = Field(default=DoorLimits(), description="What a client may send, and how slowly.")
    retries: Annotated[int, Field(ge=0, le=10)] = Field(
        default=2, description="Further backends tried for a request, before its first byte or in mid-stream."
    )
    drain_time: Seconds = Field(default=60.0, gt=0, description="How long requests may finish when it stops.")
    record: str | None = Field(default=None, description="Folder for recorded traffic (lengths and hashes, no text).")
    record_salt: Secret | None = Field(
        default=None, description="Secret of the recorded hashes; absent: new at every start."
    )
    traces: str | None = Field(default=None, description="OTLP/HTTP endpoint for traces.")
    trace_share: Number = Field(default=0.01, ge=0, le=1, description="Share of requests that are traced.")
    log_prompts: Switch = Field(default=False, description="Write request bodies into the log.")


class Live(Part):
    """How the gateway treats a service."""

    names: tuple[Name, ...] = Field(
        default=(), description="Values of `model` that ask for this service, beside its own name and its model's."
    )
    tier: Tier | None = Field(default=None, description="`service_tier` that asks for it among services of one name.")
    deadlines: Deadlines = Field(default=Deadlines(), description="When a backend counts as frozen.")
    queue: Queue = Field(default=Queue(), description="Waiting in the gateway.")
    hedging: Number = Field(
        default=0.0, ge=0, le=1, description="Most of its requests that may be sent to a second backend when late."
    )
