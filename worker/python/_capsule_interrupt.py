"""Interrupts that reach the run they are meant for, and no other; and the event loop for top-level await.

The worker's native thread stores the id of the run to cancel and sends SIGINT to the main thread. The handler raises
KeyboardInterrupt only while code of that very run is on the stack, which is: below scope(). All code of a program runs
below scope(). A request that comes before the run starts is seen by scope() itself; one that comes too late is counted
and forgotten.
"""
import _signal
import asyncio  # here, so that the zygote has it: the first await of a run would wait 50 ms for it
import weakref

import _capsule
import _capsule_errors
import _capsule_loop
import _capsule_stacks

current = None  # the Run in progress, main thread only
_accounted = ""  # the latest request that was delivered or counted as late
_counted_late = ""  # the latest one that was counted as late
_late = 0


class Run:
    """One call of execute(). An empty id is a rehearsal, which nobody can cancel."""

    def __init__(self, run_id, execution_count):
        self.id = run_id
        self.execution_count = execution_count
        self.entered = False  # some of its code has run
        self.delivered = False  # a KeyboardInterrupt of ours was raised in it
        self.stack = ""  # of all threads, when it was interrupted
        self.awaited = False  # an event loop was used
        self.blocking_calls = 0  # times that the program's code held it
        self.task = None  # the program's main task, while its event loop runs
        self.task_cancelled = False
        self.shown_figures = weakref.WeakKeyDictionary()  # figure -> its PNG when it was last displayed


def install():
    """Once per worker, after the fork, on the main thread."""
    _signal.signal(_signal.SIGINT, _on_interrupt)


def begin_run(run):
    """Takes SIGINT back from whatever an earlier run did with it."""
    global current
    current = run
    if not run.id:
        return
    if _signal.getsignal(_signal.SIGINT) is not _on_interrupt:
        install()
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGINT,))


def end_run():
    global current
    current = None


def scope(run, function, *arguments):
    """Runs code of the program."""
    _check(run)
    return function(*arguments)


def _check(run):
    """Raises when the run was cancelled while none of its code was on the stack."""
    global _late, _accounted
    if run.delivered or not is_requested(run):
        run.entered = True
        return
    if run.entered and _signal.getsignal(_signal.SIGINT) is not _on_interrupt:
        return  # the program has a handler of its own, which had its chance
    if _counted_late == run.id:
        _late -= 1
    _accounted = run.id
    run.delivered = run.entered = True
    raise KeyboardInterrupt


def was_cancelled(run, error):
    return issubclass(type(error), KeyboardInterrupt) and is_requested(run)


def is_requested(run):
    return bool(run.id) and _capsule.cancelled_run() == run.id


def take_late():
    """How many requests came too late since the last call."""
    global _late
    count, _late = _late, 0
    return max(0, count)


_SCOPE_CODE = scope.__code__


def _on_interrupt(_, frame):
    global _late, _accounted, _counted_late
    wanted = _capsule.cancelled_run()
    is_running = current is not None and _is_running(frame)
    is_ours = is_running and wanted == current.id
    if not is_ours and wanted not in ("", _accounted):
        _late += 1
        _accounted = _counted_late = wanted
        return
    if not is_running:
        return
    if is_ours:
        _accounted = wanted
        current.delivered = True
        current.stack = _capsule_stacks.describe(frame)
        if current.task is not None and _is_idle(frame):
            current.task_cancelled = True
            current.task.cancel()
            current.task.get_loop().call_soon_threadsafe(_do_nothing)  # select() goes on waiting after a signal
            return
    raise KeyboardInterrupt  # not ours: the program sent the signal to itself


def _is_running(frame):
    while frame is not None:
        if frame.f_code is _SCOPE_CODE:
            return True
        frame = frame.f_back
    return False


def _is_idle(frame):
    """Nothing but the event loop's own frames above scope()."""
    while frame is not None and frame.f_code is not _SCOPE_CODE:
        if not _capsule_errors.is_plumbing(frame):
            return False
        frame = frame.f_back
    return True


def _do_nothing():
    pass


def drive(run, coroutine):
    """Runs a top-level coroutine on an event loop that ends with the run: one shared across forks would break both."""
    run.awaited = True
    loop = asyncio.new_event_loop()
    _capsule_loop.watch(loop, run)
    completed = False
    try:
        result = _complete(run, loop, coroutine)
        completed = True
        return result
    finally:
        run.task = None
        _close(loop, wait=completed or not is_requested(run))


def _complete(run, loop, coroutine):
    task = run.task = loop.create_task(coroutine)
    run.task_cancelled = False
    try:
        return loop.run_until_complete(task)
    except asyncio.CancelledError as error:
        if run.task_cancelled and task.uncancel() == 0:
            raise KeyboardInterrupt().with_traceback(error.__traceback__) from None
        raise
    finally:
        if task.done() and not task.cancelled():
            task.exception()  # else it would be reported as never retrieved


def _close(loop, wait):
    """Leftover tasks are cancelled. wait: also for threads that the loop started (not when the run was cancelled)."""
    try:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        for task in tasks:
            if not task.cancelled() and task.exception() is not None:
                loop.call_exception_handler({
                    "message": "unhandled exception while the event loop of a run was closed",
                    "exception": task.exception(), "task": task})
        loop.run_until_complete(loop.shutdown_asyncgens())
        if wait:
            loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
