"""E03: the metadata services of clouds.

by: seccomp (socket families), the network namespace
needs: netns
"""
import socket
import urllib.request

for url in ("http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/latest/", "http://metadata.google.internal/",
            "http://100.100.100.200/"):
    tried(url)
    try:
        got(urllib.request.urlopen(url, timeout=1).read(10))
    except OSError as error:
        stopped(error)
