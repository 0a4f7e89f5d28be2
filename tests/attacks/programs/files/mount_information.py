"""C15c: statmount and listmount, and places of the host in the mount table.

by: seccomp, the private root
"""
tried("mountinfo")
text = open("/proc/self/mountinfo").read()
for line in text.splitlines():
    root, target = line.split()[3:5]
    if FACTS["manager_directory"] in line or FACTS["source_tree"] in line.replace(FACTS["build"], ""):
        got(line)
for number, what in ((457, "statmount"), (458, "listmount")):
    tried(what)
    try:
        call(number, bytes(64), bytes(64), 8, 0)
    except OSError as error:
        stopped(error)
