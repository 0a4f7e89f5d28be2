"""Notices when a program's code holds its own event loop, which is what a blocking call in async code does."""
from time import monotonic

HELD_SECONDS = 0.1  # as asyncio's slow_callback_duration


def watch(loop, run):
    """Counts in `run` how often more than HELD_SECONDS lie between two times that the loop waits for events."""
    selector = getattr(loop, "_selector", None)
    if selector is None:
        return  # of a policy that the program has set
    select = selector.select
    woken_at = monotonic()

    def watched_select(timeout=None):
        nonlocal woken_at
        if monotonic() - woken_at > HELD_SECONDS:
            run.blocking_calls += 1
        events = select(timeout)
        woken_at = monotonic()
        return events

    selector.select = watched_select
