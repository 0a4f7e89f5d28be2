"""What the data profile is for: figures and tables as notebooks show them."""
import base64
import pathlib
import tempfile
import unittest

from support import ManagerCase, program

DATA = """
default_profile = "data"
[pool]
warm = 1
capsules = 1
[profiles.base.pool]
warm = 0
capsules = 0
"""


class ResultsTest(ManagerCase):
    config = DATA

    def test_a_figure_is_displayed_without_show(self):
        document = self.manager.run(program("figure"))
        self.assert_verdict(document, "ok", 0)
        self.assertEqual(document["stdout"], "drawn\n")
        pictures = [d["image/png"] for d in document["displays"] if "image/png" in d]
        self.assertEqual(len(pictures), 1)
        self.assertTrue(base64.b64decode(pictures[0]).startswith(b"\x89PNG"))

    def test_a_table_is_html_and_text(self):
        document = self.manager.run(program("dataframe"))
        self.assert_verdict(document, "ok", 0)
        self.assertIn("<table", document["result"]["text/html"])
        self.assertIn("0    a     1", document["result"]["text/plain"])

    def test_pictures_are_saved_where_asked(self):
        with tempfile.TemporaryDirectory() as directory:
            done = self.manager.capsule("run", "--display-dir", directory, program("figure"))
            self.assertEqual(done.status, 0, done)
            pictures = list(pathlib.Path(directory).glob("*.png"))
            self.assertEqual(len(pictures), 1)
            self.assertTrue(pictures[0].read_bytes().startswith(b"\x89PNG"))

    def test_numpy_draws_different_numbers_in_each_worker(self):
        code = "import numpy; numpy.random.random()"
        values = [self.manager.run_code(code)["result"]["text/plain"] for _ in range(6)]
        self.assertEqual(len(set(values)), len(values), values)


if __name__ == "__main__":
    unittest.main()
