"""Somebody who may only read, and reads while the writer ends and starts again.

python reader.py FOLDER READS SEED product|naive
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrate_tui.store.reading import Reader
from tests.torture.restarting import ROWS, Acknowledged

Query = Callable[[sqlite3.Connection], Any]


class NaiveReader:
    """Opens the database as one that never changes, as whoever may not write has to at times."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)

    def read(self, query: Query) -> Any:
        return query(self._connection)

    def close(self) -> None:
        self._connection.close()


def numbers(connection: sqlite3.Connection) -> list[int]:
    return [row[0] for row in connection.execute("SELECT number FROM pages")]


def main(folder: Path, reads: int, chance: random.Random, kind: str) -> None:
    path, acknowledged = folder / "store.db", Acknowledged(folder / "acknowledged")
    reader: Any = None
    done = wrong = errors = last = 0
    slowest = 0.0
    while not (folder / "stop").exists():
        before, began = acknowledged.number, time.monotonic()
        try:
            if reader is None or chance.random() < 0.02:
                if reader is not None:
                    reader.close()
                reader = NaiveReader(path) if kind == "naive" else Reader(path, lambda _: None)
            found = reader.read(numbers)
        except Exception:  # noqa: BLE001  (what it counts)
            errors += 1
            reader = None
            continue
        slowest = max(slowest, time.monotonic() - began)
        done += 1
        is_whole = len(found) == ROWS and len(set(found)) == 1
        if not is_whole or not max(before, last) <= found[0] <= acknowledged.number + 1:
            wrong += 1
        last = max(last, found[0] if found else 0)
        if done == reads:
            sys.stdout.write("enough\n")
            sys.stdout.flush()
    seen = {"reads": done, "wrong": wrong, "errors": errors, "slowest": slowest}
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), random.Random(sys.argv[3]), sys.argv[4])
