"""F27: fork servers, resource trackers and managers of multiprocessing left running.

by: the end of the capsule
verdict: ok exception
timeout_s: 20
"""
import multiprocessing

tried("multiprocessing")
for method in ("forkserver", "spawn"):
    context = multiprocessing.get_context(method)
    context.Process(target=print, daemon=True).start()
