"""H01: prints without end; the policy is to stop.

by: the output limit
verdict: output_limit
policy: stop
output_bytes: 1000000
"""
tried("print")
while True:
    print("y" * 78)
