"""C30: archives with ../, absolute names, links and devices, unpacked.

by: unpacked inside only
"""
import io
import tarfile
import zipfile

target = FACTS["watched"].lstrip("/")
data = io.BytesIO()
with tarfile.open(fileobj=data, mode="w") as archive:
    for name in (f"../../../../{target}/evil", f"/{target}/evil2", "/etc/evil"):
        entry = tarfile.TarInfo(name)
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"evil"))
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, f"/{target}"
    archive.addfile(link)
    entry = tarfile.TarInfo("link/evil3")
    entry.size = 4
    archive.addfile(entry, io.BytesIO(b"evil"))
tried("tar")
data.seek(0)
with tarfile.open(fileobj=data) as archive:
    for member in archive.getmembers():
        try:
            archive.extract(member)
        except OSError as error:
            stopped(error)
