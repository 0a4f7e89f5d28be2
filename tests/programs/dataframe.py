"""A DataFrame as the last expression."""
import pandas as pd

pd.DataFrame({"name": ["a", "b"], "size": [1, 2]})
