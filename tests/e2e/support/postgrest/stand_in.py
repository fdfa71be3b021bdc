"""Not PostgREST: a minimal stand-in, written from its documentation, for tests only.

It reads PostgREST's own PGRST_* variables, verifies tokens (HS256), switches the role of
each transaction and sets request.jwt.claims, calls db-pre-request, runs functions under
/rpc/ and reads and writes tables with simple filters, and gives errors the status that
PostgREST gives them. No embedding, no media types but JSON, no schema cache.
"""

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jwt
import psycopg
from psycopg import sql

OPTIONS = {k.removeprefix("PGRST_"): v for k, v in os.environ.items() if k.startswith("PGRST_")}
SCHEMAS = OPTIONS["DB_SCHEMAS"].split(",")
ANON = OPTIONS["DB_ANON_ROLE"]
PRE_REQUEST = OPTIONS.get("DB_PRE_REQUEST", "")
MAX_ROWS = int(OPTIONS.get("DB_MAX_ROWS", "1000"))
OPERATORS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
# The table "HTTP status codes" of its documentation; the longest beginning wins.
STATUSES = {
    "08": 503, "09": 500, "0L": 403, "0P": 403, "23503": 409, "23505": 409, "25006": 405,
    "25": 500, "28": 403, "2D": 500, "38": 500, "39": 500, "3B": 500, "40": 500, "53400": 500,
    "53": 503, "54": 500, "55": 500, "57": 500, "58": 500, "F0": 500, "HV": 500, "P0001": 400,
    "P0": 500, "XX": 500, "42883": 404, "42P01": 404, "42P17": 500,
}  # fmt: skip


def from_file(value: str) -> str:
    """The value, or what the file of an `@name` holds."""
    if not value.startswith("@"):
        return value
    return Path(value[1:]).read_text().removesuffix("\n")


class RefusedError(Exception):
    """An answer with an error."""

    def __init__(self, status: int, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, "details": None, "hint": hint}


class Pool:
    """Connections as authenticator, made when they are wanted."""

    def __init__(self) -> None:
        self.idle: LifoQueue[Any] = LifoQueue()

    def take(self) -> Any:
        """One that is open."""
        with suppress(Empty):
            while True:
                connection = self.idle.get_nowait()
                if not connection.closed:
                    return connection
        try:
            return psycopg.connect(OPTIONS["DB_URI"], connect_timeout=5)
        except psycopg.OperationalError as error:
            raise RefusedError(503, "PGRST001", "Database client error", str(error)) from error

    def give(self, connection: Any) -> None:
        """Keep it for the next request; with one that broke, the others have."""
        if not connection.closed:
            self.idle.put(connection)
            return
        with suppress(Empty):
            while True:
                self.idle.get_nowait().close()


POOL = Pool()


def claims_of(header: str) -> dict[str, Any]:
    """The claims of a bearer token, with the role that holds; raises RefusedError (401)."""
    claims: dict[str, Any] = {}
    kind, _, token = header.partition(" ")
    if kind.lower() == "bearer":
        secret = from_file(OPTIONS["JWT_SECRET"])
        checks: Any = {"verify_aud": False, "verify_sub": False, "verify_jti": False}
        try:
            claims = jwt.decode(token.strip(), secret, ["HS256"], options=checks, leeway=30)
        except jwt.ExpiredSignatureError as error:
            raise RefusedError(401, "PGRST303", "JWT expired") from error
        except jwt.PyJWTError as error:
            raise RefusedError(
                401, "PGRST301", f"No suitable key or wrong key type: {error}"
            ) from error
    return {**claims, "role": str(claims.get("role") or ANON)}


def status_of(state: str, role: str) -> int:
    """What PostgREST answers for an error of PostgreSQL."""
    if re.fullmatch(r"PT\d{3}", state):
        return int(state[2:])
    if state == "42501":
        return 401 if role == ANON else 403
    known = [key for key in STATUSES if state.startswith(key)]
    return STATUSES[max(known, key=len)] if known else 400


class Request:
    """One transaction."""

    def __init__(self, method: str, path: str, headers: Any, body: bytes) -> None:
        url = urlsplit(path)
        self.method, self.name = method, unquote(url.path).strip("/")
        self.params = parse_qsl(url.query, keep_blank_values=True)
        self.claims = claims_of(headers.get("Authorization", ""))
        self.reading = method in ("GET", "HEAD")
        profile = headers.get("Accept-Profile" if self.reading else "Content-Profile")
        self.schema = profile or SCHEMAS[0]
        if self.schema not in SCHEMAS:
            raise RefusedError(406, "PGRST106", f"Invalid schema: {self.schema}")
        self.body = self.parsed(body)

    @staticmethod
    def parsed(body: bytes) -> Any:
        try:
            return json.loads(body) if body else None
        except (ValueError, RecursionError) as error:
            raise RefusedError(400, "PGRST102", "Empty or invalid json") from error

    def answer(self) -> tuple[int, Any]:
        """Status and body."""
        connection = POOL.take()
        try:
            connection.read_only = self.reading
            with connection.transaction(), connection.cursor() as cursor:
                self.set_role(cursor)
                return self.run(cursor)
        except psycopg.Error as error:
            raise self.refusal(error) from error
        finally:
            POOL.give(connection)

    def refusal(self, error: psycopg.Error) -> RefusedError:
        if error.sqlstate is None:
            return RefusedError(503, "PGRST001", "Database client error", str(error))
        found = error.diag
        status = status_of(error.sqlstate, self.claims["role"])
        refused = RefusedError(
            status, error.sqlstate, found.message_primary or "", found.message_hint
        )
        refused.body["details"] = found.message_detail
        return refused

    def set_role(self, cursor: Any) -> None:
        """SET LOCAL of role, claims and search path, then db-pre-request."""
        settings = {
            "search_path": f'"{self.schema}", "public"',
            "role": self.claims["role"],
            "request.jwt.claims": json.dumps(self.claims),
            "request.method": self.method,
            "request.path": f"/{self.name}",
        }
        for name, value in settings.items():
            cursor.execute("SELECT set_config(%s, %s, true)", (name, value))
        if PRE_REQUEST:
            cursor.execute(sql.SQL("SELECT {}()").format(sql.Identifier(*PRE_REQUEST.split("."))))

    def run(self, cursor: Any) -> tuple[int, Any]:
        if not self.name:
            return 200, {"swagger": "2.0", "info": {"title": "stand-in for PostgREST"}}
        if self.name.startswith("rpc/"):
            return self.call(cursor, self.name.removeprefix("rpc/"))
        table = sql.Identifier(self.schema, self.name)
        if self.method == "GET":
            return 200, self.select(cursor, table)
        where = self.where()
        if self.method == "POST":
            names = sql.SQL(", ").join(map(sql.Identifier, self.body))
            query = "INSERT INTO {0} ({1}) SELECT {1} FROM json_populate_record(NULL::{0}, %s)"
            cursor.execute(sql.SQL(query).format(table, names), (json.dumps(self.body),))
            return 201, None
        if self.method == "PATCH":
            changed = [sql.Identifier(name) for name in self.body]
            pairs = [sql.SQL("{0} = new.{0}").format(name) for name in changed]
            query = "UPDATE {0} AS t SET {1} FROM json_populate_record(NULL::{0}, %s) AS new {2}"
            filled = sql.SQL(query).format(table, sql.SQL(", ").join(pairs), where)
            cursor.execute(filled, (json.dumps(self.body),))
            return 204, None
        if self.method == "DELETE":
            cursor.execute(sql.SQL("DELETE FROM {} AS t {}").format(table, where))
            return 204, None
        raise RefusedError(405, "PGRST117", f"Unsupported HTTP method: {self.method}")

    def where(self) -> sql.Composable:
        conditions = []
        for name, value in self.params:
            if name in ("select", "order", "limit", "offset"):
                continue
            operator, _, operand = value.partition(".")
            column = sql.Identifier("t", name)
            if value == "is.null":
                conditions.append(sql.SQL("{} IS NULL").format(column))
            elif operator in OPERATORS:
                compare = sql.SQL(OPERATORS[operator])
                conditions.append(sql.SQL("{} {} {}").format(column, compare, sql.Literal(operand)))
            else:
                raise RefusedError(400, "PGRST100", f"failed to parse filter ({value})")
        return (
            sql.SQL("WHERE {}").format(sql.SQL(" AND ").join(conditions))
            if conditions
            else sql.SQL("")
        )

    def select(self, cursor: Any, table: sql.Composable) -> Any:
        given = dict(self.params)
        columns: sql.Composable = sql.SQL("*")
        if given.get("select", "*") != "*":
            columns = sql.SQL(", ").join(map(sql.Identifier, given["select"].split(",")))
        order = []
        for term in filter(None, given.get("order", "").split(",")):
            name, _, direction = term.partition(".")
            order.append(
                sql.SQL("{} {}").format(
                    sql.Identifier(name), sql.SQL("DESC" if direction == "desc" else "ASC")
                )
            )
        by = sql.SQL("ORDER BY {}").format(sql.SQL(", ").join(order)) if order else sql.SQL("")
        limit = sql.Literal(min(int(given.get("limit", MAX_ROWS)), MAX_ROWS))
        inner = sql.SQL("SELECT {} FROM {} AS t {} {} LIMIT {}").format(
            columns, table, self.where(), by, limit
        )
        query = "SELECT coalesce(json_agg(r), '[]')::text FROM ({}) AS r"
        return json.loads(cursor.execute(sql.SQL(query).format(inner)).fetchone()[0])

    def call(self, cursor: Any, name: str) -> tuple[int, Any]:
        if self.body is not None and not isinstance(self.body, dict):
            raise RefusedError(400, "PGRST102", "the body has to be an object")
        arguments = self.body if self.body is not None else dict(self.params)
        types, returns = self.signature(cursor, name, arguments)
        record = [sql.SQL("{} {}").format(sql.Identifier(a), sql.SQL(types[a])) for a in arguments]
        passed = [sql.SQL("{0} := args.{0}").format(sql.Identifier(a)) for a in arguments]
        source: sql.Composable = sql.SQL("json_to_record(%s) AS args({})").format(
            sql.SQL(", ").join(record)
        )
        if not arguments:
            source = sql.SQL("(SELECT %s) AS args")
        query = sql.SQL("SELECT to_json(r)::text FROM {}, LATERAL {}({}) AS r").format(
            source, sql.Identifier(self.schema, name), sql.SQL(", ").join(passed)
        )
        rows = cursor.execute(query, (json.dumps(arguments),)).fetchall()
        values = [json.loads(row[0]) if row[0] is not None else None for row in rows]
        if returns == "void":
            return 204, None
        return 200, values if returns == "set" else values[0]

    def signature(self, cursor: Any, name: str, arguments: dict[str, Any]) -> tuple[Any, str]:
        """Types of the arguments, and whether it returns a set, one value or nothing."""
        found = cursor.execute(
            """SELECT proargnames, proargtypes::regtype[]::text[], proretset,
                      prorettype::regtype::text,
                      pronargs - pronargdefaults
               FROM pg_proc WHERE pronamespace = %s::regnamespace AND proname = %s""",
            (self.schema, name),
        ).fetchall()
        for names, types, is_set, result, required in found:
            known = dict(zip(names or [], types, strict=False))
            if set(arguments) <= set(known) and set((names or [])[:required]) <= set(arguments):
                return known, "set" if is_set else "void" if result == "void" else "one"
        raise RefusedError(
            404,
            "PGRST202",
            f"Could not find the function {self.schema}.{name}"
            " with these parameters in the schema cache",
        )
