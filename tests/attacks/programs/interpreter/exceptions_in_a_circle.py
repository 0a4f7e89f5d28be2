"""F18c: causes and contexts in a circle, and a group ten thousand deep.

by: limits of what is kept of an error
verdict: exception crashed
"""
tried("a circle")
first, second = ValueError("one"), ValueError("two")
first.__cause__, second.__cause__ = second, first
group = ExceptionGroup("g", [first])
for _ in range(10000):
    group = ExceptionGroup("g", [group])
raise group
