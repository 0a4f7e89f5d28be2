"""Output of C's own stdio, never flushed by the program."""
import ctypes

libc = ctypes.CDLL(None)
print("from python", flush=True)
libc.puts(b"from C")
