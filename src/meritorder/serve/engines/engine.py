"""`Engine`: one llama.cpp server in a process of its own, kept running until it is stopped."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic

from meritorder.problems import InputError, Problem

_READY_S = 300.0  # loading weights from a slow disk
_AGAIN_S = (0.0, 0.5, 2.0, 10.0)  # wait before an engine that dies again and again is started once more
_SETTLED_S = 30.0  # after this long its deaths are forgotten
_STOP_S = 3.0


@dataclass(frozen=True)
class Settings:
    """What an engine serves and how."""

    name: str  # of the engine, in messages
    model: str  # as its clients name it
    weights: str  # GGUF file
    key: str = field(repr=False)  # that its clients need; browsers could reach it otherwise
    slots: int = 4  # sequences at a time
    context: int = 2048  # tokens of each
    token_budget: int = 256  # most in an iteration: a longer prompt is split, so that it doesn't stall the others
    threads: int = 1  # llama.cpp's threads spin while they wait for one another: never more than there are cores
    core: int | None = None  # pinned to it
    dry: float = 0.0  # penalty of llama.cpp's DRY sampler: keeps a tiny model from going round in circles


class Engine:
    """Starts at once. `tell` gets a line for people, from another thread, when the engine died and comes again."""

    def __init__(self, settings: Settings, log: Path, tell: Callable[[str], None]) -> None:
        self.settings, self._log, self._tell = settings, log, tell
        self._port = 0  # 0: any free one; a restart takes the same again
        self._process: subprocess.Popen[str] | None = None
        self._came_up = threading.Event()  # or will not
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name=f"engine {settings.name}", daemon=True)
        self._keeper.start()

    def wait_ready(self) -> None:
        """Until it answers for the first time. Raises InputError if it doesn't come up."""
        if not self._came_up.wait(_READY_S) or not self._port:
            self.stop()
            what = f"llama.cpp can't serve it{self._last_words()}"
            raise InputError(Problem(what, where=self.settings.weights, fix=f"see {self._log}"))

    @property
    def url(self) -> str:
        """Where it listens, without `/v1`."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """Its process; None while there is none."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def stop(self) -> None:
        """End it, whatever it does."""
        self._stopping.set()
        if (process := self._process) is not None and process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()  # it takes this for its parent's death
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
        self._keeper.join()

    def _keep(self) -> None:
        deaths = 0
        while not self._stopping.wait(_AGAIN_S[min(deaths, len(_AGAIN_S) - 1)]):
            began = monotonic()
            code = self._run()
            if not self._port:  # it never came up: another try would end alike
                self._came_up.set()
                return
            deaths = deaths + 1 if monotonic() - began < _SETTLED_S else 1
            if not self._stopping.is_set():
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                self._tell(f"engine {self.settings.name} died ({how}); starting it again")

    def _run(self) -> int:
        """One life of the process; its exit code."""
        with self._log.open("w", encoding="utf-8") as log:
            command = (sys.executable, "-m", "meritorder.serve.engines.child")
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True)
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        if self._stopping.is_set():  # `stop` may have come before there was a process to end
            process.kill()
        with suppress(OSError):  # it is dead already: its exit code tells
            process.stdin.write(json.dumps({**asdict(self.settings), "port": self._port}) + "\n")
            process.stdin.flush()
        for line in process.stdout:
            if line.startswith("ready "):
                self._port = int(line.split()[1])
                self._came_up.set()
        return process.wait()

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n") if self._log.exists() else []
        said = [line.strip() for line in lines if "error" in line.lower()]
        return f": {said[-1][:200]}" if said else ""
