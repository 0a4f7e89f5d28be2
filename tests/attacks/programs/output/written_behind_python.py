"""H09: output by C, by raw calls, by /dev/stdout, after the streams are closed.

by: descriptors 1 and 2 are the pipes, whoever writes
"""
tried("output by C")
libc.puts(b"by libc")
libc.fflush(None)
open("/dev/stdout", "w").write("by name\n")
open("/proc/self/fd/2", "w").write("by proc\n")
sys.stdout.close()
os.write(1, b"after the end\n")
