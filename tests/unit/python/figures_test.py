"""matplotlib figures without show(), and tables. Skipped where matplotlib or pandas is not installed."""
import importlib.util
import unittest

from support import WorkerTest

PNG = b"\x89PNG\r\n\x1a\n"


def kinds(outcome):
    return [sorted(item) for item in outcome.displays]


@unittest.skipUnless(importlib.util.find_spec("matplotlib"), "matplotlib is not installed")
class Figures(WorkerTest):
    def test_open_figures_are_shown_before_the_result_and_closed(self):
        outcome = self.check_ok(self.run_cell(
            "import matplotlib.pyplot as plt\nplt.figure(); plt.plot([1, 2])\nplt.figure(); plt.plot([2, 1])\n7"))
        self.assertEqual([item[0] for item in outcome.sent], ["display", "display", "result"])
        self.assertEqual(kinds(outcome), [["image/png", "text/plain"]] * 2)
        self.assertTrue(outcome.displays[0]["image/png"].startswith(PNG))
        self.assertEqual(self.run_cell("plt.get_fignums()").text, "[]")

    def test_show_displays_at_that_point_and_once(self):
        outcome = self.check_ok(self.run_script(
            "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\ndisplay('after')\nplt.show()"))
        self.assertEqual(kinds(outcome), [["image/png", "text/plain"], ["text/plain"]])
        self.assertEqual(outcome.stderr, "")

    def test_figure_as_result_is_drawn_once(self):
        outcome = self.check_ok(self.run_cell("import matplotlib.pyplot as plt\nf, a = plt.subplots()\nf"))
        self.assertEqual(kinds(outcome), [["image/png", "text/plain"]])
        self.assertEqual(list(outcome.result), ["text/plain"])

    def test_displayed_figure_is_shown_again_only_if_it_changed(self):
        self.run_cell("import matplotlib.pyplot as plt")
        self.assertEqual(len(self.run_cell("plt.plot([1]); display(plt.gcf())").displays), 1)
        self.assertEqual(len(self.run_cell("plt.plot([1]); display(plt.gcf()); plt.title('x');").displays), 2)

    def test_figure_that_pyplot_does_not_know_is_drawn_as_result(self):
        outcome = self.run_cell("from matplotlib.figure import Figure\nf = Figure(); f.subplots().plot([1])\nf")
        self.assertEqual(sorted(outcome.result), ["image/png", "text/plain"])

    def test_figure_that_cannot_be_drawn_is_told_and_costs_nothing_else(self):
        outcome = self.check_ok(self.run_cell(
            "import matplotlib.pyplot as plt\nplt.plot([1]); plt.title(r'$\\frac{$')\nplt.figure(); plt.plot([2])\n5"))
        self.assertEqual(kinds(outcome), [["text/plain"], ["image/png", "text/plain"]])
        self.assertIn("ValueError", outcome.sent[0][5])
        self.assertEqual(outcome.text, "5")

    def test_figures_of_a_failed_run_are_shown(self):
        outcome = self.run_cell("import matplotlib.pyplot as plt\nplt.plot([1])\n1 / 0")
        self.assertEqual((outcome.verdict, len(outcome.displays)), ("exception", 1))


@unittest.skipUnless(importlib.util.find_spec("pandas"), "pandas is not installed")
class Tables(WorkerTest):
    def test_frame_is_html_and_text(self):
        outcome = self.check_ok(self.run_cell("import pandas as pd\npd.DataFrame({'a': [1, 2]})"))
        self.assertEqual(sorted(outcome.result), ["text/html", "text/plain"])
        self.assertIn(b"<table", outcome.result["text/html"])
        self.assertIn("0  1", outcome.text)


if __name__ == "__main__":
    unittest.main()
