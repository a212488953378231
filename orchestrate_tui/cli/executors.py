"""The executor that a command asks: its own, or that of the user to whom the database belongs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from orchestrate_tui.cli.configuration import configuration
from orchestrate_tui.cli.databases import own_database
from orchestrate_tui.cli.loading import checked_for_run
from orchestrate_tui.domain.run import TriggerContext
from orchestrate_tui.errors import NoRoom, Refused, StoreError
from orchestrate_tui.executor.control import Control
from orchestrate_tui.executor.people import People
from orchestrate_tui.executor.reception import Reception
from orchestrate_tui.permissions import make_folder, others_who_write
from orchestrate_tui.spec.loading import AGENTS_FILE_NAME
from orchestrate_tui.store.accounts import current_user, is_anothers
from orchestrate_tui.store.sharing import id_of

if TYPE_CHECKING:
    from concurrent.futures import Future

    from orchestrate_tui.cli.waiting import Waiting
    from orchestrate_tui.executor.clerk import Starter
    from orchestrate_tui.executor.distant import DistantControl
    from orchestrate_tui.executor.errands import AnyErrand, Done, Start
    from orchestrate_tui.executor.lines import Peer
    from orchestrate_tui.spec.user_config import UserConfig
    from orchestrate_tui.store.database import Database

AnyControl: TypeAlias = "Control | DistantControl"


@contextmanager
def executor_of(path: Path) -> Iterator[AnyControl]:
    """Who may be asked about the runs of a database, whoever it belongs to."""
    if is_anothers(path):
        with _distant(path) as control:
            yield control
    else:
        with own_executor(path) as control:
            yield control


def _distant(path: Path) -> DistantControl:
    # whose database it is takes long to ask, and most are one's own
    from orchestrate_tui.executor.distant import DistantControl  # noqa: PLC0415

    return DistantControl(path)


@contextmanager
def executor_there(path: Path) -> Iterator[AnyControl]:
    """As `executor_of`; where the disk has no room for another one, those that work already.

    Raises NoRoom when there are none.
    """
    with ExitStack() as stack:
        try:
            control = stack.enter_context(executor_of(path))
        except NoRoom as no_room:
            from orchestrate_tui.executor.messenger import NobodyListens  # noqa: PLC0415  (seldom)

            with _distant(path) as control:
                try:
                    yield control
                except NobodyListens as nobody:
                    raise no_room from nobody
        else:
            yield control


@contextmanager
def own_executor(path: Path, *, waits: bool = False) -> Iterator[Control]:
    """An executor of this process, which listens to others as its user has configured.

    With `waits` its rollbacks wait for the operator when a step of theirs fails.

    Raises Refused for a database that belongs to another user.
    """
    config = configuration()
    with (
        own_database(path, config) as (database, waiting),
        control_over(database, config, waits=waits, waiting=waiting) as own,
    ):
        yield own


@contextmanager
def control_over(
    database: Database,
    config: UserConfig,
    *,
    waits: bool = False,
    waiting: Waiting | None = None,
) -> Iterator[Control]:
    """An executor over a database, which listens to others as its user has configured.

    `waiting` tells whom it waits for before it is there; None tells nobody.
    """
    people = People(config.roles)

    def meanwhile() -> None:
        if waiting is not None:
            waiting.tell(database.trouble)

    with ExitStack() as stack:
        control = stack.enter_context(
            Control(database, people=people, notify=config.notify, waits=waits, meanwhile=meanwhile)
        )
        meanwhile()
        if (reception := _reception(control, database, config)) is not None:
            stack.callback(reception.close)
        yield control


def _reception(control: Control, database: Database, config: UserConfig) -> Reception | None:
    """Listens to those who may ask; None where that is only this account, and it cannot.

    What they may do is read anew for each errand: a right that is taken away is gone at once.
    """

    def serve(errand: AnyErrand, peer: Peer) -> Done:
        # most executors are asked nothing, and who answers takes long to load
        from orchestrate_tui.executor.access import Access  # noqa: PLC0415
        from orchestrate_tui.executor.clerk import Clerk  # noqa: PLC0415

        present = _configuration_for_others()
        people = People(present.roles)
        access = Access(granted=present.access, people=people, owner=current_user())
        starter, protected = _starter(present, people), present.protected
        return Clerk(control, database, access, starter, protected).serve(errand, peer)

    place = database.files.socket(control.epoch)
    if not config.access:
        with suppress(OSError, StoreError):
            make_folder(place.parent)
            return Reception(place, None, serve)
        return None
    group_id = id_of(config.share_group)
    if group_id is None:
        raise StoreError(f"There is no group '{config.share_group}'")
    return Reception(place, group_id, serve)


def _configuration_for_others() -> UserConfig:
    """The configuration as it is now. Raises Refused, without what is wrong with it."""
    try:
        return configuration()
    except Refused as refused:
        owner = current_user()
        raise Refused(
            f"The configuration of {owner} cannot be used, and nobody else may do anything",
            next_step=f"{owner} is told why by: orchestrate-tui doctor",
        ) from refused


def _starter(config: UserConfig, people: People) -> Starter:
    """Starts the pipelines that are offered, whose files only their owner chooses."""

    def start(control: Control, errand: Start) -> Future[int]:
        if errand.file not in config.pipelines:
            raise Refused(
                f"{errand.file} is none of the pipelines that others may start",
                next_step=f"{current_user()} names those under 'pipelines' in their configuration",
            )
        path = Path(errand.file)
        _check_untouched(path)
        trigger = TriggerContext(
            event=errand.event,
            branch=errand.branch,
            labels=errand.labels,
            changed=errand.changed,
            variables=errand.variables,
        )
        folder, is_simulated = path.parent, errand.simulated
        loaded = checked_for_run(path, trigger, people, simulated=is_simulated, folder=folder)
        return control.start_run(loaded, trigger, simulated=is_simulated, workdir=folder)

    return start


def _check_untouched(path: Path) -> None:
    """Raise Refused for a pipeline that others could change: it would run as its owner."""
    for file in (path, path.parent / AGENTS_FILE_NAME):
        for place, _, who in others_who_write(file):
            raise Refused(
                f"{path} is not started for others: {place} may be changed by {who}",
                next_step=f"{current_user()} keeps it for themselves: chmod go-w {place}",
            )
