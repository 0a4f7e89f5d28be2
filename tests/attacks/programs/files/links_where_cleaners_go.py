"""C07: links and directories for a cleaner that follows them: chown, chmod, rm -r.

by: the capsule ends with its mounts; nothing is walked
"""
tried("links to directories")
for n, place in enumerate((FACTS["watched"], FACTS["watched"] + "/keys", "/etc", FACTS["manager_directory"], "/")):
    os.symlink(place, f"link{n}")
    os.mkdir(f"d{n}")
    os.symlink(place, f"d{n}/deeper")
    os.chmod(f"d{n}", 0)
