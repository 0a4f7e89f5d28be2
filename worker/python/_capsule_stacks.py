"""What every thread of the program is doing, for the evidence of a run that was stopped."""
import sys
import threading
import traceback

import _capsule
import _capsule_errors

_MAX_THREADS = 64
_MAX_FRAMES = 100  # of one thread, the innermost


def describe(main_frame):
    """Called by the interrupt handler, on the main thread. Never raises; empty when there is nothing to tell."""
    try:
        return _describe(main_frame)
    except Exception:
        return ""


def _describe(main_frame):
    frames = sys._current_frames()
    main = threading.get_ident()
    frames.pop(main, None)
    out = [_thread("MainThread", main_frame)]
    for ident, frame in list(frames.items())[:_MAX_THREADS]:
        thread = threading._active.get(ident)
        out.append(_thread(f"Thread {ident:#x}" if thread is None else str(thread.name)[:100], frame))
    text = _capsule_errors.clean("".join(out))
    room = _capsule.STACK_BYTES // 4  # four bytes hold any character
    return text if len(text) <= room else text[:room]


def _thread(name, frame):
    walked = []
    while frame is not None and len(walked) < _MAX_FRAMES:
        if not _capsule_errors.is_own(frame):
            walked.append((frame, frame.f_lineno))
        frame = frame.f_back
    if not walked:
        return ""
    name = name.replace("\n", " ")
    return f"{name} (most recent call first):\n" + "".join(traceback.StackSummary.extract(walked).format())
