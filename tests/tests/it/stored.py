"""Prints what a keyvigil store holds, as JSON: counts, the access ledger, findings and what waits."""
import json
import sqlite3
import sys

db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=20)
one = lambda query: db.execute(query).fetchone()[0]
rows = lambda query: [list(row) for row in db.execute(query)]
print(json.dumps({
    "integrity": one("PRAGMA integrity_check"),
    "seen": one("SELECT count(*) FROM seen_events"),
    "ledger_sum": one("SELECT coalesce(sum(count), 0) FROM access_ledger"),
    "ledger": rows("SELECT day, account, key, principal, operation, outcome, count, first, last FROM access_ledger ORDER BY 1,2,3,4,5,6"),
    "objects": rows("SELECT bucket, key, records, hex(sha256) FROM objects ORDER BY 1,2"),
    "quarantine": rows("SELECT origin, reason, detail FROM quarantine ORDER BY 1,2"),
    "findings": rows("SELECT rule, severity, status, outcome, account, region, time, principal, key, resource, event_ids, hex(fingerprint), count FROM findings ORDER BY 12,7,11"),
    "alerts": rows("SELECT hex(fingerprint), episode, state, severity, count FROM alerts ORDER BY 1,2"),
    "coverage": rows("SELECT day, account, region, records, key_records FROM coverage ORDER BY 1,2,3"),
    "waiting": one("SELECT count(*) FROM outbox WHERE state IN ('pending','sending','retry','unknown')"),
    "dead": one("SELECT count(*) FROM outbox WHERE state = 'dead'"),
}))
