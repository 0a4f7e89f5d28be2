"""A first program for Capsule: prints, draws a figure, and ends in a value. Nothing here knows about Capsule."""
import matplotlib.pyplot as plt
import numpy as np

rng = np.random.default_rng(seed=7)
steps = rng.choice([-1, 1], size=(2000, 200))
walks = steps.cumsum(axis=1)
distance = np.abs(walks).mean(axis=0)

print(f"{walks.shape[0]} random walks of {walks.shape[1]} steps")
for step in (10, 50, 200):
    expected = np.sqrt(2 * step / np.pi)
    print(f"  after {step:3d} steps: {distance[step - 1]:6.2f} from home on average, {expected:6.2f} expected")

figure, axes = plt.subplots(figsize=(6, 3.5))
axes.plot(walks[:20].T, color="0.8", linewidth=0.6)
axes.plot(distance, color="tab:blue", label="mean distance")
axes.plot(np.sqrt(2 * np.arange(1, 201) / np.pi), "--", color="tab:orange", label="expected")
axes.set_xlabel("step")
axes.legend()

# The value of the last expression is the result of the run.
{"walks": walks.shape[0], "furthest": int(np.abs(walks).max())}
