"""A19c: an interrupt that is caught again and again.

by: SIGKILL after the grace time
verdict: timeout
timeout_s: 0.5
"""
tried("catching every interrupt")
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
