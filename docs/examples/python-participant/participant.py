"""A whole participant of ordertx in Python's standard library: an order's total is held from the customer's store credit.

One SQLite transaction holds the fence's row and the change of the balance: both are kept or neither is. BEGIN IMMEDIATE
lets one call write at a time, so calls of a branch wait for each other. Tokens are NOT checked: see README.md.
"""
import hashlib, json, os, re, sqlite3, sys
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BRANCH, PATH, BODY_BYTES_MAX, WELCOME_CENTS = "credit", "/tcc/create-order", 128 * 1024, 1_000_000
DEFAULTS = {"HOST": "127.0.0.1", "PORT": "8080", "DATABASE": "credit.db", "ORDERTX_NAMESPACES": "default"}
HOST, PORT, DATABASE, NAMESPACES = (os.environ.get(name, default) for name, default in DEFAULTS.items())
SCHEMA = """
create table if not exists credit (user text primary key, cents integer not null check (cents >= 0));
create table if not exists fence (id text, branch text, state text not null, digest text, answer text, refusal text,
  changed_at text default current_timestamp, primary key (id, branch));
delete from fence where state in ('Confirmed', 'Cancelled') and changed_at < datetime('now', '-30 days');"""
NO = {("confirm", "None"): ("Nothing was held for this order, so there is nothing to confirm.", "no-try"),
      ("cancel", "Confirmed"): ("The credit was spent already, so it cannot be given back.", "already-confirmed"),
      ("confirm", "Cancelled"): ("This order was cancelled already, so it cannot be confirmed.", "already-cancelled"),
      ("try", "Cancelled"): ("This order was cancelled already, so nothing is held for it any more.", "cancelled")}

def hold(db, payload):  # the business of a try: an answer, or why not, in words that customer-service people understand
    user, cents = (payload.get("userId"), payload.get("totalCents")) if isinstance(payload, dict) else (None, None)
    if not isinstance(user, str) or not isinstance(cents, float) or not 0 <= cents < 2**53:
        return None, "The payload is not usable: it needs userId and totalCents."
    db.execute("insert or ignore into credit values (?, ?)", (user, WELCOME_CENTS))
    taken = db.execute("update credit set cents = cents - ? where user = ? and cents >= ?", (int(cents), user, int(cents)))
    if taken.rowcount == 0: return None, f"Customer {user} has less than {cents / 100:.2f} of store credit left."
    return {"userId": user, "heldCents": int(cents)}, None

def give_back(db, held):  # the business of a cancel; a confirm has nothing left to do
    db.execute("update credit set cents = cents + ? where user = ?", (held["heldCents"], held["userId"]))

def fence(db, id, operation, canonical):  # the 15 cells; gives status, stored state and body of the answer
    select = "select state, digest, answer, refusal from fence where id = ? and branch = ?"
    state, known, answer, refusal = db.execute(select, (id, BRANCH)).fetchone() or ("None", None, None, None)
    digest = known if operation == "cancel" else hashlib.sha256(canonical).hexdigest()
    def store(state, answer, refusal=None):
        db.execute("insert or replace into fence (id, branch, state, digest, answer, refusal) values (?, ?, ?, ?, ?, ?)",
                   (id, BRANCH, state, digest, answer, refusal))
        return no(409, refusal, "refused", state) if refusal else (200, state, json.loads(answer or "{}"))
    if known not in (None, digest): return no(409, "This order came before with other contents.", "payload-mismatch", state)
    if (operation, state) in NO: return no(409, *NO[operation, state], state)
    if operation == "cancel":  # what was not tried, or refused, holds nothing; its row stops a try that comes late
        if state == "Tried": give_back(db, json.loads(answer))
        return store("Cancelled", None)
    if state != "None":  # a repeat hears what the first one heard; a confirm makes Tried Confirmed
        return store("Confirmed" if (operation, state) == ("confirm", "Tried") else state, answer, refusal)
    db.execute("savepoint business")
    held, refusal = hold(db, json.loads(canonical))
    if refusal: db.execute("rollback to business")
    return store("Refused" if refusal else "Tried", held and json.dumps(held), refusal)

def no(status, detail, code="not-taken", state=None):
    return status, state, {"title": code, "status": status, "detail": detail, "code": code}

def canonical_json(body):  # tells payloads apart as RFC 8785 does: numbers are doubles; order and spelling do not count
    number = lambda text: float(text) + 0.0  # -0 is 0
    payload = json.loads(body, parse_int=number, parse_float=number)
    return json.dumps(payload, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()

class Participant(BaseHTTPRequestHandler):
    protocol_version, timeout, disable_nagle_algorithm = "HTTP/1.1", 30, True

    def do_POST(self):
        length = self.headers.get("Content-Length", "0")
        bounded = length.isdecimal() and int(length) <= BODY_BYTES_MAX and "Transfer-Encoding" not in self.headers
        status, state, answer = self.call(self.rfile.read(int(length)) if bounded else b"")
        text, kind = json.dumps(answer).encode(), "application/json" if status == 200 else "application/problem+json"
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(text))), ("Ordertx-State", state),
                            ("Retry-After", status == 503 and "1"), ("Connection", not bounded and "close")):
            if value: self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def call(self, body):
        id, branch, operation = (self.headers.get(f"Ordertx-{name}", "") for name in ("Transaction", "Branch", "Operation"))
        for status, wrong, detail in (
                (404, self.path not in [f"{PATH}/{step}" for step in ("try", "confirm", "cancel")], "There is nothing here."),
                (400, not re.fullmatch("[a-z0-9-]+/[a-z0-9.-]+", id), "Ordertx-Transaction: must be <namespace>/<name>."),
                (400, self.path != f"{PATH}/{operation}", "Ordertx-Operation: must be what the path says."),
                (421, branch != BRANCH, f"Ordertx-Branch: this is {BRANCH}."),
                (403, id.split("/")[0] not in NAMESPACES.split(","), "That namespace is not served.")):
            if wrong: return no(status, detail)
        try: canonical = canonical_json(body)
        except (ValueError, RecursionError): canonical = None
        if canonical is None and operation != "cancel": return no(400, f"body: must be JSON, up to {BODY_BYTES_MAX} bytes.")
        try:
            with closing(sqlite3.connect(DATABASE, timeout=2, isolation_level=None)) as db, db:  # commits, or rolls back
                db.execute("begin immediate")
                return fence(db, id, operation, canonical)
        except sqlite3.OperationalError: return no(503, "The database is busy; ask again.")

if os.environ.get("ORDERTX_AUTH") != "off": sys.exit("ORDERTX_AUTH: must be off, because this example checks no tokens")
with closing(sqlite3.connect(DATABASE)) as db: db.executescript(SCHEMA)
print(f"http://{HOST}:{PORT}{PATH}, branch {BRANCH}. Tokens are NOT checked: whoever reaches it can call it.", flush=True)
ThreadingHTTPServer((HOST, int(PORT)), Participant).serve_forever()
