"""C06: symbolic links at names that a supervisor might write: results, scripts, logs.

by: the manager writes nothing into a workspace by name
"""
target = FACTS["watched"] + "/writable"
tried("links")
for name in ("stdout", "stderr", "result", "result.json", "output", "log", "log.txt", "script.py", "main.py", "run.py",
             "metadata.json", ".capsule", "exit_code", "status", "artifacts", "core", "nohup.out"):
    os.symlink(target, name)
    try:
        os.symlink(target, f"/tmp/{name}")
    except OSError as error:
        stopped(error)
