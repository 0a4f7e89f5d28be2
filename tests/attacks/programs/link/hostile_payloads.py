"""G10: fields twice, wrong types, extensions, text that is not UTF-8.

by: the strict decoder
verdict: worker_lost
payloads: 11
"""
import time

tried("hostile payloads")
send_payload(payload(
    b"\x83\xa4type\xa8finished\xa4type\xa8finished\xa6run_id\xa1x", b"\x82\xa4type\xa8finished\xa6run_id\x05",
    b"\x82\xa4type\xa9heartbeat\xa3seq\xd4\x01\x02", b"\x82\xa4type\xa9heartbeat\xa3seq\xc0", b"\xc1" * 10, b"\x80",
    b"\x81\xa4type\xa2\xc3\x28", b"\x82\xa4type\xa9heartbeat\xa3seq\xff", b"\x93\x01\x02\x03", b"\x81\x01\x02", b"\x82\xa4type"))
time.sleep(5)
