"""Starting one program, in a session of its own, with its output in its log file.

Where something is secret, a process of its own masks what goes there.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping, Sequence

from orchestrate_tui.stagehost.files import open_log
from orchestrate_tui.stagehost.trees import marked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestrate_tui.stagehost.masked_sink import MaskedSink

_BACK_TO_DEFAULT = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ,
    signal.SIGTTIN, signal.SIGTTOU, signal.SIGTSTP,
)  # fmt: skip


def spawn(
    argv: list[str],
    environment: Mapping[str, str],
    *,
    workdir: str,
    log_path: str,
    nothing: int,
    mark: int,
    secret_forms: bytes = b"",
    secret_files: Sequence[str] = (),
) -> tuple[int, int | None, MaskedSink | None]:
    """Start `argv`; returns its process id, its mark (None if it could not get one) and its sink.

    `nothing` is a descriptor of /dev/null, which becomes its input. Raises OSError or ValueError
    when it cannot be started.
    """
    log = open_log(log_path)
    sink: MaskedSink | None = None
    try:
        os.chdir(workdir)
        sink = _masked(log, secret_forms, secret_files) if secret_forms else None
        output = sink.input if sink else log
        streams = [(os.POSIX_SPAWN_DUP2, nothing, 0)]
        streams += [(os.POSIX_SPAWN_DUP2, output, stream) for stream in (1, 2)]
        with marked(mark) as is_marked:
            pid = _spawn_found(argv, environment, streams)
    except BaseException:
        if sink is not None:
            sink.close()
        raise
    else:
        return pid, mark if is_marked else None, sink
    finally:
        if sink is not None:
            sink.close_input()
        os.chdir("/")  # no file system is kept busy
        os.close(log)


def _masked(log: int, secret_forms: bytes, secret_files: Sequence[str]) -> MaskedSink:
    from orchestrate_tui.stagehost.masked_sink import MaskedSink  # noqa: PLC0415  (seldom needed)

    return MaskedSink(log, secret_forms, secret_files)


def _spawn_found(
    argv: list[str], environment: Mapping[str, str], streams: Sequence[tuple[int, int, int]]
) -> int:
    """Start the first program of that name on the PATH that can be started."""
    obstacle = errno.ENOENT
    for path in _places(argv[0], environment):
        try:
            return os.posix_spawn(
                path,
                argv,
                environment,
                file_actions=streams,
                setsid=True,
                setsigmask=(),
                setsigdef=_BACK_TO_DEFAULT,
            )
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError:
            obstacle = errno.EACCES
    raise OSError(obstacle, os.strerror(obstacle), argv[0])


def _places(program: str, environment: Mapping[str, str]) -> list[str]:
    if "/" in program:
        return [program]
    return [os.path.join(folder, program) for folder in os.get_exec_path(environment)]
