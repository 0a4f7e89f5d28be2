"""H01a: prints without end; the policy is to drop the rest, and the clock ends it.

by: the output limit, the wall clock
verdict: timeout
policy: truncate
output_bytes: 1000000
timeout_s: 1
"""
tried("print")
while True:
    print("y" * 78)
