"""Layers are taken away on this machine: what is left is named, and the floor decides whether that is enough."""
import json
import os
import shutil
import signal
import subprocess
import sys
import unittest

import processes
import support

WITHOUT = str(support.ROOT / "tests" / "system" / "without.py")


class Lacking(support.Manager):
    """A manager on a machine that lacks something."""

    def __init__(self, what, *arguments):
        super().__init__(arguments=arguments)
        self.what = what

    def start(self, wait_ready=True):
        os.chmod(self.directory, 0o711)  # where there is no private root, workers of root get a directory below it
        manager = support.MANAGER
        wrapper = self.temporary.parent / "manager-without"
        wrapper.write_text(f"#!/bin/sh\nexec {sys.executable} -B {WITHOUT} {self.what} -- {manager} \"$@\"\n")
        wrapper.chmod(0o755)
        try:
            support.MANAGER = wrapper
            return super().start(wait_ready)
        finally:
            support.MANAGER = manager


class TiersTest(unittest.TestCase):
    def start(self, what, *arguments):
        manager = Lacking(what, *arguments)
        self.addCleanup(manager.kill)
        return manager.start()

    def assert_refuses(self, what, *arguments, naming):
        manager = Lacking(what, *arguments)
        self.addCleanup(manager.kill)
        manager.start(wait_ready=False)
        self.assertEqual(manager.wait_gone(), 77, manager.log())
        self.assertIn(naming, manager.log())

    def layers(self, manager):
        document = manager.run_code("print('it runs')")
        self.assertEqual(document["stdout"], "it runs\n", document)
        return {layer["name"]: layer["state"] for layer in document["evidence"]["layers"]}

    def test_without_landlock_the_private_root_carries_on(self):
        manager = self.start("landlock")
        layers = self.layers(manager)
        self.assertEqual((layers["landlock"], layers["root"], layers["seccomp"]), ("off", "on", "on"))
        self.assert_refuses("landlock", "--strict", naming="landlock")

    def test_without_mounts_landlock_keeps_files_apart(self):
        manager = self.start("mount")
        layers = self.layers(manager)
        self.assertEqual((layers["landlock"], layers["root"], layers["pidns"]), ("on", "off", "on"))
        for path in ("/etc/shadow", "/etc/hostname", manager.directory, "/proc/1/status"):
            document = manager.run_code(f"import os\nos.listdir({path!r}) if os.path.isdir({path!r}) else open({path!r})")
            self.assertEqual(document["error"]["name"], "PermissionError", document)
        document = manager.run_code("open('file', 'w').write('x'); print(open('file').read())")
        self.assertEqual(document["stdout"], "x\n", document)

    def test_where_mount_namespaces_alone_are_refused_the_other_kinds_stay(self):
        manager = self.start("mntns")
        layers = self.layers(manager)
        for name in ("mountns", "root", "proc"):
            self.assertEqual(layers[name], "off", layers)
        for name in ("userns", "pidns", "netns", "ipcns", "utsns", "id_maps", "landlock", "seccomp", "kill_guard"):
            self.assertEqual(layers[name], "on", layers)
        for path in ("/etc/shadow", manager.directory, "/proc/1/status"):
            document = manager.run_code(f"import os\nos.listdir({path!r}) if os.path.isdir({path!r}) else open({path!r})")
            self.assertEqual(document["error"]["name"], "PermissionError", document)
        found = {layer["name"]: layer for layer in manager.info("layers")["layers"]["layers"]}
        self.assertEqual(found["mountns"]["fix"], "sysctl -w user.max_mnt_namespaces=15000", found)

    def test_where_network_namespaces_alone_are_refused_the_other_kinds_stay(self):
        self.assert_refuses("netns", naming="netns")
        layers = self.layers(self.start("netns", "--allow-degraded"))
        self.assertEqual(layers["netns"], "off", layers)
        for name in ("userns", "pidns", "mountns", "root", "proc", "ipcns", "utsns", "id_maps", "landlock", "seccomp"):
            self.assertEqual(layers[name], "on", layers)

    def test_where_both_are_refused_processes_are_still_apart(self):
        layers = self.layers(self.start("mntns,netns", "--allow-degraded"))
        self.assertEqual([layers[name] for name in ("mountns", "netns", "userns", "pidns")], ["off", "off", "on", "on"])

    def test_without_namespaces_it_starts_only_when_asked_to(self):
        self.assert_refuses("userns", naming="pidns")
        manager = self.start("userns", "--allow-degraded")
        layers = self.layers(manager)
        self.assertEqual((layers["userns"], layers["landlock"], layers["seccomp"]), ("off", "on", "on"))
        code = ("import os, socket\nfor act in (lambda: os.kill(os.getppid(), 9), lambda: os.kill(" + str(os.getpid()) +
                ", 0), lambda: socket.socket(socket.AF_UNIX), lambda: open('/etc/shadow'), "
                f"lambda: os.listdir({manager.directory!r})):\n    try:\n        act()\n        print('done')\n"
                "    except PermissionError:\n        print('refused')")
        self.assertEqual(manager.run_code(code)["stdout"].split(), ["refused"] * 5)

    def test_without_namespaces_and_landlock_nothing_starts_below_unsafe(self):
        self.assert_refuses("userns,landlock", "--allow-degraded", naming="landlock")
        layers = self.layers(self.start("userns,landlock", "--unsafe"))
        self.assertEqual((layers["landlock"], layers["seccomp"]), ("off", "on"))

    def test_without_seccomp_nothing_starts_below_unsafe(self):
        self.assert_refuses("seccomp", "--allow-degraded", naming="seccomp")
        layers = self.layers(self.start("seccomp", "--unsafe"))
        self.assertEqual((layers["seccomp"], layers["kill_guard"], layers["root"]), ("off", "off", "on"))

    def test_where_clone3_is_hidden_capsules_are_whole(self):
        self.assertEqual(self.layers(self.start("clone3"))["netns"], "on")


class WorkerLacking(support.Manager):
    """A manager that finds everything in order at its start, and whose zygotes lack something all the same."""

    def __init__(self, what, config=support.SMALL):
        super().__init__(config)
        os.chmod(self.directory, 0o711)
        self.programs = self.temporary.parent / "programs"
        self.programs.mkdir()
        shutil.copy(support.MANAGER, self.programs)
        worker = self.programs / "capsule-worker"
        real = support.BUILD / "worker" / "capsule-worker"
        worker.write_text(f"#!/bin/sh\ncase \"$*\" in *--doctor) exec {real} \"$@\";; esac\n"
                          f"exec {sys.executable} -B {WITHOUT} {what} -- {real} \"$@\"\n")
        worker.chmod(0o755)

    def start(self, wait_ready=True):
        manager = support.MANAGER
        try:
            support.MANAGER = self.programs / manager.name
            return super().start(wait_ready)
        finally:
            support.MANAGER = manager


class BelowFloorTest(unittest.TestCase):
    def assert_nothing_runs(self, what, *names):
        manager = WorkerLacking(what)
        self.addCleanup(manager.kill)
        manager.start(wait_ready=False)
        processes.wait_for(lambda: "a profile cannot be had" in manager.log() or manager.process.poll(), 60, "a refusal")
        document = manager.run_code("open('file', 'w')")
        self.assertEqual((document["verdict"], document["exit_status"]), ("rejected", 125), document)
        self.assertIn("sandbox.floor = standard is not met", document["evidence"]["detail"])
        pool = manager.pool()
        self.assertEqual((pool["state"], pool["workers"]["idle"]), ("unavailable", 0))
        states = {layer["name"]: layer["state"] for layer in pool["layers"]}
        for name in names:
            self.assertIn(name, document["evidence"]["detail"])
            self.assertEqual(states[name], "off", pool)
        manager.signal(signal.SIGTERM)
        self.assertEqual(manager.wait_gone(), 0)

    def test_a_worker_without_its_filter_is_never_used(self):
        self.assert_nothing_runs("seccomp", "seccomp", "kill_guard")

    def test_a_worker_whose_files_nothing_keeps_apart_is_never_used(self):
        self.assert_nothing_runs("landlock,mount", "landlock", "root")

    def test_a_worker_without_landlock_is_used_where_there_is_a_private_root(self):
        manager = WorkerLacking("landlock")
        self.addCleanup(manager.kill)
        document = manager.start().run_code("1")
        states = {layer["name"]: layer["state"] for layer in document["layers"]}
        self.assertEqual((document["verdict"], states["landlock"], states["root"]), ("ok", "off", "on"), document)


class DoctorTest(unittest.TestCase):
    def doctor(self, *arguments, what=None):
        words = [str(support.CAPSULE), "doctor", "--json", *arguments]
        if what:
            words = [sys.executable, "-B", WITHOUT, what, "--", *words]
        done = subprocess.run(words, capture_output=True, timeout=60)
        return done.returncode, json.loads(done.stdout)

    def test_it_proves_each_layer_by_what_was_refused(self):
        status, document = self.doctor()
        self.assertEqual((status, document["met"]), (0, True), document)
        for layer in document["layers"]:
            if layer["name"] != "cgroup":
                self.assertEqual(layer["state"], "on", layer)
                self.assertTrue(layer["proof"], layer)

    def test_it_says_of_control_groups_what_a_manager_finds_and_strict_starts_where_all_is_there(self):
        status, document = self.doctor("--strict")
        states = {layer["name"]: layer["state"] for layer in document["layers"]}
        self.assertEqual(len(states), len(document["layers"]), "each layer once")
        self.assertEqual(status == 0, set(states.values()) == {"on"}, document)
        manager = support.Manager(arguments=["--strict"])
        self.addCleanup(manager.kill)
        manager.start(wait_ready=False)
        if status != 0:
            self.assertEqual(manager.wait_gone(), 77, manager.log())
            return
        processes.wait_for(lambda: os.path.exists(manager.socket), 20, "the socket")
        layers = {layer["name"]: layer["state"] for layer in manager.run_code("1")["layers"]}
        self.assertEqual((layers["cgroup"], set(layers.values())), (states["cgroup"], {"on"}))
        manager.stop()

    def test_what_is_missing_has_a_reason_and_a_fix(self):
        for what, name in (("landlock", "landlock"), ("seccomp", "seccomp"), ("userns", "pidns"), ("mount", "root")):
            status, document = self.doctor("--strict", what=what)
            row = next(layer for layer in document["layers"] if layer["name"] == name)
            self.assertEqual((status, row["state"]), (1, "off"), document)
            self.assertTrue(row["reason"] and row["fix"], row)
            self.assertIn(name, document["missing"])
        self.assertIn("max_user_namespaces", next(
            layer["fix"] for layer in self.doctor(what="userns")[1]["layers"] if layer["name"] == "userns"))

    def test_what_fails_outside_too_proves_nothing(self):
        worker = support.MANAGER.parent.parent / "worker" / "capsule-worker"
        for what, name in (("shmget", "ipcns"), ("connect", "netns"), ("chroot", "capabilities")):
            words = [sys.executable, "-B", WITHOUT, what, "--", worker, "--doctor"]
            done = subprocess.run(words, capture_output=True, timeout=60)
            rows = {layer["name"]: layer for layer in json.loads(done.stdout)["layers"]}
            self.assertEqual(rows[name]["state"], "off", rows[name])
            self.assertIn("outside it is the same", rows[name]["reason"])
            self.assertEqual(rows["pidns"]["state"], "on", rows)

    def test_control_groups_are_proved_by_what_they_refuse(self):
        row = next(layer for layer in self.doctor()[1]["layers"] if layer["name"] == "cgroup")
        self.assertIn("a second process was refused" if row["state"] == "on" else "", row["proof"])
        self.assertTrue(row["proof"] or row["reason"], row)

    def test_for_people_it_is_a_table_with_what_to_mend(self):
        done = subprocess.run([support.CAPSULE, "doctor"], capture_output=True, text=True, timeout=60)
        self.assertIn("LAYER", done.stdout)
        self.assertIn("floor standard, met: true", done.stdout.replace("yes", "true"))

    def test_a_manager_keeps_what_it_found(self):
        manager = support.Manager()
        self.addCleanup(manager.kill)
        manager.start()
        layers = manager.info("layers")["layers"]
        self.assertTrue(layers["met"], layers)
        self.assertGreater(len(layers["layers"]), 15)


if __name__ == "__main__":
    unittest.main()
