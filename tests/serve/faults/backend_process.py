"""`python -m tests.serve.faults.backend_process PORT`: a fake backend told by JSON lines on its standard input."""

from __future__ import annotations

import json
import sys

from tests.serve.fake_backend import Act, FakeBackend


def main() -> None:
    fake = FakeBackend()
    fake.start(int(sys.argv[1]))
    print(fake.port, flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        if "usual" in message:
            fake.usual = _act(message["usual"])
        for act in message.get("acts", ()):
            fake.acts.append(_act(act))
        print(
            sum(request.path.startswith("/v1/") and request.method == "POST" for request in fake.requests), flush=True
        )


def _act(fields: dict[str, object]) -> Act:
    fields["body"] = str(fields["body"]).encode()
    fields["headers"] = tuple(tuple(pair) for pair in fields["headers"])  # type: ignore[union-attr,attr-defined]
    return Act(**fields)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
