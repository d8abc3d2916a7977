"""Several processes that train together, started from a test."""

import multiprocessing
import os
import pickle
import socket
import traceback
from contextlib import closing

# a copy of this process, which has torch in its memory already
FORK = multiprocessing.get_context("fork")


def free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def together(world: int, work, *arguments, alive: int | None = None) -> list:
    """What `work(*arguments)` gives at each of `world` ranks; of one that is killed, its exit code.

    alive: start so many of them only.
    """
    port, pipes, processes = free_port(), [], []
    for place in range(world if alive is None else alive):
        mine, theirs = FORK.Pipe()
        process = FORK.Process(target=_one, args=(place, world, port, theirs, work, arguments))
        process.start()
        theirs.close()
        pipes.append(mine)
        processes.append(process)
    found = [_received(pipe, process) for pipe, process in zip(pipes, processes)]
    for process in processes:
        process.join()
    for failed in [what for fine, what in found if not fine]:
        raise AssertionError(failed)
    return [what for _, what in found]


def _received(pipe, process):
    try:
        return pickle.loads(pipe.recv_bytes())  # not shared memory, which ends with its process
    except EOFError:
        process.join()
        return True, process.exitcode


def _one(place, world, port, pipe, work, arguments) -> None:
    here = {"RANK": place, "WORLD_SIZE": world, "LOCAL_RANK": place, "LOCAL_WORLD_SIZE": world}
    here |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in here.items()})
    try:
        found = True, work(*arguments)
    except BaseException:
        found = False, f"rank {place}: {traceback.format_exc()}"
    pipe.send_bytes(pickle.dumps(found))
