"""What each layer forbids is tried inside a run and refused, and the ordinary thing beside it works."""
import json
import os
import signal
import socket
import subprocess
import unittest

import support


class LayersTest(support.ManagerCase):
    def out(self, code, *arguments):
        document = self.manager.run_code(code, *arguments)
        self.assert_verdict(document, "ok")
        return document["stdout"].strip()

    def refused(self, statement, *errors):
        """The name of the error that the statement ends with."""
        code = f"import errno, os, socket\ntry:\n    {statement}\n    print('done')\n" \
               "except OSError as error:\n    print(errno.errorcode[error.errno])"
        self.assertIn(self.out(code), errors, statement)

    def call(self, number, *arguments):
        """What a raw system call ends with: its value, or the name of its error."""
        words = ", ".join(f"ctypes.c_long({argument})" for argument in arguments)
        return self.out("import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\n"
                        f"value = libc.syscall({number}{', ' if words else ''}{words})\n"
                        "print(errno.errorcode[ctypes.get_errno()] if value == -1 else 'done')")

    def test_every_layer_is_in_the_verdict(self):
        layers = {layer["name"]: layer["state"] for layer in self.manager.run_code("1")["evidence"]["layers"]}
        for name in ("descriptors environment userns pidns mountns netns ipcns utsns id_maps root proc capabilities "
                     "no_new_privs dumpable rlimits landlock seccomp kill_guard").split():
            self.assertEqual(layers.get(name), "on", layers)

    def test_info_tells_what_each_layer_costs(self):
        costs = self.manager.pool()["spawn_timings_us"]
        for name in "capabilities dumpable id_maps landlock no_new_privs proc rlimits root seccomp".split():
            self.assertIn(f"layer_{name}", costs)
        self.assertGreater(costs["layer_root"] + costs["layer_seccomp"], 0)
        self.assertGreater(costs["branch_capsule"], 0)  # with its namespaces

    def test_the_root_shows_nothing_of_the_host_but_its_programs(self):
        self.assertEqual(self.out("import os; print(sorted(os.listdir('/')))"),
                         str(sorted(["bin", "dev", "etc", "lib", "proc", "sbin", "tmp", "usr", "var", "workspace"]
                                    + [d for d in ("lib32", "lib64", "libx32") if os.path.lexists("/" + d)])))
        for path in ("/etc/shadow", "/etc/machine-id", "/root", "/home", "/var/log", "/run", "/sys", "/.host",
                     self.manager.directory):
            self.refused(f"os.stat({path!r})", "ENOENT")

    def test_the_system_cannot_be_written_to(self):
        self.refused("open('/usr/bin/python3', 'a')", "EROFS", "EACCES")
        self.refused("os.mkdir('/mine')", "EROFS", "EACCES")
        self.refused("os.rename('/etc/passwd', '/etc/passwd2')", "EROFS", "EACCES", "EXDEV")
        self.refused("os.chmod('/usr', 0o777)", "EROFS", "EPERM")

    def test_the_scratch_places_can_be_written_to_and_are_bounded(self):
        self.assertEqual(self.out("import os, tempfile\nopen('a', 'w').write('x')\nos.rename('a', 'b')\n"
                                  "tempfile.NamedTemporaryFile().write(b'x')\nopen('/dev/shm/s', 'w').close()\n"
                                  "print(os.getcwd(), os.environ['HOME'], os.listdir('.'))"),
                         "/var/workspace /var/workspace ['b']")
        self.refused("[open(f'f{i}', 'w').close() for i in range(20000)]", "ENOSPC")

    def test_devices_are_few_and_none_can_be_made(self):
        self.assertEqual(self.out("import os; print(sorted(os.listdir('/dev')))"),
                         "['fd', 'full', 'null', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'urandom', 'zero']")
        self.refused("os.mknod('disk', 0o60600, 0x0800)", "EPERM")
        self.assertEqual(self.out("import os; os.mkfifo('p'); open('/dev/null', 'w').write('x'); print('done')"), "done")

    def test_proc_shows_own_processes_and_cannot_be_written_to(self):
        self.assertEqual(self.out("import os; print([p for p in os.listdir('/proc') if p.isdigit()])"), "['2']")
        self.refused("open('/proc/1/environ')", "ENOENT", "EACCES")
        for path in ("/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/self/oom_score_adj"):
            self.refused(f"open({path!r}, 'w')", "EACCES", "EROFS", "ENOENT")  # not every kernel has each

    def test_no_internet_socket_and_no_host_socket(self):
        for family in ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET"):
            self.refused(f"socket.socket(socket.{family}, socket.SOCK_DGRAM)", "EPERM")
        with socket.socket(socket.AF_UNIX) as listener:
            name = f"\0capsule-test-{os.getpid()}"
            listener.bind(name)
            listener.listen()
            self.refused(f"socket.socket(socket.AF_UNIX).connect({name!r})", "ECONNREFUSED")
        self.assertEqual(self.out("import socket; a, b = socket.socketpair(); a.send(b'x'); print(b.recv(1))"), "b'x'")

    def test_the_host_is_not_named(self):
        self.assertEqual(self.out("import socket, platform; print(socket.gethostname(), platform.node())"),
                         "capsule capsule")

    def test_no_capability_is_left(self):
        self.assertEqual(self.out("print([l.split()[1] for l in open('/proc/self/status') if l.startswith('Cap')])"),
                         str(["0" * 16] * 5))
        self.refused("os.chroot('/')", "EPERM")
        self.refused("os.setuid(0)", "EPERM", "EINVAL")

    def test_each_thread_is_filtered_and_cannot_gain_privileges(self):
        code = ("import os, threading\nb = threading.Barrier(3)\n"
                "[threading.Thread(target=b.wait, daemon=True).start() for _ in range(2)]\n"
                "print({l for t in os.listdir('/proc/self/task') for l in open(f'/proc/self/task/{t}/status') "
                "if l.startswith(('Seccomp:', 'NoNewPrivs'))} == {'Seccomp:\\t2\\n', 'NoNewPrivs:\\t1\\n'})\nb.wait()")
        self.assertEqual(self.out(code), "True")

    def test_system_calls_out_of_the_policy_are_refused(self):
        for number, error in ((101, "EPERM"), (165, "EPERM"), (272, "EPERM"), (321, "EPERM"), (298, "EPERM"),
                              (425, "ENOSYS"), (250, "ENOSYS"), (435, "ENOSYS"), (1000, "ENOSYS"), (310, "EPERM")):
            self.assertEqual(self.call(number, 0, 0, 0, 0), error, number)
        self.assertEqual(self.call(56, 0x10000000 | 17, 0, 0, 0, 0), "EPERM")  # clone with CLONE_NEWUSER

    def test_an_entry_of_another_architecture_kills(self):
        code = ("import ctypes, mmap\nm = mmap.mmap(-1, 4096, prot=7)\n"
                "m.write(b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3')\n"  # mov eax, 20; int 0x80; ret
                "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()")
        document = self.manager.run_code(code)
        self.assertEqual(document["evidence"]["signal"], signal.SIGSYS, document)

    def test_the_keeper_is_out_of_reach_by_every_call_that_names_a_pid(self):
        for statement in ("os.kill(1, 9)", "os.kill(1, 0)", "__import__('resource').prlimit(1, 0, (0, 0))",
                          "os.setpriority(os.PRIO_PROCESS, 1, 19)", "os.sched_setscheduler(1, 0, os.sched_param(0))",
                          "__import__('signal').pidfd_send_signal(os.pidfd_open(1), 9)",
                          "__import__('fcntl').fcntl(0, 8, 1)"):
            self.refused(statement, "EPERM")
        self.assertEqual(self.call(297, 1, 9, 0), "EPERM")  # rt_sigqueueinfo
        self.assertEqual(self.call(234, 1, 1, 9), "EPERM")  # tgkill
        self.assertEqual(self.call(200, 1, 9), "EPERM")  # tkill
        self.assertEqual(self.call(310, 1, 0, 0, 0, 0, 0), "EPERM")  # process_vm_readv

    def test_a_signal_to_everybody_spares_the_keeper_and_the_sender(self):
        code = ("import os, signal, subprocess\nchild = subprocess.Popen(['sleep', '100'])\nos.kill(-1, signal.SIGKILL)\n"
                "print(child.wait(), os.getppid())")
        self.assertEqual(self.out(code), "-9 1")

    def test_signals_among_own_processes_work(self):
        code = ("import os, signal, subprocess\nsignal.signal(signal.SIGUSR1, lambda *_: print('self'))\n"
                "os.kill(os.getpid(), signal.SIGUSR1)\nsignal.raise_signal(signal.SIGUSR1)\n"
                "signal.pthread_kill(__import__('threading').get_ident(), signal.SIGUSR1)\n"
                "child = subprocess.Popen(['sleep', '100'], start_new_session=True)\nos.killpg(child.pid, 15)\n"
                "print(child.wait())")
        self.assertEqual(self.out(code).split(), ["self", "self", "self", "-15"])

    def test_libc_can_signal_the_threads_of_its_process(self):
        """setuid() and pthread_cancel() wait until the other threads have taken a signal from the process itself."""
        self.assertEqual(self.out("import os; os.setuid(os.getuid()); os.setgid(os.getgid()); print('done')"), "done")

    def test_a_program_that_kills_itself_has_crashed(self):
        for number in (signal.SIGKILL, signal.SIGSYS, signal.SIGTERM):
            document = self.manager.run_code(f"import os; os.kill(os.getpid(), {number})")
            self.assert_verdict(document, "crashed", 128 + number)

    def test_limits_cannot_be_raised(self):
        self.assertEqual(self.out("import resource as r; print(r.getrlimit(r.RLIMIT_CORE), r.getrlimit(r.RLIMIT_RTPRIO))"),
                         "(0, 0) (0, 0)")
        self.assertEqual(self.out("import resource as r\ntry:\n    r.setrlimit(r.RLIMIT_CORE, (1, 1))\n"
                                  "except ValueError as error:\n    print('refused')"), "refused")

    def test_ordinary_programs_work(self):
        code = ("import asyncio, concurrent.futures as f, multiprocessing as m, os, shutil, sqlite3, ssl, subprocess, sys\n"
                "print(asyncio.run(asyncio.sleep(0, 1)))\n"
                "print(f.ProcessPoolExecutor(2, m.get_context('fork')).submit(abs, -2).result())\n"
                "print(sqlite3.connect('db').execute('select 3').fetchone()[0])\n"
                "print(subprocess.run([sys.executable, '-c', 'print(4)'], capture_output=True, text=True).stdout.strip())\n"
                "os.makedirs('a/b'); open('a/b/c', 'w').write('5'); shutil.copytree('a', 'd'); print(open('d/b/c').read())\n"
                "ssl.create_default_context(); print(os.popen('ls /workspace | wc -l').read().strip())")
        self.assertEqual(self.out(code).split(), ["1", "2", "3", "4", "5", "3"])

    def test_capsules_of_a_manager_that_is_root_have_users_of_their_own(self):
        if os.geteuid() != 0:
            self.skipTest("only root may give capsules other users than its own")
        first, second = (int(self.out("import os; print(os.getuid())")) for _ in range(2))
        self.assertNotEqual(first, second)
        for user in (first, second):
            self.assertTrue(61000 <= user < 65000, user)


class DataTest(support.ManagerCase):
    config = 'default_profile = "data"\n[pool]\nwarm = 1\ncapsules = 0\n[profiles.base.pool]\nwarm = 0\ncapsules = 0\n'

    def test_numpy_pandas_and_matplotlib_work(self):
        document = self.manager.run_code(
            "import matplotlib.pyplot as plt, numpy as np, pandas as pd\nprint((np.eye(2) @ np.eye(2)).sum())\n"
            "pd.DataFrame({'a': [1, 2]}).to_csv('t.csv'); print(pd.read_csv('t.csv').a.sum())\n"
            "plt.plot([1, 2]); plt.savefig('f.png'); plt.close(); print(open('f.png', 'rb').read(4))")
        self.assert_verdict(document, "ok")
        self.assertEqual(document["stdout"].split(), ["2.0", "3", r"b'\x89PNG'"])


class SeccompTableTest(unittest.TestCase):
    def test_the_table_has_each_number_once(self):
        done = subprocess.run([support.BUILD / "worker" / "capsule-worker", "--seccomp-table"], capture_output=True,
                              check=True)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([row["nr"] for row in rows], list(range(1024)))
        self.assertEqual({row["action"] for row in rows}, {"allow", "eperm", "enosys", "notify", "arguments"})


if __name__ == "__main__":
    unittest.main()
