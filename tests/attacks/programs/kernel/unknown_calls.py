"""D36: numbers that no kernel has, large, negative, with garbage above.

by: seccomp: they do not exist
stopped: ENOSYS EPERM
"""
for number in (470, 500, 511, 548, 600, 999, 1023, 4096, 65536, 2**29, -1, -2, 2**31 - 1):
    if number & 0x40000000 == 0 or number < 0:
        tried(number)
        status = None
        pid = os.fork()
        if pid == 0:
            try:
                call(number, 0, 0, 0, 0, 0, 0)
                got(number)
            except OSError as error:
                stopped(error)
            os._exit(0)
        os.waitpid(pid, 0)
