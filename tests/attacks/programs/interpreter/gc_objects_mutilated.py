"""F22b: every dictionary and list the collector knows emptied.

by: its own process only
verdict: ok exception crashed worker_lost timeout exit
timeout_s: 5
"""
import gc

tried("every container")
for each in gc.get_objects():
    if isinstance(each, (dict, list)) and each is not globals():
        try:
            each.clear()
        except BaseException:
            pass
