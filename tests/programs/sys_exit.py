"""SystemExit with what the argument says: a number, none, or a text."""
import sys

what = sys.argv[1]
sys.exit({"none": None, "text": "words"}[what] if not what.lstrip("-").isdigit() else int(what))
