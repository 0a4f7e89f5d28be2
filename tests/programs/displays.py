"""Prints around displays, so that their order can be seen."""
print("one")
display("first")
print("two")
display({"text/html": "<b>second</b>", "text/plain": "second"}, raw=True)
print("three")
42
