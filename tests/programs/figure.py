"""A figure that nobody shows."""
import matplotlib.pyplot as plt

plt.plot([1, 2, 3])
plt.title("a figure")
print("drawn")
