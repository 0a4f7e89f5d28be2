"""Output of an exit handler."""
import atexit

atexit.register(print, "bye")
print("hello")
