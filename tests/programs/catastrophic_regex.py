"""A regular expression that takes longer than the universe is old; it looks for signals now and then."""
import re

print("matching", flush=True)
re.match(r"(a+)+$", "a" * 64 + "b")
