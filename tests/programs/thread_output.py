"""Eight threads print a hundred lines each."""
import threading


def work(number):
    for i in range(100):
        print(f"{number}:{i}")


threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
