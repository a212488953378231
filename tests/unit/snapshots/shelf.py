"""A store of snapshots whose index lies in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestrate_tui.domain.snapshot import PathChange
from orchestrate_tui.snapshots.blobs import Blob, PackReader, PackWriter
from orchestrate_tui.snapshots.capture import Capture
from orchestrate_tui.snapshots.manifest import Manifest, pack, unpack
from orchestrate_tui.snapshots.restore import Restore
from orchestrate_tui.store.foreign import copy_database


@dataclass(slots=True)
class Shelf:
    """Takes snapshots and puts them back."""

    folder: Path
    index: dict[bytes, Blob] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.packs.mkdir(parents=True, exist_ok=True)
        self.journals.mkdir(exist_ok=True)

    @property
    def packs(self) -> Path:
        return self.folder / "packs"

    @property
    def journals(self) -> Path:
        return self.folder / "restores"

    def take(
        self,
        workdir: Path,
        *patterns: str,
        former: Manifest | None = None,
        own: Sequence[bytes] = (),
        checkpoint: Callable[[], None] = lambda: None,
    ) -> Manifest:
        """A snapshot, as it is read back from what is kept of its manifest."""
        packs = PackWriter(self.packs, self.index.get)
        capture = Capture(
            packs=packs,
            copy_database=copy_database,
            scratch=self.folder / "scratch",
            former=former,
            own=tuple(own),
            checkpoint=checkpoint,
        )
        try:
            manifest = capture.take(workdir, patterns)
            packs.finish()
        except BaseException:
            packs.discard()
            raise
        self.index |= {blob.sha256: blob for blob in packs.blobs}
        return unpack(*pack(manifest))

    def restore(self, manifest: Manifest, checkpoint: Callable[[], None] = lambda: None) -> int:
        reader = PackReader(self.packs, self.index.get)
        try:
            return Restore(
                manifest=manifest, packs=reader, journals=self.journals, checkpoint=checkpoint
            ).run()
        finally:
            reader.close()

    def preview(self, manifest: Manifest) -> list[PathChange]:
        with self.looking(manifest) as restore:
            return list(restore.changes())

    def obstacles(self, manifest: Manifest) -> list[str]:
        with self.looking(manifest) as restore:
            return list(restore.obstacles())

    @contextmanager
    def looking(self, manifest: Manifest) -> Iterator[Restore]:
        reader = PackReader(self.packs, self.index.get)
        try:
            yield Restore(manifest=manifest, packs=reader, journals=self.journals)
        finally:
            reader.close()
